//! Which events a subscriber hears of: one rule for webhooks, the WebSocket, the events API and whoever else listens.

use crate::dialect::Dialect;
use crate::event_type::{EventType, Label};
use postroom_feed::Event;
use postroom_types::{InboxId, OrganizationId, PodId};

/// A part of an organization: all of it, a pod, or an inbox (then the pod it is in, too).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The organization.
    pub organization: OrganizationId,
    /// Only this pod.
    pub pod: Option<PodId>,
    /// Only this inbox.
    pub inbox: Option<InboxId>,
}

impl Scope {
    /// The whole organization.
    #[must_use]
    pub const fn organization(organization: OrganizationId) -> Self {
        Self {
            organization,
            pod: None,
            inbox: None,
        }
    }

    /// Whether what belongs to `other` lies within.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.organization == other.organization
            && (self.pod.is_none() || self.pod == other.pod)
            && (self.inbox.is_none() || self.inbox == other.inbox)
    }
}

/// Which hidden messages somebody may hear of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelRights {
    /// `label_spam_read`.
    pub spam: bool,
    /// `label_trash_read`.
    pub trash: bool,
    /// `label_blocked_read`.
    pub blocked: bool,
    /// `label_unauthenticated_read`.
    pub unauthenticated: bool,
}

impl LabelRights {
    /// Those of a key without restrictions.
    pub const ALL: Self = Self {
        spam: true,
        trash: true,
        blocked: true,
        unauthenticated: true,
    };

    /// Those of who listens in a dialect that knows no such rights: it shows mail without proof of its sender like any
    /// other, and tells of nothing that is hidden.
    pub const PLAIN: Self = Self {
        spam: false,
        trash: false,
        blocked: false,
        unauthenticated: true,
    };

    /// With what it takes to hear of events of these types.
    #[must_use]
    pub fn and_for(mut self, event_types: &[EventType]) -> Self {
        for label in event_types.iter().filter_map(|event_type| event_type.label()) {
            match label {
                Label::Spam => self.spam = true,
                Label::Blocked => self.blocked = true,
                Label::Unauthenticated => self.unauthenticated = true,
            }
        }
        self
    }

    /// Whether such events may be heard of.
    #[must_use]
    pub const fn allow(self, event_type: EventType) -> bool {
        match event_type.label() {
            None => true,
            Some(Label::Spam) => self.spam,
            Some(Label::Blocked) => self.blocked,
            Some(Label::Unauthenticated) => self.unauthenticated,
        }
    }
}

/// An event, and the pod of its inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What happened.
    pub event: Event,
    /// Where; `None` if it is about the organization.
    pub pod: Option<PodId>,
}

/// What somebody wants to hear of, and may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// In whose words the types are.
    pub dialect: Dialect,
    /// What may be heard of at all.
    pub scope: Scope,
    /// Of these pods; with `inboxes` empty too, of all.
    pub pods: Vec<PodId>,
    /// Of these inboxes.
    pub inboxes: Vec<InboxId>,
    /// Of these types; empty: all but those of hidden messages.
    pub event_types: Vec<EventType>,
    /// Whether hidden messages that were asked for may be heard of, and any message that is hidden by now.
    pub rights: LabelRights,
}

impl Subscription {
    /// Everything standard of a scope, as AgentMail has it.
    #[must_use]
    pub const fn all(scope: Scope, rights: LabelRights) -> Self {
        Self {
            dialect: Dialect::AgentMail,
            scope,
            pods: Vec::new(),
            inboxes: Vec::new(),
            event_types: Vec::new(),
            rights,
        }
    }

