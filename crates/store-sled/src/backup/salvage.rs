//! What damaged copies cost when a backup is restored.
//!
//! What always holds:
//! - A damaged body, a damaged file beside the store, and damage to bodies in journal files that the snapshot covers cost
//!   just that, and are told. Nothing is put in place of what is damaged.
//! - What the store is made of by a replay is whole, or nothing is restored.

use super::BackupError;
use super::lost::{Copies, journal_of, told};
use super::manifest::Manifest;
use crate::error::{OpenError, at};
use crate::files::remove_if_there;
use crate::journal::list;
use crate::replay::Tail;
use postroom_types::Lsn;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Files that were copied, some of which are damaged.
pub(super) struct Salvage<'a> {
    /// The backup.
    pub(super) from: &'a Path,
    /// Where its files were copied to, under their names in the data folder.
    pub(super) to: &'a Path,
    pub(super) manifest: &'a Manifest,
}

/// What a damaged file is.
enum Part {
    Snapshot,
    Journal(Lsn),
    Other,
}

impl Part {
    fn of(name: &str) -> Self {
        match (snapshot_of(name), journal_of(name)) {
            (Some(_), _) => Self::Snapshot,
            (_, Some(file)) => Self::Journal(file),
            _ => Self::Other,
        }
    }
}

impl Salvage<'_> {
    /// What is lost: names, and what is wrong.
    ///
    /// # Errors
    /// [`BackupError::Damaged`] if that would be everything.
    pub(super) fn run(&self, wrong: BTreeMap<&str, String>) -> Result<BTreeMap<String, String>, BackupError> {
        let mut damaged = self.manifest.damaged.clone();
        let (mut journal, mut snapshot) = (BTreeMap::new(), None);
        for (name, what) in wrong {
            match Part::of(name) {
                Part::Snapshot => snapshot = Some((name, what)),
                Part::Journal(file) => _ = journal.insert(file, (name, what)),
                Part::Other => {
                    self.leave_out(name)?;
                    damaged.insert(name.to_owned(), format!("its copy was left out: {what}"));
                }
            }
        }
        match snapshot {
            Some((name, what)) if journal.is_empty() && self.is_all_in_the_journal()? => {
                self.leave_out(name)?;
                let what = format!("{what}; the journal has all that is in it, so nothing is lost by it");
                damaged.insert(name.to_owned(), what);
            }
            Some((name, what)) => {
                let what = format!("{what}, and the journal does not go back to the first commit without a break");
                return Err(self.refused(name, what));
            }
            None => damaged.extend(self.bodies(journal)?),
        }
        Ok(damaged)
    }

    /// What damaged journal files cost.
    fn bodies(&self, journal: BTreeMap<Lsn, (&str, String)>) -> Result<BTreeMap<String, String>, BackupError> {
        let names = self.manifest.entries.keys();
        let copies = Copies {
            store: self.manifest.store,
            snapshots: self.to.join("store/snapshot"),
            covered: names
                .clone()
                .filter_map(|name| snapshot_of(name))
                .max()
                .unwrap_or_default(),
            journal: names
                .filter_map(|name| Some((journal_of(name)?, self.to.join(name))))
                .collect(),
        };
        if let Some((name, what)) = journal
            .iter()
            .find_map(|(file, found)| (!copies.is_covered(*file)).then_some(found))
        {
            return Err(self.refused(name, what.clone()));
        }
        let files: BTreeSet<Lsn> = journal.keys().copied().collect();
        let mut bodies = copies.bodies_in(&files)?;
        let mut damaged = BTreeMap::new();
        for (file, (_, what)) in journal {
            let copy = std::fs::File::open(&copies.journal[&file]).ok();
            let mut lost = bodies.remove(&file).unwrap_or_default();
            lost.retain(|body| copy.as_ref().is_none_or(|copy| body.read(copy).is_none()));
            damaged.extend(told(file, &format!("its copy is damaged: {what}"), &lost));
        }
        Ok(damaged)
    }

    /// Whether the journal, which was copied whole, says all that the snapshot does.
    fn is_all_in_the_journal(&self) -> Result<bool, OpenError> {
        let folder = self.to.join("store/journal");
        let files = list(&folder)?;
        let tail = Tail {
            folder: &folder,
            files: &files,
            store: self.manifest.store,
            after: Lsn(0),
            until: Lsn(u64::MAX),
        };
        match tail.read(&mut |_| Ok(())) {
            Ok(end) => Ok(end.next > self.manifest.lsn),
            Err(OpenError::Corrupt { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn leave_out(&self, name: &str) -> Result<(), OpenError> {
        let place = self.to.join(name);
        remove_if_there(&place).map_err(at(place))
    }

    fn refused(&self, name: &str, what: String) -> BackupError {
        let stored = self.manifest.entries.get(name).map(|entry| entry.stored.as_str());
        BackupError::Damaged {
            file: self.from.join(stored.unwrap_or(name)),
            what,
        }
    }
}

/// The lsn of the snapshot of that name.
fn snapshot_of(name: &str) -> Option<Lsn> {
    let lsn = name.strip_prefix("store/snapshot/")?.strip_suffix(".snap")?;
    lsn.parse().ok().map(Lsn)
}
