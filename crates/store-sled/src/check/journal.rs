//! The journal and the snapshots: every record's CRC, the order of lsns, no gap that matters, and how it ends: where the
//! clean mark and the snapshots say, or later.

use super::Checked;
use crate::Progress;
use crate::boot::{Known, store_of};
use crate::error::{OpenError, at};
use crate::files::Folder;
use crate::identity::{read_clean_mark, read_identity};
use crate::journal::{file_path, list};
use crate::replay::{End, JournalFile};
use crate::snapshot;
use postroom_types::Lsn;
use std::fs;
use std::path::Path;

/// Checks the journal and the snapshots of a store that is not open. Blocks.
///
/// A torn tail is what a killed process leaves, and is noted; a break followed by valid records is a fault.
///
/// # Errors
/// [`OpenError::Locked`] if the store is open, [`OpenError::Format`], [`OpenError::Io`], and [`OpenError::Corrupt`] if
/// the store's name cannot be read, so that nothing can be said of its records.
pub fn check_journal(folder: &Path, mut progress: impl FnMut(Progress)) -> Result<Checked, OpenError> {
    let folder = Folder::new(folder);
    let _lock = folder.lock()?;
    let mut checked = Checked::default();
    let files = list(&folder.journal())?;
    let identity = read_identity(&folder)?;
    let Some(first) = files.first() else {
        if identity.is_some() {
            checked.fault("the journal is missing");
        }
        return Ok(checked);
    };
    let store = match identity {
        Some(identity) => identity.id,
        None => store_of(&file_path(&folder.journal(), *first))?,
    };
    let covered = check_snapshots(&folder, store, &mut checked)?;
    let octets = |first: &Lsn| fs::metadata(file_path(&folder.journal(), *first)).map_or(0, |file| file.len());
    let mut told = Progress {
        done_octets: 0,
        total_octets: files.iter().map(octets).sum(),
    };
    // Before the first file, all lsns must be covered; between two as well.
    let (mut next, mut is_read) = (Lsn(1), false);
    for (place, first) in files.iter().enumerate() {
        progress(told);
        if *first != next && first.0 > covered.0 + 1 {
            checked.fault(format!(
                "journal: lsns {next} to {} are missing, and no snapshot has them",
                first.0.saturating_sub(1)
            ));
        }
        let file = JournalFile::new(&folder.journal(), store, *first, place + 1 == files.len());
        match file.read(&mut |_| Ok(())) {
            Ok(End {
                next: end,
                octets: whole,
            }) => {
                next = end;
                is_read = true;
                let torn = octets(first).saturating_sub(whole);
                if torn > 0 {
                    checked.note(format!(
                        "journal: {torn} octets at the end of {first} were being written when the server stopped; they are cut off by the next start"
                    ));
                }
            }
            Err(error @ OpenError::Corrupt { .. }) => {
                checked.fault(format!("journal: {error}"));
                next = files.get(place + 1).copied().unwrap_or(next);
                is_read = false;
            }
            Err(error) => return Err(error),
        }
        told.done_octets += octets(first);
    }
    progress(told);
    let mark = read_clean_mark(&folder)?.filter(|mark| mark.id == store);
    if let (Some(known), Some(last)) = (Known::beside_index(&folder, store, mark.as_ref())?, files.last())
        && is_read
        && let Err(error) = known.reached_by(&file_path(&folder.journal(), *last), next)
    {
        checked.fault(error);
    }
    Ok(checked)
}

/// Reads all snapshots; the lsn up to which the newest that is good covers the journal.
fn check_snapshots(folder: &Folder, store: [u8; 16], checked: &mut Checked) -> Result<Lsn, OpenError> {
    let mut covered = Lsn(0);
    for lsn in snapshot::list(&folder.snapshots()).map_err(at(folder.snapshots()))? {
        match snapshot::read(&folder.snapshots(), store, lsn, &mut |_| Ok(())) {
            Ok(()) => covered = lsn,
            Err(error @ OpenError::Corrupt { .. }) => checked.fault(format!("snapshot: {error}")),
            Err(error) => return Err(error),
        }
    }
    Ok(covered)
}
