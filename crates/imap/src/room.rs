//! Room in memory for large parts that are decoded, and for large headers.
//!
//! What always holds: what is decoded and kept at one time, over all sessions, has room; who waits for room does so for
//! a bounded time, since others keep theirs as long as they are slow to read.

use postroom_imap_proto::Fault;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All room, in KiB.
pub(crate) const DECODING_KIBIBYTES: u32 = 256 << 10;
/// What needs less than this does not count.
const SMALL_OCTETS: u64 = 2 << 20;
/// How long an answer waits for room.
const WAIT: Duration = Duration::from_secs(30);

/// What the parts of one answer need that are decoded one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    /// At the worst moment of decoding.
    most: u64,
    /// From then on until the answer was sent.
    kept: u64,
}

impl Need {
    /// A part of so many octets is decoded, of which at most `kept` stay.
    pub(crate) fn add(&mut self, octets: u64, kept: u64) {
        // The body, and what it becomes.
        self.most = self.most.max(self.kept.saturating_add(octets.saturating_mul(2)));
        self.kept = self.kept.saturating_add(octets.min(kept));
    }

    /// Waits until there is room to decode.
    pub(crate) async fn room(self, decoding: &Arc<Semaphore>) -> Result<Room, Fault> {
        let most = self.most.max(self.kept);
        if most <= SMALL_OCTETS {
            return Ok(Room(None));
        }
        let most = kibibytes(most);
        if most > DECODING_KIBIBYTES {
            return Err(Fault::Limit);
        }
        let room = tokio::time::timeout(WAIT, Arc::clone(decoding).acquire_many_owned(most)).await;
        // The semaphore is never closed.
        let mut room = room.map_err(|_| Fault::Unavailable)?.map_err(|_| Fault::Internal)?;
        let kept = room.split(kibibytes(self.kept) as usize);
        Ok(Room(kept.map(|kept| (kept, room))))
    }
}

/// Room that is held.
#[derive(Debug, Default)]
pub(crate) struct Room(Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>);

impl Room {
    /// Everything is decoded: gives back what only that needed.
    pub(crate) fn decoded(self) -> Option<OwnedSemaphorePermit> {
        self.0.map(|(kept, _)| kept)
    }
}

fn kibibytes(octets: u64) -> u32 {
    u32::try_from(octets.div_ceil(1 << 10)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE: u64 = 1 << 20;

    fn need(parts: &[(u64, u64)]) -> Need {
        let mut need = Need::default();
        for (octets, kept) in parts {
            need.add(octets * MEBIBYTE, kept.saturating_mul(MEBIBYTE));
        }
        need
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_kept_stays_taken() {
        let decoding = Arc::new(Semaphore::new(DECODING_KIBIBYTES as usize));
        let free = || decoding.available_permits() as u64 / 1024;
        for (parts, while_decoding, kept) in [
            (&[(1, u64::MAX)][..], 0, 0),
            (&[(50, u64::MAX)], 100, 50),
            (&[(50, 0), (50, 0), (50, 0), (50, 0)], 100, 0),
            (&[(50, 1), (50, u64::MAX), (50, 2)], 151, 53),
        ] {
            let room = need(parts).room(&decoding).await.unwrap();
            assert_eq!(256 - free(), while_decoding, "{parts:?}");
            let held = room.decoded();
            assert_eq!(256 - free(), kept, "{parts:?}");
            drop(held);
        }
        assert_eq!(need(&[(129, 0)]).room(&decoding).await.err(), Some(Fault::Limit));
        let held = need(&[(50, 50), (50, 50)]).room(&decoding).await.unwrap().decoded();
        // Those who hold room do not make others wait for ever.
        let begun = tokio::time::Instant::now();
        assert_eq!(need(&[(90, 0)]).room(&decoding).await.err(), Some(Fault::Unavailable));
        assert_eq!(begun.elapsed(), WAIT);
        drop(held);
        assert!(need(&[(90, 0)]).room(&decoding).await.is_ok());
        assert_eq!(free(), 256);
    }
}
