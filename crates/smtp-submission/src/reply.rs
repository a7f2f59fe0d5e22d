//! The one place where errors become replies. 4xx when trying again may help, 5xx when it will not. The cause goes to
//! the log, not to the client.

use postroom_identity::LoginError;
use postroom_intake::{Hindrance, SubmitError};
use postroom_smtp_proto::Reply;

pub(crate) const REVOKED: Reply = Reply::new(421, "4.7.0", "The credentials are no longer valid, closing");
pub(crate) const NEED_LOGIN: Reply = Reply::new(530, "5.7.0", "Authentication required");
pub(crate) const PAUSED: Reply = Reply::new(550, "5.7.1", "Sending is paused for this mailbox");
pub(crate) const NOT_YOURS: Reply = Reply::new(550, "5.7.1", "Not an address of yours");
pub(crate) const TROUBLE: Reply = Reply::new(451, "4.3.0", "Local trouble, try later");
// RFC 5248 §3.1: the account is disabled, here with all of its organization.
pub(crate) const SUSPENDED: Reply = Reply::new(550, "5.7.13", "The organization is suspended, nothing can be sent");
const FULL_ORGANIZATION: Reply = Reply::new(452, "4.2.2", "Storage limit of the organization reached");
const NO_FROM: Reply = Reply::new(550, "5.7.1", "Need a From with an address of yours");
pub(crate) const BAD_DOMAIN: Reply = Reply::new(550, "5.1.2", "Not a domain name");
const UNKNOWN: Reply = Reply::new(550, "5.1.1", "No such mailbox here");
const NO_RECIPIENTS: Reply = Reply::new(554, "5.5.1", "No recipients");
const TOO_MANY: Reply = Reply::new(452, "4.5.3", "Too many recipients, send the rest separately");
const TOO_MANY_FOR_A_DAY: Reply = Reply::new(554, "5.5.3", "More recipients than the limit of a day allows");
const TOO_BIG: Reply = Reply::new(552, "5.3.4", "Message too big");
const LOOP: Reply = Reply::new(554, "5.4.6", "Routing loop detected");
const FULL_INBOX: Reply = Reply::new(452, "4.2.2", "Mailbox full, no room for the copy in Sent");
const OUT_OF_SPACE: Reply = Reply::new(452, "4.3.1", "Out of space, try later");
const WRONG: Reply = Reply::new(535, "5.7.8", "Wrong user or password");
const CANNOT_CHECK: Reply = Reply::new(454, "4.7.0", "Cannot check that now, try later");

/// For a message that was not taken, or an address in it.
pub(crate) fn reply_for(error: &SubmitError) -> Reply {
    match error {
        SubmitError::SenderNotYours(_) => NOT_YOURS,
        SubmitError::NoFrom => NO_FROM,
        SubmitError::SendPaused => PAUSED,
        SubmitError::Suspended => SUSPENDED,
        SubmitError::StorageLimit => FULL_ORGANIZATION,
        SubmitError::NoSuchRecipient(_) => UNKNOWN,
        SubmitError::Rejected { recipient, why, .. } => Reply {
            text: format!("{recipient}: {why}").into(),
            ..Reply::new(550, "5.7.1", "")
        },
        SubmitError::NoRecipients => NO_RECIPIENTS,
        SubmitError::TooManyRecipients => TOO_MANY,
        SubmitError::Malformed(reason) => Reply {
            text: format!("Malformed message: {reason}").into(),
            ..Reply::new(554, "5.6.0", "")
        },
        SubmitError::TooBig { .. } => TOO_BIG,
        SubmitError::DailyLimit { retry_after: None } => TOO_MANY_FOR_A_DAY,
        SubmitError::DailyLimit {
            retry_after: Some(wait),
        } => Reply {
            text: format!("Daily limit reached, again in {} s", wait.as_secs()).into(),
            ..Reply::new(450, "4.7.1", "")
        },
        SubmitError::Loop { .. } => LOOP,
        // SMTP has no such keys.
        SubmitError::KeyReused | SubmitError::KeyInUse | SubmitError::Conflict => TROUBLE,
        SubmitError::OverQuota => FULL_INBOX,
        SubmitError::Full => OUT_OF_SPACE,
        SubmitError::Unavailable | SubmitError::Queue(_) => TROUBLE,
        SubmitError::Mail(error) => reply_for_hindrance(error),
        SubmitError::Identity(error) => reply_for_hindrance(error),
    }
}

/// For what those below could not do.
pub(crate) fn reply_for_hindrance(hindrance: impl Into<Hindrance>) -> Reply {
    match hindrance.into() {
        Hindrance::OverQuota => FULL_INBOX,
        // Deleted since the transaction began.
        Hindrance::NoSuchInbox => REVOKED,
        Hindrance::TooBig => TOO_BIG,
        Hindrance::OutOfSpace => OUT_OF_SPACE,
        Hindrance::Trouble => TROUBLE,
    }
}

/// For a login that failed; identity has logged why.
pub(crate) fn reply_for_login(error: &LoginError) -> Reply {
    match error {
        LoginError::Wrong => WRONG,
        LoginError::RateLimited { retry_after } => Reply {
            text: format!("Too many failed logins, again in {} s", retry_after.as_secs()).into(),
            ..Reply::new(454, "4.7.0", "")
        },
        LoginError::Unavailable(error) => {
            tracing::error!(%error, "cannot check a login");
            CANNOT_CHECK
        }
    }
}
