//! Keys of inboxes that were made when they were not listed for their organization yet.

use super::encode_hash;
use crate::attempts::ATTEMPTS;
use crate::record::{KeyKind, StoredKey, decode, encode};
use crate::{Identity, IdentityError, keys};
use postroom_store::{CommitBuilder, Key, scan_prefix};

/// Keys looked at for one commit; well under what a commit may hold.
const KEYS_A_COMMIT: usize = 200;

impl Identity {
    /// Lists the keys of all inboxes for their organizations, once in the life of a store. May be stopped and called again
    /// at any time.
    pub(crate) async fn list_older_keys(&self) -> Result<(), IdentityError> {
        if self.store.get(keys::INBOX_KEYS).await?.is_some() {
            return Ok(());
        }
        let mut rows = scan_prefix(&*self.store, keys::API_KEYS);
        let mut piece = Vec::with_capacity(KEYS_A_COMMIT);
        loop {
            let row = rows.next().await?;
            let is_end = row.is_none();
            piece.extend(row.map(|(key, _)| key));
            if is_end || piece.len() == KEYS_A_COMMIT {
                self.list_for_organizations(&piece).await?;
                piece.clear();
            }
            if is_end {
                break;
            }
        }
        let mut builder = CommitBuilder::new();
        builder.put(keys::INBOX_KEYS.to_vec(), encode(&()));
        match self.commit_change(builder).await? {
            true => Ok(()),
            false => Err(IdentityError::Busy),
        }
    }

    /// Of these rows of keys. One that is revoked meanwhile is not listed again.
    async fn list_for_organizations(&self, rows: &[Key]) -> Result<(), IdentityError> {
        for _ in 0..ATTEMPTS {
            let (mut builder, mut any) = (CommitBuilder::new(), false);
            for (row, value) in rows.iter().zip(self.store.get_many(rows).await?) {
                let Some(value) = value else { continue };
                let key: StoredKey = decode(&value)?;
                if key.kind == KeyKind::Inbox {
                    builder.require(row.clone(), value);
                    builder.put(keys::inbox_key(key.organization, key.id), encode_hash(&key.hash));
                    any = true;
                }
            }
            if !any || self.commit_change(builder).await? {
                return Ok(());
            }
        }
        Err(IdentityError::Busy)
    }
}
