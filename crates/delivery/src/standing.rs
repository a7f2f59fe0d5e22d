//! Whether the inbox that a queued message comes from may still send.

use crate::delivery::Delivery;
use postroom_identity::{Identity, IdentityError, Standing};
use postroom_queue::{Job, Outcome, QueueError, Reason, Turn};
use postroom_types::InboxId;
use std::time::Duration;

/// How long mail of a suspended organization is left alone at a time. Whoever lets the organization go on lets its mail
/// go at once; this is for when that is cut short.
const HELD_BACK: Duration = Duration::from_secs(60 * 60);

/// The next message of a turn that may be tried, or comes to something without a try; what belongs to a suspended
/// organization is held back.
///
/// # Errors
/// Those of the queue; the work stays.
pub(crate) async fn next_job(delivery: &Delivery, turn: &mut Turn) -> Result<Option<Job>, QueueError> {
    loop {
        let Some(job) = turn.next_job().await? else {
            return Ok(None);
        };
        if !is_suspended(&delivery.identity, job.sender).await {
            return Ok(Some(job));
        }
        hold_back(delivery, job).await?;
    }
}

/// Holds the items of a job back, since the organization of its sender is suspended.
///
/// # Errors
/// Those of the queue; the work stays.
pub(crate) async fn hold_back(delivery: &Delivery, job: Job) -> Result<(), QueueError> {
    let why = "the organization of the sender is suspended";
    delivery.queue.hold_back(&job, HELD_BACK, why).await?;
    // Whoever let the organization go on meanwhile may have looked for its mail before this was held back.
    if !is_suspended(&delivery.identity, job.sender).await {
        let message = job.message;
        drop(job);
        delivery.queue.let_one_go(message).await?;
    }
    Ok(())
}

/// Whether nothing of the sender's organization may leave. If that cannot be told, the message waits for its try.
pub(crate) async fn is_suspended(identity: &Identity, sender: Option<InboxId>) -> bool {
    let Some(sender) = sender else { return false };
    let standing = async { identity.standing(identity.inbox(sender).await?.organization).await };
    matches!(standing.await, Ok(Standing::Suspended))
}

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
