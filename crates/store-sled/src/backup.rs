//! Backups of a store that may be open and busy, and restoring them.
//!
//! What always holds:
//! - A backup is the store as it was at one lsn: the newest snapshot, the journal from before it up to the last whole
//!   record there was when the journal's end was read, and the large bodies that these name. What was acknowledged before
//!   the backup began is in it. Nothing is asked of the process that has the store open, and its lock is not taken.
//! - What upkeep removes meanwhile (a snapshot, a journal file, a body that was forgotten) makes the round begin anew with
//!   what there is then; what was copied stays copied.
//! - A body that the store has lost, or of which it has other octets than were written, does not keep the rest from being
//!   copied: the manifest names it, and so do backing up and restoring. An earlier copy that is good is kept. What a
//!   replay reads (the newest snapshot, the journal after it) must be whole.
//! - What is copied is checked then, once. Copies of an earlier backup are trusted, unless they are to be verified.
//! - `manifest` names every file with its length and SHA-256. It is replaced, in one step, once all that the new one
//!   names is on disk; what only the old one named goes after that. A file is only ever added to beyond the length that
//!   the manifest knows. So a backup that breaks off leaves the one before it as it was.
//! - A backup that knows more than the store, or of which the store went another way since, is not replaced: it may be the
//!   only copy of what the store lacks.
//!
//! ```text
//! backup.id    which store this is a backup of
//! lock         held while a backup is made, shared while one is restored
//! manifest     the newest whole backup
//! journal/ snapshot/ bodies/    copies; the last journal file grows with the next backup
//! beside/      small files of the data folder beside the store, named by their SHA-256
//! ```

mod bodies;
mod hold;
mod inline;
mod lost;
mod manifest;
mod octets;
mod places;
mod restore;
mod round;
mod salvage;
mod source;
mod target;
mod trust;

pub use restore::{Restored, restore};

use crate::Progress;
use crate::error::OpenError;
use crate::files::Folder;
use crate::identity::read_identity;
use places::apart;
use postroom_types::Lsn;
use round::Round;
use source::Halt;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use target::Target;

/// Rounds that are begun until one is not overtaken by the store's upkeep.
const ROUNDS: u32 = 8;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no backup, or no restored store.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to back up.
    #[error("{0} holds no store")]
    NoStore(PathBuf),
    /// There is no such folder.
    #[error("{0} is not there")]
    Missing(PathBuf),
    /// The folder is for a backup, and none was made.
    #[error("{0} holds no backup that was finished")]
    NoneFinished(PathBuf),
    /// The folder holds something else, which is not touched.
    #[error("{0} is not empty, and not a backup")]
    NotABackup(PathBuf),
    /// The folder is a backup of another store.
    #[error("{0} is a backup of another store")]
    AnotherStore(PathBuf),
    /// The folder's backup knows more than the store: it has perhaps the only copy of what the store lacks.
    #[error(
        "the backup in {folder} has commits up to lsn {backup}, and the store ends at {store}: it was left as it is. Keep it, \
         and use another folder for further backups of this store"
    )]
    Behind {
        /// The folder.
        folder: PathBuf,
        /// The last commit in the backup.
        backup: Lsn,
        /// The last commit in the store.
        store: Lsn,
    },
    /// The folder's backup and the store have each a snapshot of the same lsn, and they are not the same: one of the two went
    /// another way since.
    #[error(
        "the backup in {folder} and the store are not the same up to lsn {lsn}: it was left as it is. Keep it, and use \
         another folder for further backups of this store"
    )]
    Parted {
        /// The folder.
        folder: PathBuf,
        /// The lsn of the snapshots.
        lsn: Lsn,
    },
    /// The folder is being written or read by another process.
    #[error("{0} is in use by another backup or restore")]
    Busy(PathBuf),
    /// Nothing is restored over what is there.
    #[error("{0} is not empty")]
    NotEmpty(PathBuf),
    /// A file is not what was written.
    #[error("{file} is damaged: {what}")]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// One of the two would be written into the other.
    #[error("{inner} lies within {outer}: a backup and the data need folders of their own")]
    Within {
        /// The folder that lies in the other, or is the same.
        inner: PathBuf,
        /// The other.
        outer: PathBuf,
    },
    /// The store's upkeep overtook every round.
    #[error("files of the store went faster than they could be copied; try again later")]
    Changing,
    /// A file cannot be read or written, the store is corrupt, or one of the two was written by a later version.
    #[error(transparent)]
    Files(#[from] OpenError),
}

/// A body that is lost, or a file that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its file, relative to the data folder; for a body in a journal file, a colon and where in that it lies follow.
    pub name: String,
    /// What is wrong with it.
    pub what: String,
}

impl From<(String, String)> for Damaged {
    fn from((name, what): (String, String)) -> Self {
        Self { name, what }
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.what)
    }
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// The last commit that is in it.
    pub lsn: Lsn,
    /// Files it consists of.
    pub files: usize,
    /// Their octets.
    pub octets: u64,
    /// Octets of these that were copied this time.
    pub copied_octets: u64,
    /// Files that were removed, since only older backups needed them.
    pub removed_files: usize,
    /// What is not in it, or not as it was written.
    pub damaged: Vec<Damaged>,
    /// What was damaged in the earlier backup, and was copied anew.
    pub mended: Vec<Damaged>,
}

/// A small file of the data folder that goes along: its name there, and where it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Relative to the data folder, for example `certs/ca.pem`; `store` is taken.
    pub name: String,
    /// Where to read it; it may be missing.
    pub path: PathBuf,
}

/// Backs up a store, which may be open in another process and lies in its data folder, into a folder that is new or holds
/// an earlier backup of it. Blocks. On return all of it is on disk; see [`BackedUp::damaged`] for what is not.
///
/// Asked to `verify`, it reads all of the earlier backup, and copies anew what is not what was written; else it trusts what
/// has the right length.
///
/// # Errors
/// See [`BackupError`]; the earlier backup is as it was.
pub fn backup(
    store: &Path,
    beside: &[Beside],
    to: &Path,
    verify: bool,
    progress: impl FnMut(Progress),
) -> Result<BackedUp, BackupError> {
    let folder = Folder::new(store);
    let no_store = || BackupError::NoStore(store.to_path_buf());
    let identity = read_identity(&folder)?.ok_or_else(no_store)?;
    apart(to, store.parent().unwrap_or(store))?;
    let mut target = Target::open(to, identity.id, verify, progress)?;
    let (mut rounds, mut missing) = (0, BTreeSet::new());
    loop {
        let round = Round {
            folder: &folder,
            store: identity.id,
            beside,
            verify,
            target: &mut target,
            missing: &mut missing,
        };
        match round.run() {
            Ok(reached) => return target.finish(reached),
            Err(Halt::Failed(error)) => return Err(error),
            Err(Halt::Again(error)) => {
                rounds += 1;
                if rounds == ROUNDS {
                    return Err(error);
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
}
