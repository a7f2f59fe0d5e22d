//! The bodies in journal files that the snapshot covers: their copies are checked when they are made, and what an earlier
//! copy has is not lost with the store's.

use super::BackupError;
use super::lost::{Body, Copies, end_of, journal_name, journal_of, told};
use super::manifest::Entry;
use super::octets::sum;
use super::round::Round;
use super::source::Halt;
use crate::Progress;
use crate::error::at;
use postroom_types::Lsn;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

impl<P: FnMut(Progress)> Round<'_, P> {
    /// The copy, as far as there is one, of the store as of this snapshot.
    pub(super) fn copies(&self, covered: Lsn, names: &BTreeSet<String>) -> Copies {
        let place = |name: &String| Some((journal_of(name)?, self.target.place(&self.target.have(name)?.stored)));
        Copies {
            store: self.store,
            snapshots: self.target.place("snapshot"),
            covered,
            journal: names.iter().filter_map(place).collect(),
        }
    }

    /// Looks for the bodies in files that are not known to be whole, and in those that the snapshot names and the store
    /// has lost; what is wrong with those that are damaged, by their names.
    pub(super) fn inline(
        &mut self,
        covered: Lsn,
        named: &BTreeSet<Lsn>,
        names: &mut BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>, Halt> {
        let copies = self.copies(covered, names);
        let doubtful = self.target.doubtful().filter(|file| copies.is_covered(*file));
        let gone = named.iter().filter(|file| !copies.journal.contains_key(file));
        let files: BTreeSet<Lsn> = doubtful.chain(gone.copied()).collect();
        let mut bodies = copies.bodies_in(&files)?;
        let mut damaged = BTreeMap::new();
        for file in files {
            let bodies = bodies.remove(&file).unwrap_or_default();
            let name = journal_name(file);
            if let Some(place) = copies.journal.get(&file) {
                let lost = self.mend(&name, bodies)?;
                if !lost.is_empty() || end_of(place, self.store, file)?.is_none() {
                    damaged.extend(told(file, "a record is damaged", &lost));
                }
            } else if !bodies.is_empty() {
                let lost = self.adopt(&name, bodies)?;
                if self.target.have(&name).is_some() {
                    names.insert(name);
                }
                if !lost.is_empty() {
                    damaged.extend(told(file, "the file is missing", &lost));
                }
            }
        }
        Ok(damaged)
    }

    /// Puts bodies that a copy lacks in their places, if the copy before it has them; those that neither has.
    fn mend(&mut self, name: &str, bodies: Vec<Body>) -> Result<Vec<Body>, Halt> {
        let entry = self.target.have(name).cloned().expect("it was copied");
        let place = self.target.place(&entry.stored);
        let earlier = self.target.earlier(name).map(|entry| self.target.place(&entry.stored));
        let earlier = earlier.and_then(|earlier| File::open(earlier).ok());
        let copy = File::open(&place).map_err(at(&place))?;
        let (mut lost, mut is_mended) = (Vec::new(), false);
        for body in bodies {
            if body.read(&copy).is_some() {
                continue;
            }
            match earlier.as_ref().and_then(|earlier| body.read(earlier)) {
                Some(bytes) => {
                    write_at(&place, &bytes, body.offset).map_err(at(&place))?;
                    is_mended = true;
                }
                None => lost.push(body),
            }
        }
        if is_mended {
            copy.sync_all().map_err(at(&place))?;
            self.target.keep(name, as_it_is(&place, entry.stored)?);
        }
        Ok(lost)
    }

    /// The store has lost the file: an earlier copy stays, even one that is damaged; the bodies that are lost.
    fn adopt(&mut self, name: &str, bodies: Vec<Body>) -> Result<Vec<Body>, Halt> {
        if self.target.have(name).is_none()
            && let Some(earlier) = self.target.take_earlier(name)
            && let Ok(entry) = as_it_is(&self.target.place(&earlier.stored), earlier.stored)
        {
            self.target.keep(name, entry);
        }
        let place = self.target.have(name).map(|entry| self.target.place(&entry.stored));
        let copy = place.map(|place| File::open(&place).map_err(at(place))).transpose()?;
        let is_lost = |body: &Body| copy.as_ref().is_none_or(|copy| body.read(copy).is_none());
        Ok(bodies.into_iter().filter(is_lost).collect())
    }
}

/// The entry of a copy that is what it is.
fn as_it_is(place: &Path, stored: String) -> Result<Entry, BackupError> {
    let octets = fs::metadata(place).map_err(at(place))?.len();
    let sha256 = sum(place, octets)?;
    Ok(Entry { stored, octets, sha256 })
}

/// Only copies that no manifest names yet are written to.
fn write_at(place: &Path, bytes: &[u8], offset: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(place)?.write_all_at(bytes, offset)
}
