//! Labels: what a message is and where it stands, in the words of the API. They are a view of what is stored: the origin,
//! the placements and their flags, the verdict; nothing is kept beside these.
//!
//! What always holds: a message of which one placement is neither in Spam, Trash, Blocked nor Drafts has none of their
//! labels; a placement that has `\Deleted` does not count, unless all have it.

mod change;
mod commit;
mod folder;
mod known;
mod name;
mod outcome;
mod told;
mod update;

pub use change::{LabelChange, LabelError};
pub use folder::Folder;
pub(crate) use known::{Known, KnownPlacement};
pub use name::{is_reserved_keyword, is_server_label, is_system_label};
pub use update::MAX_LABEL_CHANGE;

use crate::rows::{InboxRow, Role};
use crate::{MailError, Mailstore, MessageRecord, Origin};
use name::label_of;
use postroom_message::Verdict;
use postroom_types::{Flag, InboxId, MailboxId, MessageFlags};
use std::collections::BTreeSet;
pub(crate) use told::{MessageRows, Placement, Told};

/// The labels of one message, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// It came from outside, or its owner sent it to this inbox itself.
    pub received: bool,
    /// The inbox's owner sent it.
    pub sent: bool,
    /// It is in Drafts.
    pub draft: bool,
    /// It is in Spam.
    pub spam: bool,
    /// It is in Trash.
    pub trash: bool,
    /// It is in Blocked.
    pub blocked: bool,
    /// No placement that counts is `\Seen`.
    pub unread: bool,
    /// It came without proof of who sent it.
    pub unauthenticated: bool,
    /// A placement that counts is `\Flagged`; no label says so.
    pub flagged: bool,
    /// It is in Archive and nowhere else, but for a copy in Sent; no label says so.
    pub archived: bool,
    /// Labels of its owner's: keywords, decoded and in lower case.
    pub custom: BTreeSet<String>,
}

impl Labels {
    /// As they are shown.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let system = self.system().into_iter().filter(|(has, _)| *has);
        let mut names: Vec<String> = system.map(|(_, name)| name.to_owned()).collect();
        names.extend(self.custom.iter().cloned());
        names
    }

    /// Whether it has a label, given in lower case.
    #[must_use]
    pub fn contains(&self, label: &str) -> bool {
        self.custom.contains(label) || self.system().contains(&(true, label))
    }

    /// Takes in the labels of another message: those of a thread are the union of its messages'.
    pub fn add_all(&mut self, other: &Self) {
        self.received |= other.received;
        self.sent |= other.sent;
        self.draft |= other.draft;
        self.spam |= other.spam;
        self.trash |= other.trash;
        self.blocked |= other.blocked;
        self.unread |= other.unread;
        self.unauthenticated |= other.unauthenticated;
        self.flagged |= other.flagged;
        self.archived |= other.archived;
        self.custom.extend(other.custom.iter().cloned());
    }

    const fn system(&self) -> [(bool, &'static str); 8] {
        [
            (self.received, "received"),
            (self.sent, "sent"),
            (self.draft, "draft"),
            (self.unread, "unread"),
            (self.spam, "spam"),
            (self.blocked, "blocked"),
            (self.trash, "trash"),
            (self.unauthenticated, "unauthenticated"),
        ]
    }

    /// Whether a message can get or lose a label when a placement of it in one mailbox is copied to another. A copy has the
    /// flags of what it is a copy of, so only where it stands counts: out of a place that hides it hides no more; in INBOX what
    /// was sent was received too, in Sent what was brought along was sent.
    pub(crate) fn may_change_by_copy(roles: &InboxRow, source: MailboxId, target: MailboxId) -> bool {
        is_hidden_place(roles, source) || matches!(roles.role_of(target), Some(Role::Inbox | Role::Sent))
    }

    /// From what is stored of the message; `placements` are those whose flags are known.
    pub(crate) fn compute<'a>(
        roles: &InboxRow,
        origin: Origin,
        verdict: &[u8],
        placements: impl Iterator<Item = (MailboxId, &'a MessageFlags)> + Clone,
    ) -> Self {
        let is_live = |(_, flags): &(MailboxId, &MessageFlags)| !flags.system.contains(Flag::Deleted);
        let none_lives = !placements.clone().any(|placement| is_live(&placement));
        let live = placements.clone().filter(|placement| none_lives || is_live(placement));
        let mut places: Vec<Option<Role>> = live.clone().map(|(mailbox, _)| roles.role_of(mailbox)).collect();
        let is_home = |role: &Option<Role>| role.is_none_or(Role::is_home);
        let in_inbox = places.contains(&Some(Role::Inbox));
        let in_sent = places.contains(&Some(Role::Sent));
        let mut homes = places.iter().filter(|role| is_home(role) && **role != Some(Role::Sent));
        let archived = match homes.next() {
            Some(first) => *first == Some(Role::Archive) && homes.all(|role| *role == Some(Role::Archive)),
            None => false,
        };
        if places.iter().any(is_home) {
            places.clear();
        }
        let draft = places.contains(&Some(Role::Drafts));
        let sent = !draft && (origin == Origin::Sent || origin == Origin::Imported && in_sent);
        let keywords = live.clone().flat_map(|(_, flags)| &flags.keywords);
        let has = |flag| live.clone().any(|(_, flags)| flags.system.contains(flag));
        Self {
            received: !draft && (!sent || in_inbox),
            sent,
            draft,
            spam: places.contains(&Some(Role::Spam)),
            trash: places.contains(&Some(Role::Trash)),
            blocked: places.contains(&Some(Role::Blocked)),
            unread: !draft && !has(Flag::Seen),
            unauthenticated: origin == Origin::Received && is_unauthenticated(verdict),
            flagged: has(Flag::Flagged),
            archived,
            custom: keywords.map(label_of).filter(|label| !is_system_label(label)).collect(),
        }
    }
}

