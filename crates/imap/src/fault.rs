//! The one place where errors become faults, which the machine writes as NO with a code of RFC 5530. The cause goes to
//! the log.

use postroom_identity::LoginError;
use postroom_imap_proto::Fault;
use postroom_intake::IntakeError;
use postroom_mailstore::MailError;

/// For an operation on mail.
pub(crate) fn fault_for(error: &MailError) -> Fault {
    match error {
        MailError::NoSuchMailbox => Fault::NoSuchMailbox,
        MailError::AlreadyExists => Fault::AlreadyExists,
        MailError::OverQuota(_) => Fault::OverQuota,
        MailError::Cannot(_) => Fault::Cannot,
        MailError::HasChildren => Fault::HasChildren,
        MailError::TooBig => Fault::TooBig,
        MailError::Limit(_) => Fault::Limit,
        MailError::Full | MailError::Unavailable => Fault::Unavailable,
        // The inbox was deleted under the session, which ends with the next news.
        MailError::NoSuchInbox(_) => Fault::Unavailable,
        MailError::Conflict(_) | MailError::Store(_) => {
            tracing::error!(%error, "cannot answer an IMAP client");
            Fault::Internal
        }
    }
}

/// For a message that was not taken.
pub(crate) fn fault_for_intake(error: &IntakeError) -> Fault {
    match error {
        IntakeError::OverQuota(_) => Fault::OverQuota,
        IntakeError::TooBig { .. } => Fault::TooBig,
        IntakeError::Loop { .. } | IntakeError::DmarcReject { .. } => Fault::Cannot,
        IntakeError::Mail(error) => fault_for(error),
    }
}

/// For a login.
pub(crate) fn fault_for_login(error: &LoginError) -> Fault {
    match error {
        LoginError::Wrong => Fault::AuthenticationFailed,
        LoginError::RateLimited { .. } | LoginError::Unavailable(_) => Fault::Unavailable,
    }
}
