//! Snapshots of the index, so that building it anew does not begin with the first commit.
//!
//! What always holds:
//! - A snapshot with lsn S holds what the journal up to S makes. (Those of earlier versions hold perhaps some of what
//!   comes after; operations are absolute, so replaying from S + 1 makes it right.)
//! - It is made of the one before it and the journal, never of the index: see [`crate::truth`].
//! - It is whole and on disk before it has its name.

mod file;

pub(crate) use file::{Reader, Writer};

use crate::error::OpenError;
use crate::files::{remove_if_there, sync_dir};
use crate::index::RawRow;
use postroom_types::Lsn;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) const MAGIC: &[u8; 8] = b"prSnapsh";
const UNFINISHED: &str = "unfinished";

/// A snapshot's path.
pub(crate) fn path_of(folder: &Path, lsn: Lsn) -> PathBuf {
    folder.join(format!("{:020}.snap", lsn.0))
}

/// The lsns of the snapshots there are, ascending.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<Lsn>> {
    let mut lsns = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let lsn = name
            .to_str()
            .and_then(|name| name.strip_suffix(".snap"))
            .and_then(|lsn| lsn.parse().ok());
        lsns.extend(lsn.map(Lsn));
    }
    lsns.sort_unstable();
    Ok(lsns)
}

/// Removes all but the newest, and what was not finished.
pub(crate) fn remove_old(folder: &Path) -> io::Result<()> {
    let lsns = list(folder)?;
    for lsn in lsns.iter().rev().skip(1) {
        fs::remove_file(path_of(folder, *lsn))?;
    }
    remove_if_there(&folder.join(UNFINISHED))
}

/// Makes an empty folder for a snapshot that is being made.
pub(crate) fn begin(folder: &Path) -> io::Result<PathBuf> {
    let unfinished = folder.join(UNFINISHED);
    remove_if_there(&unfinished)?;
    fs::create_dir(&unfinished)?;
    Ok(unfinished)
}

/// Gives a snapshot its name, once it is whole and synced. Durable on return.
pub(crate) fn keep(folder: &Path, made: &Path, lsn: Lsn) -> io::Result<()> {
    fs::rename(made, path_of(folder, lsn))?;
    sync_dir(folder)
}

/// Reads a snapshot.
///
/// # Errors
/// [`OpenError::Corrupt`] says where it is not what was written; and those of `visit`.
pub(crate) fn read(
    folder: &Path,
    store: [u8; 16],
    lsn: Lsn,
    visit: &mut dyn FnMut(Vec<RawRow>) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let mut reader = Reader::open(path_of(folder, lsn), store, lsn)?;
    while let Some(rows) = reader.block()? {
        visit(rows)?;
    }
    Ok(())
}
