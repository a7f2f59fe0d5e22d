//! Mailboxes: what is in them, and which of them are watched.

use postroom_types::{Keyword, MailboxId, ModSeq, SpecialUse, Uid, UidValidity};
use std::sync::Arc;

/// One line of LIST or LSUB, before pattern matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxEntry {
    /// Name, UTF-8.
    pub name: String,
    /// Whether it exists; a subscription may outlive its mailbox.
    pub exists: bool,
    /// Whether it is subscribed.
    pub subscribed: bool,
    /// Its role.
    pub special_use: Option<SpecialUse>,
    /// Messages arrived since it was last selected: `\Marked`. `None`: not known.
    pub marked: Option<bool>,
    /// Its id; `None` if it does not exist.
    pub id: Option<MailboxId>,
}

/// Counts of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusData {
    /// MAILBOXID
    pub id: MailboxId,
    /// MESSAGES
    pub messages: u32,
    /// RECENT
    pub recent: u32,
    /// UIDNEXT
    pub uid_next: Uid,
    /// UIDVALIDITY
    pub uid_validity: UidValidity,
    /// UNSEEN
    pub unseen: u32,
    /// DELETED
    pub deleted: u32,
    /// SIZE, octets
    pub size_octets: u64,
    /// HIGHESTMODSEQ
    pub highest_modseq: ModSeq,
}

/// A mailbox that was opened.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Its id.
    pub id: MailboxId,
    /// It may not be changed, as if EXAMINE had been asked for.
    pub read_only: bool,
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The UID the next message will at least get.
    pub uid_next: Uid,
    /// Its highest MODSEQ.
    pub highest_modseq: ModSeq,
    /// Its messages, ascending; shared by all sessions that opened it in the same state.
    pub uids: Arc<[Uid]>,
    /// Messages from this UID on are `\Recent` in this session; `None`: none.
    pub recent_from: Option<Uid>,
    /// The first message without `\Seen`.
    pub first_unseen: Option<Uid>,
    /// Keywords in use.
    pub keywords: Vec<Keyword>,
}

/// How full the inbox is (RFC 9208).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaData {
    /// Octets of all messages.
    pub octets: u64,
    /// Octets it may hold.
    pub limit_octets: u64,
    /// Number of messages.
    pub messages: u64,
}

/// Some mailboxes and what of them is wanted (RFC 5465 §5, §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Which.
    pub mailboxes: WatchedMailboxes,
    /// MessageNew, MessageExpunge (both always come together).
    pub messages: bool,
    /// FlagChange: counts that flags change, and HIGHESTMODSEQ.
    pub flags: bool,
    /// MailboxName: made, deleted, renamed.
    pub names: bool,
    /// SubscriptionChange.
    pub subscriptions: bool,
}

/// Which mailboxes are watched. A mailbox has the wishes of all watches that it falls under together (RFC 5465 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchedMailboxes {
    /// Where mail may be delivered: INBOX, and those of special use that mail can come to (RFC 5465 §6.2).
    Inboxes,
    /// All.
    Personal,
    /// Those subscribed.
    Subscribed,
    /// These and all below them.
    Subtree(Vec<String>),
    /// These.
    Names(Vec<String>),
}
