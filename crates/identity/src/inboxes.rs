//! Reading, listing and changing inboxes.

use crate::attempts::ATTEMPTS;
use crate::create::check_display_name;
use crate::keys;
use crate::record::{InboxRecord, decode, decode_id, encode};
use crate::{Identity, IdentityError, Resolution};
use postroom_store::{CommitBuilder, Key, MAX_VALUE_OCTETS, prefix_end, scan};
use postroom_types::{EmailAddress, InboxId, OrganizationId, PodId};

/// Most octets of an inbox's metadata, as JSON.
const MAX_METADATA_OCTETS: usize = 3072;

/// Some inboxes of an organization, oldest first.
#[derive(Clone, Debug, Default)]
pub struct InboxPage {
    /// They.
    pub inboxes: Vec<InboxRecord>,
    /// Where to go on; `None` at the end.
    pub next: Option<InboxId>,
}

/// What to change; `None` leaves it, `Some(None)` takes it away.
#[derive(Clone, Debug, Default)]
pub struct InboxChange {
    /// The name shown in From.
    pub display_name: Option<Option<String>>,
    /// Anything the owner wants kept, as JSON.
    pub metadata: Option<Option<String>>,
    /// Whether it may not send.
    pub send_paused: Option<bool>,
    /// Whether it takes no mail.
    pub receive_paused: Option<bool>,
    /// Where a copy of each message it gets is sent on to; not to itself.
    pub forward_to: Option<Option<EmailAddress>>,
    /// Messages it may send a day; `Some(None)` is the server's limit.
    pub daily_messages: Option<Option<u32>>,
    /// Addresses a day that it may write to for the first time; `Some(None)` is the server's limit.
    pub daily_new_recipients: Option<Option<u32>>,
}

impl Identity {
    /// An inbox.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchInbox`].
    pub async fn inbox(&self, id: InboxId) -> Result<InboxRecord, IdentityError> {
        self.live_inbox(id).await?.ok_or(IdentityError::NoSuchInbox)
    }

    /// What its owner keeps with an inbox, as JSON.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn metadata(&self, id: InboxId) -> Result<Option<String>, IdentityError> {
        Ok(self.row(&keys::metadata(id)).await?.map(|(_, metadata)| metadata))
    }

    /// Up to `limit` inboxes of an organization, or of one of its pods, after the one named.
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
        let prefix = keys::inboxes(organization);
        let low = after.map_or_else(
            || prefix.clone(),
            |after| {
                let mut low = keys::listed_inbox(organization, after);
                low.push(0);
                low
            },
        );
        let mut rows = scan(&*self.store, low, prefix_end(&prefix)).page_pairs(limit.clamp(16, 256));
        let (mut ids, mut more) = (Vec::new(), false);
        while let Some((key, value)) = rows.next().await? {
            if pod.is_some_and(|pod| decode_id(&value).ok().as_ref() != Some(pod.as_bytes())) {
                continue;
            }
            more = ids.len() == limit;
            if more {
                break;
            }
            ids.extend(keys::last_id(&key).map(InboxId::from_bytes));
        }
        let next = if more { ids.last().copied() } else { None };
        let keys: Vec<Key> = ids.into_iter().map(keys::inbox).collect();
        let mut inboxes: Vec<InboxRecord> = Vec::with_capacity(keys.len());
        for value in self.store.get_many(&keys).await?.into_iter().flatten() {
            inboxes.push(decode(&value)?);
        }
        // One may have been deleted since the list was read.
        inboxes.retain(|inbox| inbox.deleted_at.is_none());
        Ok(InboxPage { inboxes, next })
    }

    /// Changes an inbox and returns it.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchInbox`]; [`IdentityError::Invalid`].
    pub async fn update_inbox(&self, id: InboxId, change: &InboxChange) -> Result<InboxRecord, IdentityError> {
        if let Some(Some(name)) = &change.display_name {
            check_display_name(name)?;
        }
        if let Some(Some(metadata)) = &change.metadata
            && metadata.len() > MAX_METADATA_OCTETS
        {
            return Err(IdentityError::Invalid("metadata has at most 3,072 octets of JSON"));
        }
        if let Some(Some(address)) = &change.forward_to {
            self.check_forward(id, address).await?;
        }
        for _ in 0..ATTEMPTS {
            let found = self.row::<InboxRecord>(&keys::inbox(id)).await?;
            let Some((old, mut inbox)) = found.filter(|(_, inbox)| inbox.deleted_at.is_none()) else {
                return Err(IdentityError::NoSuchInbox);
            };
            if let Some(name) = &change.display_name {
                inbox.display_name.clone_from(name);
            }
            inbox.send_paused = change.send_paused.unwrap_or(inbox.send_paused);
            inbox.receive_paused = change.receive_paused.unwrap_or(inbox.receive_paused);
            if let Some(address) = &change.forward_to {
                inbox.forward_to.clone_from(address);
            }
            inbox.daily_messages = change.daily_messages.unwrap_or(inbox.daily_messages);
            inbox.daily_new_recipients = change.daily_new_recipients.unwrap_or(inbox.daily_new_recipients);
            let row = encode(&inbox);
            if row.len() > MAX_VALUE_OCTETS {
                return Err(IdentityError::Invalid(
                    "its addresses and its display name are too long together",
                ));
            }
            let mut builder = CommitBuilder::new();
            builder.replace(keys::inbox(id), old, row);
            match &change.metadata {
                None => {}
                Some(None) => {
                    builder.delete(keys::metadata(id));
                }
                Some(Some(metadata)) => {
                    builder.put(keys::metadata(id), encode(metadata));
                }
            }
            if self.commit_change(builder).await? {
                return Ok(inbox);
            }
        }
        Err(IdentityError::Busy)
    }

    /// Mail that an inbox forwards to itself, under whatever address, would go round for ever.
    async fn check_forward(&self, id: InboxId, address: &EmailAddress) -> Result<(), IdentityError> {
        match self.resolve(address).await? {
            Resolution::Inbox(inbox) if inbox.id == id => {
                Err(IdentityError::Invalid("an inbox cannot forward to itself"))
            }
            Resolution::NoSuchMailbox => Err(IdentityError::Invalid("nobody here has the address to forward to")),
            Resolution::Inbox(_) | Resolution::NotLocal => Ok(()),
        }
    }

    pub(crate) async fn live_inbox(&self, id: InboxId) -> Result<Option<InboxRecord>, IdentityError> {
        let found = self.row::<InboxRecord>(&keys::inbox(id)).await?;
        Ok(found.map(|(_, inbox)| inbox).filter(|inbox| inbox.deleted_at.is_none()))
    }
}
