//! The data folder: names, the lock, and small files that are replaced whole.

use crate::error::{OpenError, at};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The name of [`Folder::distrusted`].
pub(crate) const DISTRUSTED: &str = "index.distrusted";

/// Where things are in the data folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    pub(crate) fn bodies(&self) -> PathBuf {
        self.0.join("bodies")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.0.join("snapshot")
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.0.join("index")
    }

    /// Where an index goes that is not trusted any more, until its successor is built.
    pub(crate) fn index_aside(&self) -> PathBuf {
        self.0.join("index.aside")
    }

    /// Says that the index has failed while it was in use, and why.
    pub(crate) fn distrusted(&self) -> PathBuf {
        self.0.join(DISTRUSTED)
    }

    /// Where an index is built to be compared with the one there is.
    pub(crate) fn index_compared(&self) -> PathBuf {
        self.0.join("index.compared")
    }

    /// Makes what is missing, durably.
    pub(crate) fn create(&self) -> Result<(), OpenError> {
        let parent = self.0.parent().filter(|parent| !parent.as_os_str().is_empty());
        for path in [self.0.clone(), self.journal(), self.bodies(), self.snapshots()] {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(&path).map_err(at(&path))?;
        }
        sync_dir(&self.0).map_err(at(&self.0))?;
        sync_dir(parent.unwrap_or(Path::new("."))).map_err(at(&self.0))
    }

    /// Takes the folder for this process, until the file is dropped.
    pub(crate) fn lock(&self) -> Result<File, OpenError> {
        let path = self.0.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked(self.0.clone())),
            Err(TryLockError::Error(error)) => Err(at(path)(error)),
        }
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Puts a small file in place, whole or not at all.
pub(crate) fn replace_file(folder: &Path, name: &str, contents: &str) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.new"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(contents.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(name))?;
    sync_dir(folder)
}

/// Syncs every file below a folder, and the folder.
pub(crate) fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => sync_tree(&entry.path())?,
            kind if kind.is_file() => File::open(entry.path())?.sync_all()?,
            _ => {}
        }
    }
    sync_dir(path)
}

/// Removes a file, a folder with all in it, or nothing.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// An error, [`io::ErrorKind::StorageFull`], if less than this is free on the file system of `path`.
pub(crate) fn check_room(path: &Path, min_free_octets: u64) -> io::Result<()> {
    match free_octets(path)? < min_free_octets {
        true => Err(io::ErrorKind::StorageFull.into()),
        false => Ok(()),
    }
}

/// Octets that unprivileged processes may still write to the file system of `path`.
pub(crate) fn free_octets(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
