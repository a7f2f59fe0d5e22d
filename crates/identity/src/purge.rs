//! Clearing away what was deleted, in pieces, from a cursor that the store keeps: the purge rows themselves.

use crate::keys::{self, PURGES};
use crate::record::{Organization, decode, decode_id, now_ms};
use crate::{Identity, IdentityError, KeyScope};
use postroom_store::{CommitBuilder, scan, scan_prefix};
use postroom_types::{InboxId, OrganizationId};
use std::time::Duration;

/// Messages of one piece of a purge.
const PURGE_BUDGET: usize = 300;
/// Operations of one clearing commit; well under what a commit may hold.
const DELETES_A_COMMIT: usize = 500;

impl Identity {
    /// Clears away inboxes and organizations deleted longer than `keep` ago, with their mail. Returns how many inboxes were
    /// cleared. May be stopped and called again at any time.
    ///
    /// # Errors
    /// Those of the store; what was done stays done.
    pub async fn purge_deleted(&self, keep: Duration) -> Result<u64, IdentityError> {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let before = now_ms().saturating_sub(keep_ms).max(0).saturating_add(1);
        self.finish_organizations(before).await?;
        let mut high = PURGES.to_vec();
        high.extend(before.to_be_bytes());
        let mut waiting = scan(&*self.store, PURGES.to_vec(), high);
        let mut purged = 0;
        while let Some((row, value)) = waiting.next().await? {
            let organization = OrganizationId::from_bytes(decode_id(&value)?);
            let Some(inbox) = keys::last_id(&row).map(InboxId::from_bytes) else {
                continue;
            };
            while !self.mailstore.purge_inbox(inbox, PURGE_BUDGET).await? {}
            let mut gone = self.metadata_rows(inbox).await?;
            gone.push(keys::inbox(inbox));
            gone.extend(self.all_key_rows(&KeyScope::Inbox(organization, inbox)).await?);
            gone.extend(self.list_rows_of_inbox(organization, inbox).await?);
            gone.extend(self.agent_rows_of_inbox(organization, inbox).await?);
            // Last, since it is the reminder that there is something to do.
            gone.push(row);
            self.clear(gone).await?;
            purged += 1;
        }
        Ok(purged)
    }

    /// Those deleted before a time, and those of which a part was cleared away before.
    async fn finish_organizations(&self, before: i64) -> Result<(), IdentityError> {
        let mut rows = scan_prefix(&*self.store, keys::ORGANIZATIONS);
        while let Some((_, value)) = rows.next().await? {
            let organization: Organization = decode(&value)?;
            let Some(deleted_at) = organization.deleted_at else {
                continue;
            };
            let is_due = !organization.restorable || deleted_at < before;
            if !is_due {
                continue;
            }
            // The others do not wait for one that cannot be cleared away: the next run tries it again.
            if let Err(error) = self.finish_if_given_up(organization.id, deleted_at).await {
                tracing::warn!(organization = %organization.id, %error, "a deleted organization is not cleared away yet");
            }
        }
        Ok(())
    }

    async fn finish_if_given_up(&self, id: OrganizationId, deleted_at: i64) -> Result<(), IdentityError> {
        if self.give_up(id).await? {
            self.finish_organization(id, deleted_at).await?;
        }
        Ok(())
    }

    /// Deletes the inboxes of an organization deleted at this time, whose mail may go with that of inboxes deleted then;
    /// then its keys and pods, then its own row.
    async fn finish_organization(&self, id: OrganizationId, deleted_at: i64) -> Result<(), IdentityError> {
        let mut inboxes = scan_prefix(&*self.store, &keys::inboxes(id));
        while let Some((row, _)) = inboxes.next().await? {
            let Some(inbox) = keys::last_id(&row).map(InboxId::from_bytes) else {
                continue;
            };
            match self.delete_inbox_at(inbox, deleted_at).await {
                Ok(()) | Err(IdentityError::NoSuchInbox) => {}
                Err(error) => return Err(error),
            }
        }
        self.remove_domains_of(id).await?;
        let mut gone = Vec::new();
        let mut scopes = vec![KeyScope::Tenant(id), KeyScope::Organization(id)];
        for pod in self.pods(id).await? {
            gone.extend([
                keys::slug(id, &pod.slug),
                keys::pod_counters(pod.id),
                keys::pod(id, pod.id),
            ]);
            scopes.extend([KeyScope::Pod(id, pod.id), KeyScope::AgentPod(id, pod.id)]);
        }
        for scope in scopes {
            gone.extend(self.all_key_rows(&scope).await?);
        }
        // What was asked for and forgotten with its inbox leaves nothing; what else is there goes with the organization.
        for prefix in [
            keys::requests(id),
            keys::client_ids(id),
            keys::agent_keys(id),
            keys::lists(id),
            keys::all_list_counts(id),
        ] {
            let mut rows = scan_prefix(&*self.store, &prefix);
            while let Some((row, _)) = rows.next().await? {
                gone.push(row);
            }
        }
        gone.extend(self.agent_rows(id).await?);
        gone.extend([keys::organization_counters(id), keys::organization(id)]);
        self.clear(gone).await
    }

    /// Deletes rows in their order; deleting is harmless to repeat, so an unknown outcome is simply tried again.
    pub(crate) async fn clear(&self, rows: Vec<Vec<u8>>) -> Result<(), IdentityError> {
        for rows in rows.chunks(DELETES_A_COMMIT) {
            let mut done = false;
            for _ in 0..crate::attempts::ATTEMPTS {
                let mut builder = CommitBuilder::new();
                rows.iter().for_each(|row| {
                    builder.delete(row.clone());
                });
                done = self.commit_change(builder).await?;
                if done {
                    break;
                }
            }
            if !done {
                return Err(IdentityError::Busy);
            }
        }
        Ok(())
    }
}
