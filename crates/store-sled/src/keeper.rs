//! Upkeep: bodies that nobody owns go, snapshots are taken, journal files that nobody needs go.
//!
//! What always holds:
//! - A journal file is removed only if a snapshot on disk covers all its operations and no body in it can be found, and a
//!   body is forgotten only if nobody owns it, by what snapshot and journal say: see [`crate::truth`]. The index proposes;
//!   if it is wrong, nothing is removed, and it is made anew by the next start.
//! - Bodies of a file that is mostly dead are moved to the journal's end by commits of the journal itself, so a replay
//!   finds them there too. (Simpler than a second generation of the file with a map of offsets, and as cheap.)
//! - Whether a body is still dead is decided by the committer, between two groups: an adoption comes before or after it.
//! - After each snapshot the index is compared with it, so what the index has lost is not lost to the users for long.

mod compare;
mod forget;
mod orphans;
mod round;
mod rounds;
mod snapshots;

pub(crate) use rounds::{Parts, Rounds};

use crate::Options;
use crate::blobs::Bodies;
use crate::committer::Request;
use crate::error::OpenError;
use crate::files::Folder;
use crate::index::Index;
use crate::state::SharedState;
use orphans::OwnFile;
use postroom_store::StoreError;
use postroom_types::BlobId;
use round::Round;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// What one round of upkeep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Files of large bodies that were removed: no commit named them when the store was opened.
    pub orphans: usize,
    /// Bodies that were forgotten: nobody had owned them for the time of grace.
    pub forgotten: usize,
    /// Bodies that were moved to the journal's end.
    pub moved: usize,
    /// Whether a snapshot was taken.
    pub snapshot: bool,
    /// Journal files that were removed.
    pub removed_files: usize,
}

/// Does the upkeep of one store.
#[derive(Debug)]
pub(crate) struct Keeper {
    folder: Folder,
    store: [u8; 16],
    options: Options,
    shared: Arc<SharedState>,
    stop: AtomicBool,
    /// Held for the length of a round.
    round: Mutex<()>,
    /// Bodies that were found damaged; no round reads them again.
    damaged: Mutex<HashSet<BlobId>>,
    /// The files of large bodies that were there when the store was opened, until they are looked at.
    found: Mutex<Vec<OwnFile>>,
}

impl Keeper {
    /// Of a store that nobody writes to yet.
    pub(crate) fn new(
        folder: Folder,
        store: [u8; 16],
        options: Options,
        shared: Arc<SharedState>,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            found: Mutex::new(orphans::list(&folder.bodies())?),
            folder,
            store,
            options,
            shared,
            stop: AtomicBool::new(false),
            round: Mutex::default(),
            damaged: Mutex::default(),
        })
    }

    /// The store's name.
    pub(crate) fn store(&self) -> [u8; 16] {
        self.store
    }

    /// Ends a round soon, and all later ones at once.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Does one round. Blocks. An index that is damaged, or has lost what the journal has, fails the store.
    pub(crate) fn tidy(
        &self,
        index: &Index,
        bodies: &Bodies,
        queue: &mpsc::Sender<Request>,
    ) -> Result<Tidied, StoreError> {
        let _round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.has_failed() {
            return Err(self.shared.unavailable());
        }
        let round = Round {
            keeper: self,
            index,
            bodies,
            queue,
        };
        let tidied = self.shared.with_index(index, || round.run())?;
        if tidied != Tidied::default() {
            tracing::info!(?tidied, "store upkeep");
        }
        Ok(tidied)
    }
}
