//! One destination's jobs, one after the other, over as few connections as can be.
//!
//! What always holds: an attempt is open, durably, before a connection is made or used for it, and it is closed with an
//! outcome for each of its recipients. What a closing attempt writes and what the next opening writes go to disk together.
//! Refusals of one message by one server are closed together, unless that would keep them waiting.

use crate::courier::{Courier, Ended};
use crate::delivery::{Delivery, Permit, STORE_PAUSE};
use crate::line::{Line, Opened};
use postroom_queue::{Contact, OpenAttempt, Outcome, Turn};
use postroom_types::Domain;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// How long a refusal waits to be told together with the next one.
const REFUSALS_WAIT: Duration = Duration::from_secs(2);

/// An attempt to be closed, and how.
struct Closing {
    attempt: OpenAttempt,
    end: Ended,
}

impl Closing {
    /// Whether it is a failure for all of its recipients, which the sender is told of.
    fn is_refusal(&self) -> bool {
        let mut outcomes = self.end.outcomes.iter();
        outcomes.all(|(_, outcome)| matches!(outcome, Outcome::Bounced(_)))
    }

    /// Adds a refusal by the same server of the same message. Gives back another one.
    fn add(&mut self, mut other: Self) -> Option<Self> {
        if self.end.contact != other.end.contact {
            return Some(other);
        }
        match self.attempt.absorb(other.attempt) {
            None => {
                self.end.outcomes.append(&mut other.end.outcomes);
                None
            }
            Some(attempt) => Some(Self { attempt, ..other }),
        }
    }
}

/// Works on a destination until nothing is due there, or the server goes down.
pub(crate) async fn serve(delivery: &Delivery, turn: Turn, domain: Domain, permit: Permit) {
    let mut courier = Courier::new(delivery, domain, permit);
    let mut line = Line::new(turn);
    let mut ended: Option<Closing> = None;
    // Wait for those of the other recipients of the message, so that the sender gets one notice.
    let mut refused: Option<Closing> = None;
    loop {
        let contact = courier.contact();
        let complete = refused.take_if(|_| line.is_at_end());
        let (_, _, opened) = tokio::join!(
            close(delivery, ended.take()),
            close(delivery, complete),
            open(delivery, &mut line, &contact)
        );
        let Some(opened) = opened else { break };
        let end = {
            let mut delivered = pin!(courier.deliver(&opened));
            match timeout(REFUSALS_WAIT, &mut delivered).await {
                Ok(end) => end,
                // What is known should not be lost with this server.
                Err(_) => tokio::join!(close(delivery, refused.take()), delivered).1,
            }
        };
        let attempt = opened.attempt;
        let closing = Closing { attempt, end };
        ended = match &mut refused {
            _ if !closing.is_refusal() => Some(closing),
            Some(refused) => refused.add(closing),
            slot => slot.replace(closing),
        };
    }
    close(delivery, refused).await;
    courier.leave();
}

async fn close(delivery: &Delivery, closing: Option<Closing>) {
    let Some(Closing { attempt, end }) = closing else {
        return;
    };
    let closed = delivery.queue.close_attempt(attempt, &end.contact, &end.outcomes).await;
    if let Err(error) = closed {
        tracing::error!(%error, host = end.contact.host, "cannot close an attempt");
        return;
    }
    let bounced = end.outcomes.iter().filter_map(|(id, outcome)| match outcome {
        Outcome::Bounced(_) => Some(*id),
        _ => None,
    });
    delivery.intake.note_failures(&bounced.collect::<Vec<_>>()).await;
}

async fn open<'l>(delivery: &Delivery, line: &'l mut Line, contact: &Contact) -> Option<Opened<'l>> {
    if delivery.shutdown.is_cancelled() {
        return None;
    }
    match line.next(delivery, contact).await {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(%error, "cannot take work from the queue");
            tokio::time::sleep(STORE_PAUSE).await;
            None
        }
    }
}
