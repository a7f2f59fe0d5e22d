//! Mail for inboxes here: intake delivers it, and the same commit settles it in the queue.

use crate::delivery::{Delivery, STORE_PAUSE};
use crate::standing;
use postroom_intake::Settled;
use postroom_queue::{Contact, Job, Outcome, QueueError, Reason, Turn};
use std::collections::VecDeque;

/// Works on a destination until nothing is due there, or the server goes down.
pub(crate) async fn serve(delivery: &Delivery, mut turn: Turn) {
    while !delivery.shutdown.is_cancelled() {
        let worked = match standing::next_job(delivery, &mut turn).await {
            Ok(Some(job)) => deliver(delivery, job).await,
            Ok(None) => return,
            Err(error) => Err(error),
        };
        if let Err(error) = worked {
            // Somebody took it back meanwhile.
            if matches!(error, QueueError::Withdrawn) {
                continue;
            }
            tracing::error!(%error, "cannot deliver queued mail here");
            tokio::time::sleep(STORE_PAUSE).await;
            return;
        }
    }
}

/// Each recipient is an attempt of its own: one that cannot be delivered does not keep the others.
async fn deliver(delivery: &Delivery, mut job: Job) -> Result<(), QueueError> {
    let contact = Contact {
        host: "local".into(),
        ..Contact::default()
    };
    let barred = standing::barred(&delivery.identity, job.sender).await;
    let mut left = VecDeque::from(std::mem::take(&mut job.items));
    let mut is_first = true;
    while let Some(item) = left.pop_front() {
        let id = item.id;
        // A message to many takes long, and its sender's organization may be suspended meanwhile.
        if !std::mem::take(&mut is_first) && standing::is_suspended(&delivery.identity, job.sender).await {
            left.push_front(item);
            job.items = left.into();
            return standing::hold_back(delivery, job).await;
        }
        job.items = vec![item];
        let attempt = delivery.queue.open_attempt(&job, &contact).await?;
        let outcome = match &barred {
            Some(outcome) => Some(outcome.clone()),
            None => match delivery.intake.deliver_queued(&job, &attempt, id).await {
                Ok(Settled::Delivered | Settled::Gone) => None,
                Ok(Settled::Refused(outcome)) => Some(outcome),
                Err(error) => {
                    tracing::warn!(msg = %job.message, %error, "cannot deliver here");
                    Some(trouble())
                }
            },
        };
        let outcomes: Vec<_> = outcome.map(|outcome| (id, outcome)).into_iter().collect();
        delivery.queue.close_attempt(attempt, &contact, &outcomes).await?;
    }
    Ok(())
}

fn trouble() -> Outcome {
    Outcome::Deferred(Reason {
        code: 451,
        status: "4.3.0".into(),
        text: "Local trouble, try later".into(),
    })
}
