//! Allow and block lists (agentmail.md §13): whom an inbox may write to, and whose mail comes into its INBOX.
//!
//! What always holds:
//! - An entry is a folded address, or a domain: that domain exactly, not those below it. Domains stand in their ASCII
//!   form (RFC 5890 §2.3.2.1).
//! - Each scope has one row of counters, moved by the commits that add and remove entries, so that a scope whose lists
//!   are empty costs the mail path one read and no more.

mod entry;
mod verdict;

pub use entry::{Direction, EntryScope, List, ListType, Listed};
pub use verdict::{ListsOver, Refusal};

use crate::attempts::ATTEMPTS;
use crate::keys;
use crate::record::{InboxRecord, Organization, Pod, decode, encode, now_ms};
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, CounterRecord, Key, prefix_end, scan, scan_prefix};
use postroom_types::{InboxId, OrganizationId, PodId};
use serde::{Deserialize, Serialize};

/// Most entries of one list.
const MAX_ENTRIES: u64 = 100_000;
/// Longest reason, in characters.
const MAX_REASON_CHARACTERS: usize = 256;
/// Entries read together.
const ENTRIES_A_READ: usize = 128;

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// Whom it is about.
    pub name: Listed,
    /// Why it is there.
    pub reason: Option<String>,
    /// Whether the server put it there, so that it stays.
    pub read_only: bool,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// An entry as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredEntry {
    entry: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
    created_at: i64,
}

impl StoredEntry {
    fn open(self) -> Result<ListEntry, IdentityError> {
        Ok(ListEntry {
            name: Listed::parse(&self.entry)?,
            reason: self.reason,
            read_only: self.read_only,
            created_at: self.created_at,
        })
    }
}

/// Some entries of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPage {
    /// They, in the order of their text; of the very long ones, in the order of its beginning.
    pub entries: Vec<ListEntry>,
    /// Behind which one to go on; `None` at the end.
    pub next: Option<Listed>,
}

impl Identity {
    /// Puts an entry on a list. One that is there already stays as it is, and is returned.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] for a bad reason; [`IdentityError::TooMany`]; [`IdentityError::NoSuchOrganization`],
    /// [`IdentityError::NoSuchPod`], [`IdentityError::NoSuchInbox`].
    pub async fn add_list_entry(
        &self,
        list: &List,
        name: &Listed,
        reason: Option<&str>,
    ) -> Result<ListEntry, IdentityError> {
        if reason.is_some_and(|reason| reason.chars().count() > MAX_REASON_CHARACTERS) {
            return Err(IdentityError::Invalid("a reason has at most 256 characters"));
        }
        let entry = ListEntry {
            name: name.clone(),
            reason: reason.map(str::to_owned),
            read_only: false,
            created_at: now_ms(),
        };
        self.put_entry(list, entry).await
    }

    /// Bars an organization from writing to an address at which nobody takes its mail: its block list gets an entry that
    /// stays.
    ///
    /// # Errors
    /// As for [`add_list_entry`](Self::add_list_entry).
    pub async fn suppress(
        &self,
        organization: OrganizationId,
        name: &Listed,
        reason: &str,
    ) -> Result<ListEntry, IdentityError> {
        let list = List {
            scope: EntryScope::Organization(organization),
            direction: Direction::Send,
            list_type: ListType::Block,
        };
        let entry = ListEntry {
            name: name.clone(),
            reason: Some(reason.chars().take(MAX_REASON_CHARACTERS).collect()),
            read_only: true,
            created_at: now_ms(),
        };
        self.put_entry(&list, entry).await
    }

    async fn put_entry(&self, list: &List, entry: ListEntry) -> Result<ListEntry, IdentityError> {
        let text = entry.name.to_string();
        let key = keys::list_entry(list, &text);
        let stored = StoredEntry {
            entry: text,
            reason: entry.reason,
            read_only: entry.read_only,
            created_at: entry.created_at,
        };
        for _ in 0..ATTEMPTS {
            if let Some((_, found)) = self.row::<StoredEntry>(&key).await? {
                return found.open();
            }
            let mut builder = CommitBuilder::new();
            self.hold_scope(&mut builder, &list.scope).await?;
            let counts = keys::list_counts(&list.scope);
            match self.store.get(&counts).await? {
                None => {
                    let mut record = CounterRecord::default();
                    record.0[list.lane()] = 1;
                    builder.put_new(counts, record.to_value());
                }
                Some(value) => {
                    if entry::count_of(Some(&value), list) >= MAX_ENTRIES {
                        return Err(IdentityError::TooMany("list entries"));
                    }
                    builder.count(counts, list.lane(), 1);
                }
            }
            builder.put_new(key.clone(), encode(&stored));
            if self.commit_change(builder).await? {
                return stored.open();
            }
        }
        Err(IdentityError::Busy)
    }

