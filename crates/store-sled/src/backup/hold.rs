//! Whose a backup folder is, and holding it while it is written.

use super::BackupError;
use super::manifest::{FORMAT, MANIFEST, TITLE};
use super::octets::make_folder;
use crate::error::{OpenError, at};
use crate::files::replace_file;
use crate::identity::{hex, refuse_later};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(super) const LOCK: &str = "lock";
pub(super) const IDENTITY: &str = "backup.id";

/// Makes the folder if it is missing, and takes it for this store and this process, until the file is dropped.
///
/// # Errors
/// [`BackupError::NotABackup`], [`BackupError::AnotherStore`], [`BackupError::Busy`]: nothing was written there.
pub(super) fn take(path: &Path, store: [u8; 16]) -> Result<File, BackupError> {
    make_folder(path)?;
    if !path.join(IDENTITY).exists() && !is_empty(path)? {
        return Err(BackupError::NotABackup(path.to_path_buf()));
    }
    let lock = lock(path)?;
    check_identity(path, store)?;
    Ok(lock)
}

/// But for what a first try may have left that was ended at once.
fn is_empty(path: &Path) -> Result<bool, OpenError> {
    for entry in fs::read_dir(path).map_err(at(path))? {
        let name = entry.map_err(at(path))?.file_name();
        if name != LOCK && name != format!("{IDENTITY}.new").as_str() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn lock(path: &Path) -> Result<File, BackupError> {
    let place = path.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&place)
        .map_err(at(&place))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BackupError::Busy(path.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(at(place)(error).into()),
    }
}

/// Whether the folder is for this store; a new one is from now on.
fn check_identity(path: &Path, store: [u8; 16]) -> Result<(), BackupError> {
    let wanted = format!("{TITLE}{FORMAT}\nstore={}\n", hex(&store));
    let file = path.join(IDENTITY);
    match fs::read_to_string(&file) {
        Ok(text) if text == wanted => Ok(()),
        Ok(text) => {
            refuse_later(&file, &text, TITLE, FORMAT)?;
            Err(BackupError::AnotherStore(path.to_path_buf()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.join(MANIFEST).exists() => {
            replace_file(path, IDENTITY, &wanted).map_err(at(file))?;
            Ok(())
        }
        Err(error) => Err(at(file)(error).into()),
    }
}
