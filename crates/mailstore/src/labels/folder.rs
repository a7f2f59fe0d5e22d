//! Folders: the four places that some clients know, as a view of where messages are.
//!
//! What always holds: what is in Trash or Drafts is in none of them, and stays there; a copy in Sent is filed only if it is
//! all there is of its conversation.

use super::outcome::{Leads, Outcome};
use super::{Known, Labels};
use crate::Origin;
use crate::rows::{InboxRow, Role};
use postroom_types::{Flag, MailboxId, MessageFlags};

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Folder {
    /// Wherever none of the others is: INBOX, Sent, or a mailbox of its owner's.
    Inbox,
    /// In Archive, but for a copy in Sent.
    Archive,
    /// In Spam.
    Spam,
    /// In Blocked.
    Blocked,
}

impl Labels {
    /// The folder that a message with these labels is in, if it is in one.
    #[must_use]
    pub const fn folder(&self) -> Option<Folder> {
        match self {
            Self { draft: true, .. } | Self { trash: true, .. } => None,
            Self { blocked: true, .. } => Some(Folder::Blocked),
            Self { spam: true, .. } => Some(Folder::Spam),
            Self { archived: true, .. } => Some(Folder::Archive),
            Self { .. } => Some(Folder::Inbox),
        }
    }
}

/// What becomes of a message that is put into a folder; `sent_too`: also if all that is of it is in Sent.
pub(super) fn filed(roles: &InboxRow, known: Known, folder: Folder, sent_too: bool) -> Outcome {
    let target = roles.id_of(match (folder, known.row.origin) {
        (Folder::Inbox, Origin::Sent) => Role::Sent,
        (Folder::Inbox, Origin::Received | Origin::Imported | Origin::Draft) => Role::Inbox,
        (Folder::Archive, _) => Role::Archive,
        (Folder::Spam, _) => Role::Spam,
        (Folder::Blocked, _) => Role::Blocked,
    });
    let is_live = |flags: &MessageFlags| !flags.system.contains(Flag::Deleted);
    let none_lives = !known.placements.iter().any(|placed| is_live(&placed.flags.flags));
    let only_sent = known
        .placements
        .iter()
        .all(|placed| roles.role_of(placed.mailbox) == Some(Role::Sent));
    let moves = |mailbox: MailboxId| match (roles.role_of(mailbox), folder) {
        (Some(Role::Trash | Role::Drafts), _) => false,
        (Some(Role::Archive | Role::Spam | Role::Blocked), _) => mailbox != target,
        (Some(Role::Inbox | Role::Sent) | None, Folder::Inbox) => false,
        (Some(Role::Sent), _) => only_sent && sent_too,
        (Some(Role::Inbox) | None, _) => true,
    };
    let mut wished = Vec::with_capacity(known.placements.len());
    for placed in &known.placements {
        let mut flags = placed.flags.flags.clone();
        let to = Some(target).filter(|_| (none_lives || is_live(&flags)) && moves(placed.mailbox));
        if to.is_some() {
            // What is moved is wanted there.
            flags.system = flags.system.without(Flag::Deleted);
        }
        wished.push((flags, to));
    }
    let (leads, home) = match folder {
        _ if wished.iter().all(|(_, to)| to.is_none()) => (Leads::About, known.row.home),
        Folder::Inbox | Folder::Archive => {
            let sent = roles.id_of(Role::Sent);
            let second = if target == sent { roles.id_of(Role::Inbox) } else { sent };
            (Leads::Home(known.row.other_home.map(|_| second)), target)
        }
        Folder::Spam | Folder::Blocked => (Leads::Away, known.row.home),
    };
    Outcome::new(roles, known, wished, leads, home)
}
