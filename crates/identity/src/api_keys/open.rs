//! What a key opens, and the note of when it last did.

use crate::record::{InboxRecord, KeyKind, Organization, StoredKey, decode, encode, now_ms};
use crate::secrets::hash_of;
use crate::{Identity, IdentityError, Permission, Permissions, Principal, keys};
use postroom_store::{CommitBuilder, SharedStore};
use postroom_types::KeyId;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use subtle::ConstantTimeEq;

/// How far `used_at` may be behind, in milliseconds: a key in constant use costs one small commit an hour.
const USE_STEP_MS: i64 = 60 * 60 * 1000;

/// What the key of an agent may do whom no human has confirmed: nothing that makes more of it.
const UNVERIFIED: Permissions = Permissions::ALL
    .without(Permission::ApiKeyCreate)
    .without(Permission::ListEntryCreate)
    .without(Permission::PodCreate)
    .without(Permission::DomainCreate)
    // Whoever signs up later as the same human must not find somebody else listening.
    .without(Permission::WebhookCreate)
    .without(Permission::WebhookUpdate);

/// What the `ak_` key of an inbox may do: live in it, but make nothing that outlives the key (myagentmail.md §1: read and
/// send its mail, and read the inbox itself).
const OF_AN_INBOX: Permissions = Permissions::ALL
    .without(Permission::InboxUpdate)
    .without(Permission::InboxDelete)
    .without(Permission::WebhookCreate)
    .without(Permission::WebhookUpdate)
    .without(Permission::WebhookDelete)
    .without(Permission::ListEntryCreate)
    .without(Permission::ListEntryDelete)
    .without(Permission::ApiKeyCreate)
    .without(Permission::ApiKeyUpdate)
    .without(Permission::ApiKeyDelete);

/// What the `ak_` key of an agent's inbox may do: what is set up there is the identity's and goes with it, so the agent
/// names and signs itself, subscribes webhooks, and adds rules (inkbox.md §3, §4, §9, §10). It takes no rule away.
const OF_AN_AGENT: Permissions = OF_AN_INBOX
    .with(Permission::InboxUpdate)
    .with(Permission::WebhookCreate)
    .with(Permission::WebhookUpdate)
    .with(Permission::WebhookDelete)
    .with(Permission::ListEntryCreate);

impl Identity {
    /// Who a key speaks for; `None` for one that is unknown, revoked, expired, or whose owner is gone.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn authenticate_key(&self, text: &str) -> Result<Option<Principal>, IdentityError> {
        let Some(key) = self.stored_key(text).await? else {
            return Ok(None);
        };
        let principal = self.principal_of(&key).await?;
        if principal.is_some() {
            self.note_use(&key);
        }
        Ok(principal)
    }

    /// The row of a key that has not expired.
    pub(crate) async fn stored_key(&self, text: &str) -> Result<Option<StoredKey>, IdentityError> {
        if text.len() > 128 || !KeyKind::ALL.iter().any(|kind| text.starts_with(kind.prefix())) {
            return Ok(None);
        }
        let hash = hash_of(text);
        let found = self.row::<StoredKey>(&keys::api_key(&hash)).await?;
        Ok(found
            .map(|(_, key)| key)
            .filter(|key| bool::from(key.hash.ct_eq(&hash)) && !key.has_expired()))
    }

    async fn principal_of(&self, key: &StoredKey) -> Result<Option<Principal>, IdentityError> {
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
        let mut is_of_an_agent = false;
        if key.inbox.is_some() {
            let inbox: InboxRecord = decode(&rows[rows.len() - 1])?;
            live &= inbox.deleted_at.is_none();
            pod = Some(inbox.pod);
            is_of_an_agent = inbox.agent.is_some();
        }
        let principal = Principal {
            key: key.id,
            kind: key.kind,
            organization: key.organization,
            pod,
            inbox: key.inbox,
            permissions: permissions(
                key,
                is_of_an_agent,
                organization.agent.is_some_and(|agent| !agent.verified),
            ),
            expires_at: key.expires_at,
        };
        Ok(live.then_some(principal))
    }

    /// Writes down that a key was used, if that was not done lately. Nobody waits for it, and nothing depends on it.
    pub(crate) fn note_use(&self, key: &StoredKey) {
        let is_due = |key: &StoredKey| key.used_at.is_none_or(|used| used + USE_STEP_MS <= now_ms());
        if !is_due(key) || !self.uses.begin(key.id) {
            return;
        }
        let (store, uses) = (Arc::clone(&self.store), self.uses.clone());
        let (id, hash) = (key.id, key.hash);
        tokio::spawn(async move {
            if let Err(error) = write_use(&store, &hash, is_due).await {
                tracing::debug!(key = %id, %error, "cannot note the use of a key");
            }
            uses.end(id);
        });
    }
}

/// What a key may do: all that its kind may, if nothing narrows it. The same counts in every dialect.
fn permissions(key: &StoredKey, is_of_an_agent: bool, is_unverified: bool) -> Option<Permissions> {
    let most = match key.kind {
        KeyKind::Inbox if is_of_an_agent => Some(OF_AN_AGENT),
        KeyKind::Inbox => Some(OF_AN_INBOX),
        KeyKind::Operator
        | KeyKind::Tenant
        | KeyKind::Organization
        | KeyKind::AgentPod
        | KeyKind::AgentInbox
        | KeyKind::Pod => None,
    };
    [key.permissions, most, is_unverified.then_some(UNVERIFIED)]
        .into_iter()
        .flatten()
        .reduce(Permissions::intersect)
}

/// Whoever changed the key meanwhile goes first; its next use is noted instead.
async fn write_use(
    store: &SharedStore,
    hash: &[u8; 32],
    is_due: impl Fn(&StoredKey) -> bool,
) -> Result<(), IdentityError> {
    let row = keys::api_key(hash);
    let Some(old) = store.get(&row).await? else {
        return Ok(());
    };
    let mut key: StoredKey = decode(&old)?;
    if is_due(&key) {
        key.used_at = Some(now_ms());
        let mut builder = CommitBuilder::new();
        builder.replace(row, old, encode(&key));
        store.commit(builder.build()).await?;
    }
    Ok(())
}

/// The keys whose use is being written down: one writer for each.
#[derive(Clone, Default)]
pub(crate) struct Uses(Arc<Mutex<HashSet<KeyId>>>);

impl Uses {
    fn begin(&self, key: KeyId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }

    fn end(&self, key: KeyId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}
