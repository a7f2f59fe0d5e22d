//! Beginning, and what is done by the clock: leases renewed, the agenda checked against the index.

use crate::QueueError;
use crate::keys::{self, DueRow};
use crate::shared::{Shared, Tries};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use postroom_store::{CommitBuilder, Key, StoreError, prefix_end, scan};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

/// How often the agenda is checked by the only process: for what a lost call did not tell it.
const CHECK_ALONE: Duration = Duration::from_secs(60);
/// How often by one of several: for what the others put into the queue.
const CHECK_AMONG_OTHERS: Duration = Duration::from_secs(1);
/// Checks between two renewals of the leases.
const CHECKS_OF_A_LEASE: u32 = 10;
/// Destinations looked up by one check.
const SLICE: usize = 256;

impl Shared {
    /// Makes the key at the first start, reads it at every later one.
    pub(crate) async fn load_mac_key(&self) -> Result<(), QueueError> {
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            if let Some(value) = self.store.get(keys::MAC_KEY).await? {
                let key = value.get(1..).and_then(|key| <[u8; 32]>::try_from(key).ok());
                let key = key.ok_or_else(|| StoreError::Corrupt("the key of bounce addresses".into()))?;
                *self.mac_key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
                return Ok(());
            }
            let mut value = vec![crate::codec::FORMAT; 33];
            SystemRandom::new()
                .fill(&mut value[1..])
                .map_err(|_| StoreError::Unavailable("the operating system's random source".into()))?;
            let mut builder = CommitBuilder::new();
            builder.put_new(keys::MAC_KEY.to_vec(), value);
            // Whatever came of it, there is a key now, or another round makes one.
            self.try_commit(builder.build()).await?;
        }
    }

    /// Reads the first due row of each destination; the agenda knows the rest by looking.
    pub(crate) async fn load_agenda(&self) -> Result<(), QueueError> {
        let mut from = Some(b"qd".to_vec());
        while let Some(position) = from {
            from = self.check_slice(position, usize::MAX).await?;
        }
        Ok(())
    }

    /// Looks up at most this many destinations from a key on; where to go on, `None` at the end.
    async fn check_slice(&self, from: Key, most: usize) -> Result<Option<Key>, QueueError> {
        let end = prefix_end(b"qd");
        let mut low = from;
        for _ in 0..most {
            let first = scan(&*self.store, low, end.clone()).page_pairs(1).next().await?;
            let Some((key, value)) = first else { return Ok(None) };
            match DueRow::read(&key, &value) {
                Some(row) => {
                    // What is in flight tells of itself when it comes back.
                    if !self.agenda().is_in_flight(row.line, row.item) {
                        self.note(&row.destination, row.due_at);
                    }
                    low = prefix_end(&keys::due_line(row.line));
                }
                None => {
                    low = key;
                    low.push(0);
                }
            }
        }
        Ok(Some(low))
    }
}

/// Runs until the queue is dropped.
pub(crate) async fn upkeep(shared: Weak<Shared>) {
    let mut from: Option<Key> = None;
    let mut checks = 0u32;
    loop {
        let Some(alone) = shared.upgrade().map(|shared| shared.options.exclusive) else {
            return;
        };
        tokio::time::sleep(if alone { CHECK_ALONE } else { CHECK_AMONG_OTHERS }).await;
        let Some(shared) = shared.upgrade() else { return };
        checks = checks.wrapping_add(1);
        if !alone
            && checks.is_multiple_of(CHECKS_OF_A_LEASE)
            && let Err(error) = shared.renew_and_take().await
        {
            tracing::error!(%error, "leases of the queue could not be renewed");
        }
        let low = from.take().unwrap_or_else(|| b"qd".to_vec());
        match shared.check_slice(low.clone(), SLICE).await {
            Ok(next) => from = next,
            Err(error) => {
                tracing::error!(%error, "the queue could not be checked");
                from = Some(low);
            }
        }
    }
}

/// Everything a queue does before its first turn.
pub(crate) async fn start(shared: &Arc<Shared>) -> Result<(), QueueError> {
    shared.load_mac_key().await?;
    if shared.options.exclusive {
        shared.take_all().await?;
    } else {
        shared.renew_and_take().await?;
    }
    shared.load_agenda().await
}
