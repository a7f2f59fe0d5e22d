//! Files of large bodies that no commit names: a process was killed between writing one and committing it, or between
//! forgetting one and removing it.
//!
//! What always holds:
//! - A file goes only if neither the newest snapshot nor the journal after it names it. The index only says which files
//!   to ask about, so an index that has lost a row costs nobody's mail.
//! - Nobody is writing a body meanwhile: the store's lock is held, and no session has begun.
//! - Snapshot and journal are read only if there is a file to ask about, which is so after few starts: the file is gone
//!   after that, or the index is.

use crate::blobs::parse_name;
use crate::error::{OpenError, at};
use crate::files::Folder;
use crate::identity::hex;
use crate::index::{At, Index};
use crate::truth::Truth;
use postroom_types::{BlobId, Lsn};
use std::fs;
use std::path::PathBuf;

/// Removes the files of bodies that no commit before `next` names; how many.
///
/// # Errors
/// [`OpenError::Index`]: the index does not know of a body that a commit names.
pub(super) fn remove(folder: &Folder, store: [u8; 16], index: &Index, next: Lsn) -> Result<usize, OpenError> {
    let unnamed = unnamed(folder, index)?;
    if unnamed.is_empty() {
        return Ok(0);
    }
    let ids = unnamed.iter().map(|(id, ..)| *id).collect();
    let truth = Truth::until(folder, store, Lsn(next.0 - 1), &|| false);
    let named = match truth.and_then(|truth| truth.own_files(&ids)) {
        Ok(named) => named,
        Err(error) => {
            tracing::warn!(%error, files = unnamed.len(), "whether some body files are needed cannot be found out; they stay");
            return Ok(0);
        }
    };
    if let Some((id, ..)) = unnamed.iter().find(|(id, number, _)| named.get(id) == Some(number)) {
        return Err(OpenError::Index(format!("it has lost the body {}", hex(&id.0))));
    }
    for (.., path) in &unnamed {
        fs::remove_file(path).map_err(at(path))?;
    }
    Ok(unnamed.len())
}

/// The files of bodies that the index does not name.
fn unnamed(folder: &Folder, index: &Index) -> Result<Vec<(BlobId, u64, PathBuf)>, OpenError> {
    let bodies = folder.bodies();
    let mut unnamed = Vec::new();
    for entry in fs::read_dir(&bodies).map_err(at(&bodies))? {
        let path = entry.map_err(at(&bodies))?.path();
        let Some((id, number)) = path.file_name().and_then(|name| parse_name(name.to_str()?)) else {
            continue;
        };
        let location = index
            .location(id)
            .map_err(|error| OpenError::Index(error.to_string()))?;
        if location.is_none_or(|location| location.at != At::Own(number)) {
            unnamed.push((id, number, path));
        }
    }
    Ok(unnamed)
}
