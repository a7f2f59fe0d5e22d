//! Files of large bodies that no commit names: a process was killed between writing one and committing it, or between
//! forgetting one and removing it.
//!
//! What always holds:
//! - Only files that were there when the store was opened are looked at, so none whose commit is still to come.
//! - A file goes only if neither the newest snapshot nor the journal after it names it. The index only says which files
//!   to ask about, so an index that has lost a row costs nobody's mail.
//! - Snapshot and journal are read only if there is a file to ask about, which is so after few starts.

use super::round::{Round, failed};
use crate::blobs::{own_path, parse_name};
use crate::error::{OpenError, at};
use crate::files::remove_if_there;
use crate::identity::hex;
use crate::index::At;
use postroom_store::StoreError;
use postroom_types::BlobId;
use std::fs;
use std::path::Path;
use std::sync::PoisonError;

/// Files looked at, and perhaps asked about, at once: each time snapshot and journal are read.
const ASKED: usize = 50_000;

/// A body's file: the body, and the number in its name.
pub(super) type OwnFile = (BlobId, u64);

/// The files there are.
pub(super) fn list(bodies: &Path) -> Result<Vec<OwnFile>, OpenError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(bodies).map_err(at(bodies))? {
        let name = entry.map_err(at(bodies))?.file_name();
        files.extend(name.to_str().and_then(parse_name));
    }
    Ok(files)
}

impl Round<'_> {
    /// Removes the files that no commit names of those that were there when the store was opened; how many. Does nothing
    /// once all have been looked at.
    pub(super) fn remove_orphans(&self) -> Result<usize, StoreError> {
        let mut unseen = self.keeper.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut removed = 0;
        while !unseen.is_empty() {
            let rest = unseen.len().saturating_sub(ASKED);
            removed += self.remove_unnamed(&unseen[rest..])?;
            unseen.truncate(rest);
        }
        unseen.shrink_to_fit();
        Ok(removed)
    }

    fn remove_unnamed(&self, files: &[OwnFile]) -> Result<usize, StoreError> {
        let mut unnamed = Vec::new();
        for file in files {
            self.go_on()?;
            if !self.is_named(file)? {
                unnamed.push(*file);
            }
        }
        if unnamed.is_empty() {
            return Ok(0);
        }
        let ids = unnamed.iter().map(|(id, _)| *id).collect();
        let named = self.truth(&|truth| truth.own_files(&ids))?;
        let (known, orphans): (Vec<_>, Vec<_>) = unnamed
            .into_iter()
            .partition(|(id, number)| named.get(id) == Some(number));
        for file in &known {
            if !self.is_named(file)? {
                return Err(self.lie(&format!("it has lost the body {}", hex(&file.0.0))));
            }
        }
        for (id, number) in &orphans {
            let path = own_path(&self.keeper.folder.bodies(), *id, *number);
            self.bodies.let_go(&path);
            remove_if_there(&path).map_err(failed)?;
        }
        Ok(orphans.len())
    }

    /// Whether the index names it.
    fn is_named(&self, (id, number): &OwnFile) -> Result<bool, StoreError> {
        let location = self.index.location(*id)?;
        Ok(location.is_some_and(|location| location.at == At::Own(*number)))
    }
}
