//! Agents' identities (inkbox.md §4): a handle, bound to exactly one inbox.
//!
//! What always holds:
//! - A handle has one row over all organizations, and so has the address that it would be on the server's own domain:
//!   either an inbox has that address, or it is kept back for the identity. Both are put under `Absent` in the commit that
//!   makes the identity or renames it, so that neither a handle nor a username is given out twice.
//! - An identity is made in one commit, with its inbox or for one that is there; the two name each other, and go in one
//!   commit. What was a handle stays a tombstone for its organization.
//! - Its name for people and whether it may send are those of its inbox.

mod change;
mod create;
mod give;
mod names;

pub use change::IdentityChange;
pub use create::{CreateIdentity, DomainChoice};
pub use give::GivenIdentity;
pub(crate) use names::kept_back;
pub use names::{AgentHandle, Namespace};

use crate::inboxes::NOWHERE;
use crate::page::PageOf;
use crate::record::{InboxRecord, decode, encode, encode_id, text};
use crate::visibility::Visibility;
use crate::{Handle, Identity, IdentityError, Reach, keys};
use postroom_store::{CommitBuilder, Key, MAX_VALUE_OCTETS, Value, scan};
use postroom_types::{IdentityId, InboxId, OrganizationId};
use serde::{Deserialize, Serialize};

/// Longest description, in characters.
const MAX_DESCRIPTION_CHARACTERS: usize = 1000;

/// An agent's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentIdentity {
    /// Its id.
    pub id: IdentityId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What it is called.
    pub handle: Handle,
    /// What it is for, in its owner's words.
    pub description: Option<String>,
    /// Its inbox.
    pub inbox: InboxId,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When it or its inbox was changed last, in milliseconds since 1970.
    pub updated_at: i64,
}

/// Some identities of an organization.
#[derive(Clone, Debug, Default)]
pub struct IdentityPage {
    /// They, each with its inbox.
    pub identities: Vec<(AgentIdentity, InboxRecord)>,
    /// Where to go on; `None` at the end. There may be more even if this page is empty.
    pub next: Option<IdentityId>,
}

/// An identity as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredIdentity {
    #[serde(with = "text")]
    pub(crate) id: IdentityId,
    #[serde(with = "text")]
    pub(crate) organization: OrganizationId,
    #[serde(with = "text")]
    pub(crate) inbox: InboxId,
    pub(crate) handle: Handle,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) visibility: Visibility,
    pub(crate) created_at: i64,
    pub(crate) changed_at: i64,
}

impl StoredIdentity {
    fn shown(self, inbox: &InboxRecord) -> AgentIdentity {
        AgentIdentity {
            id: self.id,
            organization: self.organization,
            handle: self.handle,
            description: self.description,
            inbox: self.inbox,
            created_at: self.created_at,
            updated_at: self.changed_at.max(inbox.updated_at()),
        }
    }

    /// Its row, which has to fit a value.
    pub(crate) fn row(&self) -> Result<Value, IdentityError> {
        let row = encode(self);
        if row.len() > MAX_VALUE_OCTETS {
            return Err(IdentityError::Invalid("the description is too long"));
        }
        Ok(row)
    }
}

pub(crate) fn check_description(description: &str) -> Result<(), IdentityError> {
    if description.chars().count() > MAX_DESCRIPTION_CHARACTERS {
        return Err(IdentityError::Invalid("a description has at most 1,000 characters"));
    }
    Ok(())
}

impl Identity {
    /// The identity of an organization with this handle, and its inbox.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchIdentity`], also for another organization's.
    pub async fn identity_by_handle(
        &self,
        organization: OrganizationId,
        handle: &Handle,
    ) -> Result<(AgentIdentity, InboxRecord), IdentityError> {
        match self.identity_named(organization, handle).await? {
            Some(id) => self.identity_by_id(organization, id).await,
            None => Err(IdentityError::NoSuchIdentity),
        }
    }

    /// The identity of an organization with this id, and its inbox.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchIdentity`], also for another organization's.
    pub async fn identity_by_id(
        &self,
        organization: OrganizationId,
        id: IdentityId,
    ) -> Result<(AgentIdentity, InboxRecord), IdentityError> {
        let (_, stored) = self.stored_identity(organization, id).await?;
        let inbox = self.live_inbox(stored.inbox).await?;
        let inbox = inbox.ok_or(IdentityError::NoSuchIdentity)?;
        Ok((stored.shown(&inbox), inbox))
    }

    /// The same if its inbox lies within reach. One beyond costs as many reads as one that is nowhere.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchIdentity`] for both.
    pub async fn identity_within(
        &self,
        reach: &Reach,
        id: IdentityId,
    ) -> Result<(AgentIdentity, InboxRecord), IdentityError> {
        let stored = self.stored_identity(reach.organization, id).await;
        let inbox = stored.as_ref().map_or(NOWHERE, |(_, stored)| stored.inbox);
        match (self.inbox_within(reach, inbox).await, stored?) {
            (Ok(inbox), (_, stored)) => Ok((stored.shown(&inbox), inbox)),
            (Err(IdentityError::NoSuchInbox), _) => Err(IdentityError::NoSuchIdentity),
            (Err(error), _) => Err(error),
        }
    }

