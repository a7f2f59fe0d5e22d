//! Opening a store: which index can be trusted, and what of the journal it lacks.
//!
//! What always holds:
//! - An index that is not trusted is moved aside before anything is recorded that would make a later start trust it.
//! - Nothing is changed before it is known that the journal reaches as far as anything else knows of: see [`known`].
//! - On return the index shows the whole journal, and all of the journal is on disk.

mod formats;
mod known;
mod left;
mod loss;
mod start;

pub(crate) use known::Known;
pub use loss::Loss;
pub(crate) use loss::accept;

use crate::Options;
use crate::error::{OpenError, Trouble, at};
use crate::files::{Folder, remove_if_there, sync_dir};
use crate::identity::{Identity, Running, lost_mark_path, read_identity, remove_clean_mark, write_identity};
use crate::index::Index;
use crate::journal::{FILE_HEADER_OCTETS, FileHeader, JOURNAL_MAGIC, Journal, file_path, list};
use crate::replay::read_full_at;
use crate::snapshot;
use left::Left;
use postroom_types::Lsn;
use start::{Start, Whole};
use std::fs;
use std::path::Path;

/// How far a start has come, first with the snapshot if that is read, then with the journal; for the log and for systemd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Octets that were read.
    pub done_octets: u64,
    /// Octets to be read in all.
    pub total_octets: u64,
}

/// A store that is open.
pub(crate) struct Booted {
    pub(crate) store: [u8; 16],
    pub(crate) journal: Journal,
    pub(crate) index: Index,
    /// Why the index is a new one, if there was another.
    pub(crate) renewed: Option<String>,
    pub(crate) next: Lsn,
}

/// Opens the store in a folder that is locked.
pub(crate) fn boot(
    folder: &Folder,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Booted, OpenError> {
    if read_identity(folder)?.is_none() {
        drop_unfinished(folder)?;
    }
    let Some(left) = Left::look(folder, options)? else {
        return create(folder, options);
    };
    formats::check(folder, &left.files)?;
    if let Some(known) = left.known(folder)? {
        left.check(&known, folder)?;
    }
    remove_clean_mark(folder)?;
    let renewed = distrusted(folder, left.is_continued || left.clean().is_some());
    if let Some(why) = &renewed {
        tracing::info!(why, "the index is built anew");
        move_aside(folder)?;
    }
    let store = left.store;
    let running = left.running.clone();
    write_identity(folder, &Identity { id: store, running })?;
    snapshot::remove_unfinished(&folder.snapshots()).map_err(at(folder.snapshots()))?;
    let snapshots = snapshot::list_of(folder)?;

    let mut start = Start {
        folder,
        options,
        store,
        files: left.files.clone(),
        snapshot: snapshots.last().copied().unwrap_or_default(),
        progress,
    };
    let (whole, unusable) = start.index(left.clean())?;
    let Whole { index, end } = whole;
    let last = *start.files.last().expect("there is a first file");
    let journal = Journal::resume(&folder.journal(), store, last, end.octets, options.roll_octets)?;
    for path in [
        folder.index_aside(),
        folder.index_compared(),
        folder.distrusted(),
        lost_mark_path(folder),
    ] {
        remove_if_there(&path).map_err(at(path))?;
    }
    tracing::info!(lsn = end.next.0 - 1, "store open");
    Ok(Booted {
        store,
        journal,
        index,
        renewed: renewed.or(unusable),
        next: end.next,
    })
}

/// Why the index there is cannot be trusted, whatever is in it.
fn distrusted(folder: &Folder, is_continued: bool) -> Option<String> {
    if !folder.index().exists() {
        return None;
    }
    match fs::read_to_string(folder.distrusted()) {
        Ok(why) => Some(format!("it failed while it was in use: {why}")),
        Err(_) if is_continued => None,
        Err(_) => Some("it was not closed well before this machine started".to_owned()),
    }
}

/// An index made of snapshot and journal alone, in another folder: what the one in use must look like.
pub(crate) fn build_apart(
    folder: &Folder,
    store: [u8; 16],
    options: &Options,
    path: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Index, OpenError> {
    let snapshots = snapshot::list(&folder.snapshots()).map_err(at(folder.snapshots()))?;
    let mut start = Start {
        folder,
        options,
        store,
        files: list(&folder.journal())?,
        snapshot: snapshots.last().copied().unwrap_or_default(),
        progress,
    };
    Ok(start.build_at(path)?.0)
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
        renewed: None,
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
pub(crate) fn store_of(path: &Path) -> Result<[u8; 16], OpenError> {
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

/// Puts the index out of the way, so that the next opening makes another one.
///
/// # Errors
/// [`OpenError::Lost`] if the journal has less than the index, or another, knows of.
pub(crate) fn discard_index(folder: &Folder, options: &Options) -> Result<(), OpenError> {
    if let Some(left) = Left::look(folder, options)? {
        formats::check(folder, &left.files)?;
        if let Some(known) = left.known(folder)? {
            left.check(&known, folder)?;
        }
        if let Some(known) = left.known_to_index(folder, options)? {
            known.remembered(left.check(&known, folder), folder, left.store)?;
        }
    }
    move_aside(folder)
}

pub(crate) fn move_aside(folder: &Folder) -> Result<(), OpenError> {
    if !folder.index().exists() {
        return Ok(());
    }
    let moved = remove_if_there(&folder.index_aside())
        .and_then(|()| fs::rename(folder.index(), folder.index_aside()))
        .and_then(|()| sync_dir(folder.path()));
    moved.map_err(at(folder.index()))
}
