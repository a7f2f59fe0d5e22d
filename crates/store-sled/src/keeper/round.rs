//! One round of upkeep.

use super::{Keeper, Tidied};
use crate::blobs::Bodies;
use crate::committer::{Chore, Request};
use crate::error::OpenError;
use crate::files::sync_dir;
use crate::identity::hex;
use crate::index::{At, BlobRow, Index};
use crate::journal::{file_path, list};
use crate::snapshot;
use postroom_store::StoreError;
use postroom_types::{BlobId, Lsn};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};

/// Blobs looked at in one step.
const STEP: usize = 500;
/// Octets moved by one commit, about.
const MOVE_OCTETS: u64 = 4 << 20;
/// A journal file is emptied when less than this part of it is live.
const SPARSE: f64 = 0.3;
/// Journal files of which it is found out at once whether they are needed: 4 GiB of them. That bounds how many bodies must
/// be kept in mind.
const FILES: usize = 16;
/// Most damaged bodies that are remembered.
const DAMAGED: usize = 100_000;

/// What a round works on.
pub(super) struct Round<'a> {
    pub(super) keeper: &'a Keeper,
    pub(super) index: &'a Index,
    pub(super) bodies: &'a Bodies,
    pub(super) queue: &'a mpsc::Sender<Request>,
}

