//! The files of a store that may be open, and being overtaken by it.

use super::BackupError;
use super::target::CopyError;
use crate::error::{OpenError, at};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Why a round did not come to its end.
pub(super) enum Halt {
    /// The store changed under it. The error is for when that does not end.
    Again(BackupError),
    Failed(BackupError),
}

impl From<BackupError> for Halt {
    fn from(error: BackupError) -> Self {
        Self::Failed(error)
    }
}

impl From<OpenError> for Halt {
    fn from(error: OpenError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<CopyError> for Halt {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Shrunk => Self::Again(BackupError::Changing),
            CopyError::Unread(error) => Self::Failed(error.into()),
            CopyError::Failed(error) => Self::Failed(error),
        }
    }
}

/// A file of the store, opened.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) octets: u64,
}

impl Source {
    /// Opens it; what is gone has changed under us.
    pub(super) fn open(path: PathBuf) -> Result<Self, Halt> {
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((octets, file)) => Ok(Self { path, file, octets }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Halt::Again(BackupError::Damaged {
                file: path,
                what: "it is missing".into(),
            })),
            Err(error) => Err(at(path)(error).into()),
        }
    }

    pub(super) fn as_pair(&self) -> (&Path, &File) {
        (&self.path, &self.file)
    }
}