    /// Whether an event of the scope's organization is for this subscriber.
    #[must_use]
    pub fn passes(&self, placed: &Placed) -> bool {
        let (inbox, pod) = (placed.event.inbox, placed.pod);
        let in_scope = (self.scope.pod.is_none() || self.scope.pod == pod)
            && (self.scope.inbox.is_none() || self.scope.inbox == inbox);
        let unfiltered = self.pods.is_empty() && self.inboxes.is_empty();
        let listed =
            pod.is_some_and(|pod| self.pods.contains(&pod)) || inbox.is_some_and(|inbox| self.inboxes.contains(&inbox));
        let Some(event_type) = EventType::told(self.dialect, &placed.event) else {
            return false;
        };
        let wanted = if self.event_types.is_empty() {
            event_type.is_standard()
        } else {
            self.event_types.contains(&event_type)
        };
        in_scope && (unfiltered || listed) && wanted && self.rights.allow(event_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_feed::{Cursor, ReceivedAs, What};
    use postroom_types::{Domain, EmailId};

    fn ids() -> (OrganizationId, [PodId; 2], [InboxId; 3]) {
        let pods = [1, 2].map(|number| PodId::from_bytes([number; 16]));
        let inboxes = [3, 4, 5].map(|number| InboxId::from_bytes([number; 16]));
        (OrganizationId::from_bytes([9; 16]), pods, inboxes)
    }

    fn received(inbox: InboxId, pod: PodId, received_as: ReceivedAs) -> Placed {
        let message = EmailId::from_bytes([7; 16]);
        Placed {
            event: Event {
                cursor: Cursor::START,
                at: 0,
                inbox: Some(inbox),
                what: What::Received { message, received_as },
            },
            pod: Some(pod),
        }
    }

    #[test]
    fn filters_narrow_and_scopes_bind() {
        let (organization, [pod, other_pod], [inbox, neighbour, stranger]) = ids();
        // Whether events of an inbox, its neighbour in the pod, and one in another pod pass.
        let check =
            |scope: (Option<PodId>, Option<InboxId>), pods: &[PodId], inboxes: &[InboxId], expected: [bool; 3]| {
                let scope = Scope {
                    organization,
                    pod: scope.0,
                    inbox: scope.1,
                };
                let subscription = Subscription {
                    pods: pods.to_vec(),
                    inboxes: inboxes.to_vec(),
                    ..Subscription::all(scope, LabelRights::ALL)
                };
                let events = [(inbox, pod), (neighbour, pod), (stranger, other_pod)];
                let passed = events.map(|(inbox, pod)| subscription.passes(&received(inbox, pod, ReceivedAs::Plain)));
                assert_eq!(passed, expected, "{subscription:?}");
            };
        check((None, None), &[], &[], [true, true, true]);
        check((Some(pod), None), &[], &[], [true, true, false]);
        check((Some(pod), Some(inbox)), &[], &[], [true, false, false]);
        check((None, None), &[other_pod], &[], [false, false, true]);
        check((None, None), &[], &[neighbour], [false, true, false]);
        check((None, None), &[other_pod], &[inbox], [true, false, true]);
        // What lies outside the scope stays outside, whatever is listed.
        check((Some(pod), None), &[other_pod], &[stranger], [false, false, false]);
        check((Some(pod), None), &[], &[neighbour, stranger], [false, true, false]);
    }

    #[test]
    fn hidden_mail_is_named_and_permitted() {
        let (organization, [pod, _], [inbox, ..]) = ids();
        let scope = Scope::organization(organization);
        let check = |received_as: ReceivedAs, event_types: &[EventType], rights: LabelRights, expected: bool| {
            let subscription = Subscription {
                event_types: event_types.to_vec(),
                ..Subscription::all(scope, rights)
            };
            let passed = subscription.passes(&received(inbox, pod, received_as));
            assert_eq!(passed, expected, "{received_as:?} {subscription:?}");
        };
        let none = LabelRights::default();
        check(ReceivedAs::Plain, &[], none, true);
        check(ReceivedAs::Plain, &[EventType::MessageReceived], none, true);
        check(ReceivedAs::Plain, &[EventType::MessageSent], LabelRights::ALL, false);
        for (received_as, event_type) in [
            (ReceivedAs::Spam, EventType::MessageReceivedSpam),
            (ReceivedAs::Blocked, EventType::MessageReceivedBlocked),
            (ReceivedAs::Unauthenticated, EventType::MessageReceivedUnauthenticated),
        ] {
            check(received_as, &[], LabelRights::ALL, false);
            check(received_as, &[EventType::MessageReceived], LabelRights::ALL, false);
            check(received_as, &[event_type], LabelRights::ALL, true);
            check(received_as, &[event_type], none, false);
        }
        let spam = LabelRights { spam: true, ..none };
        check(ReceivedAs::Spam, EventType::ALL, spam, true);
        check(ReceivedAs::Blocked, EventType::ALL, spam, false);
    }

    #[test]
    fn a_domain_is_no_inbox() {
        let (organization, [pod, _], [inbox, ..]) = ids();
        let verified = Placed {
            event: Event {
                cursor: Cursor::START,
                at: 0,
                inbox: None,
                what: What::DomainVerified {
                    domain: Domain::parse("example.org").expect("a domain"),
                },
            },
            pod: None,
        };
        let whole = Subscription::all(Scope::organization(organization), LabelRights::default());
        assert!(whole.passes(&verified));
        let mut narrow = whole.clone();
        narrow.scope.pod = Some(pod);
        assert!(!narrow.passes(&verified));
        let mut narrow = whole;
        narrow.inboxes = vec![inbox];
        assert!(!narrow.passes(&verified));
    }
}
