//! Which identities an agent may find (inkbox.md §5). Finding is all: it opens no mail, key or rule.
//!
//! What always holds: an identity is either seen by everybody in its organization, or by those granted it, one row each;
//! never both. The rows of a set are under the set's own id, which the identity's row names, so that a whole set takes
//! effect, and ends, with one change of that row.

mod seen;

use crate::attempts::ATTEMPTS;
use crate::identities::StoredIdentity;
use crate::page::PageOf;
use crate::record::{decode, encode, now_ms, text};
use crate::{Identity, IdentityError, keys};
use postroom_store::{CommitBuilder, Value, scan_prefix};
use postroom_types::{GrantId, IdentityId, OrganizationId};
use serde::{Deserialize, Serialize};

/// Identities looked at together.
const IDENTITIES_A_READ: usize = 256;
/// Rows of a set written together.
const GRANTS_A_COMMIT: usize = 300;

/// Who may find an identity, as the identity's row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Visibility {
    /// Those with a row in this set.
    Granted {
        #[serde(with = "text")]
        set: GrantId,
    },
    /// Everybody in the organization, also who comes later.
    Everybody {
        #[serde(with = "text")]
        id: GrantId,
        created_at: i64,
    },
}

impl Visibility {
    /// That of a new identity.
    pub(crate) fn nobody() -> Self {
        Self::Granted { set: GrantId::new() }
    }
}

/// A grant: who may find an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRow {
    /// Its id.
    pub id: GrantId,
    /// Who may be found.
    pub target: IdentityId,
    /// Who may find it; `None`: everybody in the organization.
    pub viewer: Option<IdentityId>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// A grant as stored, under its target, set and viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredGrant {
    #[serde(with = "text")]
    id: GrantId,
    created_at: i64,
}

impl StoredGrant {
    fn new() -> Self {
        Self {
            id: GrantId::new(),
            created_at: now_ms(),
        }
    }

    const fn shown(self, target: IdentityId, viewer: IdentityId) -> AccessRow {
        AccessRow {
            id: self.id,
            target,
            viewer: Some(viewer),
            created_at: self.created_at,
        }
    }
}

impl Identity {
    /// Who may find an identity: one row for everybody, or one for each of those granted it, oldest identity first.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchIdentity`].
    pub async fn access(
        &self,
        organization: OrganizationId,
        target: IdentityId,
    ) -> Result<Vec<AccessRow>, IdentityError> {
        let (_, stored) = self.stored_identity(organization, target).await?;
        let set = match stored.visibility {
            Visibility::Everybody { id, created_at } => return Ok(vec![everybody(target, id, created_at)]),
            Visibility::Granted { set } => set,
        };
        let rows = scan_prefix(&*self.store, &keys::grants(target, set)).collect().await?;
        let mut found = Vec::with_capacity(rows.len());
        for rows in rows.chunks(IDENTITIES_A_READ) {
            let viewers: Vec<IdentityId> = rows.iter().filter_map(|(key, _)| viewer_of(key)).collect();
            let live = self
                .store
                .get_many(&viewers.iter().copied().map(keys::identity).collect::<Vec<_>>())
                .await?;
            for (((_, value), viewer), live) in rows.iter().zip(viewers).zip(live) {
                // Who is gone sees nothing, even if the row is still there.
                if live.is_some() {
                    found.push(decode::<StoredGrant>(value)?.shown(target, viewer));
                }
            }
        }
        Ok(found)
    }

    /// Lets an identity be found by another one of its organization, or by everybody there, in place of all that was granted
    /// one by one.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchIdentity`] for either; [`IdentityError::Invalid`] if they are the same;
    /// [`IdentityError::RedundantGrant`] if everybody finds it; [`IdentityError::AlreadyGranted`].
    pub async fn grant_access(
        &self,
        organization: OrganizationId,
        target: IdentityId,
        viewer: Option<IdentityId>,
    ) -> Result<AccessRow, IdentityError> {
        match viewer {
            Some(viewer) => self.grant_one(organization, target, viewer).await,
            None => self.grant_everybody(organization, target).await,
        }
    }

    async fn grant_one(
        &self,
        organization: OrganizationId,
        target: IdentityId,
        viewer: IdentityId,
    ) -> Result<AccessRow, IdentityError> {
        let grant = StoredGrant::new();
        for _ in 0..ATTEMPTS {
            let (old, stored) = self.stored_identity(organization, target).await?;
            if target == viewer {
                return Err(IdentityError::Invalid("an identity sees itself anyway"));
            }
            let (of_viewer, _) = self.stored_identity(organization, viewer).await?;
            let Visibility::Granted { set } = stored.visibility else {
                return Err(IdentityError::RedundantGrant);
            };
            let key = keys::grant(target, set, viewer);
            match self.row::<StoredGrant>(&key).await? {
                Some((_, found)) if found == grant => return Ok(grant.shown(target, viewer)),
                Some(_) => return Err(IdentityError::AlreadyGranted),
                None => {}
            }
            let mut builder = CommitBuilder::new();
            builder.require(keys::identity(target), old);
            builder.require(keys::identity(viewer), of_viewer);
            builder.put_new(key, encode(&grant));
            if self.commit_change(builder).await? {
                return Ok(grant.shown(target, viewer));
            }
        }
        Err(IdentityError::Busy)
    }

