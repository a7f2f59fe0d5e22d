//! Making a data folder of a backup.

use super::hold::LOCK;
use super::manifest::{Entry, Manifest};
use super::octets::{create, make_folder};
use super::places::apart;
use super::{BackupError, Damaged};
use crate::Progress;
use crate::error::{OpenError, at};
use crate::files::{remove_if_there, sync_dir, sync_tree};
use postroom_types::Lsn;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Where files are until all are there.
const UNFINISHED: &str = "restoring";
/// The store, in the data folder.
const STORE: &str = "store";

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The last commit that is in it.
    pub lsn: Lsn,
    /// Files.
    pub files: usize,
    /// Their octets.
    pub octets: u64,
    /// What the store had lost when it was backed up, and lacks again.
    pub damaged: Vec<Damaged>,
}

/// Makes a data folder, which must be new or empty, of a backup; its store lies in `store`. Every file is checked against
/// its SHA-256. Blocks. On return all of it is on disk; the index is built by the first opening.
///
/// # Errors
/// See [`BackupError`]. The folder then has no `store`; a further try may use it.
pub fn restore(from: &Path, to: &Path, mut progress: impl FnMut(Progress)) -> Result<Restored, BackupError> {
    apart(to, from)?;
    let _lock = lock(from)?;
    let not_a_backup = || BackupError::NotABackup(from.to_path_buf());
    let manifest = Manifest::read(from)?.ok_or_else(not_a_backup)?;
    make_folder(to)?;
    let unfinished = to.join(UNFINISHED);
    for entry in fs::read_dir(to).map_err(at(to))? {
        if entry.map_err(at(to))?.file_name() != UNFINISHED {
            return Err(BackupError::NotEmpty(to.to_path_buf()));
        }
    }
    remove_if_there(&unfinished).map_err(at(&unfinished))?;
    for folder in ["journal", "snapshot", "bodies"] {
        make_folder(&unfinished.join(STORE).join(folder))?;
    }
    let mut told = Progress {
        done_octets: 0,
        total_octets: manifest.entries.values().map(|entry| entry.octets).sum(),
    };
    for (name, entry) in &manifest.entries {
        let place = unfinished.join(name);
        make_folder(place.parent().unwrap_or(&unfinished))?;
        copy(&from.join(&entry.stored), entry, &place, &mut |octets| {
            told.done_octets += octets;
            progress(told);
        })?;
    }
    sync_tree(&unfinished).map_err(at(&unfinished))?;
    put_in_place(&unfinished, to, &manifest)?;
    Ok(Restored {
        lsn: manifest.lsn,
        files: manifest.entries.len(),
        octets: told.total_octets,
        damaged: manifest.damaged.into_iter().map(Damaged::from).collect(),
    })
}

/// The store goes last: without it, nobody takes the folder for one that was restored.
fn put_in_place(unfinished: &Path, to: &Path, manifest: &Manifest) -> Result<(), OpenError> {
    let top = |name: &String| Path::new(name).iter().next().map(OsString::from);
    let mut tops: BTreeSet<OsString> = manifest.entries.keys().filter_map(top).collect();
    tops.remove(std::ffi::OsStr::new(STORE));
    for name in tops.into_iter().chain([OsString::from(STORE)]) {
        sync_dir(to).map_err(at(to))?;
        fs::rename(unfinished.join(&name), to.join(&name)).map_err(at(to.join(name)))?;
    }
    fs::remove_dir(unfinished)
        .and_then(|()| sync_dir(to))
        .map_err(at(unfinished))
}

fn copy(from: &Path, entry: &Entry, to: &Path, done: &mut dyn FnMut(u64)) -> Result<(), BackupError> {
    let damaged = |what: &str| BackupError::Damaged {
        file: from.to_path_buf(),
        what: what.into(),
    };
    let input = match File::open(from) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged("it is missing")),
        Err(error) => return Err(at(from)(error).into()),
    };
    let mut input = input.take(entry.octets);
    let mut output = create(to).map_err(at(to))?;
    let (mut chunk, mut octets, mut sha256) = (vec![0; 1 << 20], 0, Sha256::new());
    loop {
        let read = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(at(from)(error).into()),
        };
        sha256.update(&chunk[..read]);
        output.write_all(&chunk[..read]).map_err(at(to))?;
        octets += read as u64;
        done(read as u64);
    }
    if octets < entry.octets {
        return Err(damaged("it ends early"));
    }
    let found: [u8; 32] = sha256.finalize().into();
    if found != entry.sha256 {
        return Err(damaged("its SHA-256 is not that of the manifest"));
    }
    Ok(())
}

/// Keeps a backup from being made there meanwhile. A folder that cannot be written to needs no lock.
fn lock(from: &Path) -> Result<Option<File>, BackupError> {
    let place: PathBuf = from.join(LOCK);
    let file = match File::open(&place) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(place)(error).into()),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(BackupError::Busy(from.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(at(place)(error).into()),
    }
}
