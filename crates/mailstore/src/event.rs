//! What the feed tells.

use crate::model::Origin;
use postroom_types::{EmailId, Lsn, MailboxId, ModSeq, Uid};

/// Why a message appeared in a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is new in the inbox, and came like this.
    New(Origin),
    /// It was in the inbox already: COPY, MOVE, or a duplicate.
    Placed,
}

/// One thing that a commit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// Messages appeared: `count` UIDs up to and including `last`.
    Appended {
        /// Where.
        mailbox: MailboxId,
        /// The last of the UIDs.
        last: Uid,
        /// How many UIDs.
        count: u32,
        /// Why.
        cause: Cause,
        /// Which message, if it is one.
        email_id: Option<EmailId>,
    },
    /// Flags changed.
    Flags {
        /// Where.
        mailbox: MailboxId,
        /// Of which messages.
        uids: Vec<Uid>,
    },
    /// Messages disappeared from a mailbox.
    Expunged {
        /// From where.
        mailbox: MailboxId,
        /// Which.
        uids: Vec<Uid>,
        /// Those messages that have no placement left and are gone from the inbox.
        gone: Vec<EmailId>,
    },
    /// Labels were given to messages or taken from them, by a change of flags, by a copy or by a move. Told along with the
    /// events that did it, and where there is no room for all in the row, in rows of the same commit behind it.
    Labels(Vec<Marked>),
    /// A mailbox was made.
    MailboxCreated(MailboxId),
    /// A mailbox was deleted; its messages are expunged from it by the entries that follow.
    MailboxDeleted(MailboxId),
    /// A mailbox has a new name.
    MailboxRenamed(MailboxId),
}

/// A label that was given to messages, or taken from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// As the API calls it.
    pub label: String,
    /// Given, or taken.
    pub added: bool,
    /// Whose, ascending.
    pub messages: Vec<EmailId>,
}

/// A row of an inbox's feed: what one commit did, or more of what it did to labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    /// The inbox's modseq of that commit: the cursor.
    pub modseq: ModSeq,
    /// The commit's place in the log.
    pub lsn: Lsn,
    /// When: milliseconds since 1970 UTC.
    pub at: i64,
    /// What.
    pub events: Vec<FeedEvent>,
}
