//! The one place where errors become replies. 4xx when trying again may help, 5xx when it will not. The cause goes to
//! the log, not to the client.

use postroom_identity::IdentityError;
use postroom_intake::IntakeError;
use postroom_mailstore::MailError;
use postroom_queue::QueueError;
use postroom_smtp_proto::Reply;

pub(crate) const NOT_LOCAL: Reply = Reply::new(550, "5.7.1", "Relaying denied");
pub(crate) const UNKNOWN: Reply = Reply::new(550, "5.1.1", "No such mailbox here");
pub(crate) const PAUSED: Reply = Reply::new(550, "5.2.1", "Mailbox does not accept mail");
pub(crate) const NO_LOGIN: Reply = Reply::new(503, "5.5.1", "Nobody logs in here");
pub(crate) const FULL_INBOX: Reply = Reply::new(452, "4.2.2", "Mailbox full, try later");
const OUT_OF_SPACE: Reply = Reply::new(452, "4.3.1", "Out of space, try later");
const TROUBLE: Reply = Reply::new(451, "4.3.0", "Local trouble, try later");
const TOO_BIG: Reply = Reply::new(552, "5.3.4", "Message too big");
const LOOP: Reply = Reply::new(554, "5.4.6", "Routing loop detected");
const DMARC: Reply = Reply::new(550, "5.7.1", "Refused by the DMARC policy of the From domain");

/// For a message that was not taken.
pub(crate) fn reply_for(error: &IntakeError) -> Reply {
    match error {
        IntakeError::OverQuota(_) => FULL_INBOX,
        IntakeError::Loop { .. } => LOOP,
        IntakeError::DmarcReject { .. } => DMARC,
        IntakeError::TooBig { .. } => TOO_BIG,
        IntakeError::Mail(error) => reply_for_mail(error),
    }
}

/// For a message to several inboxes. Only RCPT can refuse one of them, so what one cannot take is put off for all: at
/// the next attempt it is refused there, and the others get their mail.
pub(crate) fn reply_for_several(error: &IntakeError) -> Reply {
    match error {
        IntakeError::Mail(MailError::NoSuchInbox(_)) => TROUBLE,
        error => reply_for(error),
    }
}

/// For what the mail store could not do.
pub(crate) fn reply_for_mail(error: &MailError) -> Reply {
    match error {
        MailError::OverQuota(_) => FULL_INBOX,
        // Deleted since RCPT.
        MailError::NoSuchInbox(_) => UNKNOWN,
        MailError::TooBig => TOO_BIG,
        MailError::Full => OUT_OF_SPACE,
        MailError::NoSuchMailbox
        | MailError::AlreadyExists
        | MailError::Cannot(_)
        | MailError::SpecialUse
        | MailError::NoSuchMessage
        | MailError::HasChildren
        | MailError::Limit(_)
        | MailError::Unavailable
        | MailError::Conflict(_)
        | MailError::Store(_) => TROUBLE,
    }
}

/// For a recipient that could not be looked up.
pub(crate) fn reply_for_lookup(error: &IdentityError) -> Reply {
    match error {
        IdentityError::Full => OUT_OF_SPACE,
        IdentityError::Mail(error) => reply_for_mail(error),
        IdentityError::Invalid(_)
        | IdentityError::Reserved
        | IdentityError::DomainNotAvailable
        | IdentityError::PlanLimit
        | IdentityError::NoSuchOrganization
        | IdentityError::NoSuchPod
        | IdentityError::NoSuchInbox
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
        | IdentityError::Keys(_)
        | IdentityError::TooMany(_)
        | IdentityError::Busy
        | IdentityError::Store(_) => TROUBLE,
    }
}

/// For what the queue could not do.
pub(crate) fn reply_for_queue(error: &QueueError) -> Reply {
    match error {
        QueueError::Full => OUT_OF_SPACE,
        QueueError::Invalid(_)
        | QueueError::LeaseLost
        | QueueError::Withdrawn
        | QueueError::Busy
        | QueueError::Store(_) => TROUBLE,
    }
}

/// For a message that could not be spooled.
pub(crate) fn reply_for_spool(error: &std::io::Error) -> Reply {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => OUT_OF_SPACE,
        _ => TROUBLE,
    }
}
