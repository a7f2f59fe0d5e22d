//! New secrets for an inbox; the old ones stop with the same commit.

use crate::api_keys::add_key;
use crate::attempts::ATTEMPTS;
use crate::keys;
use crate::record::{InboxRecord, encode};
use crate::secrets::random_secret;
use crate::{CredentialEpoch, Identity, IdentityError, KeyScope};
use postroom_store::{CommitBuilder, Key, Value};
use postroom_types::{InboxId, Secret};

/// What to replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotate {
    /// All its `ak_` keys, by one.
    ApiKey,
    /// Its password. Sessions that logged in with the old one end.
    Password,
    /// Both.
    Both,
}

/// New secrets, told here only.
#[derive(Debug)]
pub struct Rotated {
    /// The inbox.
    pub inbox: InboxRecord,
    /// Its new key, if one was asked for.
    pub api_key: Option<Secret<String>>,
    /// Its new password, if one was asked for.
    pub password: Option<Secret<String>>,
}

impl Identity {
    /// Replaces an inbox's secrets.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchInbox`].
    pub async fn rotate_credentials(&self, id: InboxId, rotate: Rotate) -> Result<Rotated, IdentityError> {
        let mut password = None;
        if rotate != Rotate::ApiKey {
            let secret = random_secret("");
            let stored = self.stored_password(self.hasher.turn().await, &secret).await?;
            password = Some((secret, encode(&stored)));
        }
        // The row that tells, after an unknown outcome, that this very rotation was done.
        let mut sent: Option<(Key, Value, Rotated)> = None;
        for _ in 0..ATTEMPTS {
            if let Some((key, value, rotated)) = sent.take()
                && self.store.get(&key).await? == Some(value)
            {
                return Ok(rotated);
            }
            let found = self.row::<InboxRecord>(&keys::inbox(id)).await?;
            let Some((old, mut inbox)) = found.filter(|(_, inbox)| inbox.deleted_at.is_none()) else {
                return Err(IdentityError::NoSuchInbox);
            };
            let mut builder = CommitBuilder::new();
            inbox.rotations += 1;
            let (mut api_key, mut proof) = (None, None);
            if let Some((_, value)) = &password {
                inbox.epoch = CredentialEpoch(inbox.epoch.0 + 1);
                builder.put(keys::password(id), value.clone());
                proof = Some((keys::password(id), value.clone()));
            }
            if rotate != Rotate::Password {
                let scope = KeyScope::Inbox(inbox.organization, id);
                for row in self.all_key_rows(&scope).await? {
                    builder.delete(row);
                }
                let (row, new) = add_key(&mut builder, self.scram().await?, &scope, None);
                api_key = Some(new.secret);
                proof = Some(row);
            }
            builder.replace(keys::inbox(id), old, encode(&inbox));
            builder.wake(*id.as_bytes());
            builder.wake(keys::changed_keys(inbox.organization));
            let password = password.as_ref().map(|(secret, _)| secret.clone());
            let rotated = Rotated {
                inbox,
                api_key,
                password,
            };
            if self.commit_change(builder).await? {
                return Ok(rotated);
            }
            sent = proof.map(|(key, value)| (key, value, rotated));
        }
        Err(IdentityError::Busy)
    }
}
