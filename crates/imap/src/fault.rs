//! Which fault a client is told. No `_` arms, so a new error asks for its fault at compile time; causes on our side go
//! to the log here and nowhere else.

use postroom_identity::LoginError;
use postroom_imap_proto::Fault;
use postroom_intake::IntakeError;
use postroom_mailstore::MailError;

/// For a mail operation.
pub(crate) fn of_mail(error: &MailError) -> Fault {
    match error {
        MailError::NoSuchMailbox => Fault::NoSuchMailbox,
        MailError::AlreadyExists => Fault::AlreadyExists,
        MailError::OverQuota(_) => Fault::OverQuota,
        MailError::Cannot(_) => Fault::Cannot,
        MailError::HasChildren => Fault::HasChildren,
        MailError::TooBig => Fault::TooBig,
        MailError::Limit(_) => Fault::Limit,
        MailError::SpecialUse => Fault::UseAttr,
        MailError::NoSuchMessage => Fault::Gone,
        // The session is about to be told that its inbox is gone.
        MailError::NoSuchInbox(_) => Fault::Unavailable,
        MailError::Full | MailError::Unavailable => {
            tracing::warn!(%error, "mail operation not done");
            Fault::Unavailable
        }
        MailError::Conflict(_) | MailError::Store(_) => {
            tracing::error!(%error, "mail operation failed");
            Fault::Internal
        }
    }
}

/// For APPEND.
pub(crate) fn of_intake(error: &IntakeError) -> Fault {
    match error {
        IntakeError::OverQuota(_) => Fault::OverQuota,
        IntakeError::TooBig { .. } => Fault::TooBig,
        // Asked of mail from outside only.
        IntakeError::Loop { .. } | IntakeError::SeveralFrom { .. } | IntakeError::DmarcReject { .. } => Fault::Cannot,
        IntakeError::Mail(error) => of_mail(error),
    }
}

/// For LOGIN; identity has logged the outcome.
pub(crate) fn of_login(error: &LoginError) -> Fault {
    match error {
        LoginError::Wrong => Fault::AuthenticationFailed,
        LoginError::RateLimited { .. } => Fault::Unavailable,
        LoginError::Unavailable(error) => {
            tracing::error!(%error, "cannot check a login");
            Fault::Unavailable
        }
    }
}
