//! Keeps mail to other servers for reading instead of sending it: for trying out.

use crate::delivery::{Delivery, STORE_PAUSE};
use postroom_queue::{Contact, Job, Outcome, QueueError, Reason, Turn};

/// Works on a destination until nothing is due there, or the server goes down.
pub(crate) async fn serve(delivery: &Delivery, mut turn: Turn) {
    while !delivery.shutdown.is_cancelled() {
        let worked = match turn.next_job().await {
            Ok(Some(job)) => capture(delivery, &job).await,
            Ok(None) => return,
            Err(error) => Err(error),
        };
        if let Err(error) = worked {
            // Somebody took it back meanwhile.
            if matches!(error, QueueError::Withdrawn) {
                continue;
            }
            tracing::error!(%error, "cannot capture queued mail");
            tokio::time::sleep(STORE_PAUSE).await;
            return;
        }
    }
}

async fn capture(delivery: &Delivery, job: &Job) -> Result<(), QueueError> {
    let contact = Contact {
        host: "captured".into(),
        ..Contact::default()
    };
    let attempt = delivery.queue.open_attempt(job, &contact).await?;
    let outcome = match delivery.queue.capture(job).await {
        Ok(()) => Outcome::Delivered(reason(250, "2.0.0", "captured, not sent")),
        Err(error) => {
            tracing::warn!(msg = %job.message, %error, "cannot capture");
            Outcome::Deferred(reason(451, "4.3.0", "cannot be captured now"))
        }
    };
    let outcomes: Vec<_> = job.items.iter().map(|item| (item.id, outcome.clone())).collect();
    delivery.queue.close_attempt(attempt, &contact, &outcomes).await
}

fn reason(code: u16, status: &str, text: &str) -> Reason {
    Reason {
        code,
        status: status.into(),
        text: text.into(),
    }
}
