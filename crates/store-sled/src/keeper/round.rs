//! One round of upkeep.

use super::{Keeper, Tidied};
use crate::blobs::{Bodies, own_path};
use crate::committer::{Chore, Request};
use crate::files::{free_octets, remove_if_there, sync_dir};
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
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};

/// Blobs looked at in one step.
const STEP: usize = 500;
/// Octets moved by one commit, about.
const MOVE_OCTETS: u64 = 4 << 20;
/// A journal file is emptied when less than this part of it is live.
const SPARSE: f64 = 0.3;

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
    /// All of it, in this order: what is forgotten makes files sparse, and a snapshot covers them.
    pub(super) fn run(&self) -> Result<Tidied, StoreError> {
        Ok(Tidied {
            forgotten: self.forget_dead()?,
            snapshot: self.snapshot_if_due()?,
            moved: self.empty_sparse_files()?,
            removed_files: self.remove_files()?,
        })
    }

    /// Forgets the bodies that have been dead for the time of grace, and notes those that died since the last round.
    fn forget_dead(&self) -> Result<usize, StoreError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let grace = self.keeper.options.blob_grace.as_secs();
        let mut forgotten = 0;
        let mut dead = Vec::new();
        self.each_blob(&mut |row| {
            let since = self.index.dead_since(row.id)?;
            match (self.index.is_alive(row.id)?, since) {
                (true, None) => {}
                (true, Some(_)) => self.index.note_dead(row.id, None)?,
                (false, None) if grace > 0 => self.index.note_dead(row.id, Some(now))?,
                (false, Some(since)) if now.saturating_sub(since) < grace => {}
                (false, _) => dead.push((row.id, row.location.at)),
            }
            if dead.len() >= STEP {
                forgotten += self.forget(std::mem::take(&mut dead))?;
            }
            Ok(())
        })?;
        Ok(forgotten + self.forget(dead)?)
    }

    fn forget(&self, dead: Vec<(BlobId, At)>) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        self.ask(dead.iter().map(|(id, _)| Chore::Forget(*id)).collect())?;
        for (id, at) in dead {
            // The committer keeps what came to life again.
            if self.index.location(id)?.is_some() {
                continue;
            }
            forgotten += 1;
            self.index.note_dead(id, None)?;
            if let At::Own(number) = at {
                let path = own_path(&self.keeper.folder.bodies(), id, number);
                self.bodies.let_go(&path);
                remove_if_there(&path).map_err(failed)?;
            }
        }
        Ok(forgotten)
    }

    /// Takes a snapshot if the journal has grown enough since the last one.
    fn snapshot_if_due(&self) -> Result<bool, StoreError> {
        let folder = self.keeper.folder.snapshots();
        let last = snapshot::list(&folder).map_err(failed)?.last().copied();
        let last_octets = last.map_or(0, |lsn| {
            fs::metadata(snapshot::path_of(&folder, lsn)).map_or(0, |file| file.len())
        });
        let since = last.unwrap_or_default();
        let grown: u64 = self
            .files()?
            .iter()
            .filter(|file| file.end > since)
            .map(|file| file.octets)
            .sum();
        let is_due = grown >= self.keeper.options.snapshot_octets.max(last_octets);
        let room = free_octets(self.keeper.folder.path()).unwrap_or(u64::MAX);
        if !is_due || self.index.applied()? == since || room < self.keeper.options.min_free_octets + self.index.octets()
        {
            return Ok(false);
        }
        let stop = || self.keeper.stop.load(Ordering::SeqCst);
        snapshot::write(&folder, self.keeper.store, self.index, &stop).map_err(failed)?;
        snapshot::remove_old(&folder).map_err(failed)?;
        Ok(true)
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
        self.ask(chores)?;
        Ok(moved)
    }

    /// Removes the files that are covered and in which no body can be found.
    fn remove_files(&self) -> Result<usize, StoreError> {
        let covered = self.covered_files()?;
        let live = self.live_octets()?;
        let folder = self.keeper.folder.journal();
        let empty: Vec<_> = covered
            .into_iter()
            .filter(|file| !live.contains_key(&file.first))
            .collect();
        for file in &empty {
            let path = file_path(&folder, file.first);
            self.bodies.let_go(&path);
            fs::remove_file(path).map_err(failed)?;
        }
        if !empty.is_empty() {
            sync_dir(&folder).map_err(failed)?;
        }
        Ok(empty.len())
    }

    /// Octets of the bodies that can be found, by journal file.
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

    fn each_blob(&self, visit: &mut dyn FnMut(BlobRow) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            if self.keeper.stop.load(Ordering::SeqCst) {
                return Err(StoreError::Unavailable("closing".into()));
            }
            let rows = self.index.blobs_after(after, STEP)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.id);
            rows.into_iter().try_for_each(&mut *visit)?;
        }
    }

    /// Has the committer do some chores, if there are any.
    fn ask(&self, chores: Vec<Chore>) -> Result<(), StoreError> {
        if chores.is_empty() {
            return Ok(());
        }
        let (reply, done) = oneshot::channel();
        let gone = || StoreError::Unavailable("the committer has ended".into());
        self.queue
            .blocking_send(Request::Upkeep(chores, reply))
            .map_err(|_| gone())?;
        done.blocking_recv().map_err(|_| gone())?
    }

    /// All files but the last, with the lsn and the length at their ends.
    fn files(&self) -> Result<Vec<CoveredFile>, StoreError> {
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
struct CoveredFile {
    first: Lsn,
    end: Lsn,
    octets: u64,
}

fn failed(error: io::Error) -> StoreError {
    StoreError::Unavailable(format!("upkeep: {error}").into())
}