impl Round<'_> {
    /// All of it, in this order: after a snapshot there is little of the journal to be read, and what is forgotten makes
    /// files sparse.
    ///
    /// # Errors
    /// What was done stays done. If the index lies, the store has failed.
    pub(super) fn run(&self) -> Result<Tidied, StoreError> {
        let snapshot = self.snapshot_if_due();
        if snapshot.is_err() && self.is_over() {
            return snapshot.map(|_| Tidied::default());
        }
        // The rest makes room, which the snapshot perhaps did not have.
        let tidied = Tidied {
            orphans: self.remove_orphans()?,
            forgotten: self.forget_dead()?,
            snapshot: matches!(snapshot, Ok(true)),
            moved: self.empty_sparse_files()?,
            removed_files: self.remove_files()?,
        };
        snapshot.map(|_| tidied)
    }

    /// Whether there is nothing more to be done: the store is closing, or has failed.
    fn is_over(&self) -> bool {
        self.go_on().is_err() || self.keeper.shared.has_failed() || self.index.damage().is_some()
    }

    /// Moves the bodies out of files that are covered and mostly dead.
    fn empty_sparse_files(&self) -> Result<usize, StoreError> {
        let live = self.live_octets()?;
        let is_sparse = |file: &CoveredFile| {
            let octets = live.get(&file.first).copied().unwrap_or_default();
            octets > 0 && (octets as f64) < file.octets as f64 * SPARSE
        };
        let sparse: Vec<_> = self
            .covered_files()?
            .into_iter()
            .filter(is_sparse)
            .map(|file| file.first)
            .collect();
        let mut damaged = self.keeper.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut moved, mut octets, mut chores) = (0, 0, Vec::new());
        self.each_blob(&mut |row| {
            let BlobRow { id, location, .. } = row;
            if !matches!(location.at, At::Journal { file, .. } if sparse.contains(&file)) || damaged.contains(&id) {
                return Ok(());
            }
            let bytes = match self.bodies.read(id, &location, 0..u64::MAX) {
                // It stays where it is, and its file with it.
                Err(StoreError::Corrupt(error)) => {
                    tracing::error!(%error, "a body cannot be moved");
                    if damaged.len() < DAMAGED {
                        damaged.insert(id);
                    }
                    return Ok(());
                }
                read => read?,
            };
            octets += location.octets;
            moved += 1;
            chores.push(Chore::Move {
                id,
                from: location,
                bytes,
            });
            if octets >= MOVE_OCTETS {
                octets = 0;
                self.ask(std::mem::take(&mut chores))?;
            }
            Ok(())
        })?;
        if !chores.is_empty() {
            self.ask(chores)?;
        }
        Ok(moved)
    }

    /// Removes the files that are covered and in which no body can be found.
    fn remove_files(&self) -> Result<usize, StoreError> {
        let covered = self.covered_files()?;
        let live = self.live_octets()?;
        let folder = self.keeper.folder.journal();
        let mut empty: Vec<Lsn> = covered
            .into_iter()
            .map(|file| file.first)
            .filter(|first| !live.contains_key(first))
            .collect();
        let mut needed = HashMap::new();
        for some in empty.chunks(FILES) {
            let some = some.iter().copied().collect();
            needed.extend(self.truth(&|truth| truth.bodies_in(&some))?);
        }
        for (file, id) in &needed {
            // Asked for it by name, it may know what a walk through all of it did not come by.
            if self.index.location(*id)?.is_none() {
                let what = format!(
                    "it does not know that the body {} is in {}",
                    hex(&id.0),
                    file_path(&folder, *file).display()
                );
                return Err(self.lie(&what));
            }
        }
        empty.retain(|first| !needed.contains_key(first));
        if !empty.is_empty() {
            // What stands for them must be there by its name before they go.
            sync_dir(&folder).map_err(failed)?;
        }
        for first in &empty {
            let path = file_path(&folder, *first);
            self.bodies.let_go(&path);
            fs::remove_file(path).map_err(failed)?;
        }
        if !empty.is_empty() {
            sync_dir(&folder).map_err(failed)?;
        }
        Ok(empty.len())
    }

    /// The index does not show what the journal has: it is of no use any more.
    pub(super) fn lie(&self, what: &str) -> StoreError {
        self.keeper.shared.distrust_index(what);
        self.keeper.shared.unavailable()
    }

    /// Octets of the bodies that can be found by the index, by journal file.
    fn live_octets(&self) -> Result<HashMap<Lsn, u64>, StoreError> {
        let mut live = HashMap::new();
        self.each_blob(&mut |row| {
            if let At::Journal { file, .. } = row.location.at {
                *live.entry(file).or_default() += row.location.octets;
            }
            Ok(())
        })?;
        Ok(live)
    }

    pub(super) fn each_blob(&self, visit: &mut dyn FnMut(BlobRow) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            self.go_on()?;
            let rows = self.index.blobs_after(after, STEP)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.id);
            rows.into_iter().try_for_each(&mut *visit)?;
        }
    }

    /// An error if the store is closing.
    pub(super) fn go_on(&self) -> Result<(), StoreError> {
        match self.keeper.stop.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("closing".into())),
            false => Ok(()),
        }
    }

    /// Has the committer do some chores; the bodies that were forgotten.
    pub(super) fn ask(&self, chores: Vec<Chore>) -> Result<Vec<BlobId>, StoreError> {
        let (reply, done) = oneshot::channel();
        let gone = || StoreError::Unavailable("the committer has ended".into());
        self.queue
            .blocking_send(Request::Upkeep(chores, reply))
            .map_err(|_| gone())?;
        done.blocking_recv().map_err(|_| gone())?
    }

    /// All files but the last, with the lsn and the length at their ends.
    pub(super) fn files(&self) -> Result<Vec<CoveredFile>, StoreError> {
        let folder = self.keeper.folder.journal();
        let firsts = list(&folder).map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
        let ends = firsts.iter().skip(1).map(|next| Lsn(next.0 - 1));
        let files = firsts.iter().zip(ends).map(|(first, end)| {
            let octets = fs::metadata(file_path(&folder, *first)).map_or(0, |file| file.len());
            CoveredFile {
                first: *first,
                end,
                octets,
            }
        });
        Ok(files.collect())
    }

    /// The files whose operations are all in the newest snapshot. (The true end of a file may lie before `end`, if the
    /// one after it was removed; never beyond.)
    fn covered_files(&self) -> Result<Vec<CoveredFile>, StoreError> {
        let snapshots = snapshot::list(&self.keeper.folder.snapshots()).map_err(failed)?;
        let covered = snapshots.last().copied().unwrap_or_default();
        Ok(self.files()?.into_iter().filter(|file| file.end <= covered).collect())
    }
}

/// A journal file that is written no more.
pub(super) struct CoveredFile {
    first: Lsn,
    pub(super) end: Lsn,
    pub(super) octets: u64,
}

/// What cannot be read is no reason for removing anything.
pub(super) fn failed_on(error: OpenError) -> StoreError {
    if matches!(error, OpenError::Corrupt { .. }) {
        tracing::error!(%error, "the store's files are damaged; nothing is removed");
    }
    StoreError::Unavailable(format!("upkeep: {error}").into())
}

pub(super) fn failed(error: io::Error) -> StoreError {
    StoreError::Unavailable(format!("upkeep: {error}").into())
}