/// Whether what is only there is hidden.
pub(crate) fn is_hidden_place(roles: &InboxRow, mailbox: MailboxId) -> bool {
    roles.role_of(mailbox).is_some_and(|role| !role.is_home())
}

fn is_unauthenticated(verdict: &[u8]) -> bool {
    Verdict::decode(verdict).is_some_and(|verdict| verdict.is_unauthenticated())
}

impl Mailstore {
    /// The labels of messages, in their order. A message that is gone by now has those of one without placements.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn labels(&self, inbox: InboxId, messages: &[MessageRecord]) -> Result<Vec<Labels>, MailError> {
        let roles = self.inbox_row(inbox).await?;
        let ids: Vec<_> = messages.iter().map(|message| message.email_id).collect();
        let known = self.known(inbox, &ids).await?;
        let labels = |(message, known): (&MessageRecord, Option<Known>)| match known {
            Some(known) => known.labels(&roles),
            None => Labels::compute(&roles, message.origin, &message.verdict, std::iter::empty()),
        };
        Ok(messages.iter().zip(known).map(labels).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_types::{Flags, Keyword};
    use proptest::collection::vec;
    use proptest::prelude::*;

    const FLAGS: [Flags; 4] = [
        Flags::NONE,
        Flags::NONE.with(Flag::Seen),
        Flags::NONE.with(Flag::Deleted),
        Flags::NONE.with(Flag::Seen).with(Flag::Deleted),
    ];

    /// The mailboxes that every inbox has, and one more.
    fn mailbox(number: usize) -> MailboxId {
        MailboxId::from_bytes([u8::try_from(number).expect("few"); 16])
    }

    /// What comes again while the first is marked is new, whatever was done with that.
    #[test]
    fn flags_of_what_is_about_to_go_do_not_count() {
        let roles = InboxRow {
            quota_octets: 0,
            roles: std::array::from_fn(mailbox),
        };
        let going = MessageFlags {
            keywords: vec![Keyword::new("old").expect("a keyword")],
            ..MessageFlags::system(FLAGS[3].with(Flag::Flagged))
        };
        let inbox = roles.id_of(Role::Inbox);
        let of = |all: &[&MessageFlags]| {
            let placements = all.iter().map(|flags| (inbox, *flags));
            let labels = Labels::compute(&roles, Origin::Received, &[], placements);
            (labels.unread, labels.flagged, labels.custom.len())
        };
        assert_eq!(of(&[&going, &MessageFlags::default()]), (true, false, 0));
        assert_eq!(of(&[&going, &going]), (false, true, 1));
    }

    proptest! {
        #[test]
        fn copies_that_cannot_change_a_label_change_none(
            placements in vec((0_usize..8, 0_usize..4), 1..5),
            target in 0_usize..8,
            origin in prop_oneof![Just(Origin::Received), Just(Origin::Sent), Just(Origin::Imported), Just(Origin::Draft)],
        ) {
            let roles = InboxRow { quota_octets: 0, roles: std::array::from_fn(mailbox) };
            let placement = |(at, flags): (usize, usize)| (mailbox(at), MessageFlags::system(FLAGS[flags]));
            let mut all: Vec<_> = placements.into_iter().map(placement).collect();
            let of = |all: &[(MailboxId, MessageFlags)]| {
                Labels::compute(&roles, origin, &[], all.iter().map(|(at, flags)| (*at, flags))).names()
            };
            let before = of(&all);
            let (source, flags) = all[0].clone();
            all.push((mailbox(target), flags));
            let is_change = of(&all) != before;
            prop_assert!(!is_change || Labels::may_change_by_copy(&roles, source, mailbox(target)));
        }
    }
}