    /// Adds to a commit what keeps a scope from being deleted meanwhile.
    async fn hold_scope(&self, builder: &mut CommitBuilder, scope: &EntryScope) -> Result<(), IdentityError> {
        match *scope {
            EntryScope::Organization(organization) => {
                let key = keys::organization(organization);
                let found = self.row::<Organization>(&key).await?;
                let live = found.filter(|(_, found)| found.deleted_at.is_none());
                let (value, _) = live.ok_or(IdentityError::NoSuchOrganization)?;
                builder.require(key, value);
            }
            EntryScope::Pod(organization, pod) => {
                let key = keys::pod(organization, pod);
                let (value, _) = self.row::<Pod>(&key).await?.ok_or(IdentityError::NoSuchPod)?;
                builder.require(key, value);
            }
            EntryScope::Inbox(_, _, inbox) => {
                let key = keys::inbox(inbox);
                let found = self.row::<InboxRecord>(&key).await?;
                let live = found.filter(|(_, found)| found.deleted_at.is_none());
                let (value, _) = live.ok_or(IdentityError::NoSuchInbox)?;
                builder.require(key, value);
            }
        }
        Ok(())
    }

    /// Some entries of a list, behind the one named.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list_entries(
        &self,
        list: &List,
        after: Option<&Listed>,
        limit: usize,
    ) -> Result<EntryPage, IdentityError> {
        let prefix = keys::list(list);
        let low = match after {
            None => prefix.clone(),
            Some(after) => [&keys::list_entry(list, &after.to_string())[..], &[0]].concat(),
        };
        let mut rows = scan(&*self.store, low, prefix_end(&prefix)).page_pairs(limit.clamp(1, ENTRIES_A_READ));
        let mut page = EntryPage::default();
        while let Some((_, value)) = rows.next().await? {
            if page.entries.len() == limit {
                page.next = page.entries.last().map(|entry: &ListEntry| entry.name.clone());
                break;
            }
            page.entries.push(decode::<StoredEntry>(&value)?.open()?);
        }
        Ok(page)
    }

    /// An entry of a list.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchEntry`].
    pub async fn list_entry(&self, list: &List, name: &Listed) -> Result<ListEntry, IdentityError> {
        let found = self
            .row::<StoredEntry>(&keys::list_entry(list, &name.to_string()))
            .await?;
        let (_, found) = found.ok_or(IdentityError::NoSuchEntry)?;
        found.open()
    }

    /// Takes an entry from a list.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchEntry`]; [`IdentityError::CannotDelete`] if the server put it there.
    pub async fn remove_list_entry(&self, list: &List, name: &Listed) -> Result<(), IdentityError> {
        let key = keys::list_entry(list, &name.to_string());
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let Some((old, found)) = self.row::<StoredEntry>(&key).await? else {
                return if sent { Ok(()) } else { Err(IdentityError::NoSuchEntry) };
            };
            if found.read_only {
                return Err(IdentityError::CannotDelete("the server put this entry there"));
            }
            let mut builder = CommitBuilder::new();
            builder.require(key.clone(), old);
            builder.delete(key.clone());
            builder.count(keys::list_counts(&list.scope), list.lane(), -1);
            sent = true;
            if self.commit_change(builder).await? {
                return Ok(());
            }
        }
        Err(IdentityError::Busy)
    }

    /// The rows of the lists of an inbox or a pod that is gone.
    pub(crate) async fn list_rows_of(
        &self,
        organization: OrganizationId,
        scope: [u8; 16],
    ) -> Result<Vec<Key>, IdentityError> {
        let mut gone = vec![keys::list_counts_of(organization, scope)];
        let mut rows = scan_prefix(&*self.store, &keys::lists_of(organization, scope));
        while let Some((row, _)) = rows.next().await? {
            gone.push(row);
        }
        Ok(gone)
    }

    pub(crate) async fn list_rows_of_pod(
        &self,
        organization: OrganizationId,
        pod: PodId,
    ) -> Result<Vec<Key>, IdentityError> {
        self.list_rows_of(organization, *pod.as_bytes()).await
    }

    pub(crate) async fn list_rows_of_inbox(
        &self,
        organization: OrganizationId,
        inbox: InboxId,
    ) -> Result<Vec<Key>, IdentityError> {
        self.list_rows_of(organization, *inbox.as_bytes()).await
    }
}
