//! Folders that go away, and options for small files.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

pub(crate) mod rows;

use postroom_store_sled::{OpenError, Options, SledStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A folder of its own under the temporary folder, removed on drop.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let name = format!("postroom-store-{}", uuid::Uuid::now_v7().simple());
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn open(&self) -> Arc<SledStore> {
        self.try_open().expect("the store opens")
    }

    pub(crate) fn open_with(&self, options: Options) -> Arc<SledStore> {
        SledStore::open(&self.0, options, |_| ()).expect("the store opens")
    }

    pub(crate) fn try_open(&self) -> Result<Arc<SledStore>, OpenError> {
        SledStore::open(&self.0, options(), |_| ())
    }

    /// The journal's files, in order.
    pub(crate) fn journal(&self) -> Vec<PathBuf> {
        self.files("journal")
    }

    /// The files of one of the store's folders, in order.
    pub(crate) fn files(&self, folder: &str) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.0.join(folder)).expect("a folder");
        let mut files: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Small files, and upkeep that waits for nothing.
pub(crate) fn eager() -> Options {
    Options {
        roll_octets: 64 << 10,
        blob_grace: Duration::ZERO,
        snapshot_octets: 0,
        ..options()
    }
}

/// Little memory, and no floor of free space.
pub(crate) fn options() -> Options {
    Options {
        cache_octets: 8 << 20,
        min_free_octets: 0,
        ..Options::default()
    }
}
