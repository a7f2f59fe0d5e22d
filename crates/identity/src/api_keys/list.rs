//! Finding and listing keys.

use super::{KeyRecord, listed_hash, listed_hash_and_pod};
use crate::page::PageOf;
use crate::record::{StoredKey, decode};
use crate::{Identity, IdentityError, KeyScope, keys};
use postroom_store::{Key, scan, scan_prefix};
use postroom_types::{KeyId, OrganizationId, PodId};

/// Rows of an organization's list looked at for one page, so that a page of a pod with few keys costs no more than one
/// with many.
const ROWS_A_PAGE: usize = 1024;

/// Some `am_` keys of an organization.
#[derive(Clone, Debug, Default)]
pub struct KeyPage {
    /// They.
    pub keys: Vec<KeyRecord>,
    /// Where to go on; `None` at the end. There may be more even if this page is empty.
    pub next: Option<KeyId>,
}

impl Identity {
    /// The keys of a scope, oldest first; at most 64.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keys(&self, scope: &KeyScope) -> Result<Vec<KeyRecord>, IdentityError> {
        let rows = self.key_rows(scope.listed()).await?;
        self.records(rows.into_iter().map(|(_, hash)| hash)).await
    }

    /// An `am_` key of an organization, whichever part of it the key is for. One that is not there costs as many reads.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchKey`].
    pub async fn key(&self, organization: OrganizationId, id: KeyId) -> Result<KeyRecord, IdentityError> {
        let own = keys::listed_api_key(KeyScope::Organization(organization).listed(), id);
        let rows = self.store.get_many(&[own, keys::agent_key(organization, id)]).await?;
        let hash = match rows.as_slice() {
            [Some(own), _] => listed_hash(own)?,
            [None, Some(within)] => listed_hash_and_pod(within)?.0,
            // No key has that.
            _ => [0; 32],
        };
        let found = self.records([hash]).await?;
        found.into_iter().next().ok_or(IdentityError::NoSuchKey)
    }

    /// The `am_` keys that lie within a scope, by age: all of an organization, those of a pod and of its inboxes, or those
    /// of an inbox.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn key_page(&self, scope: &KeyScope, page: &PageOf<KeyId>) -> Result<KeyPage, IdentityError> {
        let mut found: Vec<(KeyId, [u8; 32])> = Vec::new();
        if !matches!(scope, KeyScope::AgentPod(..)) {
            for (row, hash) in self.key_rows(scope.listed()).await? {
                found.extend(keys::last_id(&row).map(|id| (KeyId::from_bytes(id), hash)));
            }
            found.retain(|(id, _)| page.is_beyond(id));
        }
        let mut cut_off = None;
        if let KeyScope::Organization(organization) | KeyScope::AgentPod(organization, _) = scope {
            let (within, cut) = self.keys_within(*organization, scope.pod(), page).await?;
            found.extend(within);
            cut_off = cut;
        }
        // What lies beyond the last row looked at is for the next page, even if it is known already.
        if let Some(cut) = cut_off {
            found.retain(|(id, _)| if page.ascending { *id <= cut } else { *id >= cut });
        }
        found.sort_by_key(|(id, _)| *id);
        if !page.ascending {
            found.reverse();
        }
        let more = found.len() > page.limit;
        found.truncate(page.limit);
        let next = if more { found.last().map(|(id, _)| *id) } else { cut_off };
        let keys = self.records(found.into_iter().map(|(_, hash)| hash)).await?;
        Ok(KeyPage { keys, next })
    }

    /// A `tk_` key of an organization, or an `ak_` key of one of its inboxes.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchKey`].
    pub async fn tenant_key(&self, organization: OrganizationId, id: KeyId) -> Result<KeyRecord, IdentityError> {
        let own = keys::listed_api_key(KeyScope::Tenant(organization).listed(), id);
        let rows = self.store.get_many(&[own, keys::inbox_key(organization, id)]).await?;
        let found = rows.iter().flatten().next().ok_or(IdentityError::NoSuchKey)?;
        let found = self.records([listed_hash(found)?]).await?;
        found.into_iter().next().ok_or(IdentityError::NoSuchKey)
    }

    /// The `tk_` keys of an organization and the `ak_` keys of its inboxes, by age.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tenant_keys(
        &self,
        organization: OrganizationId,
        page: &PageOf<KeyId>,
    ) -> Result<KeyPage, IdentityError> {
        let mut rows = self.key_rows(KeyScope::Tenant(organization).listed()).await?;
        let (low, high) = page.range(&keys::inbox_keys(organization), KeyId::as_bytes);
        let mut within = scan(&*self.store, low, high).page_pairs((page.limit + 1).clamp(16, 256));
        if !page.ascending {
            within = within.reverse();
        }
        for _ in 0..=page.limit {
            let Some((row, value)) = within.next().await? else {
                break;
            };
            rows.push((row, listed_hash(&value)?));
        }
        let named = rows.into_iter().filter_map(|(row, hash)| {
            let id = keys::last_id(&row).map(KeyId::from_bytes)?;
            page.is_beyond(&id).then_some((id, hash))
        });
        let mut found: Vec<(KeyId, [u8; 32])> = named.collect();
        found.sort_by_key(|(id, _)| *id);
        if !page.ascending {
            found.reverse();
        }
        let more = found.len() > page.limit;
        found.truncate(page.limit);
        let next = found.last().map(|(id, _)| *id).filter(|_| more);
        let keys = self.records(found.into_iter().map(|(_, hash)| hash)).await?;
        Ok(KeyPage { keys, next })
    }

    /// One more than a page of the keys of an organization's pods and inboxes, or of those of one pod; and the last key
    /// looked at, if there may be others after it.
    async fn keys_within(
        &self,
        organization: OrganizationId,
        pod: Option<PodId>,
        page: &PageOf<KeyId>,
    ) -> Result<(Vec<(KeyId, [u8; 32])>, Option<KeyId>), IdentityError> {
        let (low, high) = page.range(&keys::agent_keys(organization), KeyId::as_bytes);
        let mut rows = scan(&*self.store, low, high).page_pairs((page.limit + 1).clamp(16, 256));
        if !page.ascending {
            rows = rows.reverse();
        }
        let (mut seen, mut within, mut last) = (0, Vec::new(), None);
        while within.len() <= page.limit
            && seen < ROWS_A_PAGE
            && let Some((row, value)) = rows.next().await?
        {
            seen += 1;
            let Some(id) = keys::last_id(&row).map(KeyId::from_bytes) else {
                continue;
            };
            last = Some(id);
            let (hash, of) = listed_hash_and_pod(&value)?;
            if pod.is_none_or(|pod| *pod.as_bytes() == of) {
                within.push((id, hash));
            }
        }
        Ok((within, last.filter(|_| seen == ROWS_A_PAGE)))
    }

    /// One may have been revoked since the list was read.
    async fn records(&self, hashes: impl IntoIterator<Item = [u8; 32]>) -> Result<Vec<KeyRecord>, IdentityError> {
        let rows: Vec<Key> = hashes.into_iter().map(|hash| keys::api_key(&hash)).collect();
        let found = self.store.get_many(&rows).await?;
        let records = found
            .iter()
            .flatten()
            .map(|value| Ok(KeyRecord::from(&decode::<StoredKey>(value)?)));
        records.collect()
    }

    /// The list rows of a scope, and the hash each holds.
    pub(crate) async fn key_rows(&self, listed: (u8, [u8; 16])) -> Result<Vec<(Key, [u8; 32])>, IdentityError> {
        let rows = scan_prefix(&*self.store, &keys::api_keys(listed)).collect().await?;
        let hashes = rows.into_iter().map(|(key, value)| Ok((key, listed_hash(&value)?)));
        hashes.collect()
    }

    /// Every row of the keys of a scope.
    pub(crate) async fn all_key_rows(&self, scope: &KeyScope) -> Result<Vec<Key>, IdentityError> {
        let mut all = Vec::new();
        for (listed, hash) in self.key_rows(scope.listed()).await? {
            let id = keys::last_id(&listed).map(KeyId::from_bytes);
            if scope.kind().is_within_agents() {
                all.extend(id.map(|id| keys::agent_key(scope.organization(), id)));
            }
            if let KeyScope::Inbox(organization, _) = scope {
                all.extend(id.map(|id| keys::inbox_key(*organization, id)));
            }
            all.extend([listed, keys::api_key(&hash)]);
        }
        Ok(all)
    }
}
