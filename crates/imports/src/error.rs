//! What goes wrong.

use postroom_identity::IdentityError;
use postroom_store::StoreError;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such job.
    #[error("no such import")]
    NoSuchJob,
    /// The job is at another point; the text says so, for the user.
    #[error("{0}")]
    State(&'static str),
    /// What was uploaded, or asked for, breaks a rule; the text says which, for the user.
    #[error("{0}")]
    Invalid(&'static str),
    /// The file is larger than taken.
    #[error("the file is larger than {0} octets")]
    TooLarge(u64),
    /// The inbox has as many imports under way as it may.
    #[error("too many imports at once")]
    TooMany,
    /// The organization has as many uploads under way, or as much waiting, as it may.
    #[error("too much is uploaded at once, or waits to be taken in")]
    TooMuch,
    /// The upload is not allowed, or not any more.
    #[error("this upload is not known, or its time is over")]
    NotAllowed,
    /// The store or the disk is out of space.
    #[error("out of space")]
    Full,
    /// Others were always faster; trying again later helps.
    #[error("too much contention")]
    Busy,
    /// The file could not be kept.
    #[error("the file could not be kept: {0}")]
    Io(#[from] std::io::Error),
    /// The inbox could not be looked up.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The store failed, or it is not known whether the change was made.
    #[error(transparent)]
    Store(#[from] StoreError),
}
