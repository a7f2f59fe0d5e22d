//! API keys: random, kept as SHA-256 with a visible prefix, bound to one scope.
//!
//! What always holds: a key is looked up by its hash, so a lookup's time tells nothing of a key; what is found is
//! compared in constant time; and a key whose organization, pod or inbox is gone opens nothing.

use crate::attempts::ATTEMPTS;
use crate::keys;
use crate::organizations::check_name;
use crate::record::{InboxRecord, KeyKind, Organization, StoredKey, decode, encode, now_ms};
use crate::scram::ScramKeys;
use crate::secrets::{hash_of, random_secret};
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, Key, StoreError, Value, scan_prefix};
use postroom_types::{InboxId, KeyId, OrganizationId, PodId, ScramParameters, Secret};
use subtle::ConstantTimeEq;

/// Most keys of one scope.
pub(crate) const MAX_KEYS: usize = 64;
const LIST_FORMAT: u8 = 1;
/// How much of a key may be seen: its prefix and this many letters, 30 of its 160 bits.
const SHOWN_LETTERS: usize = 6;

/// What a key is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyScope {
    /// `sa_`: the server; the organization is the operator's own.
    Operator(OrganizationId),
    /// `tk_`: an organization.
    Tenant(OrganizationId),
    /// `am_`: an organization, in the AgentMail dialect.
    Organization(OrganizationId),
    /// `wk_`: a pod.
    Pod(OrganizationId, PodId),
    /// `ak_`: an inbox.
    Inbox(OrganizationId, InboxId),
}

impl KeyScope {
    /// What such keys are for.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match self {
            Self::Operator(_) => KeyKind::Operator,
            Self::Tenant(_) => KeyKind::Tenant,
            Self::Organization(_) => KeyKind::Organization,
            Self::Pod(..) => KeyKind::Pod,
            Self::Inbox(..) => KeyKind::Inbox,
        }
    }

    const fn organization(&self) -> OrganizationId {
        match self {
            Self::Operator(id) | Self::Tenant(id) | Self::Organization(id) | Self::Pod(id, _) | Self::Inbox(id, _) => {
                *id
            }
        }
    }

    /// Under which its keys are listed.
    pub(crate) const fn listed(&self) -> (u8, [u8; 16]) {
        match self {
            Self::Operator(id) => (b's', *id.as_bytes()),
            Self::Tenant(id) => (b't', *id.as_bytes()),
            Self::Organization(id) => (b'o', *id.as_bytes()),
            Self::Pod(_, id) => (b'p', *id.as_bytes()),
            Self::Inbox(_, id) => (b'i', *id.as_bytes()),
        }
    }

    /// The row that exists as long as keys of this scope may.
    fn owner(&self) -> Key {
        match self {
            Self::Operator(id) | Self::Tenant(id) | Self::Organization(id) => keys::organization(*id),
            Self::Pod(organization, id) => keys::pod(*organization, *id),
            Self::Inbox(_, id) => keys::inbox(*id),
        }
    }
}

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its id.
    pub id: KeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// What its owner calls it.
    pub name: Option<String>,
    /// Its first letters.
    pub prefix: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// A key that was just made. The secret is told here only.
#[derive(Debug)]
pub struct NewKey {
    /// What is kept.
    pub record: KeyRecord,
    /// The key.
    pub secret: Secret<String>,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The key used.
    pub key: KeyId,
    /// What the key is for.
    pub kind: KeyKind,
    /// The organization it belongs to.
    pub organization: OrganizationId,
    /// The pod it is bound to.
    pub pod: Option<PodId>,
    /// The inbox it is bound to.
    pub inbox: Option<InboxId>,
}

impl Identity {
    /// Makes a key.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchOrganization`], [`IdentityError::NoSuchPod`] or [`IdentityError::NoSuchInbox`];
    /// [`IdentityError::Invalid`] for a bad name; [`IdentityError::TooMany`].
    pub async fn create_key(&self, scope: &KeyScope, name: Option<&str>) -> Result<NewKey, IdentityError> {
        name.map_or(Ok(()), check_name)?;
        if self.keys(scope).await?.len() >= MAX_KEYS {
            return Err(IdentityError::TooMany("keys"));
        }
        for _ in 0..ATTEMPTS {
            let owner = self
                .store
                .get(&scope.owner())
                .await?
                .filter(|value| is_live(scope.kind(), value));
            let owner = owner.ok_or(match scope.kind() {
                KeyKind::Operator | KeyKind::Tenant | KeyKind::Organization => IdentityError::NoSuchOrganization,
                KeyKind::Pod => IdentityError::NoSuchPod,
                KeyKind::Inbox => IdentityError::NoSuchInbox,
            })?;
            let (stored, new) = make_key(self.scram().await?, scope, name);
            let once_key = keys::api_key(&stored.hash);
            let mut builder = CommitBuilder::new();
            builder.put_new(once_key.clone(), encode(&stored));
            builder.require(scope.owner(), owner);
            builder.put(
                keys::listed_api_key(scope.listed(), stored.id),
                encode_hash(&stored.hash),
            );
            if self.commit_new(builder, &once_key).await?.is_none() {
                return Ok(new);
            }
        }
        Err(IdentityError::Busy)
    }

