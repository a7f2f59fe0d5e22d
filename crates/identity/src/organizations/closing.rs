//! The end of an organization: hidden by one commit, kept for a while with all it had, then cleared away.
//!
//! What always holds:
//! - One commit hides it from every face: its keys open nothing, its sessions end, its addresses take no mail. Nothing
//!   of it is changed by that, so one commit brings all of it back.
//! - Its addresses, its domains and the humans of its agents stay taken meanwhile.
//! - What is being cleared away cannot be had back: that it is so is durable before the first row goes.

use crate::attempts::ATTEMPTS;
use crate::keys;
use crate::record::{Organization, Standing, decode, encode, now_ms};
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, scan_prefix};
use postroom_types::{InboxId, OrganizationId};

/// Inboxes whose sessions are woken by one commit.
const WAKES_A_COMMIT: usize = 256;

impl Identity {
    /// Deletes an organization with its keys, pods, inboxes and domains: hidden at once, cleared away by
    /// [`purge_deleted`](Self::purge_deleted), and until then to be had back by
    /// [`restore_organization`](Self::restore_organization).
    ///
    /// # Errors
    /// [`IdentityError::NoSuchOrganization`], also for the operator's own.
    pub async fn delete_organization(&self, id: OrganizationId) -> Result<(), IdentityError> {
        self.refuse_operator(id).await?;
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let found = self.row::<Organization>(&keys::organization(id)).await?;
            let Some((old, mut organization)) = found.filter(|(_, found)| found.deleted_at.is_none()) else {
                if !sent {
                    return Err(IdentityError::NoSuchOrganization);
                }
                return self.wake_sessions(id).await;
            };
            organization.deleted_at = Some(now_ms());
            organization.restorable = true;
            let mut builder = CommitBuilder::new();
            builder.replace(keys::organization(id), old, encode(&organization));
            builder.wake(keys::changed_keys(id));
            sent = true;
            if self.commit_change(builder).await? {
                tracing::info!(organization = %id, "organization deleted");
                return self.wake_sessions(id).await;
            }
        }
        Err(IdentityError::Busy)
    }

    /// Brings back an organization that was deleted, as it was then; suspended if it was.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchOrganization`]: there is none, it is not deleted, or it is being cleared away.
    pub async fn restore_organization(&self, id: OrganizationId) -> Result<Organization, IdentityError> {
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let found = self.row::<Organization>(&keys::organization(id)).await?;
            let (old, mut organization) = found.ok_or(IdentityError::NoSuchOrganization)?;
            match organization.standing() {
                Standing::Active | Standing::Suspended if sent => return Ok(organization),
                Standing::Active | Standing::Suspended | Standing::Gone => {
                    return Err(IdentityError::NoSuchOrganization);
                }
                Standing::Deleted => {}
            }
            organization.deleted_at = None;
            organization.restorable = false;
            organization.touch();
            let mut builder = CommitBuilder::new();
            builder.replace(keys::organization(id), old, encode(&organization));
            sent = true;
            if self.commit_change(builder).await? {
                tracing::info!(organization = %id, "organization restored");
                return Ok(organization);
            }
        }
        Err(IdentityError::Busy)
    }

    /// The organizations that were deleted and can be had back, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn deleted_organizations(&self) -> Result<Vec<Organization>, IdentityError> {
        let mut all = Vec::new();
        let mut rows = scan_prefix(&*self.store, keys::ORGANIZATIONS);
        while let Some((_, value)) = rows.next().await? {
            let organization: Organization = decode(&value)?;
            if organization.standing() == Standing::Deleted {
                all.push(organization);
            }
        }
        Ok(all)
    }

    /// An organization, also one that was deleted and can be had back: for the operator.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchOrganization`].
    pub async fn kept_organization(&self, id: OrganizationId) -> Result<Organization, IdentityError> {
        let found = self.row::<Organization>(&keys::organization(id)).await?;
        let kept = found.map(|(_, organization)| organization);
        kept.filter(|organization| organization.standing() != Standing::Gone)
            .ok_or(IdentityError::NoSuchOrganization)
    }

    /// What an organization may do now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn standing(&self, id: OrganizationId) -> Result<Standing, IdentityError> {
        let found = self.row::<Organization>(&keys::organization(id)).await?;
        Ok(found.map_or(Standing::Gone, |(_, organization)| organization.standing()))
    }

    /// Whether an inbox is hidden only because its organization was deleted: it may be had back, with what is kept for it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn is_hidden(&self, id: InboxId) -> Result<bool, IdentityError> {
        match self.kept_inbox(id).await? {
            Some(inbox) => Ok(self.standing(inbox.organization).await? == Standing::Deleted),
            None => Ok(false),
        }
    }

    /// Says that what a deleted organization had is being cleared away. `false`: it was brought back meanwhile.
    pub(crate) async fn give_up(&self, id: OrganizationId) -> Result<bool, IdentityError> {
        for _ in 0..ATTEMPTS {
            let found = self.row::<Organization>(&keys::organization(id)).await?;
            let Some((old, mut organization)) = found.filter(|(_, found)| found.deleted_at.is_some()) else {
                return Ok(false);
            };
            if !organization.restorable {
                return Ok(true);
            }
            organization.restorable = false;
            let mut builder = CommitBuilder::new();
            builder.replace(keys::organization(id), old, encode(&organization));
            if self.commit_change(builder).await? {
                return Ok(true);
            }
        }
        Err(IdentityError::Busy)
    }

    /// Wakes the sessions of all inboxes, which then find that they are over.
    async fn wake_sessions(&self, id: OrganizationId) -> Result<(), IdentityError> {
        let mut inboxes = scan_prefix(&*self.store, &keys::inboxes(id));
        let mut builder = CommitBuilder::new();
        let mut woken = 0;
        while let Some((row, value)) = inboxes.next().await? {
            let Some(inbox) = keys::last_id(&row).map(InboxId::from_bytes) else {
                continue;
            };
            if woken % WAKES_A_COMMIT == 0 {
                // A commit that changes nothing is none: it holds on to a row of the list.
                builder.require(row, value);
            }
            builder.wake(*inbox.as_bytes());
            woken += 1;
            if woken % WAKES_A_COMMIT == 0 {
                // Waking is a hint: what is not woken now looks by itself before long.
                self.commit_change(std::mem::take(&mut builder)).await?;
            }
        }
        if woken % WAKES_A_COMMIT != 0 {
            self.commit_change(builder).await?;
        }
        Ok(())
    }
}
