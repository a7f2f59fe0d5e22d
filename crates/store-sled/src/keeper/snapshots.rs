//! Snapshots: when one is taken, and what becomes of one that is damaged.
//!
//! What always holds:
//! - A snapshot goes only after the one that follows it was read to its end, and so does what of the journal came between
//!   the two.
//! - One that is damaged is made again from the one before it, or from the beginning, if the journal goes back that far. If
//!   not, nothing is removed.

use super::round::{Round, failed, failed_on};
use crate::error::OpenError;
use crate::snapshot;
use crate::truth::Truth;
use postroom_store::StoreError;
use postroom_types::Lsn;
use rustix::io::Errno;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

impl Round<'_> {
    /// Takes a snapshot if the journal has grown enough since the last one and there is room; whether it did.
    pub(super) fn snapshot_if_due(&self) -> Result<bool, StoreError> {
        let folder = self.keeper.folder.snapshots();
        let last = snapshot::list(&folder).map_err(failed)?.last().copied();
        let last_octets = last.map_or(0, |lsn| {
            fs::metadata(snapshot::path_of(&folder, lsn)).map_or(0, |file| file.len())
        });
        let since = last.unwrap_or_default();
        let grown: u64 = self
            .files()?
            .iter()
            .filter(|file| file.end > since)
            .map(|file| file.octets)
            .sum();
        let is_due = grown >= self.keeper.options.snapshot_octets.max(last_octets);
        if !is_due || self.keeper.shared.stable() <= since {
            return Ok(false);
        }
        let min_free_octets = self.keeper.options.min_free_octets;
        let taken = self.truth(&|truth| match truth.take_snapshot(min_free_octets) {
            Err(error) if is_want_of_room(&error) => {
                tracing::warn!(%error, min_free_octets, "no room for a snapshot; until there is, the journal only grows");
                Ok(None)
            }
            taken => taken.map(Some),
        })?;
        let Some(taken) = taken else { return Ok(false) };
        self.compare(taken)?;
        snapshot::remove_old(&folder).map_err(failed)?;
        Ok(true)
    }

    /// Asks snapshot and journal, as of now: all that the index has shown is in what they say. A snapshot that is damaged
    /// is made again first.
    pub(super) fn truth<T>(&self, ask: &dyn Fn(&Truth<'_>) -> Result<T, OpenError>) -> Result<T, StoreError> {
        // The index shows a commit a moment before it counts as stable. The committer does one thing after the other, and
        // this is nothing but that it comes to it.
        self.ask(Vec::new())?;
        let folder = &self.keeper.folder;
        let newest = snapshot::list_of(folder).map_err(failed_on)?.last().copied();
        let newest = newest.unwrap_or_default();
        match self.truth_from(newest, ask) {
            Err(error) if is_damage_to(&error, &snapshot::path_of(&folder.snapshots(), newest)) => {
                let renewed = self.renew(newest, &error)?;
                self.truth_from(renewed, ask).map_err(failed_on)
            }
            answer => answer.map_err(failed_on),
        }
    }

    fn truth_from<T>(&self, snapshot: Lsn, ask: &dyn Fn(&Truth<'_>) -> Result<T, OpenError>) -> Result<T, OpenError> {
        let keeper = self.keeper;
        let is_stopped = || keeper.stop.load(Ordering::SeqCst);
        let until = keeper.shared.stable();
        ask(&Truth::from_snapshot(
            &keeper.folder,
            keeper.store,
            snapshot,
            until,
            &is_stopped,
        )?)
    }

    /// Makes the newest snapshot again, which is damaged; the lsn of the new one.
    fn renew(&self, damaged: Lsn, error: &OpenError) -> Result<Lsn, StoreError> {
        let folder = self.keeper.folder.snapshots();
        let mut older = snapshot::list(&folder).map_err(failed)?.into_iter().rev();
        let older = older.find(|lsn| *lsn < damaged).unwrap_or_default();
        let taken = self.truth_from(older, &|truth| truth.take_snapshot(self.keeper.options.min_free_octets));
        let taken = match taken {
            Err(why @ OpenError::Corrupt { .. }) => {
                tracing::error!(%error, %why, "a snapshot is damaged, and the journal does not go back to what was before it: no \
                    file of the journal is removed any more, and an index that is lost could not be made again. Stop the server \
                    and copy the snapshot of the same name from a backup to its place");
                return Err(StoreError::Unavailable(format!("upkeep: {error}").into()));
            }
            taken => taken.map_err(failed_on)?,
        };
        if taken != damaged {
            fs::remove_file(snapshot::path_of(&folder, damaged)).map_err(failed)?;
        }
        tracing::warn!(%error, "a snapshot was damaged; it was made again, and nothing is lost");
        Ok(taken)
    }

    /// A snapshot that was just taken cannot be read to its end. If that is because of what is on the disk it is removed: what
    /// it was made of is there still.
    pub(super) fn not_read_again(&self, lsn: Lsn, error: OpenError) -> StoreError {
        let path = snapshot::path_of(&self.keeper.folder.snapshots(), lsn);
        if is_damage_to(&error, &path)
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::error!(path = %path.display(), %error, "a new snapshot that is damaged stays");
        }
        failed_on(error)
    }
}

/// Whether a snapshot was not taken since there was too little free space.
fn is_want_of_room(error: &OpenError) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error, OpenError::Io { error, .. } if matches!(error.kind(), StorageFull | QuotaExceeded))
}

/// Whether what is in this file is not what was written, or does not come back from the disk.
fn is_damage_to(error: &OpenError, path: &Path) -> bool {
    match error {
        OpenError::Corrupt { file, .. } => file == path,
        OpenError::Io { path: file, error } => file == path && error.raw_os_error() == Some(Errno::IO.raw_os_error()),
        _ => false,
    }
}
