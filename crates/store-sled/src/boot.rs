//! Opening a store: which index can be trusted, and what of the journal it lacks.
//!
//! What always holds:
//! - An index that is not trusted is moved aside before anything is recorded that would make a later start trust it.
//! - On return the index shows the whole journal, and all of the journal is on disk.

use crate::Options;
use crate::blobs::remove_orphans;
use crate::error::{OpenError, Trouble, at};
use crate::files::{Folder, remove_if_there, sync_dir};
use crate::identity::{CleanMark, Identity, Running, read_identity, take_clean_mark, write_identity};
use crate::index::{Entry, Index};
use crate::journal::{FILE_HEADER_OCTETS, FileHeader, JOURNAL_MAGIC, Journal, file_path, list};
use crate::replay::{End, JournalFile, Record, read_full_at};
use crate::snapshot;
use postroom_store::StoreError;
use postroom_types::Lsn;
use std::fs;
use std::path::Path;

/// How far a start has come; for the log and for systemd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Octets of the journal that were replayed.
    pub done_octets: u64,
    /// Octets to be replayed in all.
    pub total_octets: u64,
}

/// A store that is open.
pub(crate) struct Booted {
    pub(crate) store: [u8; 16],
    pub(crate) journal: Journal,
    pub(crate) index: Index,
    pub(crate) next: Lsn,
}

/// Opens the store in a folder that is locked.
pub(crate) fn boot(
    folder: &Folder,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Booted, OpenError> {
    let identity = read_identity(folder)?;
    if identity.is_none() {
        drop_unfinished(folder)?;
    }
    let files = list(&folder.journal())?;
    let store = match (&identity, files.first()) {
        (Some(identity), Some(_)) => identity.id,
        (None, Some(first)) => store_of(&file_path(&folder.journal(), *first))?,
        (None, None) => return create(folder, options),
        (Some(_), None) => {
            let what = "the journal of this store is missing".to_owned();
            return Err(OpenError::Corrupt {
                file: folder.journal(),
                offset: 0,
                what,
            });
        }
    };
    let running = Running::now(folder, options.boot_id.as_deref())?;
    let continues = identity
        .as_ref()
        .is_some_and(|identity| running.continues(&identity.running));
    let clean = take_clean_mark(folder)?.filter(|mark| is_end(mark, store, &files, folder));
    if !continues && clean.is_none() && folder.index().exists() {
        tracing::info!("the index was not closed well before this machine started; it is built anew");
        move_aside(folder)?;
    }
    write_identity(folder, &Identity { id: store, running })?;
    snapshot::remove_old(&folder.snapshots()).map_err(at(folder.snapshots()))?;
    let snapshots = snapshot::list(&folder.snapshots()).map_err(at(folder.snapshots()))?;

    let mut start = Start {
        folder,
        options,
        store,
        files,
        snapshot: snapshots.last().copied().unwrap_or_default(),
        progress,
    };
    let (index, end) = start.index(clean.as_ref())?;
    let last = *start.files.last().expect("there is a first file");
    let journal = Journal::resume(&folder.journal(), store, last, end.octets, options.roll_octets)?;
    let orphans = remove_orphans(&folder.bodies(), &index)?;
    remove_if_there(&folder.index_aside()).map_err(at(folder.index_aside()))?;
    tracing::info!(lsn = end.next.0 - 1, orphans, "store open");
    Ok(Booted {
        store,
        journal,
        index,
        next: end.next,
    })
}

/// A new store. A crash in between leaves either nothing that counts, or a journal without an identity.
fn create(folder: &Folder, options: &Options) -> Result<Booted, OpenError> {
    let store = *uuid::Uuid::now_v7().as_bytes();
    let journal = Journal::create(&folder.journal(), store, Lsn(1), options.roll_octets);
    let journal = journal.map_err(|trouble| not_made(folder, trouble))?;
    move_aside(folder)?;
    let running = Running::now(folder, options.boot_id.as_deref())?;
    write_identity(folder, &Identity { id: store, running })?;
    let index = Index::open(&folder.index(), &store, options.cache_octets, options.hot_octets);
    let index = index.map_err(OpenError::Index)?;
    Ok(Booted {
        store,
        journal,
        index,
        next: Lsn(1),
    })
}

fn not_made(folder: &Folder, trouble: Trouble) -> OpenError {
    at(folder.journal())(match trouble {
        Trouble::Full => std::io::ErrorKind::StorageFull.into(),
        Trouble::Fatal(why) => std::io::Error::other(why),
    })
}

/// Removes what is left of a store that was being made when the machine stopped.
fn drop_unfinished(folder: &Folder) -> Result<(), OpenError> {
    let path = file_path(&folder.journal(), Lsn(1));
    let is_empty = fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= FILE_HEADER_OCTETS);
    if list(&folder.journal())? == [Lsn(1)] && is_empty {
        remove_if_there(&path)
            .and_then(|()| sync_dir(&folder.journal()))
            .map_err(at(path))?;
    }
    Ok(())
}

