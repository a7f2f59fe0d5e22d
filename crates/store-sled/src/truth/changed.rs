//! What was written after the snapshot.

use super::Truth;
use crate::error::OpenError;
use crate::index::change;
use postroom_store::Key;
use std::collections::HashSet;

impl Truth<'_> {
    /// One of these pairs of the index that no record after the snapshot changes.
    pub(crate) fn unwritten(&self, keys: &HashSet<Key>) -> Result<Option<Key>, OpenError> {
        let mut unwritten = keys.clone();
        self.records(&mut |record| {
            for op in &record.ops {
                unwritten.remove(&change(op, record.file, record.bodies_at).0);
            }
            Ok(())
        })?;
        Ok(unwritten.into_iter().next())
    }
}
