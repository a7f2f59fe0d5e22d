//! What snapshot and journal alone say of the store.
//!
//! The index is disposable: it may have lost anything, and say so to nobody. So whatever cannot be undone (a file that is
//! removed, a body that is forgotten, a snapshot that stands for the journal before it) is decided here. The index only
//! proposes, since it is quick to ask.
//!
//! What always holds:
//! - The index is not asked for anything.
//! - All that an answer depends on is read, with all CRCs right, or there is an error: nothing is concluded from a part.
//!   (Bodies come first in a snapshot, so who asks for nothing else does not read on.)
//! - The journal is read up to an lsn that is durable, so commits may go on meanwhile. Nobody else removes files meanwhile:
//!   there is one round of upkeep at a time, and what is asked before that is asked before the store is open.

mod alive;
mod bodies;
mod changed;
mod fold;
mod merge;

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
    /// The lsn of the snapshot that it is read from; 0 if from none.
    snapshot: Lsn,
    files: Vec<Lsn>,
    until: Lsn,
    stop: &'a dyn Fn() -> bool,
}

impl<'a> Truth<'a> {
    /// As of the lsn `until`, which must be durable, from this snapshot, which may have a newer one beside it; from the
    /// beginning, for lsn 0. `stop` ends any reading with an error.
    pub(crate) fn from_snapshot(
        folder: &'a Folder,
        store: [u8; 16],
        snapshot: Lsn,
        until: Lsn,
        stop: &'a dyn Fn() -> bool,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            folder,
            store,
            snapshot,
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
