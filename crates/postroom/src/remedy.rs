//! What an operator can do about a store that does not open.

use postroom_store_sled::{BackupError, OpenError};
use std::error::Error;

/// What can be done about an error, if it is one of a store's files.
pub(crate) fn remedy(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let of_backup = error.downcast_ref().and_then(|error| match error {
        BackupError::Files(error) => Some(error),
        _ => None,
    });
    for_store(of_backup.or_else(|| error.downcast_ref())?)
}

fn for_store(error: &OpenError) -> Option<&'static str> {
    match error {
        OpenError::Lost { .. } => Some(
            "what is missing was acknowledged. Put the files back if they are anywhere, or restore a backup (`postroom restore`). \
             Failing both, copy the data folder, and let `postroom fsck --accept-loss` go on without what is missing",
        ),
        OpenError::Corrupt { .. } => Some(
            "the journal and the snapshots are left as they are. Restore a backup (`postroom restore`) into another folder, or put back the file from one; \
             `postroom fsck` says what else is damaged",
        ),
        OpenError::Locked(_) | OpenError::Format { .. } | OpenError::Index(_) | OpenError::Io { .. } => None,
    }
}
