//! Who may find whom, as the rows say, and what rows go with a deleted identity.

use super::{IDENTITIES_A_READ, Visibility, first_identities};
use crate::record::InboxRecord;
use crate::{AgentIdentity, Handle, Identity, IdentityError, keys};
use postroom_store::{Key, StoreError, scan_prefix};
use postroom_types::{GrantId, IdentityId, InboxId, OrganizationId};

/// An id that no identity has: those are made of the time.
const NOBODY: IdentityId = IdentityId::from_bytes([0; 16]);

impl Identity {
    /// The identity of an organization with this handle, and its inbox, if the identity of another inbox may find it, or it
    /// is that inbox's own. One that may not be found costs as many reads as one that is nowhere.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchIdentity`] for both.
    pub async fn identity_found_by(
        &self,
        organization: OrganizationId,
        handle: &Handle,
        viewer: InboxId,
    ) -> Result<(AgentIdentity, InboxRecord), IdentityError> {
        let id = self.identity_named(organization, handle).await?.unwrap_or(NOBODY);
        let target = self.stored_identity(organization, id).await;
        let own = self.kept_inbox(viewer).await?;
        let own = own.and_then(|inbox| inbox.agent).map_or(NOBODY, |agent| agent.id);
        let set = match target.as_ref().map(|(_, target)| &target.visibility) {
            Ok(Visibility::Granted { set }) => *set,
            // The same row is looked for as if there was a set.
            Ok(Visibility::Everybody { .. }) | Err(_) => GrantId::from_bytes([0; 16]),
        };
        let is_granted = self.store.get(&keys::grant(id, set, own)).await?.is_some();
        let (_, target) = target?;
        let is_for_all = matches!(target.visibility, Visibility::Everybody { .. }) && own != NOBODY;
        if target.inbox == viewer || is_granted || is_for_all {
            self.identity_by_id(organization, id).await
        } else {
            Err(IdentityError::NoSuchIdentity)
        }
    }

    /// The identities that one may find, itself among them, oldest first, each with its inbox. Reads the row of every
    /// identity of the organization.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn visible_identities(
        &self,
        organization: OrganizationId,
        viewer: IdentityId,
    ) -> Result<Vec<(AgentIdentity, InboxRecord)>, IdentityError> {
        let (mut visible, mut page) = (Vec::new(), first_identities(IDENTITIES_A_READ));
        loop {
            let (found, next) = self.stored_identities(organization, &page).await?;
            let grants: Vec<Key> = found
                .iter()
                .filter_map(|target| match target.visibility {
                    Visibility::Granted { set } => Some(keys::grant(target.id, set, viewer)),
                    Visibility::Everybody { .. } => None,
                })
                .collect();
            let mut granted = self.store.get_many(&grants).await?.into_iter();
            let mut seen = Vec::new();
            for target in found {
                let sees = match target.visibility {
                    Visibility::Granted { .. } => granted.next().flatten().is_some(),
                    Visibility::Everybody { .. } => true,
                };
                if sees || target.id == viewer {
                    seen.push(target);
                }
            }
            visible.extend(self.with_inboxes(seen).await?);
            if next.is_none() {
                return Ok(visible);
            }
            page.after = next;
        }
    }

    /// The rows that let a deleted identity be found, and those that let it find others.
    pub(crate) async fn access_rows_of(
        &self,
        organization: OrganizationId,
        gone: IdentityId,
    ) -> Result<Vec<Key>, IdentityError> {
        let mut rows = self.rows_under(&keys::grants_of(gone)).await?;
        let mut page = first_identities(IDENTITIES_A_READ);
        loop {
            let (found, next) = self.stored_identities(organization, &page).await?;
            let grants = found.iter().filter_map(|target| match target.visibility {
                Visibility::Granted { set } => Some(keys::grant(target.id, set, gone)),
                Visibility::Everybody { .. } => None,
            });
            let grants: Vec<Key> = grants.collect();
            let there = self.store.get_many(&grants).await?;
            rows.extend(grants.into_iter().zip(there).filter_map(|(key, row)| row.map(|_| key)));
            if next.is_none() {
                return Ok(rows);
            }
            page.after = next;
        }
    }

    /// All keys with a prefix.
    pub(crate) async fn rows_under(&self, prefix: &[u8]) -> Result<Vec<Key>, StoreError> {
        let mut found = Vec::new();
        let mut rows = scan_prefix(&*self.store, prefix);
        while let Some((row, _)) = rows.next().await? {
            found.push(row);
        }
        Ok(found)
    }
}
