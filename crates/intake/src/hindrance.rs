//! What keeps mail from being taken, as far as a sender can tell the difference.

use postroom_identity::IdentityError;
use postroom_mailstore::MailError;
use postroom_queue::QueueError;

/// What the mail store, identity, the queue or the spool could not do. Each listener has its own codes for these; which
/// error is which of them is said here alone, without a `_` arm, so a new error asks for its place at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The inbox is full.
    OverQuota,
    /// The inbox is gone: it was there when the transaction began.
    NoSuchInbox,
    /// The message is too large to be stored.
    TooBig,
    /// The server is out of space; it may be tried again later.
    OutOfSpace,
    /// Anything else: nothing that the sender could do something about, and it may be tried again later.
    Trouble,
}

impl From<&MailError> for Hindrance {
    fn from(error: &MailError) -> Self {
        match error {
            MailError::OverQuota(_) => Self::OverQuota,
            MailError::NoSuchInbox(_) => Self::NoSuchInbox,
            MailError::TooBig => Self::TooBig,
            MailError::Full => Self::OutOfSpace,
            MailError::NoSuchMailbox
            | MailError::AlreadyExists
            | MailError::Cannot(_)
            | MailError::SpecialUse
            | MailError::NoSuchMessage
            | MailError::HasChildren
            | MailError::Limit(_)
            | MailError::Unavailable
            | MailError::Conflict(_)
            | MailError::Store(_) => Self::Trouble,
        }
    }
}

impl From<&IdentityError> for Hindrance {
    fn from(error: &IdentityError) -> Self {
        match error {
            IdentityError::NoSuchInbox => Self::NoSuchInbox,
            IdentityError::Full => Self::OutOfSpace,
            IdentityError::Mail(error) => error.into(),
            IdentityError::Invalid(_)
            | IdentityError::Reserved
            | IdentityError::DomainNotAvailable
            | IdentityError::PlanLimit
            | IdentityError::NoSuchOrganization
            | IdentityError::NoSuchPod
            | IdentityError::NoSuchKey
            | IdentityError::Escalation
            | IdentityError::UnrestrictedKeyRequired
            | IdentityError::OutlivesMaker
            | IdentityError::CannotDelete(_)
            | IdentityError::ClientIdTaken
            | IdentityError::HumanTaken
            | IdentityError::AlreadyVerified
            | IdentityError::TooManyAttempts
            | IdentityError::NoSuchAddress
            | IdentityError::NoSuchEntry
            | IdentityError::HandleTaken(_)
            | IdentityError::HasIdentity
            | IdentityError::NoSuchIdentity
            | IdentityError::NoSuchGrant
            | IdentityError::RedundantGrant
            | IdentityError::AlreadyGranted
            | IdentityError::NoSuchRule
            | IdentityError::RuleExists(_)
            | IdentityError::NoAnswer
            | IdentityError::AddressTaken
            | IdentityError::CanonicalAddress
            | IdentityError::SlugTaken
            | IdentityError::NoSuchDomain
            | IdentityError::DomainTaken
            | IdentityError::DomainInUse(_)
            | IdentityError::TooMany(_)
            | IdentityError::Busy
            | IdentityError::Keys(_)
            | IdentityError::Store(_) => Self::Trouble,
        }
    }
}

impl From<&QueueError> for Hindrance {
    fn from(error: &QueueError) -> Self {
        match error {
            QueueError::Full => Self::OutOfSpace,
            QueueError::Invalid(_)
            | QueueError::LeaseLost
            | QueueError::Withdrawn
            | QueueError::Busy
            | QueueError::Store(_) => Self::Trouble,
        }
    }
}

/// For a message that could not be spooled.
impl From<&std::io::Error> for Hindrance {
    fn from(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::OutOfSpace,
            _ => Self::Trouble,
        }
    }
}
