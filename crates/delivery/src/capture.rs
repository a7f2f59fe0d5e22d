//! Keeps mail to other servers for reading instead of sending it: for trying out.

use crate::delivery::{Delivery, STORE_PAUSE};
use crate::standing;
use postroom_queue::{QueueError, Turn};

/// Works on a destination until nothing is due there, or the server goes down.
pub(crate) async fn serve(delivery: &Delivery, mut turn: Turn) {
    while !delivery.shutdown.is_cancelled() {
        let worked = match standing::next_job(delivery, &mut turn).await {
            Ok(Some(job)) => delivery.queue.capture(&job).await,
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