    async fn grant_everybody(
        &self,
        organization: OrganizationId,
        target: IdentityId,
    ) -> Result<AccessRow, IdentityError> {
        let grant = StoredGrant::new();
        for _ in 0..ATTEMPTS {
            let (old, mut stored) = self.stored_identity(organization, target).await?;
            let set = match stored.visibility {
                Visibility::Everybody { id, created_at } => return Ok(everybody(target, id, created_at)),
                Visibility::Granted { set } => set,
            };
            stored.visibility = Visibility::Everybody {
                id: grant.id,
                created_at: grant.created_at,
            };
            let mut builder = CommitBuilder::new();
            builder.replace(keys::identity(target), old, stored.row()?);
            if self.commit_change(builder).await? {
                self.clear(self.rows_under(&keys::grants(target, set)).await?).await?;
                return Ok(everybody(target, grant.id, grant.created_at));
            }
        }
        Err(IdentityError::Busy)
    }

    /// Takes an identity out of another's sight. If everybody finds that one, from now on all others that are there do, one
    /// by one.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchIdentity`]; [`IdentityError::NoSuchGrant`].
    pub async fn revoke_access(
        &self,
        organization: OrganizationId,
        target: IdentityId,
        viewer: IdentityId,
    ) -> Result<(), IdentityError> {
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let (old, stored) = self.stored_identity(organization, target).await?;
            let Visibility::Granted { set } = stored.visibility else {
                if sent {
                    return Ok(());
                }
                if self.leave_everybody(&old, &stored, viewer).await? {
                    return Ok(());
                }
                continue;
            };
            let key = keys::grant(target, set, viewer);
            let Some((row, _)) = self.row::<StoredGrant>(&key).await? else {
                return if sent { Ok(()) } else { Err(IdentityError::NoSuchGrant) };
            };
            let mut builder = CommitBuilder::new();
            builder.require(key.clone(), row);
            builder.delete(key);
            sent = true;
            if self.commit_change(builder).await? {
                return Ok(());
            }
        }
        Err(IdentityError::Busy)
    }

    /// Puts a row for each other active identity but one in place of that for everybody; `false` if somebody was faster. The new
    /// set counts once all of it is there.
    async fn leave_everybody(
        &self,
        old: &Value,
        stored: &StoredIdentity,
        viewer: IdentityId,
    ) -> Result<bool, IdentityError> {
        let (organization, target, set) = (stored.organization, stored.id, GrantId::new());
        self.stored_identity(organization, viewer)
            .await
            .map_err(|error| match error {
                IdentityError::NoSuchIdentity => IdentityError::NoSuchGrant,
                error => error,
            })?;
        if viewer == target {
            return Err(IdentityError::NoSuchGrant);
        }
        let mut page = first_identities(GRANTS_A_COMMIT);
        loop {
            let found = self.identities(organization, &page).await?;
            let mut done = false;
            for _ in 0..ATTEMPTS {
                let mut builder = CommitBuilder::new();
                for (other, inbox) in &found.identities {
                    if other.id == target || other.id == viewer || inbox.send_paused {
                        continue;
                    }
                    builder.put(keys::grant(target, set, other.id), encode(&StoredGrant::new()));
                }
                done = self.commit_change(builder).await?;
                if done {
                    break;
                }
            }
            if !done {
                return Err(IdentityError::Busy);
            }
            if found.next.is_none() {
                break;
            }
            page.after = found.next;
        }
        let mut changed = stored.clone();
        changed.visibility = Visibility::Granted { set };
        let row = changed.row()?;
        let mut builder = CommitBuilder::new();
        builder.replace(keys::identity(target), old.clone(), row.clone());
        if self.commit_change(builder).await? || self.store.get(&keys::identity(target)).await? == Some(row) {
            return Ok(true);
        }
        self.clear(self.rows_under(&keys::grants(target, set)).await?).await?;
        Ok(false)
    }
}

const fn first_identities(limit: usize) -> PageOf<IdentityId> {
    PageOf {
        after: None,
        ascending: true,
        limit,
    }
}

const fn everybody(target: IdentityId, id: GrantId, created_at: i64) -> AccessRow {
    AccessRow {
        id,
        target,
        viewer: None,
        created_at,
    }
}

fn viewer_of(key: &[u8]) -> Option<IdentityId> {
    keys::last_id(key).map(IdentityId::from_bytes)
}
