//! Large messages take turns, so that a few senders of 50 MiB cannot take all memory.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all large messages together may occupy while they are parsed and stored.
const TOTAL_OCTETS: usize = 256 << 20;
/// Messages up to this do not queue.
const SMALL_OCTETS: usize = 1 << 20;
/// What a message occupies at the worst: its bytes, a copy for the journal, a decoded part.
const FACTOR: usize = 3;
const UNIT: usize = 1 << 10;

/// The turns.
pub(crate) struct LargeMessages(Arc<Semaphore>);

/// The right to have one large message in memory; dropping it makes room for the next.
pub struct Room {
    _permit: OwnedSemaphorePermit,
}

impl LargeMessages {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(TOTAL_OCTETS / UNIT)))
    }

    /// Waits until a message of this size may be in memory. One larger than all there is takes all of it.
    pub(crate) async fn room(&self, octets: usize) -> Option<Room> {
        if octets <= SMALL_OCTETS {
            return None;
        }
        let units = (octets.saturating_mul(FACTOR) / UNIT).min(TOTAL_OCTETS / UNIT);
        let units = u32::try_from(units).expect("at most TOTAL_OCTETS / UNIT");
        let permit = Arc::clone(&self.0).acquire_many_owned(units).await.ok()?;
        Some(Room { _permit: permit })
    }
}
