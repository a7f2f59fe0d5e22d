//! Snapshots of the index, so that building it anew does not begin with the first commit.
//!
//! What always holds:
//! - A snapshot with lsn S holds what the journal up to S makes, as far as the journal was not lost: see [`carry`].
//! - It is made of the one before it and the journal, never of the index: see [`crate::truth`]. (Those of earlier versions
//!   were made of the index. They hold perhaps some of what comes after S; operations are absolute, so replaying from S + 1
//!   makes that right. What the index had lost by then, they lack.)
//! - It is whole and on disk before it has its name.

mod file;

pub(crate) use file::{Reader, Writer};

use crate::error::{OpenError, at};
use crate::files::{Folder, remove_if_there, sync_dir};
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

/// The same of a store's folder.
pub(crate) fn list_of(folder: &Folder) -> Result<Vec<Lsn>, OpenError> {
    list(&folder.snapshots()).map_err(at(folder.snapshots()))
}

/// Removes all but the newest, which was read, and what was not finished.
pub(crate) fn remove_old(folder: &Path) -> io::Result<()> {
    let lsns = list(folder)?;
    for lsn in lsns.iter().rev().skip(1) {
        fs::remove_file(path_of(folder, *lsn))?;
    }
    remove_unfinished(folder)
}

/// Removes what was not finished.
pub(crate) fn remove_unfinished(folder: &Path) -> io::Result<()> {
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

/// Makes a snapshot with one lsn have what the one with another has; nothing, for lsn 0. Durable on return.
pub(crate) fn carry(folder: &Path, store: [u8; 16], from: Lsn, to: Lsn) -> Result<(), OpenError> {
    let whole = begin(folder).map_err(at(folder))?.join("whole");
    let mut output = Writer::create(&whole, store, to, 0).map_err(at(&whole))?;
    if from != Lsn(0) {
        read(folder, store, from, &mut |rows| {
            let put = rows.iter().try_for_each(|(key, value)| output.put(key, value));
            put.map_err(at(&whole))
        })?;
    }
    let synced = output.finish().and_then(|file| file.sync_all());
    synced
        .and_then(|()| keep(folder, &whole, to))
        .map_err(at(path_of(folder, to)))
}

/// Puts a snapshot that is damaged out of the way; where it is then.
pub(crate) fn set_aside(folder: &Path, lsn: Lsn) -> io::Result<PathBuf> {
    let aside = path_of(folder, lsn).with_extension("snap.damaged");
    fs::rename(path_of(folder, lsn), &aside)?;
    sync_dir(folder)?;
    Ok(aside)
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
