//! Who may find whom, as the rows say, and what rows go with a deleted identity.

use super::{IDENTITIES_A_READ, Visibility, first_identities};
use crate::record::InboxRecord;
use crate::{AgentIdentity, Identity, IdentityError, keys};
use postroom_store::{Key, StoreError, scan_prefix};
use postroom_types::{IdentityId, OrganizationId};

impl Identity {
    /// Whether an identity may be found by another one; by itself always.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchIdentity`] if there is no such target in the organization.
    pub async fn may_see(
        &self,
        organization: OrganizationId,
        viewer: IdentityId,
        target: IdentityId,
    ) -> Result<bool, IdentityError> {
        let (_, stored) = self.stored_identity(organization, target).await?;
        Ok(match stored.visibility {
            _ if viewer == target => true,
            Visibility::Everybody { .. } => true,
            Visibility::Granted { set } => self.store.get(&keys::grant(target, set, viewer)).await?.is_some(),
        })
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
