//! The names of events, as subscribers write them.

use crate::dialect::Dialect;
use postroom_feed::{Event, ReceivedAs, What};
use std::fmt;
use std::str::FromStr;

macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What an event tells of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventType {
            $($(#[$doc])* $name,)*
        }

        impl EventType {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

event_types! {
    /// A message came in.
    MessageReceived = "message.received",
    /// Junk came in.
    MessageReceivedSpam = "message.received.spam",
    /// A message came in from somebody the inbox does not want to hear of.
    MessageReceivedBlocked = "message.received.blocked",
    /// A message came in of which nothing says that it comes from where it claims to.
    MessageReceivedUnauthenticated = "message.received.unauthenticated",
    /// A message was taken for sending.
    MessageSent = "message.sent",
    /// A message was taken for sending that passes another one on. Of Inkbox alone: elsewhere it was sent.
    MessageForwarded = "message.forwarded",
    /// The next server took it.
    MessageDelivered = "message.delivered",
    /// It did not arrive.
    MessageBounced = "message.bounced",
    /// A recipient called it junk.
    MessageComplained = "message.complained",
    /// It is not sent, by a decision made here.
    MessageRejected = "message.rejected",
    /// What Inkbox calls that.
    MessageFailed = "message.failed",
    /// Somebody looked at it. May be asked for, does not happen here: nothing is put into mail to find out.
    MessageOpened = "message.opened",
    /// A domain proved to be the organization's own.
    DomainVerified = "domain.verified",
    /// Of the hosted service; may be asked for, does not happen here.
    SecurityCompleted = "message.security.completed",
    /// Of the hosted service; may be asked for, does not happen here.
    SecurityReview = "message.security.review",
    /// Of the hosted service; may be asked for, does not happen here.
    SecurityOverride = "message.security.override",
    /// Of the hosted service; may be asked for, does not happen here.
    CalendarCreated = "calendar.event.created",
    /// Of the hosted service; may be asked for, does not happen here.
    CalendarUpdated = "calendar.event.updated",
    /// Of the hosted service; may be asked for, does not happen here.
    CalendarDeleted = "calendar.event.deleted",
    /// Of the hosted service; may be asked for, does not happen here.
    CalendarResponded = "calendar.event.responded",
    /// Of the hosted service; may be asked for, does not happen here.
    CalendarStarting = "calendar.event.starting",
    /// Of the hosted service; may be asked for, does not happen here.
    CalendarEnding = "calendar.event.ending",
}

/// What Inkbox tells of.
const INKBOX: &[EventType] = &[
    EventType::MessageReceived,
    EventType::MessageSent,
    EventType::MessageForwarded,
    EventType::MessageDelivered,
    EventType::MessageBounced,
    EventType::MessageFailed,
];

/// What MyAgentMail tells of.
const MYAGENTMAIL: &[EventType] = &[
    EventType::MessageReceived,
    EventType::MessageSent,
    EventType::MessageBounced,
];

impl EventType {
    /// What an event is called in a dialect; `None` if it does not tell of such. Where there is no word for mail that
    /// nothing says comes from where it claims to, it is mail like any other.
    #[must_use]
    pub const fn told(dialect: Dialect, event: &Event) -> Option<Self> {
        let event_type = Self::of(event);
        let other = match (dialect, event_type) {
            (Dialect::AgentMail, _) => return Some(event_type),
            (_, Self::MessageReceivedUnauthenticated) => Self::MessageReceived,
            (Dialect::Inkbox, Self::MessageSent) if matches!(event.what, What::Sent { forwarded: true, .. }) => {
                Self::MessageForwarded
            }
            (Dialect::Inkbox, Self::MessageRejected) => Self::MessageFailed,
            _ => event_type,
        };
        if other.is_of(dialect) { Some(other) } else { None }
    }

    /// Whether a dialect has such events.
    #[must_use]
    pub const fn is_of(self, dialect: Dialect) -> bool {
        match dialect {
            Dialect::AgentMail => !matches!(self, Self::MessageForwarded | Self::MessageFailed),
            Dialect::Inkbox => contains(INKBOX, self),
            Dialect::MyAgentMail => contains(MYAGENTMAIL, self),
        }
    }

    /// The event type that a dialect calls so.
    ///
    /// # Errors
    /// [`UnknownEventType`].
    pub fn parse(dialect: Dialect, text: &str) -> Result<Self, UnknownEventType> {
        let found = text.parse::<Self>()?;
        if found.is_of(dialect) {
            Ok(found)
        } else {
            Err(UnknownEventType)
        }
    }

    /// What AgentMail calls an event of the feed.
    #[must_use]
    pub const fn of(event: &Event) -> Self {
        match &event.what {
            What::Received { received_as, .. } => match received_as {
                ReceivedAs::Plain => Self::MessageReceived,
                ReceivedAs::Spam => Self::MessageReceivedSpam,
                ReceivedAs::Blocked => Self::MessageReceivedBlocked,
                ReceivedAs::Unauthenticated => Self::MessageReceivedUnauthenticated,
            },
            What::Sent { .. } => Self::MessageSent,
            What::Delivered { .. } => Self::MessageDelivered,
            What::Bounced { .. } => Self::MessageBounced,
            What::Complained { .. } => Self::MessageComplained,
            What::Rejected { .. } => Self::MessageRejected,
            What::DomainVerified { .. } => Self::DomainVerified,
        }
    }

    /// Whether it is sent to who names no types.
    #[must_use]
    pub const fn is_standard(self) -> bool {
        self.label().is_none()
    }

    /// The label that hides the message it tells of from those who may not see such.
    #[must_use]
    pub const fn label(self) -> Option<Label> {
        match self {
            Self::MessageReceivedSpam => Some(Label::Spam),
            Self::MessageReceivedBlocked => Some(Label::Blocked),
            Self::MessageReceivedUnauthenticated => Some(Label::Unauthenticated),
            _ => None,
        }
    }
}

const fn contains(all: &[EventType], wanted: EventType) -> bool {
    let mut at = 0;
    while at < all.len() {
        if all[at] as u8 == wanted as u8 {
            return true;
        }
        at += 1;
    }
    false
}

/// A label that only some keys may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `spam`.
    Spam,
    /// `blocked`.
    Blocked,
    /// `unauthenticated`.
    Unauthenticated,
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no event type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event type")]
pub struct UnknownEventType;

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(text: &str) -> Result<Self, UnknownEventType> {
        let mut all = Self::ALL.iter().copied();
        all.find(|known| known.as_str() == text).ok_or(UnknownEventType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for known in EventType::ALL {
            assert_eq!(known.as_str().parse(), Ok(*known));
        }
        for other in [
            "",
            "message",
            "message.delayed",
            "MESSAGE.RECEIVED",
            "message.received ",
        ] {
            assert_eq!(other.parse::<EventType>(), Err(UnknownEventType), "{other:?}");
        }
    }
}
