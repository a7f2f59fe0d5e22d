//! What upkeep needs of the index: walks through all of it, and notes of its own.
//!
//! What always holds: notes about dead bodies are not in the journal. Losing them (with the index) only gives a dead
//! body more time.

use super::location::Location;
use super::{BLOB, DEAD, Index, META, RawRow, USER, prefixed};
use postroom_store::{Key, StoreError, Value};
use postroom_types::{BlobId, Lsn};
use std::ops::Bound;

/// Rows read in one step.
const STEP: usize = 500;

/// A blob, as a walk finds it.
pub(crate) struct BlobRow {
    pub(crate) id: BlobId,
    pub(crate) location: Location,
}

impl Index {
    /// Some blobs in the order of their ids, after this one.
    pub(crate) fn blobs_after(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobRow>, StoreError> {
        let low = after.map_or_else(|| prefixed(BLOB, &[]), |id| [&[BLOB], id.0.as_slice(), &[0]].concat());
        let range = (Bound::Included(low), Bound::Excluded(vec![BLOB + 1]));
        let rows = self.db.range::<Key, _>(range).take(limit);
        rows.map(|row| {
            let (key, row) = row.map_err(|error| self.failed(error))?;
            let id = key[1..].try_into().map_err(|_| self.damaged("not the key of a body"))?;
            let (location, _) = self.location_of(&row)?;
            Ok(BlobRow {
                id: BlobId(id),
                location,
            })
        })
        .collect()
    }

    /// Whether a key exists that keeps the blob alive.
    pub(crate) fn is_alive(&self, id: BlobId) -> Result<bool, StoreError> {
        let mut witnesses = self.witnesses(id)?;
        loop {
            for witness in witnesses.iter().flatten() {
                if let Some(found) = self.db.scan_prefix(prefixed(USER, witness)).next() {
                    found.map_err(|error| self.failed(error))?;
                    return Ok(true);
                }
            }
            // A commit may have given it from one owner to another meanwhile.
            let known = std::mem::replace(&mut witnesses, self.witnesses(id)?);
            if known == witnesses {
                return Ok(false);
            }
        }
    }

    /// When a blob was first found dead, in seconds since 1970.
    pub(crate) fn dead_since(&self, id: BlobId) -> Result<Option<u64>, StoreError> {
        let note = self.db.get(prefixed(DEAD, &id.0)).map_err(|error| self.failed(error))?;
        Ok(note.and_then(|note| Some(u64::from_be_bytes(note.as_ref().try_into().ok()?))))
    }

    /// Notes when a blob was found dead, or that it is alive or gone.
    pub(crate) fn note_dead(&self, id: BlobId, since_seconds: Option<u64>) -> Result<(), StoreError> {
        let key = prefixed(DEAD, &id.0);
        let noted = match since_seconds {
            Some(seconds) => self.db.insert(key, &seconds.to_be_bytes()),
            None => self.db.remove(key),
        };
        noted.map_err(|error| self.failed(error)).map(drop)
    }

    /// Some of the pairs that a snapshot holds, after this key.
    pub(crate) fn rows_after(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<RawRow>, StoreError> {
        let low = after.map_or(Bound::Unbounded, Bound::Excluded);
        let is_kept = |key: &[u8]| !matches!(key.first(), Some(&DEAD | &META));
        let rows = self.db.range::<&[u8], _>((low, Bound::Unbounded));
        let rows = rows
            .filter(|row| row.as_ref().map_or(true, |(key, _)| is_kept(key)))
            .take(limit);
        rows.map(|row| {
            row.map(|(key, value)| (key.to_vec(), value.to_vec()))
                .map_err(|error| self.failed(error))
        })
        .collect()
    }

    /// The value of a pair as it lies in the index.
    pub(crate) fn pair(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let value = self.db.get(key).map_err(|error| self.failed(error))?;
        Ok(value.map(|value| value.to_vec()))
    }

    /// Puts pairs of a snapshot into a new index.
    pub(crate) fn load(&self, rows: Vec<RawRow>) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        rows.into_iter().for_each(|(key, value)| batch.insert(key, value));
        self.db.apply_batch(batch).map_err(|error| self.failed(error))
    }

    /// Says that a snapshot was put in whole.
    pub(crate) fn loaded(&self, lsn: Lsn) -> Result<(), StoreError> {
        self.db
            .insert(super::APPLIED, &lsn.0.to_be_bytes())
            .map_err(|error| self.failed(error))
            .map(drop)
    }

    /// About how large it is on disk.
    pub(crate) fn octets(&self) -> u64 {
        self.db.size_on_disk().unwrap_or_default()
    }
}

/// The rows of an index in their order, read page by page.
pub(crate) struct Rows<'a> {
    index: &'a Index,
    page: std::vec::IntoIter<RawRow>,
    after: Option<Vec<u8>>,
    is_over: bool,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(index: &'a Index) -> Self {
        Self {
            index,
            page: Vec::new().into_iter(),
            after: None,
            is_over: false,
        }
    }

    /// The first row that was not passed.
    pub(crate) fn first(&mut self) -> Result<Option<&RawRow>, StoreError> {
        if self.page.as_slice().is_empty() && !self.is_over {
            let rows = self.index.rows_after(self.after.as_deref(), STEP)?;
            self.is_over = rows.is_empty();
            self.after = rows.last().map(|(key, _)| key.clone());
            self.page = rows.into_iter();
        }
        Ok(self.page.as_slice().first())
    }

    /// Its key; empty if there is none.
    pub(crate) fn first_key(&self) -> &[u8] {
        self.page.as_slice().first().map_or(&[], |(key, _)| key)
    }

    pub(crate) fn pass(&mut self) {
        self.page.next();
    }
}
