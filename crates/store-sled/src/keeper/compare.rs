//! Does the index show what a snapshot has that was just taken?
//!
//! What always holds: a pair is wrong only if nobody has written its key since the snapshot. So commits may go on, and
//! what is found wrong is a lie of the index, not a moment's difference.

use super::round::Round;
use crate::index::{RawRow, Rows};
use crate::snapshot::{Reader, path_of};
use postroom_store::{Key, StoreError, Value};
use postroom_types::Lsn;
use std::collections::{HashMap, HashSet};

/// Octets of pairs that are remembered, to be looked at again. Most were just written; each time the journal after the
/// snapshot is read.
const UNLIKE_OCTETS: usize = 32 << 20;
/// What one costs beside its key and value, about.
const ENTRY_OCTETS: usize = 100;

impl Round<'_> {
    /// Fails the store if the index does not show what the snapshot with this lsn, the newest, has.
    pub(super) fn compare(&self, lsn: Lsn) -> Result<(), StoreError> {
        self.compare_within(lsn, UNLIKE_OCTETS)
    }

    fn compare_within(&self, lsn: Lsn, octets: usize) -> Result<(), StoreError> {
        let mut rows = Rows::new(self.index);
        let mut unlike = Unlike {
            round: self,
            pairs: HashMap::new(),
            octets: 0,
            most_octets: octets,
        };
        let path = path_of(&self.keeper.folder.snapshots(), lsn);
        let damaged = |error| self.not_read_again(lsn, error);
        let mut reader = Reader::open(path, self.keeper.store, lsn).map_err(damaged)?;
        while let Some(block) = reader.block().map_err(damaged)? {
            self.go_on()?;
            for pair in block {
                unlike.compare(pair, &mut rows)?;
            }
        }
        while let Some((beside, _)) = rows.first()? {
            unlike.add(beside.clone(), None)?;
            rows.pass();
        }
        unlike.look_again()
    }
}

/// Pairs that the index has otherwise, or does not have, or has beside.
struct Unlike<'a> {
    round: &'a Round<'a>,
    /// What they are in the snapshot.
    pairs: HashMap<Key, Option<Value>>,
    octets: usize,
    most_octets: usize,
}

impl Unlike<'_> {
    /// Compares a pair of the snapshot with the rows of the index, and passes those up to it.
    fn compare(&mut self, (key, value): RawRow, rows: &mut Rows<'_>) -> Result<(), StoreError> {
        while let Some((beside, _)) = rows.first()?.filter(|(shown, _)| *shown < key) {
            self.add(beside.clone(), None)?;
            rows.pass();
        }
        match rows.first()? {
            Some((shown, as_shown)) if *shown == key => {
                let is_like = *as_shown == value;
                rows.pass();
                if is_like { Ok(()) } else { self.add(key, Some(value)) }
            }
            _ => self.add(key, Some(value)),
        }
    }

    fn add(&mut self, key: Key, value: Option<Value>) -> Result<(), StoreError> {
        self.octets += key.len() + value.as_ref().map_or(0, Vec::len) + ENTRY_OCTETS;
        self.pairs.insert(key, value);
        match self.octets >= self.most_octets {
            true => self.look_again(),
            false => Ok(()),
        }
    }

    /// Looks at them key by key, since they were read while others were written, and forgets them.
    fn look_again(&mut self) -> Result<(), StoreError> {
        self.octets = 0;
        let mut wrong = HashSet::new();
        for (key, value) in self.pairs.drain() {
            if self.round.index.pair(&key)? != value {
                wrong.insert(key);
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        match self.round.truth(&|truth| truth.unwritten(&wrong))? {
            Some(key) => {
                let what = format!("its pair {} is not that of the journal", key.escape_ascii());
                Err(self.round.lie(&what))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
