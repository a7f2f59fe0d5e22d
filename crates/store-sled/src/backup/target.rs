//! The folder that a backup is made in.
//!
//! What always holds: what the manifest in the folder names stays as it is until [`finish`](Target::finish) has put another one in its
//! place. New files get names that are free; a file is appended to only beyond what the manifest knows of it.

use super::hold::take;
use super::lost::journal_of;
use super::manifest::{Entry, Manifest};
use super::octets::{CHUNK, create, cut, is_same, make_folder};
use super::round::Reached;
use super::{BackedUp, BackupError, Damaged};
use crate::Progress;
use crate::error::{OpenError, at};
use crate::files::{remove_if_there, sync_dir};
use crate::identity::hex;
use crate::replay::read_full_at;
use postroom_types::Lsn;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 4] = ["journal", "snapshot", "bodies", "beside"];

/// Why a copy was not made.
#[derive(Debug)]
pub(super) enum CopyError {
    /// The source is shorter than it was.
    Shrunk,
    /// The source does not read.
    Unread(OpenError),
    Failed(BackupError),
}

impl From<OpenError> for CopyError {
    fn from(error: OpenError) -> Self {
        Self::Failed(error.into())
    }
}

/// A folder with an earlier backup or none, held for this process.
pub(super) struct Target<P> {
    path: PathBuf,
    store: [u8; 16],
    /// The last lsn in the earlier backup; 0 if there is none.
    reached: Lsn,
    /// What is there and can be trusted: that of the earlier backup, and what was copied since.
    pub(super) have: BTreeMap<String, Entry>,
    /// What was there and is not trusted as a whole; bodies in it may be good.
    pub(super) earlier: BTreeMap<String, Entry>,
    /// What was wrong with copies of the earlier backup.
    pub(super) failed: BTreeMap<String, String>,
    /// Journal files that may have been damaged when they were copied.
    pub(super) doubts: BTreeSet<Lsn>,
    copied_octets: u64,
    told: Progress,
    progress: P,
    _lock: File,
}

impl<P: FnMut(Progress)> Target<P> {
    /// Opens or makes the folder, and removes what a backup that broke off has left. Reads all there is if asked to
    /// `verify`, and else trusts what has its length.
    pub(super) fn open(path: &Path, store: [u8; 16], verify: bool, progress: P) -> Result<Self, BackupError> {
        let lock = take(path, store)?;
        for folder in FOLDERS {
            make_folder(&path.join(folder))?;
        }
        let (reached, earlier, damaged) = Manifest::read(path)
            .map_err(or_begin_anew)?
            .map(|manifest| (manifest.lsn, manifest.entries, manifest.damaged))
            .unwrap_or_default();
        let mut target = Self {
            path: path.to_path_buf(),
            store,
            reached,
            have: BTreeMap::new(),
            earlier: BTreeMap::new(),
            failed: BTreeMap::new(),
            doubts: damaged.keys().filter_map(|name| journal_of(name)).collect(),
            copied_octets: 0,
            told: Progress {
                done_octets: 0,
                total_octets: 0,
            },
            progress,
            _lock: lock,
        };
        target.remove_others(&earlier)?;
        for (name, entry) in earlier {
            let file = target.path.join(&entry.stored);
            let there = fs::metadata(&file).map_or(0, |metadata| metadata.len());
            if there > entry.octets {
                cut(&file, entry.octets)?;
            }
            if there < entry.octets {
                let what = format!("it had {there} octets of {}", entry.octets);
                target.fail(name, entry, what);
            } else if verify && journal_of(&name).is_some_and(|file| target.doubts.contains(&file)) {
                // What was damaged when it was copied may have been so on the way.
                target.earlier.insert(name, entry);
            } else {
                target.have.insert(name, entry);
            }
        }
        if verify {
            target.verify();
        }
        Ok(target)
    }

