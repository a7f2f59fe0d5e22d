//! What snapshot and journal alone say of the store.
//!
//! The index is disposable: it may have lost anything, and say so to nobody. So whatever cannot be undone (a file that is
//! removed, a body that is forgotten, a snapshot that stands for the journal before it) is decided here. The index only
//! proposes, since it is quick to ask.
//!
//! What always holds:
//! - The index is not asked for anything.
//! - What is read comes to its end, with all CRCs right, or is an error: nothing is concluded from a part.
//! - The journal is read up to an lsn that is durable, so commits may go on meanwhile. Nobody else removes files meanwhile:
//!   a start does this before the store is open, and later there is one round of upkeep at a time.

mod alive;
mod bodies;
mod changed;
mod fold;

pub(crate) use fold::SCRATCH_OCTETS;

use crate::error::{OpenError, at};
use crate::files::Folder;
use crate::index::Row;
use crate::journal::list;
use crate::replay::{JournalFile, Record, Tail};
use crate::snapshot::{self, Reader};
use postroom_types::Lsn;
use std::io;

/// The store as it was at one lsn.
pub(crate) struct Truth<'a> {
    folder: &'a Folder,
    store: [u8; 16],
    /// The newest snapshot's lsn; 0 if there is none.
    snapshot: Lsn,
    files: Vec<Lsn>,
    until: Lsn,
    stop: &'a dyn Fn() -> bool,
}

impl<'a> Truth<'a> {
    /// As of this lsn, which must be durable. `stop` ends any reading with an error.
    pub(crate) fn until(
        folder: &'a Folder,
        store: [u8; 16],
        until: Lsn,
        stop: &'a dyn Fn() -> bool,
    ) -> Result<Self, OpenError> {
        let snapshots = snapshot::list(&folder.snapshots()).map_err(at(folder.snapshots()))?;
        Ok(Self {
            folder,
            store,
            snapshot: snapshots.last().copied().unwrap_or_default(),
            files: list(&folder.journal())?,
            until,
            stop,
        })
    }

    /// Visits the snapshot's pairs in the order of their keys, as long as it likes them.
    fn rows(&self, visit: &mut dyn FnMut(Row<'_>) -> bool) -> Result<(), OpenError> {
        let Some(mut reader) = self.reader()? else {
            return Ok(());
        };
        while let Some(rows) = reader.block()? {
            self.go_on()?;
            for (key, value) in &rows {
                let row = Row::of(key, value).ok_or_else(|| reader.corrupt("a pair that says nothing"))?;
                if !visit(row) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn reader(&self) -> Result<Option<Reader>, OpenError> {
        if self.snapshot == Lsn(0) {
            return Ok(None);
        }
        let path = snapshot::path_of(&self.folder.snapshots(), self.snapshot);
        Reader::open(path, self.store, self.snapshot).map(Some)
    }

    /// Visits the records after the snapshot.
    fn records(&self, visit: &mut dyn FnMut(Record) -> Result<(), OpenError>) -> Result<(), OpenError> {
        if self.until <= self.snapshot {
            return Ok(());
        }
        let journal = self.folder.journal();
        let tail = Tail {
            folder: &journal,
            files: &self.files,
            store: self.store,
            after: self.snapshot,
            until: self.until,
        };
        let end = tail.read(&mut |record| {
            self.go_on()?;
            if record.lsn <= self.snapshot {
                return Ok(());
            }
            visit(record)
        })?;
        if end.next <= self.until {
            let last = self.files.last().copied().unwrap_or(Lsn(1));
            let what = format!("ends before lsn {}, which was written", self.until);
            return Err(JournalFile::new(&journal, self.store, last, true).corrupt(end.octets, &what));
        }
        Ok(())
    }

    fn go_on(&self) -> Result<(), OpenError> {
        match (self.stop)() {
            true => Err(at(self.folder.path())(io::ErrorKind::Interrupted.into())),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
