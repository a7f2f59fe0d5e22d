//! Why something was not done with a draft.

use postroom_identity::IdentityError;
use postroom_intake::SubmitError;
use postroom_mailstore::MailError;
use postroom_message::ComposeError;
use postroom_store::StoreError;
use postroom_types::EmailId;

/// Why something was not done with a draft.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// There is no such draft (any more).
    #[error("no such draft")]
    NotFound,
    /// The message that it answers or passes on is not there (any more).
    #[error("the message that the draft refers to is not there")]
    NoSuchSource,
    /// It is being sent at this moment.
    #[error("the draft is being sent")]
    BeingSent,
    /// It is another version than the one that was meant.
    #[error("the draft was changed meanwhile")]
    Stale,
    /// The draft that the maker calls so was sent already.
    #[error("the draft was sent already, as message {0}")]
    AlreadySent(EmailId),
    /// The request breaks a rule; the text says which.
    #[error("{0}")]
    Invalid(String),
    /// Others kept changing it, or the outcome is unknown.
    #[error("unavailable, try again")]
    Unavailable,
    /// It cannot be written as a message.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// It was not taken for sending.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The mail store refused or failed.
    #[error(transparent)]
    Mail(MailError),
    /// The inboxes could not be looked up.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl From<MailError> for DraftError {
    fn from(error: MailError) -> Self {
        match error {
            MailError::Unavailable => Self::Unavailable,
            error => Self::Mail(error),
        }
    }
}

impl From<StoreError> for DraftError {
    fn from(error: StoreError) -> Self {
        Self::Mail(error.into())
    }
}
