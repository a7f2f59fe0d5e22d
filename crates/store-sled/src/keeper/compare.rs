//! Does the index show what a snapshot has that was just taken?
//!
//! What always holds: a pair is wrong only if nobody has written its key since the snapshot. So commits may go on, and
//! what is found wrong is a lie of the index, not a moment's difference.

use super::round::{Round, failed_on};
use crate::index::Rows;
use crate::snapshot::{Reader, path_of};
use postroom_store::{Key, StoreError, Value};
use postroom_types::Lsn;
use std::collections::HashMap;

/// Pairs that are looked at again, at most. With more, these will do.
const UNLIKE: usize = 20_000;

impl Round<'_> {
    /// Fails the store if the index does not show what the snapshot with this lsn has.
    pub(super) fn compare(&self, lsn: Lsn) -> Result<(), StoreError> {
        let mut unlike = self.unlike(lsn)?;
        // Once more, key by key, since the pairs were read while others were written.
        for (key, value) in std::mem::take(&mut unlike) {
            if self.index.pair(&key)? != value {
                unlike.insert(key, value);
            }
        }
        if unlike.is_empty() {
            return Ok(());
        }
        let keys = unlike.into_keys().collect();
        match self.truth(&|truth| truth.unwritten(&keys))? {
            Some(key) => Err(self.lie(&format!("its pair {} is not that of the journal", key.escape_ascii()))),
            None => Ok(()),
        }
    }

    /// Pairs that the index has otherwise, or does not have, or has beside: what they are in the snapshot.
    fn unlike(&self, lsn: Lsn) -> Result<HashMap<Key, Option<Value>>, StoreError> {
        let path = path_of(&self.keeper.folder.snapshots(), lsn);
        let mut reader = Reader::open(path, self.keeper.store, lsn).map_err(failed_on)?;
        let (mut rows, mut unlike) = (Rows::new(self.index), HashMap::new());
        while let Some(block) = reader.block().map_err(failed_on)? {
            self.go_on()?;
            for (key, value) in block {
                while let Some((beside, _)) = rows.first()?.filter(|(shown, _)| *shown < key) {
                    unlike.insert(beside.clone(), None);
                    rows.pass();
                }
                match rows.first()? {
                    Some((shown, as_shown)) if *shown == key => {
                        if *as_shown != value {
                            unlike.insert(key, Some(value));
                        }
                        rows.pass();
                    }
                    _ => _ = unlike.insert(key, Some(value)),
                }
                if unlike.len() >= UNLIKE {
                    return Ok(unlike);
                }
            }
        }
        while let Some((beside, _)) = rows.first()?.filter(|_| unlike.len() < UNLIKE) {
            unlike.insert(beside.clone(), None);
            rows.pass();
        }
        Ok(unlike)
    }
}
