//! Bodies: writing large ones to files of their own, and reading all of them.
//!
//! What always holds: a body's own file is whole and synced before the commit that names it is queued, and is removed
//! unless that commit is done.

mod ahead;

use crate::error::{Step, Trouble};
use crate::files::sync_dir;
use crate::identity::hex;
use crate::index::{At, Location};
use crate::journal::file_path;
use crate::replay::read_full_at;
use bytes::Bytes;
use postroom_store::StoreError;
use postroom_types::{BlobId, Lsn};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Larger bodies get a file of their own.
pub(crate) const INLINE_OCTETS: usize = 1 << 20;
/// So do all further bodies of a commit with more than this inline.
pub(crate) const INLINE_OCTETS_OF_COMMIT: usize = 16 << 20;

/// A body in a file of its own, removed on drop unless it is [kept](Self::keep).
#[derive(Debug)]
pub(crate) struct OwnBody {
    pub(crate) id: BlobId,
    pub(crate) number: u64,
    pub(crate) octets: u64,
    pub(crate) crc: u32,
    path: Option<PathBuf>,
}

impl OwnBody {
    /// Writes and syncs a body. The number makes the name differ from that of an earlier try with the same id.
    pub(crate) fn write(folder: &Path, id: BlobId, bytes: &[u8]) -> Result<Self, Trouble> {
        let number = (uuid::Uuid::now_v7().as_u128() & u128::from(u64::MAX)) as u64;
        let path = own_path(folder, id, number);
        let body = Self {
            id,
            number,
            octets: bytes.len() as u64,
            crc: crc32fast::hash(bytes),
            path: Some(path.clone()),
        };
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(bytes)?;
            Ok(file)
        };
        let file = write().map_err(|error| Trouble::from_step(Step::Write, &path, &error))?;
        let settled = file.sync_all().and_then(|()| sync_dir(folder));
        settled.map_err(|error| Trouble::from_step(Step::Settle, &path, &error))?;
        Ok(body)
    }

    /// The commit that names it is done, or may be.
    pub(crate) fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for OwnBody {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(error) = fs::remove_file(path)
        {
            // Upkeep removes it after the next start.
            tracing::debug!(path = %path.display(), %error, "a body without a commit stays");
        }
    }
}

/// The path of a body's own file.
pub(crate) fn own_path(folder: &Path, id: BlobId, number: u64) -> PathBuf {
    folder.join(format!("{}-{number:016x}", hex(&id.0)))
}

/// The body and the number that such a file is named by.
pub(crate) fn parse_name(name: &str) -> Option<(BlobId, u64)> {
    let (id, number) = name
        .split_once('-')
        .filter(|(id, number)| id.len() == 32 && number.len() == 16)?;
    let id = u128::from_str_radix(id, 16).ok()?;
    Some((BlobId(id.to_be_bytes()), u64::from_str_radix(number, 16).ok()?))
}

/// Reads bodies through a bounded number of open files.
#[derive(Debug)]
pub(crate) struct Bodies {
    journal: PathBuf,
    own: PathBuf,
    open: Mutex<Vec<Open>>,
    open_files: usize,
}

/// Which file, without its path, which takes longer to write than a small body to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Journal(Lsn),
    Own(BlobId, u64),
}

impl Which {
    /// The file, and where in it the body begins.
    fn of(id: BlobId, location: &Location) -> (Self, u64) {
        match location.at {
            At::Journal { file, offset } => (Self::Journal(file), offset),
            At::Own(number) => (Self::Own(id, number), 0),
        }
    }
}

#[derive(Debug)]
struct Open {
    which: Which,
    path: PathBuf,
    file: Arc<File>,
}

impl Bodies {
    pub(crate) fn new(journal: PathBuf, own: PathBuf, open_files: usize) -> Self {
        Self {
            journal,
            own,
            open: Mutex::default(),
            open_files: open_files.max(1),
        }
    }

    /// Bytes of a body; a range beyond its end is cut. A whole one is checked against its CRC.
    pub(crate) fn read(&self, id: BlobId, location: &Location, range: Range<u64>) -> Result<Bytes, StoreError> {
        let end = range.end.min(location.octets);
        let start = range.start.min(end);
        let (which, base) = Which::of(id, location);
        let damaged = |what| corrupt(&self.path(which), base, what);
        let octets = usize::try_from(end - start).map_err(|_| damaged("a body of that size"))?;
        if octets == 0 {
            return Ok(Bytes::new());
        }
        let file = self.file(which)?;
        let mut bytes = vec![0; octets];
        let read = read_full_at(&file, &mut bytes, base + start)
            .map_err(|error| unreadable(&self.path(which), base, &error))?;
        if read < octets {
            return Err(damaged("a body ends early"));
        }
        if octets as u64 == location.octets && crc32fast::hash(&bytes) != location.crc {
            return Err(self.wrong_crc(id, location));
        }
        Ok(bytes.into())
    }

    /// All of a body was read, and is not what was written.
    pub(crate) fn wrong_crc(&self, id: BlobId, location: &Location) -> StoreError {
        let (which, base) = Which::of(id, location);
        corrupt(&self.path(which), base, "the CRC of a body is wrong")
    }

    fn path(&self, which: Which) -> PathBuf {
        match which {
            Which::Journal(file) => file_path(&self.journal, file),
            Which::Own(id, number) => own_path(&self.own, id, number),
        }
    }

    /// Closes a file that is about to be removed.
    pub(crate) fn let_go(&self, path: &Path) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|open| open.path != path);
    }

    /// An open file; the one used longest ago is closed for a new one.
    fn file(&self, which: Which) -> Result<Arc<File>, StoreError> {
        let lock = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = lock();
        if let Some(place) = open.iter().rposition(|open| open.which == which) {
            let used = open.remove(place);
            let file = Arc::clone(&used.file);
            open.push(used);
            return Ok(file);
        }
        drop(open);
        let path = self.path(which);
        let file = File::open(&path).map_err(|error| unreadable(&path, 0, &error))?;
        let file = Arc::new(file);
        let mut open = lock();
        if open.len() >= self.open_files {
            open.remove(0);
        }
        open.push(Open {
            which,
            path,
            file: Arc::clone(&file),
        });
        Ok(file)
    }
}

/// A file that is gone, and a disk that does not give back what it was given, are damage to this body; anything else is a
/// trouble of all.
fn unreadable(path: &Path, offset: u64, error: &io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::NotFound {
        corrupt(path, offset, "the file is missing")
    } else if error.raw_os_error() == Some(Errno::IO.raw_os_error()) {
        corrupt(path, offset, "the disk cannot read it")
    } else {
        StoreError::Unavailable(format!("{}: {error}", path.display()).into())
    }
}

fn corrupt(path: &Path, offset: u64, what: &str) -> StoreError {
    StoreError::Corrupt(format!("{} at {offset}: {what}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damage_and_what_is_trouble() {
        // ENOENT, EIO; EMFILE, EACCES.
        for (errno, is_damage) in [(2, true), (5, true), (24, false), (13, false)] {
            let error = unreadable(Path::new("body"), 0, &io::Error::from_raw_os_error(errno));
            assert_eq!(matches!(error, StoreError::Corrupt(_)), is_damage, "errno {errno}");
        }
    }
}
