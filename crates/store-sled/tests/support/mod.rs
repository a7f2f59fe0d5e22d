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

    /// Copies all of it.
    pub(crate) fn copy_to(&self, to: &Path) {
        copy_tree(&self.0, to);
    }

    /// All files with what is in them, but for the lock.
    pub(crate) fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(one) = folders.pop() {
            for entry in std::fs::read_dir(one).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("lock") {
                    found.push((path.clone(), std::fs::read(path).expect("read")));
                }
            }
        }
        found.sort();
        found
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            std::fs::copy(&path, target).expect("copied");
        }
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