    /// The identity that an inbox has.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn identity_of(&self, inbox: InboxId) -> Result<Option<AgentIdentity>, IdentityError> {
        let Some(inbox) = self.live_inbox(inbox).await? else {
            return Ok(None);
        };
        let Some(agent) = &inbox.agent else {
            return Ok(None);
        };
        let row = self.row::<StoredIdentity>(&keys::identity(agent.id)).await?;
        Ok(row.map(|(_, stored)| stored.shown(&inbox)))
    }

    /// Some identities of an organization, by age.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn identities(
        &self,
        organization: OrganizationId,
        page: &PageOf<IdentityId>,
    ) -> Result<IdentityPage, IdentityError> {
        let (stored, next) = self.stored_identities(organization, page).await?;
        let identities = self.with_inboxes(stored).await?;
        Ok(IdentityPage { identities, next })
    }

    /// Deletes an identity: its inbox, as [`delete_inbox`](Self::delete_inbox) does, and so itself.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchIdentity`].
    pub async fn delete_identity(&self, organization: OrganizationId, id: IdentityId) -> Result<(), IdentityError> {
        let (_, stored) = self.stored_identity(organization, id).await?;
        match self.delete_inbox(stored.inbox).await {
            Err(IdentityError::NoSuchInbox) => Err(IdentityError::NoSuchIdentity),
            done => done,
        }
    }

    /// An identity's row; it is there as long as the identity is.
    pub(crate) async fn stored_identity(
        &self,
        organization: OrganizationId,
        id: IdentityId,
    ) -> Result<(Value, StoredIdentity), IdentityError> {
        let found = self.row::<StoredIdentity>(&keys::identity(id)).await?;
        let own = found.filter(|(_, stored)| stored.organization == organization);
        own.ok_or(IdentityError::NoSuchIdentity)
    }

    /// Some identities without their inboxes, and where to go on.
    pub(crate) async fn stored_identities(
        &self,
        organization: OrganizationId,
        page: &PageOf<IdentityId>,
    ) -> Result<(Vec<StoredIdentity>, Option<IdentityId>), IdentityError> {
        let (low, high) = page.range(&keys::identities(organization), IdentityId::as_bytes);
        let mut rows = scan(&*self.store, low, high).page_pairs((page.limit + 1).clamp(16, 256));
        if !page.ascending {
            rows = rows.reverse();
        }
        let (mut ids, mut next) = (Vec::new(), None);
        while let Some((key, _)) = rows.next().await? {
            if ids.len() == page.limit {
                next = ids.last().copied();
                break;
            }
            ids.extend(keys::last_id(&key).map(IdentityId::from_bytes));
        }
        let rows: Vec<Key> = ids.iter().copied().map(keys::identity).collect();
        let found = self.store.get_many(&rows).await?;
        // One may have been deleted since the list was read.
        let stored = found.iter().flatten().map(|value| decode(value));
        Ok((stored.collect::<Result<_, _>>()?, next))
    }

    /// Each with its inbox.
    pub(crate) async fn with_inboxes(
        &self,
        stored: Vec<StoredIdentity>,
    ) -> Result<Vec<(AgentIdentity, InboxRecord)>, IdentityError> {
        let rows: Vec<Key> = stored.iter().map(|stored| keys::inbox(stored.inbox)).collect();
        let mut found = Vec::with_capacity(stored.len());
        for (stored, value) in stored.into_iter().zip(self.store.get_many(&rows).await?) {
            let Some(value) = value else { continue };
            let inbox: InboxRecord = decode(&value)?;
            if inbox.deleted_at.is_none() {
                found.push((stored.shown(&inbox), inbox));
            }
        }
        Ok(found)
    }

    /// Adds to the commit that deletes an inbox what ends its identity.
    pub(crate) fn end_identity(&self, builder: &mut CommitBuilder, inbox: &InboxRecord) {
        let Some(agent) = &inbox.agent else { return };
        builder.delete(keys::identity(agent.id));
        builder.delete(keys::listed_identity(inbox.organization, agent.id));
        self.retire_handle(builder, inbox, &agent.handle);
    }

    /// What an inbox had as an agent's, for who clears it away: its rules, its signature, and who could find whom.
    pub(crate) async fn agent_rows_of_inbox(
        &self,
        organization: OrganizationId,
        inbox: InboxId,
    ) -> Result<Vec<Key>, IdentityError> {
        let mut rows = self.rule_rows_of(organization, inbox).await?;
        rows.extend(self.rows_of_text(&keys::signature(inbox)).await?);
        let record = self.row::<InboxRecord>(&keys::inbox(inbox)).await?;
        if let Some(agent) = record.and_then(|(_, record)| record.agent) {
            rows.extend(self.access_rows_of(organization, agent.id).await?);
        }
        Ok(rows)
    }

    /// The inbox of each identity of an organization is in the list row too, for who looks for no more.
    fn list_identity(builder: &mut CommitBuilder, stored: &StoredIdentity) {
        let key = keys::listed_identity(stored.organization, stored.id);
        builder.put(key, encode_id(stored.inbox.as_bytes()));
    }
}
