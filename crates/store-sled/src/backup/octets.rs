//! Reading, comparing and cutting the files of a backup.

use super::BackupError;
use crate::error::{OpenError, at};
use crate::replay::read_full_at;
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Octets read in one step.
pub(super) const CHUNK: usize = 1 << 20;

/// SHA-256 of the first octets of a file.
pub(super) fn sum(path: &Path, octets: u64) -> Result<[u8; 32], BackupError> {
    let file = File::open(path).map_err(at(path))?;
    let mut sha256 = Sha256::new();
    let (mut chunk, mut offset) = (vec![0; CHUNK], 0);
    while offset < octets {
        let wanted = CHUNK.min(usize::try_from(octets - offset).unwrap_or(CHUNK));
        let read = read_full_at(&file, &mut chunk[..wanted], offset).map_err(at(path))?;
        if read < wanted {
            return Err(at(path)(io::ErrorKind::UnexpectedEof.into()).into());
        }
        sha256.update(&chunk[..read]);
        offset += read as u64;
    }
    Ok(sha256.finalize().into())
}

/// Whether two files have the same octets there. One that ends before has not.
pub(super) fn is_same(
    (one_path, one): (&Path, &File),
    (other_path, other): (&Path, &File),
    range: std::ops::Range<u64>,
) -> Result<bool, OpenError> {
    let (mut chunk, mut twin, mut offset) = (vec![0; CHUNK], vec![0; CHUNK], range.start);
    while offset < range.end {
        let wanted = CHUNK.min(usize::try_from(range.end - offset).unwrap_or(CHUNK));
        let octets = read_full_at(one, &mut chunk[..wanted], offset).map_err(at(one_path))?;
        let twins = read_full_at(other, &mut twin[..wanted], offset).map_err(at(other_path))?;
        if octets < wanted || twins < wanted || chunk[..wanted] != twin[..wanted] {
            return Ok(false);
        }
        offset += wanted as u64;
    }
    Ok(true)
}

/// Cuts a file to a length, durably.
pub(super) fn cut(path: &Path, octets: u64) -> Result<(), OpenError> {
    let cut = || {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(octets)?;
        file.sync_all()
    };
    cut().map_err(at(path))
}

/// A new file, for its owner alone.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// A folder for its owner alone, and those above it; durable but for its name.
pub(super) fn make_folder(path: &Path) -> Result<(), OpenError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path).map_err(at(path))
}