/// The store that a journal file says it belongs to.
fn store_of(path: &Path) -> Result<[u8; 16], OpenError> {
    let mut bytes = vec![0; FILE_HEADER_OCTETS as usize];
    let read = fs::File::open(path)
        .and_then(|file| read_full_at(&file, &mut bytes, 0))
        .map_err(at(path))?;
    let header = FileHeader::read(path, &bytes[..read], JOURNAL_MAGIC)?;
    let what = "the header is broken".to_owned();
    header.map(|header| header.store).ok_or(OpenError::Corrupt {
        file: path.to_path_buf(),
        offset: 0,
        what,
    })
}

/// Whether the journal still ends where it ended when the mark was made.
fn is_end(mark: &CleanMark, store: [u8; 16], files: &[Lsn], folder: &Folder) -> bool {
    let octets = fs::metadata(file_path(&folder.journal(), mark.file)).map(|metadata| metadata.len());
    mark.id == store && files.last() == Some(&mark.file) && octets.is_ok_and(|octets| octets == mark.octets)
}

fn move_aside(folder: &Folder) -> Result<(), OpenError> {
    if !folder.index().exists() {
        return Ok(());
    }
    let moved = remove_if_there(&folder.index_aside())
        .and_then(|()| fs::rename(folder.index(), folder.index_aside()))
        .and_then(|()| sync_dir(folder.path()));
    moved.map_err(at(folder.index()))
}

/// A start that is under way.
struct Start<'a> {
    folder: &'a Folder,
    options: &'a Options,
    store: [u8; 16],
    files: Vec<Lsn>,
    /// The newest snapshot's lsn; 0 if there is none.
    snapshot: Lsn,
    progress: &'a mut dyn FnMut(Progress),
}

