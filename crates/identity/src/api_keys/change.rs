//! Changing and revoking keys.

use super::make::check_permissions;
use super::{KeyRecord, listed_hash};
use crate::attempts::ATTEMPTS;
use crate::organizations::check_name;
use crate::record::{StoredKey, encode, now_ms};
use crate::{Identity, IdentityError, KeyScope, Permissions, Principal, keys};
use postroom_store::CommitBuilder;
use postroom_types::KeyId;

/// What to change of a key; `None` leaves it, `Some(None)` takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChange {
    /// What its owner calls it.
    pub name: Option<Option<String>>,
    /// What it may do; `Some(None)`: everything within its scope.
    pub permissions: Option<Option<Permissions>>,
}

impl Identity {
    /// Changes an `am_` key that lies within the scope of who asks, and returns it.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchKey`]; [`IdentityError::Invalid`] for a bad name; [`IdentityError::Escalation`] for more
    /// permissions than the asking key has; [`IdentityError::UnrestrictedKeyRequired`].
    pub async fn update_key(
        &self,
        maker: &Principal,
        id: KeyId,
        change: &KeyChange,
    ) -> Result<KeyRecord, IdentityError> {
        if let Some(Some(name)) = &change.name {
            check_name(name)?;
        }
        for _ in 0..ATTEMPTS {
            let scope = self.reached_key(maker, id).await?.scope();
            let listed = self.store.get(&keys::listed_api_key(scope.listed(), id)).await?;
            let row = keys::api_key(&listed_hash(&listed.ok_or(IdentityError::NoSuchKey)?)?);
            let Some((old, mut key)) = self.row::<StoredKey>(&row).await? else {
                return Err(IdentityError::NoSuchKey);
            };
            if maker.permissions.is_some() && key.permissions.is_none() {
                return Err(IdentityError::UnrestrictedKeyRequired);
            }
            if let Some(permissions) = change.permissions {
                check_permissions(maker.permissions, permissions)?;
                key.permissions = permissions;
            }
            if let Some(name) = &change.name {
                key.name.clone_from(name);
            }
            key.changed_at = Some(now_ms().max(key.changed_at.unwrap_or(key.created_at)));
            let mut builder = CommitBuilder::new();
            builder.replace(row, old, encode(&key));
            if let Some(inbox) = key.inbox {
                builder.wake(*inbox.as_bytes());
            }
            builder.wake(keys::changed_keys(maker.organization));
            if self.commit_change(builder).await? {
                return Ok(KeyRecord::from(&key));
            }
        }
        Err(IdentityError::Busy)
    }

    /// An `am_` key within the scope of who asks.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchKey`], also for one outside that scope.
    pub async fn reached_key(&self, maker: &Principal, id: KeyId) -> Result<KeyRecord, IdentityError> {
        let key = self.key(maker.organization, id).await?;
        if maker.reaches(&key) {
            Ok(key)
        } else {
            Err(IdentityError::NoSuchKey)
        }
    }

    /// Revokes a key of this scope: from now on it opens nothing.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchKey`].
    pub async fn revoke_key(&self, scope: &KeyScope, id: KeyId) -> Result<(), IdentityError> {
        let listed = keys::listed_api_key(scope.listed(), id);
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let Some(value) = self.store.get(&listed).await? else {
                return if sent { Ok(()) } else { Err(IdentityError::NoSuchKey) };
            };
            let hash = listed_hash(&value)?;
            let mut builder = CommitBuilder::new();
            builder.require(listed.clone(), value);
            builder.delete(listed.clone());
            builder.delete(keys::api_key(&hash));
            if scope.kind().is_within_agents() {
                builder.delete(keys::agent_key(scope.organization(), id));
            }
            if let KeyScope::Inbox(organization, _) = scope {
                builder.delete(keys::inbox_key(*organization, id));
            }
            if let Some(inbox) = scope.inbox() {
                builder.wake(*inbox.as_bytes());
            }
            builder.wake(keys::changed_keys(scope.organization()));
            sent = true;
            if self.commit_change(builder).await? {
                return Ok(());
            }
        }
        Err(IdentityError::Busy)
    }
}
