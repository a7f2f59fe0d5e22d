//! A new snapshot: the last one, and what the journal did since.
//!
//! What always holds:
//! - Of several sources that have a key, the newest counts.
//! - Memory is bounded: what the journal did is sorted in runs, each written to a file and read again with the others.

use super::Truth;
use crate::error::{OpenError, at};
use crate::files::remove_if_there;
use crate::index::{RawRow, change};
use crate::replay::Record;
use crate::snapshot::{self, Reader, Writer};
use postroom_store::{Key, Value};
use postroom_types::Lsn;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::vec;

/// How much is sorted in memory, and how often.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Octets of a run, about.
    pub(super) run_octets: usize,
    /// Runs of one snapshot. What the journal did after them is for the next one.
    pub(super) runs: usize,
}

const BOUNDS: Bounds = Bounds {
    run_octets: 32 << 20,
    runs: 64,
};
/// Octets on disk while a snapshot is made, beside the snapshot, at most.
pub(crate) const SCRATCH_OCTETS: u64 = (BOUNDS.run_octets * BOUNDS.runs) as u64;
/// What an entry costs beside its key and value, about.
const ENTRY_OCTETS: usize = 100;

impl Truth<'_> {
    /// Takes a snapshot, durable on return; its lsn. It shows the store as it was then.
    ///
    /// # Errors
    /// Nothing is left of it.
    pub(crate) fn take_snapshot(&self) -> Result<Lsn, OpenError> {
        self.take_snapshot_within(BOUNDS)
    }

    pub(super) fn take_snapshot_within(&self, bounds: Bounds) -> Result<Lsn, OpenError> {
        let folder = self.folder.snapshots();
        let unfinished = snapshot::begin(&folder).map_err(at(&folder))?;
        let made = self.fold(&unfinished, bounds).and_then(|(whole, lsn)| {
            snapshot::keep(&folder, &whole, lsn).map_err(at(whole))?;
            Ok(lsn)
        });
        remove_if_there(&unfinished).map_err(at(unfinished))?;
        made
    }

    /// Makes it in a folder, synced; where it is.
    fn fold(&self, folder: &Path, bounds: Bounds) -> Result<(PathBuf, Lsn), OpenError> {
        let mut runs = Runs {
            folder,
            store: self.store,
            bounds,
            paths: Vec::new(),
            run: BTreeMap::new(),
            octets: 0,
            last: self.snapshot,
        };
        self.records(&mut |record| runs.add(&record))?;
        runs.end_run()?;
        let mut sources = Vec::with_capacity(runs.paths.len() + 1);
        if let Some(reader) = self.reader()? {
            sources.push(Source::new(reader, false)?);
        }
        for path in &runs.paths {
            sources.push(Source::new(Reader::open(path.clone(), self.store, Lsn(0))?, true)?);
        }
        let whole = folder.join("whole");
        let mut output = Writer::create(&whole, self.store, runs.last).map_err(at(&whole))?;
        while let Some((key, value)) = next(&mut sources)? {
            self.go_on()?;
            if let Some(value) = value {
                output.put(&key, &value).map_err(at(&whole))?;
            }
        }
        let synced = output.finish().and_then(|file| file.sync_all());
        synced.map_err(at(&whole))?;
        Ok((whole, runs.last))
    }
}

/// What the journal did, sorted piece by piece.
struct Runs<'a> {
    folder: &'a Path,
    store: [u8; 16],
    bounds: Bounds,
    /// Those that are written, the newest last.
    paths: Vec<PathBuf>,
    /// The one that grows: the last change of each key; `None` removes it.
    run: BTreeMap<Key, Option<Value>>,
    octets: usize,
    /// The last lsn that is in them.
    last: Lsn,
}

impl Runs<'_> {
    fn add(&mut self, record: &Record) -> Result<(), OpenError> {
        if self.paths.len() == self.bounds.runs {
            return Ok(());
        }
        for op in &record.ops {
            let (key, value) = change(op, record.file, record.bodies_at);
            self.octets += key.len() + value.as_ref().map_or(0, |value| value.len()) + ENTRY_OCTETS;
            self.run.insert(key, value.map(|value| value.into_owned()));
        }
        self.last = record.lsn;
        if self.octets >= self.bounds.run_octets {
            self.end_run()?;
        }
        Ok(())
    }

    fn end_run(&mut self) -> Result<(), OpenError> {
        if self.run.is_empty() {
            return Ok(());
        }
        let path = self.folder.join(format!("{}.run", self.paths.len()));
        let run = std::mem::take(&mut self.run);
        let write = || {
            // Which lsn is the last is not known yet.
            let mut output = Writer::create(&path, self.store, Lsn(0))?;
            for (key, value) in run {
                // An empty value removes; all others have one octet more.
                let value = value.map_or_else(Vec::new, |value| [&[1], value.as_slice()].concat());
                output.put(&key, &value)?;
            }
            output.finish()
        };
        write().map_err(at(&path))?;
        self.octets = 0;
        self.paths.push(path);
        Ok(())
    }
}

/// Sorted pairs, and the first of them that was not taken.
struct Source {
    reader: Reader,
    is_run: bool,
    block: vec::IntoIter<RawRow>,
    first: Option<(Key, Option<Value>)>,
}

impl Source {
    fn new(reader: Reader, is_run: bool) -> Result<Self, OpenError> {
        let mut source = Self {
            reader,
            is_run,
            block: Vec::new().into_iter(),
            first: None,
        };
        source.take()?;
        Ok(source)
    }

    /// Takes the first pair; the next one is the first then.
    fn take(&mut self) -> Result<Option<(Key, Option<Value>)>, OpenError> {
        if self.block.as_slice().is_empty() {
            self.block = self.reader.block()?.unwrap_or_default().into_iter();
        }
        let next = self.block.next().map(|(key, value)| match self.is_run {
            true => (key, value.split_first().map(|(_, value)| value.to_vec())),
            false => (key, Some(value)),
        });
        if let (Some((earlier, _)), Some((later, _))) = (&self.first, &next)
            && later <= earlier
        {
            return Err(self.reader.corrupt("its keys are not in order"));
        }
        Ok(std::mem::replace(&mut self.first, next))
    }

    fn first_key(&self) -> Option<&Key> {
        self.first.as_ref().map(|(key, _)| key)
    }
}

/// The next pair of all sources, of which the last is the newest.
fn next(sources: &mut [Source]) -> Result<Option<(Key, Option<Value>)>, OpenError> {
    let Some(key) = sources.iter().filter_map(Source::first_key).min().cloned() else {
        return Ok(None);
    };
    let mut newest = None;
    for source in sources {
        if source.first_key() == Some(&key) {
            newest = source.take()?;
        }
    }
    Ok(newest)
}
