//! Whether the inbox that a queued message comes from may still send.

use postroom_identity::{Identity, IdentityError};
use postroom_queue::{Outcome, Reason};
use postroom_types::InboxId;

/// What a message comes to without a try. `None`: it may be tried. Notices and mail that only passes have no inbox.
pub(crate) async fn barred(identity: &Identity, sender: Option<InboxId>) -> Option<Outcome> {
    match identity.inbox(sender?).await {
        Ok(inbox) if inbox.send_paused => Some(Outcome::Deferred(reason("4.7.1", "sending is paused for this inbox"))),
        Ok(_) => None,
        Err(IdentityError::NoSuchInbox) => Some(Outcome::Bounced(reason("5.7.1", "the sending inbox was deleted"))),
        Err(error) => {
            tracing::error!(%error, "cannot tell whether an inbox may send");
            Some(Outcome::Deferred(reason("4.3.0", "local trouble")))
        }
    }
}

fn reason(status: &str, text: &str) -> Reason {
    Reason {
        code: 0,
        status: status.into(),
        text: text.into(),
    }
}
