//! The in-memory backend, for tests, with a mode that does all the trait allows.
//!
//! What always holds:
//! - Nothing survives the process; "durable" means applied.
//! - Commits are applied one at a time; a bulk commit may be seen half applied, its counters last.
//! - The hostile mode never lies: a conflict it makes up is never on an `Absent` key, so a once-key keeps its meaning.

mod hostile;
mod rows;

pub use hostile::Hostile;

use crate::{
    BoxFuture, Commit, Condition, Key, Outcome, Page, Store, StoreError, Topic, Topics, Value, check_limits,
    resolve::{Refusal, resolve},
};
use bytes::Bytes;
use hostile::{Fate, Mood};
use postroom_types::{BlobId, Lsn};
use rows::Rows;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Writes of a bulk commit that become visible together.
const BULK_SLICE: usize = 100;

/// How the in-memory backend behaves.
#[derive(Clone, Debug)]
pub struct MemoryOptions {
    /// How long a blob without an owner stays readable.
    pub blob_grace: Duration,
    /// What goes wrong, and how often. `None`: nothing.
    pub hostile: Option<Hostile>,
}

impl Default for MemoryOptions {
    /// An hour of grace, as the embedded store gives; nothing goes wrong.
    fn default() -> Self {
        Self {
            blob_grace: Duration::from_secs(3600),
            hostile: None,
        }
    }
}

/// A store in memory.
#[derive(Debug)]
pub struct MemoryStore {
    options: MemoryOptions,
    /// Held for the length of a commit, so that a bulk commit lets readers in between its slices but no writer.
    writer: tokio::sync::Mutex<()>,
    rows: Mutex<Rows>,
    mood: Option<Mood>,
    full: AtomicBool,
    shown: Arc<Shown>,
}

/// What watchers know.
#[derive(Debug, Default)]
struct Shown {
    stable: AtomicU64,
    topics: Topics,
}

impl Shown {
    fn show(&self, topics: &[Topic], lsn: Lsn) {
        self.stable.fetch_max(lsn.0, Ordering::SeqCst);
        self.topics.wake(topics, lsn);
    }
}

impl MemoryStore {
    /// A store in which nothing goes wrong.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with_options(MemoryOptions::default())
    }

    /// A store in which everything the trait allows goes wrong; the same seed gives the same dice.
    #[must_use]
    pub fn hostile(seed: u64) -> Arc<Self> {
        Self::with_options(MemoryOptions {
            hostile: Some(Hostile::from_seed(seed)),
            ..MemoryOptions::default()
        })
    }

    /// A store that behaves as asked.
    #[must_use]
    pub fn with_options(options: MemoryOptions) -> Arc<Self> {
        Arc::new(Self {
            writer: tokio::sync::Mutex::default(),
            rows: Mutex::default(),
            mood: options.hostile.clone().map(Mood::new),
            full: AtomicBool::new(false),
            shown: Arc::default(),
            options,
        })
    }

    /// From now on every commit is answered with [`Outcome::Full`], or no longer.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn do_commit(&self, commit: Commit) -> Result<Outcome, StoreError> {
        check_limits(&commit)?;
        if self.full.load(Ordering::SeqCst) {
            return Ok(Outcome::Full);
        }
        let fate = self.mood.as_ref().map_or(Fate::Done, |mood| mood.fate(&commit));
        match fate {
            Fate::Conflict(key) => return Ok(Outcome::Conflict(key)),
            Fate::UnknownNotDone => return Ok(Outcome::Unknown),
            Fate::Done | Fate::DoneUnknown => {}
        }
        if self.mood.is_some() {
            tokio::task::yield_now().await;
        }
        let outcome = self.write(commit).await?;
        Ok(if matches!(fate, Fate::DoneUnknown) {
            Outcome::Unknown
        } else {
            outcome
        })
    }

    async fn write(&self, commit: Commit) -> Result<Outcome, StoreError> {
        let _writer = self.writer.lock().await;
        let slice = if commit.bulk { BULK_SLICE } else { usize::MAX };
        let (lsn, resolved) = {
            let mut rows = self.rows();
            let lsn = Lsn(rows.lsn.0 + 1);
            (lsn, resolve(commit, lsn, &mut *rows))
        };
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(Refusal::Conflict(key)) => return Ok(Outcome::Conflict(key)),
            Err(Refusal::Failed(error)) => return Err(error),
        };
        self.rows().keep(resolved.blobs);
        for (index, part) in resolved.writes.chunks(slice).enumerate() {
            if index > 0 {
                tokio::task::yield_now().await;
            }
            self.rows().write(part);
        }
        self.rows().lsn = lsn;
        self.show(resolved.topics, lsn);
        Ok(Outcome::Done(resolved.receipt))
    }

    fn show(&self, topics: Vec<Topic>, lsn: Lsn) {
        match self.mood.as_ref().and_then(Mood::delay) {
            None => self.shown.show(&topics, lsn),
            Some(delay) => {
                let shown = Arc::clone(&self.shown);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    shown.show(&topics, lsn);
                });
            }
        }
    }
}

impl Store for MemoryStore {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        Box::pin(async move { Ok(self.rows().get(key)) })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        Box::pin(async move { Ok(keys.iter().map(|key| self.rows().get(key)).collect()) })
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let limit = limit.max(1);
            match self.mood.as_ref().and_then(|mood| mood.short_page(limit)) {
                None => Ok(self.rows().page(low, high, reverse, limit)),
                Some(0) => Ok(self.rows().empty_page(low, high, reverse)),
                Some(fewer) => Ok(self.rows().page(low, high, reverse, fewer)),
            }
        })
    }

    fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move { Ok(self.rows().blob(id, range, self.options.blob_grace)) })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.do_commit(commit))
    }

    fn stable_lsn(&self) -> Lsn {
        Lsn(self.shown.stable.load(Ordering::SeqCst))
    }

    fn watch(&self, topic: Topic) -> watch::Receiver<Lsn> {
        self.shown.topics.watch(topic, self.stable_lsn())
    }
}

/// The keys on which a conflict may be made up: not `Absent` ones, since a once-key's conflict means "done".
fn conflict_keys(commit: &Commit) -> Vec<&Key> {
    let equals = commit
        .conditions
        .iter()
        .filter(|(_, condition)| matches!(condition, Condition::Equals(_)));
    equals
        .map(|(key, _)| key)
        .chain(commit.counters.iter().map(|op| &op.key))
        .collect()
}
