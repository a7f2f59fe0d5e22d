//! How far the journal must reach.
//!
//! The clean mark, the snapshots and the index are only ever made of what was synced in the journal before. So neither a
//! crash nor a loss of power leaves one of them ahead of it: if one is, then the journal has lost its end since, or files
//! of it were left behind when the folder was copied. To go on with such a journal would give the lost lsns again, and
//! what is written under them would be taken for what the snapshot has already.
//!
//! What always holds: nothing is changed here but that a loss is written down which the index alone knows of: after the
//! machine's next start it is not asked any more.

use crate::error::OpenError;
use crate::files::Folder;
use crate::identity::{CleanMark, clean_mark_path, lost_mark_path, read_lost_mark, write_lost_mark};
use crate::journal::file_path;
use crate::replay::Tail;
use crate::snapshot;
use postroom_types::Lsn;
use std::path::{Path, PathBuf};

/// The last lsn that something beside the journal knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) lsn: Lsn,
    /// What knows of it.
    pub(crate) by: PathBuf,
}

impl Known {
    /// What the newest snapshot, a clean mark of this store and an index of an earlier start know of, whichever is most.
    pub(crate) fn beside_index(
        folder: &Folder,
        store: [u8; 16],
        mark: Option<&CleanMark>,
    ) -> Result<Option<Self>, OpenError> {
        let lost = read_lost_mark(folder, store)?.map(|lsn| Self {
            lsn,
            by: lost_mark_path(folder),
        });
        let snapshot = snapshot::list_of(folder)?.last().map(|lsn| Self {
            lsn: *lsn,
            by: snapshot::path_of(&folder.snapshots(), *lsn),
        });
        let mark = mark.map(|mark| Self {
            lsn: mark.lsn,
            by: clean_mark_path(folder),
        });
        let all = lost.into_iter().chain(snapshot).chain(mark);
        Ok(all.max_by_key(|known| known.lsn))
    }

    /// Writes down what the index knows of, if `checked` is that the journal does not reach it.
    pub(super) fn remembered<T>(
        &self,
        checked: Result<T, OpenError>,
        folder: &Folder,
        store: [u8; 16],
    ) -> Result<T, OpenError> {
        if matches!(checked, Err(OpenError::Lost { .. }))
            && let Err(error) = write_lost_mark(folder, store, self.lsn)
        {
            tracing::error!(%error, "the loss is forgotten with the next start of the machine");
        }
        checked
    }

    /// Finds out whether the journal reaches it.
    ///
    /// # Errors
    /// [`OpenError::Lost`] if it does not, and those of reading its last file.
    pub(crate) fn check(&self, folder: &Folder, store: [u8; 16], files: &[Lsn]) -> Result<(), OpenError> {
        let last = files.last().copied().unwrap_or(Lsn(1));
        if self.lsn < last {
            return Ok(());
        }
        let journal = folder.journal();
        let tail = Tail {
            folder: &journal,
            files,
            store,
            after: self.lsn,
            until: self.lsn,
        };
        self.reached_by(&file_path(&journal, last), tail.read(&mut |_| Ok(()))?.next)
    }

    /// An error if the journal, which ends before `next`, in this file, does not reach it.
    pub(crate) fn reached_by(&self, file: &Path, next: Lsn) -> Result<(), OpenError> {
        match self.lsn < next {
            true => Ok(()),
            false => Err(OpenError::Lost {
                file: file.to_path_buf(),
                end: Lsn(next.0 - 1),
                by: self.by.clone(),
                known: self.lsn,
            }),
        }
    }
}
