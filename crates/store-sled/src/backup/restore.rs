//! Making a data folder of a backup.

use super::hold::{IDENTITY, LOCK};
use super::manifest::{Entry, Manifest};
use super::octets::{CHUNK, create, make_folder};
use super::places::apart;
use super::salvage::Salvage;
use super::{BackupError, Damaged};
use crate::Progress;
use crate::error::{OpenError, at};
use crate::files::{Folder, remove_if_there, sync_dir, sync_tree};
use crate::identity::{Identity, Running, write_identity};
use postroom_types::Lsn;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
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
    /// What the store had lost when it was backed up and lacks again, and what the backup has lost since.
    pub damaged: Vec<Damaged>,
}

/// Makes a data folder, which must be new or empty, of a backup; its store lies in `store`. Every file is checked against
/// its SHA-256. A damaged copy costs what only it has, see [`Restored::damaged`]; of the newest snapshot and the journal
/// after it, that is all. Blocks. On return all of it is on disk; the index is built by the first opening.
///
/// # Errors
/// See [`BackupError`]. Nothing is left in the folder then, but by a process that is killed; a further try may use it.
pub fn restore(from: &Path, to: &Path, progress: impl FnMut(Progress)) -> Result<Restored, BackupError> {
    apart(to, from)?;
    let _lock = lock(from)?;
    let manifest = Manifest::read(from)?.ok_or_else(|| no_backup(from))?;
    let is_new = !to.exists();
    make_folder(to)?;
    for entry in fs::read_dir(to).map_err(at(to))? {
        if entry.map_err(at(to))?.file_name() != UNFINISHED {
            return Err(BackupError::NotEmpty(to.to_path_buf()));
        }
    }
    let unfinished = to.join(UNFINISHED);
    let restored = fill(from, &unfinished, &manifest, progress).and_then(|restored| {
        put_in_place(&unfinished, to, &manifest)?;
        Ok(restored)
    });
    if restored.is_err() {
        // What cannot be removed is removed by a further try.
        let _ = remove_if_there(&unfinished);
        if is_new {
            let _ = fs::remove_dir(to);
        }
    }
    restored
}

/// Why a folder without a manifest is not one to restore from.
fn no_backup(from: &Path) -> BackupError {
    let is_empty = || fs::read_dir(from).is_ok_and(|mut entries| entries.next().is_none());
    if !from.exists() {
        BackupError::Missing(from.to_path_buf())
    } else if from.join(IDENTITY).exists() || is_empty() {
        BackupError::NoneFinished(from.to_path_buf())
    } else {
        BackupError::NotABackup(from.to_path_buf())
    }
}

/// Copies all there is, and finds out what is lost.
fn fill(
    from: &Path,
    unfinished: &Path,
    manifest: &Manifest,
    mut progress: impl FnMut(Progress),
) -> Result<Restored, BackupError> {
    remove_if_there(unfinished).map_err(at(unfinished))?;
    for folder in ["journal", "snapshot", "bodies"] {
        make_folder(&unfinished.join(STORE).join(folder))?;
    }
    let mut told = Progress {
        done_octets: 0,
        total_octets: manifest.entries.values().map(|entry| entry.octets).sum(),
    };
    let mut wrong = BTreeMap::new();
    for (name, entry) in &manifest.entries {
        let place = unfinished.join(name);
        make_folder(place.parent().unwrap_or(unfinished))?;
        let fault = copy(&from.join(&entry.stored), entry, &place, &mut |octets| {
            told.done_octets += octets;
            progress(told);
        })?;
        wrong.extend(fault.map(|what| (name.as_str(), what)));
    }
    let damaged = Salvage {
        from,
        to: unfinished,
        manifest,
    }
    .run(wrong)?;
    // Whose the journal is must not hang on the header of a file that may be damaged.
    let identity = Identity {
        id: manifest.store,
        running: Running::none(),
    };
    write_identity(&Folder::new(&unfinished.join(STORE)), &identity)?;
    sync_tree(unfinished).map_err(at(unfinished))?;
    Ok(Restored {
        lsn: manifest.lsn,
        files: manifest.entries.len(),
        octets: told.total_octets,
        damaged: damaged.into_iter().map(Damaged::from).collect(),
    })
}

/// The store goes last: without it, nobody takes the folder for one that was restored.
fn put_in_place(unfinished: &Path, to: &Path, manifest: &Manifest) -> Result<(), OpenError> {
    let top = |name: &String| Path::new(name).iter().next().map(OsString::from);
    let mut tops: BTreeSet<OsString> = manifest.entries.keys().filter_map(top).collect();
    tops.remove(std::ffi::OsStr::new(STORE));
    for name in tops.into_iter().chain([OsString::from(STORE)]) {
        sync_dir(to).map_err(at(to))?;
        if !unfinished.join(&name).exists() {
            continue;
        }
        fs::rename(unfinished.join(&name), to.join(&name)).map_err(at(to.join(name)))?;
    }
    fs::remove_dir(unfinished)
        .and_then(|()| sync_dir(to))
        .map_err(at(unfinished))
}

/// Copies a file as far as it reads; what is wrong with it, if it is not what was written.
fn copy(from: &Path, entry: &Entry, to: &Path, done: &mut dyn FnMut(u64)) -> Result<Option<String>, BackupError> {
    let input = match File::open(from) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some("it is missing".to_owned())),
        Err(error) => return Err(at(from)(error).into()),
    };
    let mut input = input.take(entry.octets);
    let mut output = create(to).map_err(at(to))?;
    let (mut chunk, mut octets, mut sha256) = (vec![0; CHUNK], 0, Sha256::new());
    loop {
        let read = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Some(format!("it does not read: {error}"))),
        };
        sha256.update(&chunk[..read]);
        output.write_all(&chunk[..read]).map_err(at(to))?;
        octets += read as u64;
        done(read as u64);
    }
    if octets < entry.octets {
        return Ok(Some("it ends early".to_owned()));
    }
    let found: [u8; 32] = sha256.finalize().into();
    let is_wrong = found != entry.sha256;
    Ok(is_wrong.then(|| "its SHA-256 is not that of the manifest".to_owned()))
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
