//! Going on with a journal that has lost its end, because somebody says so.
//!
//! What always holds:
//! - What the journal has is kept, and nothing else: the store is as it was with its last record.
//! - The lsns that are lost are never given again, nor the names of files that were made of them, wherever there are copies.
//!   Nobody knows how many there were, so a wide margin is left out too. A snapshot of the last of these lsns stands for the
//!   journal before it, and the journal goes on after that, in a file of its own.
//! - Until that file is there, the store does not open. Whatever this broke off at, it can be done again.

use super::left::Left;
use super::{formats, move_aside, not_made};
use crate::Options;
use crate::error::{OpenError, at};
use crate::files::{Folder, remove_if_there, sync_dir};
use crate::identity::{lost_mark_path, remove_clean_mark};
use crate::journal::{Journal, file_path};
use crate::replay::End;
use crate::snapshot;
use crate::truth::Truth;
use postroom_types::Lsn;
use std::fmt;
use std::fs::OpenOptions;

/// Lsns that are left out after the last that is known to be lost: more than a machine commits while what knows of its
/// commits is not renewed. Of the numbers that JSON holds exactly, 2^53, that leaves enough for two million losses.
const MARGIN: u64 = 1 << 32;

/// Commits that are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The first of them.
    pub first: Lsn,
    /// The last that was known of; there may have been more.
    pub last: Lsn,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the commits {} to {} are lost", self.first, self.last)
    }
}

/// Makes the journal whole again without what it has lost; `None` if nothing is.
///
/// # Errors
/// [`OpenError::Corrupt`] if what there is of the journal does not reach back to its beginning, or to a snapshot from before
/// its end. The store is not changed then.
pub(crate) fn accept(folder: &Folder, options: &Options) -> Result<Option<Loss>, OpenError> {
    let Some(left) = Left::look(folder, options)? else {
        return Ok(None);
    };
    formats::check(folder, &left.files)?;
    let known = left.known(folder)?.into_iter();
    let known = known
        .chain(left.known_to_index(folder, options)?)
        .map(|known| known.lsn);
    let (last_file, end) = left.end(folder)?;
    let Some(lost) = known.max().filter(|known| *known >= end.next) else {
        return Ok(None);
    };
    let kept = snapshot_at(folder, left.store, Lsn(end.next.0 - 1))?;
    cut(folder, last_file, end)?;
    let before = Lsn(lost.0.saturating_add(MARGIN).min(u64::MAX - 1));
    snapshot::carry(&folder.snapshots(), left.store, kept, before)?;
    move_aside(folder)?;
    remove_clean_mark(folder)?;
    let journal = Journal::create(&folder.journal(), left.store, Lsn(before.0 + 1), options.roll_octets);
    journal.map_err(|trouble| not_made(folder, trouble))?;
    let lost_mark = lost_mark_path(folder);
    remove_if_there(&lost_mark).map_err(at(lost_mark))?;
    Ok(Some(Loss {
        first: end.next,
        last: lost,
    }))
}

/// Makes a snapshot of the journal up to its end, if there is none; its lsn. All that counts from now on was read then.
fn snapshot_at(folder: &Folder, store: [u8; 16], end: Lsn) -> Result<Lsn, OpenError> {
    let older = snapshot::list_of(folder)?.into_iter().filter(|lsn| *lsn <= end);
    let made = older.max().unwrap_or_default();
    match made < end {
        true => Truth::from_snapshot(folder, store, made, end, &|| false)?.take_snapshot(0),
        false => Ok(made),
    }
}

/// Cuts off what is torn: the file is not the last one any more.
fn cut(folder: &Folder, file: Lsn, end: End) -> Result<(), OpenError> {
    let path = file_path(&folder.journal(), file);
    let done = match end.octets {
        0 => remove_if_there(&path).and_then(|()| sync_dir(&folder.journal())),
        octets => OpenOptions::new().write(true).open(&path).and_then(|file| {
            file.set_len(octets)?;
            file.sync_all()
        }),
    };
    done.map_err(at(path))
}
