//! What the committer and all callers share.

use crate::files::{DISTRUSTED, Folder, replace_file};
use crate::index::Index;
use crate::quiet::catch_quietly;
use postroom_store::{StoreError, Topics};
use postroom_types::Lsn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once, OnceLock};
use tokio::sync::watch;

/// What was written since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Commits that were done.
    pub commits: u64,
    /// Syncs of the journal, one for each group of commits.
    pub syncs: u64,
    /// Octets of their records.
    pub octets: u64,
}

/// Shared between the committer and all callers.
#[derive(Debug)]
pub(crate) struct SharedState {
    folder: Folder,
    pub(crate) topics: Topics,
    stable: AtomicU64,
    failed: watch::Sender<bool>,
    why: OnceLock<Arc<str>>,
    distrusted: Once,
    commits: AtomicU64,
    syncs: AtomicU64,
    octets: AtomicU64,
}

impl SharedState {
    pub(crate) fn new(folder: Folder, stable: Lsn) -> Self {
        Self {
            folder,
            topics: Topics::default(),
            stable: AtomicU64::new(stable.0),
            failed: watch::Sender::new(false),
            why: OnceLock::new(),
            distrusted: Once::new(),
            commits: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            octets: AtomicU64::new(0),
        }
    }

    pub(crate) fn stable(&self) -> Lsn {
        Lsn(self.stable.load(Ordering::SeqCst))
    }

    pub(crate) fn set_stable(&self, lsn: Lsn) {
        self.stable.store(lsn.0, Ordering::SeqCst);
    }

    /// Ends the store; the first reason is the one that counts.
    pub(crate) fn fail(&self, why: &str) {
        if self.why.set(why.into()).is_ok() {
            tracing::error!(why, "the store has failed");
        }
        self.failed.send_replace(true);
    }

    /// Ends the store over its index: noted first, so that the next start makes another one and does not meet the same
    /// again. Blocks.
    pub(crate) fn distrust_index(&self, why: &str) {
        self.distrusted.call_once(|| {
            if let Err(error) = replace_file(self.folder.path(), DISTRUSTED, why) {
                tracing::error!(%error, "cannot note that the index is not to be trusted");
            }
        });
        self.fail(&format!("the index failed: {why}"));
    }

    /// Does what reads the index. If sled panics over it or tells of damage, the store ends over its index.
    pub(crate) fn with_index<T>(
        &self,
        index: &Index,
        read: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let why = match (catch_quietly(read), index.damage()) {
            (Err(why), _) => why,
            (Ok(_), Some(why)) => why.to_owned(),
            (Ok(answer), None) => return answer,
        };
        self.distrust_index(&why);
        Err(self.unavailable())
    }

    pub(crate) fn failed(&self) -> watch::Receiver<bool> {
        self.failed.subscribe()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.why.get().is_some()
    }

    /// Why the store has failed, if it has.
    pub(crate) fn why(&self) -> Option<&str> {
        self.why.get().map(AsRef::as_ref)
    }

    /// The error of all calls once the store has failed or is closed.
    pub(crate) fn unavailable(&self) -> StoreError {
        StoreError::Unavailable(self.why.get().cloned().unwrap_or_else(|| "closed".into()))
    }

    pub(crate) fn count(&self, commits: usize, octets: usize) {
        self.commits.fetch_add(commits as u64, Ordering::Relaxed);
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.octets.fetch_add(octets as u64, Ordering::Relaxed);
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Statistics {
            commits: read(&self.commits),
            syncs: read(&self.syncs),
            octets: read(&self.octets),
        }
    }
}