    /// The keys of a scope, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keys(&self, scope: &KeyScope) -> Result<Vec<KeyRecord>, IdentityError> {
        let rows = self.key_rows(scope.listed()).await?;
        let keys: Vec<Key> = rows.into_iter().map(|(_, hash)| keys::api_key(&hash)).collect();
        let found = self.store.get_many(&keys).await?;
        let records = found.iter().flatten().map(|value| Ok(shown(&decode(value)?)));
        records.collect()
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
            if let KeyScope::Inbox(_, inbox) = scope {
                builder.wake(*inbox.as_bytes());
            }
            sent = true;
            if self.commit_change(builder).await? {
                return Ok(());
            }
        }
        Err(IdentityError::Busy)
    }

    /// Who a key speaks for; `None` for one that is unknown, revoked, or whose owner is gone.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn authenticate_key(&self, text: &str) -> Result<Option<Principal>, IdentityError> {
        match self.stored_key(text).await? {
            Some(key) => self.principal_of(key).await,
            None => Ok(None),
        }
    }

    pub(crate) async fn stored_key(&self, text: &str) -> Result<Option<StoredKey>, IdentityError> {
        if text.len() > 128 || !KeyKind::ALL.iter().any(|kind| text.starts_with(kind.prefix())) {
            return Ok(None);
        }
        let hash = hash_of(text);
        let found = self.row::<StoredKey>(&keys::api_key(&hash)).await?;
        Ok(found
            .map(|(_, key)| key)
            .filter(|key| bool::from(key.hash.ct_eq(&hash))))
    }

    async fn principal_of(&self, key: StoredKey) -> Result<Option<Principal>, IdentityError> {
        let mut wanted = vec![keys::organization(key.organization)];
        wanted.extend(key.pod.map(|pod| keys::pod(key.organization, pod)));
        wanted.extend(key.inbox.map(keys::inbox));
        let rows = self.store.get_many(&wanted).await?;
        let Some(rows) = rows.into_iter().collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let organization: Organization = decode(&rows[0])?;
        let mut pod = key.pod;
        let mut live = organization.deleted_at.is_none();
        if key.inbox.is_some() {
            let inbox: InboxRecord = decode(&rows[rows.len() - 1])?;
            live &= inbox.deleted_at.is_none();
            pod = Some(inbox.pod);
        }
        let principal = Principal {
            key: key.id,
            kind: key.kind,
            organization: key.organization,
            pod,
            inbox: key.inbox,
        };
        Ok(live.then_some(principal))
    }

    /// The list rows of a scope, and the hash each holds.
    pub(crate) async fn key_rows(&self, listed: (u8, [u8; 16])) -> Result<Vec<(Key, [u8; 32])>, IdentityError> {
        let rows = scan_prefix(&*self.store, &keys::api_keys(listed)).collect().await?;
        let hashes = rows.into_iter().map(|(key, value)| Ok((key, listed_hash(&value)?)));
        hashes.collect()
    }
}

/// Adds a new key to a commit that makes or holds on to its owner; returns its row too.
pub(crate) fn add_key(
    builder: &mut CommitBuilder,
    parameters: &ScramParameters,
    scope: &KeyScope,
    name: Option<&str>,
) -> ((Key, Value), NewKey) {
    let (stored, new) = make_key(parameters, scope, name);
    let row = (keys::api_key(&stored.hash), encode(&stored));
    builder.put_new(row.0.clone(), row.1.clone());
    builder.put(
        keys::listed_api_key(scope.listed(), stored.id),
        encode_hash(&stored.hash),
    );
    (row, new)
}

fn make_key(parameters: &ScramParameters, scope: &KeyScope, name: Option<&str>) -> (StoredKey, NewKey) {
    let prefix = scope.kind().prefix();
    let secret = random_secret(prefix);
    let stored = StoredKey {
        id: KeyId::new(),
        kind: scope.kind(),
        organization: scope.organization(),
        pod: if let KeyScope::Pod(_, pod) = scope {
            Some(*pod)
        } else {
            None
        },
        inbox: if let KeyScope::Inbox(_, inbox) = scope {
            Some(*inbox)
        } else {
            None
        },
        name: name.map(str::to_owned),
        shown: secret.expose()[..prefix.len() + SHOWN_LETTERS].to_owned(),
        created_at: now_ms(),
        hash: hash_of(secret.expose()),
        scram: match scope.kind() {
            KeyKind::Inbox | KeyKind::Organization => Some(ScramKeys::derive(parameters, &secret)),
            KeyKind::Operator | KeyKind::Tenant | KeyKind::Pod => None,
        },
    };
    let record = shown(&stored);
    (stored, NewKey { record, secret })
}

fn shown(key: &StoredKey) -> KeyRecord {
    KeyRecord {
        id: key.id,
        kind: key.kind,
        name: key.name.clone(),
        prefix: key.shown.clone(),
        created_at: key.created_at,
    }
}

fn is_live(kind: KeyKind, owner: &[u8]) -> bool {
    match kind {
        KeyKind::Operator | KeyKind::Tenant | KeyKind::Organization => {
            decode::<Organization>(owner).is_ok_and(|organization| organization.deleted_at.is_none())
        }
        KeyKind::Pod => true,
        KeyKind::Inbox => decode::<InboxRecord>(owner).is_ok_and(|inbox| inbox.deleted_at.is_none()),
    }
}

/// List rows hold a bare hash behind the format byte of all values.
fn encode_hash(hash: &[u8; 32]) -> Value {
    [&[LIST_FORMAT][..], hash].concat()
}

fn listed_hash(value: &[u8]) -> Result<[u8; 32], IdentityError> {
    let hash = value.strip_prefix(&[LIST_FORMAT]).and_then(|hash| hash.try_into().ok());
    hash.ok_or_else(|| StoreError::Corrupt("a list row of an API key".into()).into())
}
