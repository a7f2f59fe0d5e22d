//! Opening the index, and replaying what it lacks.

use super::known::Known;
use super::{Progress, move_aside, not_made};
use crate::Options;
use crate::error::{OpenError, at};
use crate::files::{Folder, remove_if_there};
use crate::identity::CleanMark;
use crate::index::{Entry, Index, RawRow};
use crate::journal::{FILE_HEADER_OCTETS, Journal, file_path};
use crate::quiet::catch_quietly;
use crate::replay::{End, Record, Tail};
use crate::snapshot;
use postroom_store::StoreError;
use postroom_types::Lsn;
use std::fs;
use std::path::Path;

/// A start that is under way.
pub(super) struct Start<'a> {
    pub(super) folder: &'a Folder,
    pub(super) options: &'a Options,
    pub(super) store: [u8; 16],
    /// The journal's files; at least one.
    pub(super) files: Vec<Lsn>,
    /// The newest snapshot's lsn; 0 if there is none.
    pub(super) snapshot: Lsn,
    pub(super) progress: &'a mut dyn FnMut(Progress),
}

/// An index with the whole journal applied.
pub(super) struct Whole {
    pub(super) index: Index,
    /// The journal's end.
    pub(super) end: End,
}

impl Start<'_> {
    /// The index there is; if it is of no use, another one, and why.
    pub(super) fn index(&mut self, clean: Option<&CleanMark>) -> Result<(Whole, Option<String>), OpenError> {
        let mut unusable = None;
        if self.folder.index().exists() {
            let why = match self.usable(clean) {
                Ok(whole) => return Ok((whole, None)),
                Err(OpenError::Index(why)) => why,
                Err(error) => return Err(error),
            };
            tracing::warn!(why, "the index is of no use; it is built anew");
            unusable = Some(why);
            move_aside(self.folder)?;
        }
        let (index, end) = self.build()?;
        Ok((Whole { index, end }, unusable))
    }

    /// The index there is, with the whole journal. [`OpenError::Index`] if it is of no use.
    fn usable(&mut self, clean: Option<&CleanMark>) -> Result<Whole, OpenError> {
        let index = self.open_at(&self.folder.index()).map_err(OpenError::Index)?;
        // sled may panic over any page that it reads.
        match catch_quietly(|| self.complete(&index, clean)) {
            Ok(Ok(end)) => Ok(Whole { index, end }),
            Ok(Err(error)) => Err(error),
            Err(why) => Err(OpenError::Index(format!("sled panicked: {why}"))),
        }
    }

    /// Brings an index up to the journal's end.
    fn complete(&mut self, index: &Index, clean: Option<&CleanMark>) -> Result<End, OpenError> {
        let applied = index.applied().map_err(index_failed)?;
        // It is of this store, and can be trusted: what it knows of was in the journal.
        let known = Known {
            lsn: applied,
            by: self.folder.index(),
        };
        let last = *self.files.last().expect("there is a first file");
        let last = file_path(&self.folder.journal(), last);
        if let Some(mark) = clean {
            // sled goes on without what it does not recognise any more.
            known.remembered(known.reached_by(&last, Lsn(mark.lsn.0 + 1)), self.folder, self.store)?;
            if mark.lsn != applied {
                return Err(OpenError::Index(format!(
                    "it was closed at {}, and is at {applied}",
                    mark.lsn
                )));
            }
            return Ok(End {
                next: Lsn(mark.lsn.0 + 1),
                octets: mark.octets,
            });
        }
        let end = self.catch_up(index, applied)?;
        known.remembered(known.reached_by(&last, end.next), self.folder, self.store)?;
        Ok(end)
    }

    /// An index and the journal's end as [`Self::build_at`] makes them. A snapshot that is damaged is set aside if the
    /// journal goes back to its beginning, and so has all that was in it.
    fn build(&mut self) -> Result<(Index, End), OpenError> {
        let path = self.folder.index();
        let damage = match self.build_at(&path) {
            Err(error @ OpenError::Corrupt { .. }) if self.is_only_snapshot(&error) => error,
            other => return other,
        };
        move_aside(self.folder)?;
        let damaged = std::mem::take(&mut self.snapshot);
        match self.build_at(&path) {
            Err(OpenError::Corrupt { .. }) => Err(damage),
            Err(error) => Err(error),
            Ok(built) => {
                let folder = self.folder.snapshots();
                let aside = snapshot::set_aside(&folder, damaged).map_err(at(folder))?;
                tracing::warn!(error = %damage, aside = %aside.display(), "a snapshot is damaged; the index was built from the whole journal, and nothing is lost");
                Ok(built)
            }
        }
    }

    /// Whether what is damaged is the snapshot, and the journal may do without.
    fn is_only_snapshot(&self, error: &OpenError) -> bool {
        let damaged = snapshot::path_of(&self.folder.snapshots(), self.snapshot);
        let is_snapshot = matches!(error, OpenError::Corrupt { file, .. } if *file == damaged);
        is_snapshot && self.files.first() == Some(&Lsn(1))
    }

    /// A new index made of snapshot and journal, and the journal's end.
    pub(super) fn build_at(&mut self, path: &Path) -> Result<(Index, End), OpenError> {
        let index = self.open_at(path).map_err(OpenError::Index)?;
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

    fn load_snapshot(&mut self, index: &Index) -> Result<(), OpenError> {
        if self.snapshot == Lsn(0) {
            return Ok(());
        }
        let path = snapshot::path_of(&self.folder.snapshots(), self.snapshot);
        let total_octets = fs::metadata(path).map_or(0, |metadata| metadata.len());
        let mut report = Report::begin(&mut *self.progress, total_octets);
        let mut load = |rows: Vec<RawRow>| {
            let octets = rows.iter().map(|(key, value)| key.len() + value.len());
            report.add(octets.sum::<usize>() as u64);
            index.load(rows).map_err(index_failed)
        };
        snapshot::read(&self.folder.snapshots(), self.store, self.snapshot, &mut load)?;
        index.loaded(self.snapshot).map_err(index_failed)
    }

    fn open_at(&self, path: &Path) -> Result<Index, String> {
        Index::open(path, &self.store, self.options.cache_octets, self.options.hot_octets)
    }

    /// Applies what comes after `applied`. The last file is read in any case, to find its end.
    fn replay(&mut self, index: &Index, applied: Lsn) -> Result<End, OpenError> {
        let journal = self.folder.journal();
        let tail = Tail {
            folder: &journal,
            files: &self.files,
            store: self.store,
            after: applied,
            until: Lsn(u64::MAX),
        };
        let total_octets = tail.files().iter().map(|first| self.octets(*first)).sum();
        let mut report = Report::begin(&mut *self.progress, total_octets);
        let mut pending = Pending {
            index,
            applied,
            entries: Vec::new(),
            ops: 0,
        };
        let mut end = tail.read(&mut |record| {
            report.add(record.octets);
            pending.add(record)
        })?;
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

/// Tells how far a replay has come, or the reading of a snapshot, now and then.
struct Report<'a> {
    tell: &'a mut dyn FnMut(Progress),
    progress: Progress,
}

impl<'a> Report<'a> {
    /// Octets between two tellings.
    const STEP: u64 = 8 << 20;

    fn begin(tell: &'a mut dyn FnMut(Progress), total_octets: u64) -> Self {
        let mut report = Self {
            tell,
            progress: Progress {
                done_octets: 0,
                total_octets,
            },
        };
        report.add(0);
        report
    }

    fn add(&mut self, octets: u64) {
        let before = self.progress.done_octets;
        self.progress.done_octets += octets;
        if octets == 0 || before / Self::STEP < self.progress.done_octets / Self::STEP {
            (self.tell)(self.progress);
        }
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
