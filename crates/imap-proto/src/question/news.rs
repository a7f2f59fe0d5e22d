//! What happened elsewhere.

use super::{FlagsNow, MailboxEntry, StatusData};
use postroom_types::{ModSeq, Uid};
use std::sync::Arc;

/// What happened in the selected mailbox since the last news. The session's own STORE is left out (its answer told).
#[derive(Clone, Debug, Default)]
pub struct News {
    /// New messages, ascending.
    pub appended: Vec<Uid>,
    /// Those of them that another session was told of first, so that they are not `\Recent` here; ascending.
    pub not_recent: Vec<Uid>,
    /// Changed flags.
    pub flags: Vec<FlagsNow>,
    /// Messages that are gone.
    pub expunged: Vec<Uid>,
    /// If given, what is there, ascending: any other message that was told is gone too. Given when it is no longer
    /// known which messages were expunged.
    pub present: Option<Arc<[Uid]>>,
    /// What happened in other mailboxes that are watched.
    pub others: Vec<OtherNews>,
    /// The mailbox's highest MODSEQ, if it changed: with these news everything up to it is said. The client is told to
    /// remember it, so it never reaches further than they do.
    pub highest_modseq: Option<ModSeq>,
    /// The session has to end, with this text after BYE: mailbox deleted, credentials revoked.
    pub bye: Option<&'static str>,
}

/// News of a mailbox that is not selected (RFC 5465 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherNews {
    /// Its counts now.
    Status {
        /// Its name.
        name: String,
        /// Its counts.
        data: StatusData,
        /// Flags alone have changed, so MESSAGES and UIDNEXT are no news.
        flags_only: bool,
    },
    /// It was made, renamed, deleted (then it does not exist), subscribed or unsubscribed.
    Mailbox {
        /// What it is now.
        entry: MailboxEntry,
        /// What it was called before, if it was renamed.
        old_name: Option<String>,
        /// Whether there are mailboxes below it.
        has_children: bool,
    },
}
