//! A new snapshot: the last one, and what the journal did since.
//!
//! What always holds:
//! - It reaches as far as is asked, however much the journal did.
//! - Memory is bounded: what the journal did is sorted in runs, each written to a file. Of these there are never many: so
//!   many of one level are merged into one of the next, so that each pair is written again only a few times.
//! - Free space stays above a floor, or there is no snapshot.

use super::Truth;
use super::merge::{Merge, Merged};
use crate::error::{OpenError, at};
use crate::files::{check_room, remove_if_there};
use crate::index::change;
use crate::replay::Record;
use crate::snapshot::{self, Reader, Writer};
use postroom_store::{Key, Value};
use postroom_types::Lsn;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How much is sorted in memory, and how many files are read beside one another.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Octets of a run, about.
    pub(super) run_octets: usize,
    /// Runs of one level.
    pub(super) runs: usize,
}

const BOUNDS: Bounds = Bounds {
    run_octets: 32 << 20,
    runs: 64,
};
/// What an entry costs beside its key and value, about.
const ENTRY_OCTETS: usize = 100;

impl Truth<'_> {
    /// Takes a snapshot, durable on return; its lsn. It shows the store as it was then.
    ///
    /// # Errors
    /// Nothing is left of it. [`std::io::ErrorKind::StorageFull`]: it would have left less free space than this.
    pub(crate) fn take_snapshot(&self, min_free_octets: u64) -> Result<Lsn, OpenError> {
        self.take_snapshot_within(BOUNDS, min_free_octets)
    }

    pub(super) fn take_snapshot_within(&self, bounds: Bounds, min_free_octets: u64) -> Result<Lsn, OpenError> {
        let folder = self.folder.snapshots();
        // It will be about as large as the last one.
        let last = fs::metadata(snapshot::path_of(&folder, self.snapshot)).map_or(0, |file| file.len());
        check_room(&folder, min_free_octets.saturating_add(last)).map_err(at(&folder))?;
        let unfinished = snapshot::begin(&folder).map_err(at(&folder))?;
        let runs = Runs {
            truth: self,
            folder: &unfinished,
            bounds,
            min_free_octets,
            files: Vec::new(),
            made: 0,
            run: BTreeMap::new(),
            octets: 0,
        };
        let lsn = self.until.max(self.snapshot);
        let made = self.fold(runs, lsn).and_then(|whole| {
            snapshot::keep(&folder, &whole, lsn).map_err(at(whole))?;
            Ok(lsn)
        });
        remove_if_there(&unfinished).map_err(at(unfinished))?;
        made
    }

    /// Makes it, synced; where it is.
    fn fold(&self, mut runs: Runs<'_>, lsn: Lsn) -> Result<PathBuf, OpenError> {
        self.records(&mut |record| runs.add(&record))?;
        runs.end_run()?;
        let mut readers = Vec::with_capacity(runs.files.len() + 1);
        readers.extend(self.reader()?);
        let first_run = readers.len();
        for run in &runs.files {
            readers.push(Reader::open(run.path.clone(), self.store, Lsn(0))?);
        }
        let whole = runs.folder.join("whole");
        let mut output = Writer::create(&whole, self.store, lsn, runs.min_free_octets).map_err(at(&whole))?;
        let mut merge = Merge::of(readers)?;
        while let Some(Merged { key, value, file }) = merge.next()? {
            self.go_on()?;
            let value = match file < first_run {
                true => Some(value.as_slice()),
                false => value_in_run(&value),
            };
            if let Some(value) = value {
                output.put(&key, value).map_err(at(&whole))?;
            }
        }
        let synced = output.finish().and_then(|file| file.sync_all());
        synced.map_err(at(&whole))?;
        Ok(whole)
    }
}

/// What the journal did, sorted piece by piece.
struct Runs<'a> {
    truth: &'a Truth<'a>,
    folder: &'a Path,
    bounds: Bounds,
    min_free_octets: u64,
    /// Those that are written, the newest last: so their levels descend.
    files: Vec<Run>,
    /// How many files were made, for their names.
    made: usize,
    /// The one that grows: the last change of each key; `None` removes it.
    run: BTreeMap<Key, Option<Value>>,
    octets: usize,
}

/// A file of sorted changes.
struct Run {
    path: PathBuf,
    /// How often what is in it was merged.
    level: usize,
}

impl Runs<'_> {
    fn add(&mut self, record: &Record) -> Result<(), OpenError> {
        for op in &record.ops {
            let (key, value) = change(op, record.file, record.bodies_at);
            self.octets += key.len() + value.as_ref().map_or(0, |value| value.len()) + ENTRY_OCTETS;
            self.run.insert(key, value.map(|value| value.into_owned()));
        }
        match self.octets >= self.bounds.run_octets {
            true => self.end_run(),
            false => Ok(()),
        }
    }

    fn end_run(&mut self) -> Result<(), OpenError> {
        if self.run.is_empty() {
            return Ok(());
        }
        let run = std::mem::take(&mut self.run);
        self.octets = 0;
        let (path, mut output) = self.create()?;
        for (key, value) in run {
            output.put(&key, &in_run(value)).map_err(at(&path))?;
        }
        output.finish().map_err(at(&path))?;
        self.files.push(Run { path, level: 0 });
        while self.has_full_level() {
            self.merge_last()?;
        }
        Ok(())
    }

    fn has_full_level(&self) -> bool {
        let last = self.files.last().map(|run| run.level);
        self.files
            .iter()
            .rev()
            .take_while(|run| Some(run.level) == last)
            .count()
            >= self.bounds.runs
    }

    /// Makes one run of those that have the last one's level.
    fn merge_last(&mut self) -> Result<(), OpenError> {
        let full = self.files.split_off(self.files.len() - self.bounds.runs);
        let level = full.last().map_or(0, |run| run.level + 1);
        let open = |run: &Run| Reader::open(run.path.clone(), self.truth.store, Lsn(0));
        let mut merge = Merge::of(full.iter().map(open).collect::<Result<_, _>>()?)?;
        let (path, mut output) = self.create()?;
        while let Some(Merged { key, value, .. }) = merge.next()? {
            self.truth.go_on()?;
            output.put(&key, &value).map_err(at(&path))?;
        }
        output.finish().map_err(at(&path))?;
        for Run { path, .. } in full {
            fs::remove_file(&path).map_err(at(path))?;
        }
        self.files.push(Run { path, level });
        Ok(())
    }

    /// A file for another run.
    fn create(&mut self) -> Result<(PathBuf, Writer), OpenError> {
        let path = self.folder.join(format!("{}.run", self.made));
        self.made += 1;
        // Its lsn tells nothing: what is in it is not the store as it was.
        let output = Writer::create(&path, self.truth.store, Lsn(0), self.min_free_octets);
        Ok((path.clone(), output.map_err(at(path))?))
    }
}

/// A change as it lies in a run: an empty value removes; all others have one octet more.
fn in_run(value: Option<Value>) -> Value {
    value.map_or_else(Vec::new, |value| [&[1], value.as_slice()].concat())
}

fn value_in_run(value: &[u8]) -> Option<&[u8]> {
    value.split_first().map(|(_, value)| value)
}
