//! Reading rows, and committing until it is known what came of it.

use crate::record::decode;
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, Committed, Key, Outcome, Value, commit_once};
use serde::de::DeserializeOwned;

/// How often a change is tried again when others were faster. Each lost try means that another commit was done.
pub(crate) const ATTEMPTS: usize = 400;

impl Identity {
    /// A row as it stands and what it says.
    pub(crate) async fn row<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<(Value, T)>, IdentityError> {
        match self.store.get(key).await? {
            None => Ok(None),
            Some(value) => {
                let record = decode(&value)?;
                Ok(Some((value, record)))
            }
        }
    }

    /// Commits once what puts `once_key` under `Absent`. `Some(key)`: nothing was done, since `key` is not as it was read.
    pub(crate) async fn commit_new(
        &self,
        builder: CommitBuilder,
        once_key: &[u8],
    ) -> Result<Option<Key>, IdentityError> {
        match commit_once(&*self.store, builder.build(), once_key).await? {
            Committed::Done(_) | Committed::AlreadyDone => Ok(None),
            Committed::Conflict(key) => Ok(Some(key)),
            Committed::Full => Err(IdentityError::Full),
        }
    }

    /// Commits a change that holds on to the rows it read; `false` means to read again: either somebody was faster, or
    /// the outcome is unknown and the rows will tell.
    pub(crate) async fn commit_change(&self, builder: CommitBuilder) -> Result<bool, IdentityError> {
        match self.store.commit(builder.build()).await? {
            Outcome::Done(_) => Ok(true),
            Outcome::Conflict(_) | Outcome::Unknown => {
                tokio::task::yield_now().await;
                Ok(false)
            }
            Outcome::Full => Err(IdentityError::Full),
        }
    }
}