impl Start<'_> {
    /// The index with the whole journal applied, and the journal's end.
    fn index(&mut self, clean: Option<&CleanMark>) -> Result<(Index, End), OpenError> {
        match self.open_index() {
            Ok(index) => {
                let applied = index.applied().map_err(index_failed)?;
                if let Some(mark) = clean.filter(|mark| mark.lsn == applied) {
                    return Ok((
                        index,
                        End {
                            next: Lsn(mark.lsn.0 + 1),
                            octets: mark.octets,
                        },
                    ));
                }
                match self.catch_up(&index, applied) {
                    Ok(end) if applied < end.next => return Ok((index, end)),
                    Ok(end) => tracing::warn!(applied = applied.0, end = end.next.0 - 1, "the index is ahead"),
                    Err(OpenError::Index(why)) => tracing::warn!(why, "the index takes no more"),
                    Err(error) => return Err(error),
                }
            }
            Err(why) => tracing::warn!(why, "the index does not open"),
        }
        move_aside(self.folder)?;
        let index = self.open_index().map_err(OpenError::Index)?;
        self.load_snapshot(&index)?;
        let end = self.replay(&index, self.snapshot)?;
        Ok((index, end))
    }

    /// Replays, unless the files that this index lacks may be gone since the snapshot covers them.
    fn catch_up(&mut self, index: &Index, applied: Lsn) -> Result<End, OpenError> {
        if applied < self.snapshot {
            return Err(OpenError::Index("older than the snapshot".to_owned()));
        }
        self.replay(index, applied)
    }

    fn load_snapshot(&self, index: &Index) -> Result<(), OpenError> {
        if self.snapshot == Lsn(0) {
            return Ok(());
        }
        let mut load = |rows| index.load(rows).map_err(index_failed);
        snapshot::read(&self.folder.snapshots(), self.store, self.snapshot, &mut load)?;
        index.loaded(self.snapshot).map_err(index_failed)
    }

    fn open_index(&self) -> Result<Index, String> {
        Index::open(
            &self.folder.index(),
            &self.store,
            self.options.cache_octets,
            self.options.hot_octets,
        )
    }

    /// Applies what comes after `applied`. The last file is read in any case, to find its end.
    fn replay(&mut self, index: &Index, applied: Lsn) -> Result<End, OpenError> {
        let from = self
            .files
            .partition_point(|first| first.0 <= applied.0 + 1)
            .saturating_sub(1);
        let total_octets = self.files[from..].iter().map(|first| self.octets(*first)).sum();
        let mut done_octets = 0;
        let mut pending = Pending {
            index,
            applied,
            entries: Vec::new(),
            ops: 0,
        };
        let mut end = End {
            next: self.files[from].min(Lsn(applied.0 + 1)),
            octets: 0,
        };
        for place in from..self.files.len() {
            let (first, is_last) = (self.files[place], place + 1 == self.files.len());
            let file = JournalFile::new(&self.folder.journal(), self.store, first, is_last);
            if first != end.next {
                return Err(file.corrupt(0, &format!("begins with lsn {first}, and {} is missing", end.next)));
            }
            end = file.read(&mut |record| {
                if (done_octets + record.octets) >> 23 != done_octets >> 23 {
                    (self.progress)(Progress {
                        done_octets,
                        total_octets,
                    });
                }
                done_octets += record.octets;
                pending.add(record)
            })?;
        }
        pending.flush()?;
        if end.octets < FILE_HEADER_OCTETS {
            end.octets = self.renew_last(end.next)?;
        }
        Ok(end)
    }

    fn octets(&self, first: Lsn) -> u64 {
        fs::metadata(file_path(&self.folder.journal(), first)).map_or(0, |metadata| metadata.len())
    }

    /// Makes the last file again, which was being made when the machine stopped; its length.
    fn renew_last(&self, first: Lsn) -> Result<u64, OpenError> {
        let path = file_path(&self.folder.journal(), first);
        if first == Lsn(1) {
            // The first of all had its header before the store had a name.
            let what = "the header of the first file is broken".to_owned();
            return Err(OpenError::Corrupt {
                file: path,
                offset: 0,
                what,
            });
        }
        remove_if_there(&path).map_err(at(path))?;
        let journal = Journal::create(&self.folder.journal(), self.store, first, self.options.roll_octets);
        Ok(journal.map_err(|trouble| not_made(self.folder, trouble))?.end().1)
    }
}

/// Records on their way into the index.
struct Pending<'a> {
    index: &'a Index,
    applied: Lsn,
    entries: Vec<Entry>,
    ops: usize,
}

impl Pending<'_> {
    fn add(&mut self, record: Record) -> Result<(), OpenError> {
        let Record {
            lsn,
            ops,
            file,
            bodies_at,
            ..
        } = record;
        if lsn <= self.applied {
            return Ok(());
        }
        self.ops += ops.len();
        self.entries.push(Entry {
            lsn,
            file,
            bodies_at,
            ops,
        });
        if self.ops >= 1000 { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), OpenError> {
        self.ops = 0;
        self.index
            .apply(std::mem::take(&mut self.entries))
            .map_err(index_failed)
    }
}

fn index_failed(error: StoreError) -> OpenError {
    OpenError::Index(error.to_string())
}
