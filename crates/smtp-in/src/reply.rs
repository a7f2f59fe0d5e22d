//! The one place where errors become replies. 4xx when trying again may help, 5xx when it will not. The cause goes to
//! the log, not to the client.

use postroom_identity::IdentityError;
use postroom_intake::{Hindrance, IntakeError};
use postroom_mailstore::MailError;
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
const SEVERAL_FROM: Reply = Reply::new(554, "5.6.0", "Message has more than one From field");
const DMARC: Reply = Reply::new(550, "5.7.1", "Refused by the DMARC policy of the From domain");

/// For a message that was not taken.
pub(crate) fn reply_for(error: &IntakeError) -> Reply {
    match error {
        IntakeError::OverQuota(_) => FULL_INBOX,
        IntakeError::Loop { .. } => LOOP,
        IntakeError::SeveralFrom { .. } => SEVERAL_FROM,
        IntakeError::DmarcReject { .. } => DMARC,
        IntakeError::TooBig { .. } => TOO_BIG,
        IntakeError::Mail(error) => reply_for_hindrance(error),
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

/// For a recipient that could not be looked up.
pub(crate) fn reply_for_lookup(error: &IdentityError) -> Reply {
    match error {
        // Its address leads to it still, so this is between two states: the next attempt finds one of them.
        IdentityError::NoSuchInbox => TROUBLE,
        error => reply_for_hindrance(error),
    }
}

/// For what those below could not do.
pub(crate) fn reply_for_hindrance(hindrance: impl Into<Hindrance>) -> Reply {
    match hindrance.into() {
        Hindrance::OverQuota => FULL_INBOX,
        // Deleted since RCPT.
        Hindrance::NoSuchInbox => UNKNOWN,
        Hindrance::TooBig => TOO_BIG,
        Hindrance::OutOfSpace => OUT_OF_SPACE,
        Hindrance::Trouble => TROUBLE,
    }
}
