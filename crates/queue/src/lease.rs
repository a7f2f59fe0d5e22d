//! Who works on which shard. A worker's every commit asks that the lease row is still the one it took, so whoever was
//! taken over cannot write any more.

use crate::QueueError;
use crate::codec::{Reader, Writer};
use crate::keys::{self, SHARDS};
use crate::rows::LeaseRow;
use crate::schedule::milliseconds;
use crate::shared::{Shared, Tried, Tries};
use postroom_store::{CommitBuilder, Key, Value};
use postroom_types::EmailId;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a lease lasts unless it is renewed.
const LEASE: Duration = Duration::from_secs(30);

/// The lease rows that are ours, by shard.
#[derive(Default)]
pub(crate) struct Leases(Mutex<BTreeMap<u8, Value>>);

impl Leases {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<u8, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn holds(&self, shard: u8) -> bool {
        self.rows().contains_key(&shard)
    }
}

impl Shared {
    /// Asks that the shard is still ours.
    pub(crate) fn fence(&self, builder: &mut CommitBuilder, shard: u8) -> Result<(), QueueError> {
        let row = self.leases.rows().get(&shard).cloned().ok_or(QueueError::LeaseLost)?;
        builder.require(keys::lease(shard), row);
        Ok(())
    }

    /// After a conflict: if it was the fence, whether the shard is still ours.
    pub(crate) async fn check_fence(&self, conflict: &Key, shard: u8) -> Result<(), QueueError> {
        let key = keys::lease(shard);
        if *conflict != key {
            return Ok(());
        }
        let row = self.store.get(&key).await?;
        if row.is_some() && row.as_ref() == self.leases.rows().get(&shard) {
            return Ok(());
        }
        self.lose(shard);
        Err(QueueError::LeaseLost)
    }

    fn lose(&self, shard: u8) {
        self.leases.rows().remove(&shard);
        self.agenda().forget_shard(shard);
    }

    /// Takes all shards at once, whoever had them.
    pub(crate) async fn take_all(&self) -> Result<(), QueueError> {
        let shards: Vec<u8> = (0..SHARDS).collect();
        self.take(&shards, None).await
    }

    /// Renews what is ours and takes what nobody renewed.
    pub(crate) async fn renew_and_take(&self) -> Result<(), QueueError> {
        let until = self.now().saturating_add(milliseconds(LEASE));
        self.renew(until).await?;
        for shard in 0..SHARDS {
            if !self.leases.holds(shard) && self.has_expired(shard).await? {
                match self.take(&[shard], Some(until)).await {
                    // Lost: another process was faster.
                    Ok(()) | Err(QueueError::LeaseLost) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    async fn has_expired(&self, shard: u8) -> Result<bool, QueueError> {
        match self.store.get(&keys::lease_expiry(shard)).await? {
            None => Ok(true),
            Some(value) => Ok(Reader::value(&value, "lease expiry")?.i64()? <= self.now()),
        }
    }

    async fn take(&self, shards: &[u8], until: Option<i64>) -> Result<(), QueueError> {
        let holder = *EmailId::new().as_bytes();
        let lease_keys: Vec<Key> = shards.iter().map(|shard| keys::lease(*shard)).collect();
        let mut tries = Tries::new();
        let mut first: Option<Vec<Option<Value>>> = None;
        loop {
            tries.next().await?;
            let olds = self.store.get_many(&lease_keys).await?;
            let ours = |old: &Option<Value>| old.as_deref().is_some_and(|old| is_held_by(old, holder));
            if olds.iter().all(ours) {
                let rows = shards.iter().copied().zip(olds.into_iter().flatten());
                self.leases.rows().extend(rows);
                return Ok(());
            }
            if until.is_some() && *first.get_or_insert_with(|| olds.clone()) != olds {
                return Err(QueueError::LeaseLost);
            }
            let mut builder = CommitBuilder::new();
            for ((shard, key), old) in shards.iter().zip(&lease_keys).zip(olds) {
                add_lease(&mut builder, key.clone(), old, holder)?;
                if let Some(until) = until {
                    builder.put(keys::lease_expiry(*shard), expiry(until));
                }
            }
            self.try_commit(builder.build()).await?;
        }
    }

    async fn renew(&self, until: i64) -> Result<(), QueueError> {
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            let held: Vec<u8> = self.leases.rows().keys().copied().collect();
            if held.is_empty() {
                return Ok(());
            }
            let mut builder = CommitBuilder::new();
            for shard in &held {
                // One that was lost meanwhile is not asked for in the next round.
                if self.fence(&mut builder, *shard).is_ok() {
                    builder.put(keys::lease_expiry(*shard), expiry(until));
                }
            }
            match self.try_commit(builder.build()).await? {
                Tried::Done => return Ok(()),
                Tried::Unknown => {}
                Tried::Conflict(key) => {
                    for shard in held {
                        match self.check_fence(&key, shard).await {
                            Ok(()) | Err(QueueError::LeaseLost) => {}
                            Err(error) => return Err(error),
                        }
                    }
                }
            }
        }
    }
}

fn is_held_by(row: &[u8], holder: [u8; 16]) -> bool {
    LeaseRow::read(row).is_ok_and(|row| row.holder == holder)
}

fn add_lease(builder: &mut CommitBuilder, key: Key, old: Option<Value>, holder: [u8; 16]) -> Result<(), QueueError> {
    match old {
        None => builder.put_new(key, LeaseRow { number: 1, holder }.write()),
        Some(old) => {
            let number = LeaseRow::read(&old)?.number + 1;
            builder.replace(key, old, LeaseRow { number, holder }.write())
        }
    };
    Ok(())
}

fn expiry(until: i64) -> Value {
    let mut writer = Writer::value();
    writer.i64(until);
    writer.finish()
}
