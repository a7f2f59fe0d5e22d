//! Listing and searching the inboxes of an organization.

use crate::keys;
use crate::page::PageOf;
use crate::record::{InboxRecord, decode, decode_id};
use crate::{Identity, IdentityError};
use postroom_store::{Key, scan, scan_prefix};
use postroom_types::{InboxId, OrganizationId, PodId};

/// Rows of an organization's list looked at for one page, so that a page of a small pod costs no more than one of a big
/// one.
const ROWS_A_PAGE: usize = 4096;
/// Records read together in a search.
const RECORDS_A_READ: usize = 256;

/// Some inboxes of an organization.
#[derive(Clone, Debug, Default)]
pub struct InboxPage {
    /// They.
    pub inboxes: Vec<InboxRecord>,
    /// Where to go on; `None` at the end. There may be more even if this page is empty.
    pub next: Option<InboxId>,
}

impl Identity {
    /// Up to `limit` inboxes of an organization, or of one of its pods, after the one named, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inboxes(
        &self,
        organization: OrganizationId,
        pod: Option<PodId>,
        after: Option<InboxId>,
        limit: usize,
    ) -> Result<InboxPage, IdentityError> {
        let page = PageOf {
            after,
            ascending: true,
            limit,
        };
        self.inbox_page(organization, pod, &page).await
    }

    /// Some inboxes of an organization, or of one of its pods, by age.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inbox_page(
        &self,
        organization: OrganizationId,
        pod: Option<PodId>,
        page: &PageOf<InboxId>,
    ) -> Result<InboxPage, IdentityError> {
        let (low, high) = page.range(&keys::inboxes(organization), InboxId::as_bytes);
        let mut rows = scan(&*self.store, low, high).page_pairs(page.limit.clamp(16, 256));
        if !page.ascending {
            rows = rows.reverse();
        }
        let (mut ids, mut last, mut next) = (Vec::new(), None, None);
        let mut seen = 0;
        while let Some((key, value)) = rows.next().await? {
            if ids.len() == page.limit || seen == ROWS_A_PAGE {
                next = last;
                break;
            }
            seen += 1;
            last = keys::last_id(&key).map(InboxId::from_bytes);
            if pod.is_none_or(|pod| decode_id(&value).ok().as_ref() == Some(pod.as_bytes())) {
                ids.extend(last);
            }
        }
        Ok(InboxPage {
            inboxes: self.live_inboxes(&ids).await?,
            next,
        })
    }

    /// Inboxes whose address or display name has, for each word of `query`, a word that begins with it; the one with
    /// exactly this address first, then those whose address begins with it, and the newest first among equals. Reads
    /// all inboxes of the organization.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] for a query that has not 2 to 256 characters.
    pub async fn search_inboxes(
        &self,
        organization: OrganizationId,
        pod: Option<PodId>,
        query: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<InboxRecord>, IdentityError> {
        let query = Query::parse(query)?;
        let mut rows = scan_prefix(&*self.store, &keys::inboxes(organization)).reverse();
        let (mut found, mut ids) = (Vec::new(), Vec::with_capacity(RECORDS_A_READ));
        loop {
            let row = rows.next().await?;
            let is_end = row.is_none();
            if let Some((key, value)) = row
                && pod.is_none_or(|pod| decode_id(&value).ok().as_ref() == Some(pod.as_bytes()))
            {
                ids.extend(keys::last_id(&key).map(InboxId::from_bytes));
            }
            if is_end || ids.len() == RECORDS_A_READ {
                for inbox in self.live_inboxes(&ids).await? {
                    found.extend(query.rank(&inbox).map(|rank| (rank, inbox.id)));
                }
                ids.clear();
            }
            if is_end {
                break;
            }
        }
        // Stable: the newest stays first among equals.
        found.sort_by_key(|(rank, _)| *rank);
        let wanted: Vec<InboxId> = found.iter().skip(offset).take(limit).map(|(_, id)| *id).collect();
        self.live_inboxes(&wanted).await
    }

    /// One may have been deleted since the list was read.
    async fn live_inboxes(&self, ids: &[InboxId]) -> Result<Vec<InboxRecord>, IdentityError> {
        let keys: Vec<Key> = ids.iter().copied().map(keys::inbox).collect();
        let mut inboxes: Vec<InboxRecord> = Vec::with_capacity(keys.len());
        for value in self.store.get_many(&keys).await?.into_iter().flatten() {
            inboxes.push(decode(&value)?);
        }
        inboxes.retain(|inbox| inbox.deleted_at.is_none());
        Ok(inboxes)
    }
}

/// What is looked for.
struct Query {
    folded: String,
    words: Vec<String>,
}

/// How well an inbox fits; the least is best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Address,
    BeginningOfAddress,
    Words,
}

impl Query {
    fn parse(query: &str) -> Result<Self, IdentityError> {
        let query = query.trim();
        if !(2..=256).contains(&query.chars().count()) {
            return Err(IdentityError::Invalid("a query has 2 to 256 characters"));
        }
        Ok(Self {
            folded: query.to_lowercase(),
            words: words(query).collect(),
        })
    }

    fn rank(&self, inbox: &InboxRecord) -> Option<Rank> {
        let addresses: Vec<String> = inbox.addresses().map(ToString::to_string).collect();
        let name = inbox.display_name.iter().flat_map(|name| words(name));
        let there: Vec<String> = addresses
            .iter()
            .flat_map(|address| words(address))
            .chain(name)
            .collect();
        let is_there = |word: &String| there.iter().any(|own| own.starts_with(word.as_str()));
        if self.words.is_empty() || !self.words.iter().all(is_there) {
            return None;
        }
        Some(if addresses.contains(&self.folded) {
            Rank::Address
        } else if addresses.iter().any(|address| address.starts_with(&self.folded)) {
            Rank::BeginningOfAddress
        } else {
            Rank::Words
        })
    }
}

/// Runs of letters and digits, folded.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_types::EmailAddress;

    #[test]
    fn what_fits_and_how_well() {
        let address = EmailAddress::parse("support.team@example.test").unwrap();
        let mut inbox = InboxRecord::new(OrganizationId::new(), PodId::new(), address);
        inbox.display_name = Some("Größe & Maß GmbH".into());
        for (query, expected) in [
            ("sup", Some(Rank::BeginningOfAddress)),
            ("SUPPORT", Some(Rank::BeginningOfAddress)),
            ("support.team@example.test", Some(Rank::Address)),
            (" Support.Team@Example.Test ", Some(Rank::Address)),
            ("team", Some(Rank::Words)),
            ("example sup", Some(Rank::Words)),
            ("größe", Some(Rank::Words)),
            ("GRÖSSE", None),
            ("maß gm", Some(Rank::Words)),
            ("port", None),
            ("sup other", None),
            ("--", None),
        ] {
            assert_eq!(Query::parse(query).unwrap().rank(&inbox), expected, "{query}");
        }
        for bad in ["", "x", " x ", &"y".repeat(257)] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }
}
