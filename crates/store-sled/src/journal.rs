//! The journal's files, and writing to the last of them.
//!
//! What always holds:
//! - A file begins with a header that was synced, with its name in the folder, before any record was written to it.
//! - Everything before `octets` is synced; a group that could not be written is cut off before the next.
//! - All I/O is `std::fs`: plain `write`, `fdatasync`, `ftruncate`, so that a test can stand between.

use crate::error::{OpenError, Step, Trouble, at};
use crate::files::sync_dir;
use crate::record::{Input, Seed};
use postroom_types::Lsn;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Octets before the first record of a file.
pub(crate) const FILE_HEADER_OCTETS: u64 = 40;
/// How a journal file begins.
pub(crate) const JOURNAL_MAGIC: &[u8; 8] = b"prJournl";
const FORMAT: u32 = 1;

/// What a file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) store: [u8; 16],
    pub(crate) first: Lsn,
}

impl FileHeader {
    pub(crate) fn to_bytes(self, magic: &[u8; 8]) -> Vec<u8> {
        let mut bytes = magic.to_vec();
        bytes.extend(FORMAT.to_be_bytes());
        bytes.extend(self.store);
        bytes.extend(self.first.0.to_be_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes
    }

    /// Reads a header; `Ok(None)` if these bytes are none.
    pub(crate) fn read(path: &Path, bytes: &[u8], magic: &[u8; 8]) -> Result<Option<Self>, OpenError> {
        let Some((header, _)) = bytes.split_at_checked(FILE_HEADER_OCTETS as usize) else {
            return Ok(None);
        };
        Ok(Self::parse(header, magic).map(|(format, header)| match format {
            FORMAT => Ok(header),
            found => Err(OpenError::Format {
                file: path.to_path_buf(),
                found,
                known: FORMAT,
            }),
        }))
        .and_then(Option::transpose)
    }

    fn parse(header: &[u8], wanted: &[u8; 8]) -> Option<(u32, Self)> {
        let mut input = Input(header);
        let magic = input.take(8)?;
        let (format, store, first) = (input.u32()?, input.id()?.0, Lsn(input.u64()?));
        let crc = input.u32()?;
        let is_whole = magic == wanted && crc == crc32fast::hash(&header[..header.len() - 4]);
        is_whole.then_some((format, Self { store, first }))
    }
}

/// The path of the file that begins with this lsn.
pub(crate) fn file_path(folder: &Path, first: Lsn) -> PathBuf {
    folder.join(format!("{:020}.log", first.0))
}

/// The journal's files by their first lsn, ascending.
pub(crate) fn list(folder: &Path) -> Result<Vec<Lsn>, OpenError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let name = entry.map_err(at(folder))?.file_name();
        let first = name
            .to_str()
            .and_then(|name| name.strip_suffix(".log"))
            .and_then(|name| name.parse().ok());
        files.extend(first.map(Lsn));
    }
    files.sort_unstable();
    Ok(files)
}

/// The journal's end.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    store: [u8; 16],
    roll_octets: u64,
    file: File,
    path: PathBuf,
    first: Lsn,
    octets: u64,
}

impl Journal {
    /// A new file, durable before it is used.
    pub(crate) fn create(folder: &Path, store: [u8; 16], first: Lsn, roll_octets: u64) -> Result<Self, Trouble> {
        let path = file_path(folder, first);
        let trouble = |step: Step| move |error| Trouble::from_step(step, &file_path(folder, first), &error);
        let written = create_file(&path, &FileHeader { store, first }.to_bytes(JOURNAL_MAGIC));
        let file = match written {
            Ok(file) => file,
            Err(error) => {
                // What there is of it has no record; a start would remove it too.
                fs::remove_file(&path)
                    .or_else(ignore_missing)
                    .map_err(trouble(Step::Settle))?;
                return Err(trouble(Step::Write)(error));
            }
        };
        file.sync_all().map_err(trouble(Step::Settle))?;
        sync_dir(folder).map_err(trouble(Step::Settle))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            store,
            roll_octets,
            file,
            path,
            first,
            octets: FILE_HEADER_OCTETS,
        })
    }

    /// Goes on with the last file, cutting off what lies beyond `octets`. Durable on return.
    pub(crate) fn resume(
        folder: &Path,
        store: [u8; 16],
        first: Lsn,
        octets: u64,
        roll_octets: u64,
    ) -> Result<Self, OpenError> {
        let path = file_path(folder, first);
        let file = OpenOptions::new().append(true).open(&path).map_err(at(&path))?;
        if file.metadata().map_err(at(&path))?.len() != octets {
            file.set_len(octets).map_err(at(&path))?;
        }
        // What a killed process wrote is read from now on as done, so it must be on disk.
        file.sync_all().map_err(at(&path))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            store,
            roll_octets,
            file,
            path,
            first,
            octets,
        })
    }

    /// The seed of the records' CRCs.
    pub(crate) fn seed(&self) -> Seed {
        Seed::of_store(&self.store)
    }

    /// The last file's first lsn and length.
    pub(crate) fn end(&self) -> (Lsn, u64) {
        (self.first, self.octets)
    }

    /// Writes and syncs a group of records that begins with `first`; returns the file it is in and its offset there.
    pub(crate) fn append(&mut self, group: &[u8], first: Lsn) -> Result<(Lsn, u64), Trouble> {
        if self.octets > FILE_HEADER_OCTETS && self.octets + group.len() as u64 > self.roll_octets {
            *self = Self::create(&self.folder, self.store, first, self.roll_octets)?;
        }
        if let Err(error) = self.file.write_all(group) {
            let trouble = Trouble::from_step(Step::Write, &self.path, &error);
            if matches!(trouble, Trouble::Full) {
                self.cut()?;
            }
            return Err(trouble);
        }
        self.file
            .sync_data()
            .map_err(|error| Trouble::from_step(Step::Settle, &self.path, &error))?;
        let offset = self.octets;
        self.octets += group.len() as u64;
        Ok((self.first, offset))
    }

    /// Cuts off a group that was answered with "not done", durably: it must not come back after a power loss.
    fn cut(&self) -> Result<(), Trouble> {
        let cut = self.file.set_len(self.octets).and_then(|()| self.file.sync_all());
        cut.map_err(|error| Trouble::from_step(Step::Settle, &self.path, &error))
    }
}

fn create_file(path: &Path, header: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(header)?;
    Ok(file)
}

fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}
