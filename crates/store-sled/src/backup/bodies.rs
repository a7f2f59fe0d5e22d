//! The large bodies of a backup, each in a file of its own.
//!
//! What always holds: one that is damaged is told, and does not keep the others from being copied.

use super::BackupError;
use super::round::{Round, file_name};
use super::source::{Halt, Source};
use super::target::CopyError;
use crate::Progress;
use crate::blobs::own_path;
use crate::record::{Op, Place};
use postroom_types::BlobId;
use std::collections::{BTreeMap, BTreeSet};

/// The large bodies that can be found, with the numbers, lengths and CRCs of their files.
pub(super) type OwnBodies = BTreeMap<BlobId, (u64, u64, u32)>;

/// What an operation does to the large bodies.
pub(super) fn note(op: &Op, own: &mut OwnBodies) {
    match op {
        Op::Body {
            id, place, octets, crc, ..
        } => match place {
            Place::Own(number) => _ = own.insert(*id, (*number, *octets, *crc)),
            Place::Inline(_) => _ = own.remove(id),
        },
        Op::Forget(id) => _ = own.remove(id),
        Op::Put(..) | Op::Delete(_) | Op::Witness { .. } | Op::Unwitness { .. } => {}
    }
}

impl<P: FnMut(Progress)> Round<'_, P> {
    /// Copies what is not there yet; what is wrong with those that are damaged, by their names.
    pub(super) fn bodies(
        &mut self,
        own: OwnBodies,
        names: &mut BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>, Halt> {
        let (mut damaged, mut is_new) = (BTreeMap::new(), false);
        for (id, location) in own {
            let path = own_path(&self.folder.bodies(), id, location.0);
            let file = file_name(&path).to_owned();
            let name = format!("store/bodies/{file}");
            if self.target.have(&name).is_none() {
                let what = match Source::open(path) {
                    Ok(source) => self.body(&source, &name, &file, location)?,
                    // Upkeep forgets a body before it removes its file: one that is still named in the round after this
                    // was not removed by it.
                    Err(Halt::Again(_)) => {
                        is_new |= self.missing.insert(id);
                        Some("it is missing".to_owned())
                    }
                    Err(error) => return Err(error),
                };
                if let Some(what) = what {
                    damaged.insert(name, what);
                    continue;
                }
            }
            names.insert(name);
        }
        if is_new {
            return Err(Halt::Again(BackupError::Changing));
        }
        Ok(damaged)
    }

    /// Copies a large body; what is wrong with it, if it is damaged.
    fn body(
        &mut self,
        source: &Source,
        name: &str,
        file: &str,
        (_, octets, crc): (u64, u64, u32),
    ) -> Result<Option<String>, Halt> {
        if source.octets != octets {
            return Ok(Some(format!("it has {} octets of {octets}", source.octets)));
        }
        // A copy that is not trusted stays until there is a better one.
        let stored = self.target.free_name("bodies", file);
        self.target.expect(octets);
        let (found, entry) = match self.target.copy(source.as_pair(), octets, stored) {
            Ok(copied) => copied,
            Err(CopyError::Unread(_)) => return Ok(Some("the disk cannot read it".to_owned())),
            Err(error) => return Err(error.into()),
        };
        if found != crc {
            self.target.drop_copy(&entry)?;
            return Ok(Some("its CRC is wrong".to_owned()));
        }
        self.target.keep(name, entry);
        Ok(None)
    }
}