    /// An error if the earlier backup knows more than a store that ends here.
    pub(super) fn check_reached(&self, end: Lsn) -> Result<(), BackupError> {
        match end < self.reached {
            true => Err(BackupError::Behind {
                folder: self.path.clone(),
                backup: self.reached,
                store: end,
            }),
            false => Ok(()),
        }
    }

    /// The error for a store that went another way than the earlier backup.
    pub(super) fn parted(&self, lsn: Lsn) -> BackupError {
        let folder = self.path.clone();
        BackupError::Parted { folder, lsn }
    }

    /// What there is of a file.
    pub(super) fn have(&self, name: &str) -> Option<&Entry> {
        self.have.get(name)
    }

    /// Where something lies.
    pub(super) fn place(&self, stored: &str) -> PathBuf {
        self.path.join(stored)
    }

    /// A copy that is not kept after all.
    pub(super) fn drop_copy(&self, entry: &Entry) -> Result<(), BackupError> {
        let place = self.path.join(&entry.stored);
        remove_if_there(&place).map_err(at(place))?;
        Ok(())
    }

    /// Takes note of a copy.
    pub(super) fn keep(&mut self, name: &str, entry: Entry) {
        self.have.insert(name.to_owned(), entry);
    }

    /// Octets more to be copied.
    pub(super) fn expect(&mut self, octets: u64) {
        self.told.total_octets += octets;
        (self.progress)(self.told);
    }

    /// Octets of these that are dealt with.
    pub(super) fn add_done(&mut self, octets: u64) {
        self.told.done_octets += octets;
        self.told.total_octets = self.told.total_octets.max(self.told.done_octets);
        (self.progress)(self.told);
    }

    /// A name below `folder` that is free.
    pub(super) fn free_name(&self, folder: &str, name: &str) -> String {
        let plain = format!("{folder}/{name}");
        let further = (2..).map(|n| format!("{plain}.{n}"));
        std::iter::once(plain.clone())
            .chain(further)
            .find(|name| !self.path.join(name).exists())
            .expect("numbers do not end")
    }

    /// Copies a file whole; its CRC-32 and its entry. On disk on return, under its name once the folder is synced.
    pub(super) fn copy(
        &mut self,
        source: (&Path, &File),
        octets: u64,
        stored: String,
    ) -> Result<(u32, Entry), CopyError> {
        let place = self.path.join(&stored);
        let part = self.path.join(format!("{stored}.part"));
        let copied = self.copy_part(source, octets, &part);
        if copied.is_err() {
            // The next backup removes it too.
            let _ = fs::remove_file(&part);
        }
        let (crc, sha256) = copied?;
        fs::rename(&part, &place).map_err(at(place))?;
        Ok((crc, Entry { stored, octets, sha256 }))
    }

    fn copy_part(&mut self, source: (&Path, &File), octets: u64, part: &Path) -> Result<(u32, [u8; 32]), CopyError> {
        let mut output = create(part).map_err(at(part))?;
        let (mut crc, mut sha256) = (crc32fast::Hasher::new(), Sha256::new());
        self.pour(source, 0..octets, (part, &mut output), &mut |bytes| {
            crc.update(bytes);
            sha256.update(bytes);
        })?;
        output.sync_all().map_err(at(part))?;
        Ok((crc.finalize(), sha256.finalize().into()))
    }

    /// Appends what a source has beyond the entry, if what the entry knows is what the source begins with: whether it is.
    pub(super) fn grow(&mut self, source: (&Path, &File), octets: u64, entry: &Entry) -> Result<bool, CopyError> {
        let place = self.path.join(&entry.stored);
        let stored = File::open(&place).map_err(at(&place))?;
        if !is_same((&place, &stored), source, 0..entry.octets)? {
            return Ok(false);
        }
        let output = OpenOptions::new().append(true).open(&place);
        let mut output = output.map_err(at(&place))?;
        let grown = self.pour(source, entry.octets..octets, (&place, &mut output), &mut |_| {});
        if grown.is_err() {
            cut(&place, entry.octets)?;
        }
        grown?;
        output.sync_all().map_err(at(&place))?;
        Ok(true)
    }

