//! What the queue tells about itself: where recipients stand, what attempts came to, what was reported later.

use crate::model::{Contact, Destination, ItemId, ItemState, Reason};
use postroom_types::{Domain, EmailAddress, InboxId, ReversePath};
use std::fmt;
use std::str::FromStr;

/// Where one recipient stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientStatus {
    /// Which.
    pub id: ItemId,
    /// The forward-path.
    pub address: EmailAddress,
    /// What it waits in line for.
    pub destination: Destination,
    /// The inbox the message comes from.
    pub sender: Option<InboxId>,
    /// The message's reverse-path, before any signing.
    pub reverse_path: ReversePath,
    /// Where it stands.
    pub state: ItemState,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// Size of the message.
    pub size_octets: u64,
    /// Attempts begun.
    pub attempts: u32,
    /// When it is tried next, milliseconds since 1970 UTC; `None` if it is final, on hold, or being tried.
    pub next_attempt: Option<i64>,
    /// When its state last changed, milliseconds since 1970 UTC.
    pub changed_at: i64,
    /// Why it is where it is: the last reply, or why it is on hold.
    pub reason: Reason,
    /// With whom the last attempt was.
    pub contact: Contact,
    /// What other servers reported later, in the order they came.
    pub reports: Vec<LaterReport>,
}

/// What one attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AttemptOutcome {
    /// Not over yet.
    Open = 1,
    /// Taken.
    Delivered = 2,
    /// To be tried again.
    Deferred = 3,
    /// Refused for good.
    Bounced = 4,
    /// Perhaps taken: the final reply was lost, or the server stopped meanwhile.
    Uncertain = 5,
}

/// One attempt at one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Milliseconds since 1970 UTC.
    pub started_at: i64,
    /// Milliseconds since 1970 UTC; `None` while it is open.
    pub ended_at: Option<i64>,
    /// With whom.
    pub contact: Contact,
    /// What it came to.
    pub outcome: AttemptOutcome,
    /// Why.
    pub reason: Reason,
}

/// A report that came back after the next server had taken the message (RFC 3464, RFC 5965).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterReport {
    /// What it says happened.
    pub kind: postroom_message::ReportKind,
    /// When it came, milliseconds since 1970 UTC.
    pub received_at: i64,
    /// The enhanced status code, or empty.
    pub status: String,
    /// What the reporting server says, at most 512 octets.
    pub diagnostic: String,
}

/// What to list; every `Some` must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Of messages from this inbox.
    pub inbox: Option<InboxId>,
    /// Only what is not final.
    pub pending: bool,
    /// In this state.
    pub state: Option<ItemState>,
    /// With an address in this domain.
    pub domain: Option<Domain>,
}

/// A place in a list: it goes on after this recipient. Its text form is for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub ItemId);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.message, self.0.recipient)
    }
}

/// The text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor")]
pub struct CursorError;

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (message, recipient) = text.split_once('.').ok_or(CursorError)?;
        Ok(Self(ItemId {
            message: message.parse().map_err(|_| CursorError)?,
            recipient: recipient.parse().map_err(|_| CursorError)?,
        }))
    }
}

/// Part of a list, newest messages first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What was found; may be fewer than asked for, even none, with `next` set.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

/// A message kept instead of sent, for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Which.
    pub id: ItemId,
    /// The reverse-path a peer would have seen.
    pub envelope_from: ReversePath,
    /// The forward-path.
    pub address: EmailAddress,
    /// Milliseconds since 1970 UTC.
    pub captured_at: i64,
    /// Size of the message.
    pub size_octets: u64,
}
