//! What mail operations can answer instead of success.

use postroom_store::{Key, StoreError};
use postroom_types::InboxId;

/// Why a mail operation was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MailError {
    /// No mailbox of that name or id (any more).
    #[error("no such mailbox")]
    NoSuchMailbox,
    /// The inbox does not exist (any more).
    #[error("no such inbox: {0}")]
    NoSuchInbox(InboxId),
    /// A mailbox of that name exists.
    #[error("mailbox already exists")]
    AlreadyExists,
    /// The inbox is full. Nothing was written.
    #[error("inbox {0} is over quota")]
    OverQuota(InboxId),
    /// The operation is not possible on this thing, for example deleting INBOX.
    #[error("cannot: {0}")]
    Cannot(&'static str),
    /// This special use cannot be given: another mailbox has it, for life or now (RFC 6154 §3).
    #[error("a mailbox cannot have this special use")]
    SpecialUse,
    /// The message that was to be replaced is not there (any more). Nothing was written.
    #[error("no such message")]
    NoSuchMessage,
    /// The mailbox has children and cannot be deleted.
    #[error("mailbox has children")]
    HasChildren,
    /// The message, or what belongs to it, is too large to be stored.
    #[error("message too big")]
    TooBig,
    /// Too many of something: mailboxes, keywords, placements, messages in one operation.
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// The store is out of space; nothing was written, and it may be tried again later.
    #[error("store is full")]
    Full,
    /// The outcome is unknown, or others kept interfering; the same operation may be tried again and is done once.
    #[error("unavailable, try again")]
    Unavailable,
    /// A condition that the caller added to the commit does not hold. Nothing was written.
    #[error("a condition of the caller does not hold")]
    Conflict(Key),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MailError {
    /// Whether something stored is not what was written: it stays so, and what else is stored is not touched by it.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Store(StoreError::Corrupt(_)))
    }
}

impl From<crate::codec::Corrupt> for MailError {
    fn from(corrupt: crate::codec::Corrupt) -> Self {
        Self::Store(corrupt.into())
    }
}
