//! What the queue, its turns and its attempts share.

use crate::QueueError;
use crate::agenda::Agenda;
use crate::lease::Leases;
use crate::maintain::Position;
use crate::options::Options;
use postroom_store::{Commit, Key, Outcome, SharedStore};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How often an operation is planned and sent before it gives up.
const TRIES: u32 = 60;

pub(crate) struct Shared {
    pub(crate) store: SharedStore,
    pub(crate) options: Options,
    pub(crate) leases: Leases,
    pub(crate) mac_key: Mutex<Option<[u8; 32]>>,
    /// Where [`maintain`](crate::Queue::maintain) goes on.
    pub(crate) position: Mutex<Position>,
    agenda: Mutex<Agenda>,
    /// Told of every change after which there may be a turn to take.
    pub(crate) changed: Notify,
}

/// What came of one try that did not fail for good.
pub(crate) enum Tried {
    /// Done and durable.
    Done,
    /// Not done, because of this key: read again and decide anew.
    Conflict(Key),
    /// Perhaps done: read again and see.
    Unknown,
}

impl Shared {
    pub(crate) fn new(store: SharedStore, options: Options) -> Self {
        Self {
            store,
            leases: Leases::default(),
            mac_key: Mutex::default(),
            position: Mutex::default(),
            agenda: Mutex::new(Agenda::new(options.per_destination)),
            changed: Notify::new(),
            options,
        }
    }

    pub(crate) fn now(&self) -> i64 {
        (self.options.clock)()
    }

    /// Never held across an await.
    pub(crate) fn agenda(&self) -> MutexGuard<'_, Agenda> {
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a commit once.
    pub(crate) async fn try_commit(&self, commit: Commit) -> Result<Tried, QueueError> {
        match self.store.commit(commit).await? {
            Outcome::Done(_) => Ok(Tried::Done),
            Outcome::Conflict(key) => Ok(Tried::Conflict(key)),
            Outcome::Unknown => Ok(Tried::Unknown),
            Outcome::Full => Err(QueueError::Full),
        }
    }
}

/// Counts the tries of one operation.
pub(crate) struct Tries(u32);

impl Tries {
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    /// Waits a little before another try; the first is free.
    pub(crate) async fn next(&mut self) -> Result<(), QueueError> {
        self.0 += 1;
        match self.0 {
            1 => Ok(()),
            2..=TRIES => {
                // Of those who collide one wins each round, so they need no dice to part them.
                tokio::time::sleep(Duration::from_micros(200 * u64::from(self.0.min(20)))).await;
                Ok(())
            }
            _ => Err(QueueError::Busy),
        }
    }
}
