//! Is what is on disk what it should be? For `fsck`; nothing may be committed meanwhile.
//!
//! What always holds: nothing is repaired here, and nothing is changed but a folder for an index to compare with.

mod index;
mod journal;

pub use journal::check_journal;

use crate::error::OpenError;
use crate::files::Folder;
use crate::{Loss, Options, Progress, SledStore, boot};
use postroom_store::StoreError;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Faults of one kind that are told one by one; of the others, how many there are.
const TOLD: usize = 50;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What is wrong, as sentences.
    pub faults: Vec<String>,
    /// What could not be looked at, and why, as sentences; whether it is right is not known.
    pub unread: Vec<String>,
    /// What is worth knowing and not wrong.
    pub notes: Vec<String>,
}

impl Checked {
    fn fault(&mut self, fault: impl fmt::Display) {
        self.faults.push(fault.to_string());
    }

    fn unread(&mut self, what: impl fmt::Display) {
        self.unread.push(what.to_string());
    }

    fn note(&mut self, note: impl fmt::Display) {
        self.notes.push(note.to_string());
    }

    /// Adds faults of one kind.
    fn add(&mut self, kind: Kind) {
        self.faults.extend(kind.sentences());
    }
}

/// Faults of one kind.
struct Kind {
    what: &'static str,
    told: Vec<String>,
    count: usize,
}

impl Kind {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            told: Vec::new(),
            count: 0,
        }
    }

    fn sentences(self) -> impl Iterator<Item = String> {
        let Self { what, told, count } = self;
        let all = (count > TOLD).then(|| format!("{what}: {count} in all"));
        told.into_iter().chain(all)
    }

    fn add(&mut self, fault: impl FnOnce() -> String) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(format!("{}: {}", self.what, fault()));
        }
    }
}

impl SledStore {
    /// Compares the index with what snapshot and journal make of it, and reads every body that a key keeps alive. Blocks
    /// a thread of the runtime's pool, for minutes if the store is large; `progress` is told what is being done.
    ///
    /// An index that does not read to its end for damage fails the store, and is made anew by the next start.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store is closed.
    pub async fn check(
        &self,
        progress: impl FnMut(&'static str, Progress) + Send + 'static,
    ) -> Result<Checked, StoreError> {
        let check = index::Check {
            folder: self.folder.clone(),
            store: self.keeper.store(),
            options: self.options.clone(),
            index: self.index()?,
            bodies: Arc::clone(&self.bodies),
        };
        let shared = Arc::clone(&self.shared);
        let task = tokio::task::spawn_blocking(move || {
            let mut checked = Checked::default();
            if let Err(why) = check.run(&mut checked, progress) {
                checked.fault(format!("index: it does not read: {why}"));
                checked.note("the index is made anew by the next start");
                shared.distrust_index(&why);
            }
            checked
        });
        let ended = |_| StoreError::Unavailable("the check ended early".into());
        task.await.map_err(ended)
    }

    /// Puts the index of a store that is not open out of the way, so that the next opening builds it anew from snapshot
    /// and journal. Blocks.
    ///
    /// # Errors
    /// [`OpenError::Locked`] if the store is open; [`OpenError::Lost`] if the journal has lost its end, of which the index
    /// may be the last to know; those of looking.
    pub fn discard_index(folder: &Path, options: &Options) -> Result<(), OpenError> {
        let folder = Folder::new(folder);
        let _lock = folder.lock()?;
        boot::discard_index(&folder, options)
    }

    /// Lets a store open again whose journal has lost its end ([`OpenError::Lost`]), without what is lost: as it was with
    /// the journal's last record. The index and the clean mark are discarded, the snapshots from after that count no more,
    /// and the journal goes on far beyond the last lsn that was known of. Returns what is lost; `None` if nothing is, and nothing is
    /// changed then. Blocks, as long as a replay of the journal.
    ///
    /// UIDs and modseqs that were given by what is lost are given again.
    ///
    /// # Errors
    /// [`OpenError::Locked`] if the store is open; [`OpenError::Corrupt`] if the journal reaches back neither to its beginning
    /// nor to a snapshot from before its end, or is damaged before its end: the store stays as it is.
    pub fn accept_loss(folder: &Path, options: &Options) -> Result<Option<Loss>, OpenError> {
        let folder = Folder::new(folder);
        let _lock = folder.lock()?;
        boot::accept(&folder, options)
    }
}
