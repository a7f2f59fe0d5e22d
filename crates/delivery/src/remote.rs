//! One destination's jobs, one after the other, over as few connections as can be.
//!
//! What always holds: an attempt is open, durably, before a connection is made or used for it, and it is closed with an
//! outcome for each of its recipients. What a closing attempt writes and what the next opening writes go to disk together.

use crate::courier::{Courier, Ended};
use crate::delivery::{Delivery, Permit, STORE_PAUSE};
use crate::line::{Line, Opened};
use postroom_queue::{Contact, OpenAttempt, Turn};
use postroom_types::Domain;

/// Works on a destination until nothing is due there, or the server goes down.
pub(crate) async fn serve(delivery: &Delivery, turn: Turn, domain: Domain, permit: Permit) {
    let mut courier = Courier::new(delivery, domain, permit);
    let mut line = Line::new(turn);
    let mut ended: Option<(OpenAttempt, Ended)> = None;
    loop {
        let contact = courier.contact();
        let (_, opened) = tokio::join!(close(delivery, ended.take()), open(delivery, &mut line, &contact));
        let Some(Opened { job, attempt }) = opened else { break };
        ended = Some((attempt, courier.deliver(job).await));
    }
    courier.leave();
}

async fn close(delivery: &Delivery, ended: Option<(OpenAttempt, Ended)>) {
    let Some((attempt, ended)) = ended else { return };
    let closed = delivery
        .queue
        .close_attempt(attempt, &ended.contact, &ended.outcomes)
        .await;
    if let Err(error) = closed {
        tracing::error!(%error, host = ended.contact.host, "cannot close an attempt");
    }
}

async fn open<'l>(delivery: &Delivery, line: &'l mut Line, contact: &Contact) -> Option<Opened<'l>> {
    if delivery.shutdown.is_cancelled() {
        return None;
    }
    match line.next(&delivery.queue, contact).await {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(%error, "cannot take work from the queue");
            tokio::time::sleep(STORE_PAUSE).await;
            None
        }
    }
}
