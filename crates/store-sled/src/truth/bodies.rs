//! Where bodies are.

use super::Truth;
use crate::error::OpenError;
use crate::index::{At, Row};
use crate::record::{Op, Place};
use postroom_types::{BlobId, Lsn};
use std::collections::{HashMap, HashSet};

impl Truth<'_> {
    /// The numbers of the files of their own that some of these bodies have.
    pub(crate) fn own_files(&self, ids: &HashSet<BlobId>) -> Result<HashMap<BlobId, u64>, OpenError> {
        let mut files = HashMap::new();
        self.rows(&mut |row| {
            // Bodies come first.
            let Row::Body(id, location, _) = row else { return false };
            if let At::Own(number) = location.at
                && ids.contains(&id)
            {
                files.insert(id, number);
            }
            true
        })?;
        self.records(&mut |record| {
            for op in &record.ops {
                match op {
                    Op::Body {
                        id,
                        place: Place::Own(number),
                        ..
                    } if ids.contains(id) => _ = files.insert(*id, *number),
                    Op::Body { id, .. } | Op::Forget(id) => _ = files.remove(id),
                    Op::Put(..) | Op::Delete(_) | Op::Witness { .. } | Op::Unwitness { .. } => {}
                }
            }
            Ok(())
        })?;
        Ok(files)
    }

    /// Those of these journal files in which a body can be found, each with one. The snapshot must cover the files.
    ///
    /// All of the snapshot is read, and the journal after it: once the files are gone, these alone tell what was in them.
    pub(crate) fn bodies_in(&self, files: &HashSet<Lsn>) -> Result<HashMap<Lsn, BlobId>, OpenError> {
        let mut found = HashMap::new();
        self.rows(&mut |row| {
            if let Row::Body(id, location, _) = row
                && let At::Journal { file, .. } = location.at
                && files.contains(&file)
            {
                found.insert(id, file);
            }
            true
        })?;
        self.records(&mut |record| {
            for op in &record.ops {
                // Wherever it was written since, that is not in a file that the snapshot covers.
                if let Op::Body { id, .. } | Op::Forget(id) = op {
                    found.remove(id);
                }
            }
            Ok(())
        })?;
        Ok(found.into_iter().map(|(id, file)| (file, id)).collect())
    }
}
