//! The index against what snapshot and journal make, and the bodies that it names.

use super::{Checked, Kind};
use crate::blobs::Bodies;
use crate::boot::build_apart;
use crate::files::{Folder, free_octets, remove_if_there};
use crate::identity::hex;
use crate::index::{BlobRow, Index, Rows};
use crate::quiet::catch_quietly;
use crate::{OpenError, Options, Progress};
use postroom_store::StoreError;
use std::cmp::Ordering;
use std::sync::Arc;

/// Rows read in one step.
const STEP: usize = 500;

/// What is needed to check an open store.
pub(super) struct Check {
    pub(super) folder: Folder,
    pub(super) store: [u8; 16],
    pub(super) options: Options,
    pub(super) index: Arc<Index>,
    pub(super) bodies: Arc<Bodies>,
}

impl Check {
    /// Does all of it; what the one does not find, the other may. `Err` is why the index does not read: what sled panicked
    /// over, or told of.
    pub(super) fn run(
        &self,
        checked: &mut Checked,
        mut progress: impl FnMut(&'static str, Progress),
    ) -> Result<(), String> {
        let built = self.build(&mut |told| progress("building an index to compare with", told));
        let compared = match &built {
            Ok(built) => catch_quietly(|| self.compare(built, checked)),
            Err(Unbuilt::Fault(why)) => {
                checked.fault(format!("nothing to compare the index with: {why}"));
                Ok(Ok(()))
            }
            Err(Unbuilt::Unread(why)) => {
                checked.unread(format!("index: not compared with the journal: {why}"));
                Ok(Ok(()))
            }
        };
        drop(built);
        if let Err(error) = remove_if_there(&self.folder.index_compared()) {
            checked.note(format!("{}: {error}", self.folder.index_compared().display()));
        }
        let read = catch_quietly(|| self.read_bodies(checked, &mut |told| progress("reading bodies", told)));
        for ended in [&compared, &read] {
            // Damage is told by who asked for this.
            if let Ok(Err(error)) = ended
                && self.index.damage().is_none()
            {
                checked.fault(format!("index: not read to its end: {error}"));
            }
        }
        match (compared.and(read), self.index.damage()) {
            (Ok(_), Some(why)) => Err(why.to_owned()),
            (ended, _) => ended.map(drop),
        }
    }

    /// Builds another index.
    fn build(&self, progress: &mut dyn FnMut(Progress)) -> Result<Index, Unbuilt> {
        let path = self.folder.index_compared();
        remove_if_there(&path).map_err(|error| Unbuilt::Unread(error.to_string()))?;
        let free = free_octets(self.folder.path()).unwrap_or(u64::MAX);
        if free < self.index.octets().saturating_mul(2) {
            return Err(Unbuilt::Unread("there is no space for another one".to_owned()));
        }
        // sled panics where it cannot write, too.
        match catch_quietly(|| build_apart(&self.folder, self.store, &self.options, &path, progress)) {
            Ok(Ok(built)) => Ok(built),
            Ok(Err(error @ (OpenError::Corrupt { .. } | OpenError::Format { .. }))) => {
                Err(Unbuilt::Fault(error.to_string()))
            }
            Ok(Err(error)) => Err(Unbuilt::Unread(error.to_string())),
            Err(why) => Err(Unbuilt::Unread(why)),
        }
    }

    /// Compares the two, row by row. An error is one of reading the index there is.
    fn compare(&self, built: &Index, checked: &mut Checked) -> Result<(), StoreError> {
        let mut rows = (Rows::new(&self.index), Rows::new(built));
        let mut kind = Kind::new("index");
        loop {
            let order = match (rows.0.first()?, rows.1.first()?) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((one, _)), Some((other, _))) => one.cmp(other),
            };
            match order {
                Ordering::Less => kind.add(|| format!("{} is not of the journal", name(rows.0.first_key()))),
                Ordering::Greater => kind.add(|| format!("{} is missing", name(rows.1.first_key()))),
                Ordering::Equal if rows.0.first()? != rows.1.first()? => {
                    kind.add(|| format!("{} has another value than in the journal", name(rows.0.first_key())));
                }
                Ordering::Equal => {}
            }
            if order.is_le() {
                rows.0.pass();
            }
            if order.is_ge() {
                rows.1.pass();
            }
        }
        checked.add(kind);
        Ok(())
    }

    /// Reads what is alive, against its CRC, and counts what is not.
    fn read_bodies(&self, checked: &mut Checked, progress: &mut dyn FnMut(Progress)) -> Result<(), StoreError> {
        let mut told = Progress {
            done_octets: 0,
            total_octets: 0,
        };
        self.each_blob(&mut |row| {
            told.total_octets += row.location.octets;
            Ok(())
        })?;
        let (mut kind, mut unread) = (Kind::new("body"), Kind::new("body not read"));
        let (mut dead, mut dead_octets, mut read) = (0_u64, 0, 0_u64);
        self.each_blob(&mut |row| {
            if read.is_multiple_of(1000) {
                progress(told);
            }
            read += 1;
            told.done_octets += row.location.octets;
            if !self.index.is_alive(row.id)? {
                dead += 1;
                dead_octets += row.location.octets;
            } else if let Err(error) = self.bodies.read(row.id, &row.location, 0..u64::MAX) {
                let is_damage = matches!(error, StoreError::Corrupt(_));
                let kind = if is_damage { &mut kind } else { &mut unread };
                kind.add(|| format!("{}: {error}", hex(&row.id.0)));
            }
            Ok(())
        })?;
        progress(told);
        checked.add(kind);
        checked.unread.extend(unread.sentences());
        if dead > 0 {
            checked.note(format!(
                "{dead} bodies of {dead_octets} octets belong to nobody any more and go with the server's upkeep"
            ));
        }
        Ok(())
    }

    fn each_blob(&self, visit: &mut dyn FnMut(BlobRow) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let rows = self.index.blobs_after(after, STEP)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.id);
            rows.into_iter().try_for_each(&mut *visit)?;
        }
    }
}

/// Why there is nothing to compare with.
enum Unbuilt {
    /// Snapshot or journal are not what they should be.
    Fault(String),
    /// It could not be done: no space, no more files.
    Unread(String),
}

/// A row's name, for people: what is ASCII as it is.
fn name(key: &[u8]) -> String {
    match key.split_first() {
        Some((space, key)) => format!("{} row {}", char::from(*space), key.escape_ascii()),
        None => "a row".to_owned(),
    }
}