    fn pour(
        &mut self,
        (from, input): (&Path, &File),
        range: std::ops::Range<u64>,
        (to, output): (&Path, &mut File),
        see: &mut dyn FnMut(&[u8]),
    ) -> Result<(), CopyError> {
        let mut chunk = vec![0; CHUNK];
        let mut offset = range.start;
        while offset < range.end {
            let wanted = CHUNK.min(usize::try_from(range.end - offset).unwrap_or(CHUNK));
            let octets = read_full_at(input, &mut chunk[..wanted], offset);
            let octets = octets.map_err(at(from)).map_err(CopyError::Unread)?;
            if octets < wanted {
                return Err(CopyError::Shrunk);
            }
            output.write_all(&chunk[..octets]).map_err(at(to))?;
            see(&chunk[..octets]);
            offset += octets as u64;
            self.copied_octets += octets as u64;
            self.add_done(octets as u64);
        }
        Ok(())
    }

    /// Keeps a small file under a name made of its SHA-256.
    pub(super) fn keep_small(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let sha256: [u8; 32] = Sha256::digest(bytes).into();
        let stored = format!("beside/{}", hex(&sha256));
        let octets = bytes.len() as u64;
        let place = self.path.join(&stored);
        if !fs::read(&place).is_ok_and(|there| there == bytes) {
            let part = self.path.join(format!("{stored}.part"));
            let write = || {
                let mut file = create(&part)?;
                file.write_all(bytes)?;
                file.sync_all()?;
                fs::rename(&part, &place)
            };
            write().map_err(at(&place))?;
            self.copied_octets += octets;
        }
        self.keep(name, Entry { stored, octets, sha256 });
        Ok(())
    }

    /// Makes these the backup, and removes what it does not need.
    pub(super) fn finish(self, reached: Reached) -> Result<BackedUp, BackupError> {
        let Reached { lsn, names, damaged } = reached;
        for folder in FOLDERS {
            let folder = self.path.join(folder);
            sync_dir(&folder).map_err(at(folder))?;
        }
        let entries: BTreeMap<_, _> = self
            .have
            .iter()
            .filter(|(name, _)| names.contains(*name))
            .map(|(name, entry)| (name.clone(), entry.clone()))
            .collect();
        let manifest = Manifest {
            store: self.store,
            lsn,
            entries,
            damaged,
        };
        manifest.write(&self.path)?;
        let is_mended = |(name, _): &(&String, &String)| manifest.entries.contains_key(*name);
        let mended = self.failed.iter().filter(is_mended);
        Ok(BackedUp {
            mended: mended.map(|(name, what)| (name.clone(), what.clone()).into()).collect(),
            lsn,
            files: manifest.entries.len(),
            octets: manifest.entries.values().map(|entry| entry.octets).sum(),
            copied_octets: self.copied_octets,
            removed_files: self.remove_others(&manifest.entries)?,
            damaged: manifest.damaged.into_iter().map(Damaged::from).collect(),
        })
    }

    /// Removes all copies but these; how many.
    fn remove_others(&self, entries: &BTreeMap<String, Entry>) -> Result<usize, BackupError> {
        let kept: BTreeSet<PathBuf> = entries.values().map(|entry| self.path.join(&entry.stored)).collect();
        let mut removed = 0;
        for folder in FOLDERS {
            let folder = self.path.join(folder);
            for file in fs::read_dir(&folder).map_err(at(&folder))? {
                let file = file.map_err(at(&folder))?.path();
                if !kept.contains(&file) {
                    remove_if_there(&file).map_err(at(&file))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

/// A manifest that does not read keeps every further backup from this folder.
fn or_begin_anew(error: BackupError) -> BackupError {
    match error {
        BackupError::Damaged { file, what } => BackupError::Damaged {
            file,
            what: format!(
                "{what}; make a backup into a new folder, or remove this file: the next backup then begins anew and copies everything"
            ),
        },
        error => error,
    }
}
