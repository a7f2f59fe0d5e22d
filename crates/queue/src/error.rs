//! What can go wrong.

use postroom_store::StoreError;

/// Why the queue did not do something.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The message breaks a bound; a fault of the caller.
    #[error("invalid queue message: {0}")]
    Invalid(&'static str),
    /// Out of space: nothing was written, it may be tried again later.
    #[error("the store is full")]
    Full,
    /// Somebody took it back meanwhile: it was cancelled, or put on hold; nothing was written.
    #[error("withdrawn meanwhile")]
    Withdrawn,
    /// Another process works on this destination now; nothing was written.
    #[error("the lease on this destination was lost")]
    LeaseLost,
    /// Others changed the same rows again and again, or the outcome stays unknown.
    #[error("the queue is busy")]
    Busy,
    /// The store's own.
    #[error(transparent)]
    Store(#[from] StoreError),
}
