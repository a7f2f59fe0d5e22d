//! API keys: random, kept as SHA-256 with a visible prefix, bound to one scope and to what they are permitted there.
//!
//! What always holds: a key is looked up by its hash, so a lookup's time tells nothing of a key; what is found is
//! compared in constant time; a key that has expired, or whose organization, pod or inbox is gone, opens nothing; and
//! no key makes or becomes a stronger one than the key that asks for it.

mod change;
mod list;
mod make;
mod older;
mod open;
mod scope;

use crate::record::{KeyKind, StoredKey, now_ms};
use crate::scram::ScramKeys;
use crate::secrets::{hash_of, random_secret};
use crate::{IdentityError, Permissions};
use postroom_store::{StoreError, Value};
use postroom_types::{InboxId, KeyId, OrganizationId, PodId, ScramParameters, Secret};

pub use change::KeyChange;
pub use list::KeyPage;
pub use make::KeyWish;
pub(crate) use make::add_key;
pub(crate) use open::Uses;
pub use scope::{KeyScope, Principal};

/// Most keys of one scope.
pub(crate) const MAX_KEYS: usize = 64;
const LIST_FORMAT: u8 = 1;
/// How much of a key may be seen: its prefix and this many letters, 30 of its 160 bits,
const SHOWN_LETTERS: usize = 6;
/// and this many of its last ones, 20 bits more.
const LAST_LETTERS: usize = 4;

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its id.
    pub id: KeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// The organization it belongs to.
    pub organization: OrganizationId,
    /// The pod it is bound to; of an `am_` key of an inbox, the inbox's.
    pub pod: Option<PodId>,
    /// The inbox it is bound to.
    pub inbox: Option<InboxId>,
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it is for, in its owner's words.
    pub description: Option<String>,
    /// Its first letters.
    pub prefix: String,
    /// Its last four letters; empty for keys made when they were not kept.
    pub last4: String,
    /// The key that made it, where that is known.
    pub maker: Option<KeyId>,
    /// What it may do; `None`: everything within its scope.
    pub permissions: Option<Permissions>,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When it was changed last, in milliseconds since 1970.
    pub updated_at: i64,
    /// When it was used last, in milliseconds since 1970, up to an hour behind.
    pub used_at: Option<i64>,
    /// When it stops, in milliseconds since 1970.
    pub expires_at: Option<i64>,
}

impl KeyRecord {
    /// What it was made for.
    #[must_use]
    pub const fn scope(&self) -> KeyScope {
        let organization = self.organization;
        match (self.kind, self.pod, self.inbox) {
            (KeyKind::Operator, ..) => KeyScope::Operator(organization),
            (KeyKind::Tenant, ..) => KeyScope::Tenant(organization),
            (KeyKind::AgentPod, Some(pod), _) => KeyScope::AgentPod(organization, pod),
            (KeyKind::AgentInbox, Some(pod), Some(inbox)) => KeyScope::AgentInbox(organization, pod, inbox),
            (KeyKind::Pod, Some(pod), _) => KeyScope::Pod(organization, pod),
            (KeyKind::Inbox, _, Some(inbox)) => KeyScope::Inbox(organization, inbox),
            // A key of a pod or an inbox is always stored with it.
            (KeyKind::Organization | KeyKind::AgentPod | KeyKind::AgentInbox | KeyKind::Pod | KeyKind::Inbox, ..) => {
                KeyScope::Organization(organization)
            }
        }
    }
}

impl From<&StoredKey> for KeyRecord {
    fn from(key: &StoredKey) -> Self {
        Self {
            id: key.id,
            kind: key.kind,
            organization: key.organization,
            pod: key.pod,
            inbox: key.inbox,
            name: key.name.clone(),
            description: key.description.clone(),
            prefix: key.shown.clone(),
            last4: key.last.clone(),
            maker: key.maker,
            permissions: key.permissions,
            created_at: key.created_at,
            updated_at: key.changed_at.unwrap_or(key.created_at),
            used_at: key.used_at,
            expires_at: key.expires_at,
        }
    }
}

/// A key that was just made. The secret is told here only.
#[derive(Debug)]
pub struct NewKey {
    /// What is kept.
    pub record: KeyRecord,
    /// The key.
    pub secret: Secret<String>,
}

impl StoredKey {
    fn make(parameters: &ScramParameters, scope: &KeyScope, wish: &KeyWish) -> (Self, NewKey) {
        let prefix = scope.kind().prefix();
        let secret = random_secret(prefix);
        let stored = Self {
            id: KeyId::new(),
            kind: scope.kind(),
            organization: scope.organization(),
            pod: scope.pod(),
            inbox: scope.inbox(),
            name: wish.name.clone(),
            shown: secret.expose()[..prefix.len() + SHOWN_LETTERS].to_owned(),
            last: secret.expose()[secret.expose().len() - LAST_LETTERS..].to_owned(),
            description: wish.description.clone(),
            maker: wish.maker,
            created_at: now_ms(),
            hash: hash_of(secret.expose()),
            permissions: wish.permissions,
            expires_at: wish.expires_at,
            changed_at: None,
            used_at: None,
            scram: match scope.kind() {
                KeyKind::Inbox | KeyKind::Organization | KeyKind::AgentPod | KeyKind::AgentInbox => {
                    Some(ScramKeys::derive(parameters, &secret))
                }
                KeyKind::Operator | KeyKind::Tenant | KeyKind::Pod => None,
            },
        };
        let record = KeyRecord::from(&stored);
        (stored, NewKey { record, secret })
    }

    pub(crate) fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|at| at <= now_ms())
    }
}

/// List rows hold a bare hash behind the format byte of all values; those of a whole organization, the pod as well.
fn encode_hash(hash: &[u8; 32]) -> Value {
    [&[LIST_FORMAT][..], hash].concat()
}

fn encode_hash_and_pod(hash: &[u8; 32], pod: PodId) -> Value {
    [&[LIST_FORMAT][..], hash, pod.as_bytes()].concat()
}

fn listed_hash(value: &[u8]) -> Result<[u8; 32], IdentityError> {
    let hash = value.strip_prefix(&[LIST_FORMAT]).and_then(|hash| hash.try_into().ok());
    hash.ok_or_else(corrupt)
}

/// The hash, and the octets of the pod.
fn listed_hash_and_pod(value: &[u8]) -> Result<([u8; 32], [u8; 16]), IdentityError> {
    let both = value.strip_prefix(&[LIST_FORMAT]).and_then(|both| {
        let (hash, pod) = both.split_first_chunk()?;
        Some((*hash, pod.try_into().ok()?))
    });
    both.ok_or_else(corrupt)
}

fn corrupt() -> IdentityError {
    StoreError::Corrupt("a list row of an API key".into()).into()
}
