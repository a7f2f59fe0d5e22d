//! Refusing what a later version wrote, before anything is changed.

use crate::error::{OpenError, at};
use crate::files::Folder;
use crate::journal::{FILE_HEADER_OCTETS, FileHeader, JOURNAL_MAGIC, file_path};
use crate::replay::read_full_at;
use crate::snapshot;
use postroom_types::Lsn;
use std::fs::File;
use std::path::Path;

/// Looks at the headers of all files. One that is broken is for whoever reads the file.
///
/// # Errors
/// [`OpenError::Format`]: a later version wrote it.
pub(super) fn check(folder: &Folder, journal: &[Lsn]) -> Result<(), OpenError> {
    for first in journal {
        check_file(&file_path(&folder.journal(), *first), JOURNAL_MAGIC)?;
    }
    for lsn in snapshot::list(&folder.snapshots()).map_err(at(folder.snapshots()))? {
        check_file(&snapshot::path_of(&folder.snapshots(), lsn), snapshot::MAGIC)?;
    }
    Ok(())
}

fn check_file(path: &Path, magic: &[u8; 8]) -> Result<(), OpenError> {
    let mut header = vec![0; FILE_HEADER_OCTETS as usize];
    let octets = File::open(path)
        .and_then(|file| read_full_at(&file, &mut header, 0))
        .map_err(at(path))?;
    FileHeader::read(path, &header[..octets], magic).map(drop)
}
