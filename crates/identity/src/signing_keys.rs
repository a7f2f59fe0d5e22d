//! The secret with which webhooks of an inbox are signed. It is kept as it is, since signing needs it.

use crate::attempts::ATTEMPTS;
use crate::record::{InboxRecord, encode, now_ms};
use crate::secrets::random_secret;
use crate::{Identity, IdentityError, keys};
use postroom_store::CommitBuilder;
use postroom_types::{InboxId, Secret};
use serde::{Deserialize, Serialize};

const PREFIX: &str = "whsec_";

/// A signing key.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// It: `whsec_` and 160 random bits.
    pub secret: Secret<String>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// A signing key as stored. Has no `Debug`, so that it is in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredSigningKey {
    secret: String,
    created_at: i64,
}

impl StoredSigningKey {
    fn new() -> Self {
        Self {
            secret: random_secret(PREFIX).expose().clone(),
            created_at: now_ms(),
        }
    }

    fn open(self) -> SigningKey {
        SigningKey {
            secret: Secret::new(self.secret),
            created_at: self.created_at,
        }
    }
}

impl Identity {
    /// The signing key of an inbox.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn signing_key(&self, inbox: InboxId) -> Result<Option<SigningKey>, IdentityError> {
        let found = self.row::<StoredSigningKey>(&keys::signing_key(inbox)).await?;
        Ok(found.map(|(_, stored)| stored.open()))
    }

    /// Gives an inbox a new signing key in place of any it has.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchInbox`].
    pub async fn rotate_signing_key(&self, inbox: InboxId) -> Result<SigningKey, IdentityError> {
        let stored = StoredSigningKey::new();
        for _ in 0..ATTEMPTS {
            let mut builder = CommitBuilder::new();
            self.hold_inbox(&mut builder, inbox).await?;
            builder.put(keys::signing_key(inbox), encode(&stored));
            if self.commit_change(builder).await? {
                return Ok(stored.open());
            }
        }
        Err(IdentityError::Busy)
    }

    /// Gives an inbox a signing key if it has none, and returns that one; `None` if it has one already.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchInbox`].
    pub async fn first_signing_key(&self, inbox: InboxId) -> Result<Option<SigningKey>, IdentityError> {
        let stored = StoredSigningKey::new();
        for _ in 0..ATTEMPTS {
            match self.row::<StoredSigningKey>(&keys::signing_key(inbox)).await? {
                Some((_, found)) if found == stored => return Ok(Some(stored.open())),
                Some(_) => return Ok(None),
                None => {}
            }
            let mut builder = CommitBuilder::new();
            self.hold_inbox(&mut builder, inbox).await?;
            builder.put_new(keys::signing_key(inbox), encode(&stored));
            if self.commit_change(builder).await? {
                return Ok(Some(stored.open()));
            }
        }
        Err(IdentityError::Busy)
    }

    /// Adds to a commit what keeps an inbox from being deleted meanwhile.
    pub(crate) async fn hold_inbox(&self, builder: &mut CommitBuilder, id: InboxId) -> Result<(), IdentityError> {
        let found = self.row::<InboxRecord>(&keys::inbox(id)).await?;
        let live = found.filter(|(_, inbox)| inbox.deleted_at.is_none());
        let (value, _) = live.ok_or(IdentityError::NoSuchInbox)?;
        builder.require(keys::inbox(id), value);
        Ok(())
    }
}
