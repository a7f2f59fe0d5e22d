//! Reading and changing inboxes.

use crate::attempts::ATTEMPTS;
use crate::create::check_display_name;
use crate::keys;
use crate::metadata::{self, Metadata};
use crate::parts;
use crate::record::{AddressRow, InboxRecord, Standing, decode_id, encode};
use crate::{FilterMode, Identity, IdentityError, Resolution};
use postroom_store::{CommitBuilder, MAX_VALUE_OCTETS, Value};
use postroom_types::{EmailAddress, InboxId, OrganizationId, PodId};

/// An id that no inbox has: those are made of the time.
pub(crate) const NOWHERE: InboxId = InboxId::from_bytes([0; 16]);

/// Which inboxes somebody may see: those of an organization, of one pod of it, or one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Whose they are.
    pub organization: OrganizationId,
    /// The only pod, if there is one.
    pub pod: Option<PodId>,
    /// The only inbox, if there is one.
    pub inbox: Option<InboxId>,
}

impl Reach {
    /// Every inbox of an organization.
    #[must_use]
    pub const fn organization(organization: OrganizationId) -> Self {
        Self {
            organization,
            pod: None,
            inbox: None,
        }
    }

    /// Whether an inbox lies within.
    #[must_use]
    pub fn sees(&self, inbox: &InboxRecord) -> bool {
        inbox.organization == self.organization
            && self.pod.is_none_or(|pod| pod == inbox.pod)
            && self.inbox.is_none_or(|own| own == inbox.id)
    }
}

/// What to change; `None` leaves it, `Some(None)` takes it away.
#[derive(Clone, Debug, Default)]
pub struct InboxChange {
    /// The name shown in From.
    pub display_name: Option<Option<String>>,
    /// Anything the owner wants kept, as JSON.
    pub metadata: Option<Option<String>>,
    /// Changes of what the owner wants kept, after `metadata`: names with values are set, names with null removed, at
    /// least one; `Some(None)` removes all.
    pub merge_metadata: Option<Option<Metadata>>,
    /// Whether it may not send.
    pub send_paused: Option<bool>,
    /// Whether it takes no mail.
    pub receive_paused: Option<bool>,
    /// Where a copy of each message it gets is sent on to; not to itself.
    pub forward_to: Option<Option<EmailAddress>>,
    /// What becomes of mail from whom no contact rule names.
    pub inbound_mode: Option<FilterMode>,
    /// Whether it may write to whom no contact rule names.
    pub outbound_mode: Option<FilterMode>,
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

    /// An inbox, if it lies within reach. It is looked for among those of the organization, so that another's costs as many
    /// reads as one that is nowhere: how long the answer takes tells nothing of it either.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchInbox`] for both.
    pub async fn inbox_within(&self, reach: &Reach, id: InboxId) -> Result<InboxRecord, IdentityError> {
        let listed = self.store.get(&keys::listed_inbox(reach.organization, id)).await?;
        let pod = listed
            .map(|value| decode_id(&value))
            .transpose()?
            .map(PodId::from_bytes);
        let is_own = reach.inbox.is_none_or(|own| own == id);
        match pod {
            Some(pod) if is_own && reach.pod.is_none_or(|own| own == pod) => self.inbox(id).await,
            Some(_) | None => Err(IdentityError::NoSuchInbox),
        }
    }

    /// The same for the inbox that has this address, as its canonical one or as an alias.
    ///
    /// # Errors
    /// Those of [`inbox_within`](Self::inbox_within).
    pub async fn inbox_within_at(&self, reach: &Reach, address: &EmailAddress) -> Result<InboxRecord, IdentityError> {
        let id = match self.row::<AddressRow>(&keys::address(&address.folded())).await? {
            Some((_, AddressRow::Inbox { inbox, .. })) => inbox,
            // The same is looked for as if there was one.
            Some((_, AddressRow::Handle { .. } | AddressRow::Tombstone { .. })) | None => NOWHERE,
        };
        self.inbox_within(reach, id).await
    }

    /// The live inbox that has this address, as its canonical one or as an alias.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inbox_at_address(&self, address: &EmailAddress) -> Result<Option<InboxRecord>, IdentityError> {
        Ok(self.inbox_at(&address.folded()).await?.map(|(inbox, _)| inbox))
    }

    /// Changes an inbox and returns it.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchInbox`]; [`IdentityError::Invalid`].
    pub async fn update_inbox(&self, id: InboxId, change: &InboxChange) -> Result<InboxRecord, IdentityError> {
        if let Some(Some(name)) = &change.display_name {
            check_display_name(name)?;
        }
        if let Some(Some(text)) = &change.metadata {
            metadata::check_text(text)?;
        }
        if let Some(Some(merge)) = &change.merge_metadata {
            if merge.is_empty() {
                return Err(IdentityError::Invalid("a change of metadata names at least one key"));
            }
            metadata::check(merge, true)?;
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
            inbox.inbound_mode = change.inbound_mode.unwrap_or(inbox.inbound_mode);
            inbox.outbound_mode = change.outbound_mode.unwrap_or(inbox.outbound_mode);
            inbox.daily_messages = change.daily_messages.unwrap_or(inbox.daily_messages);
            inbox.daily_new_recipients = change.daily_new_recipients.unwrap_or(inbox.daily_new_recipients);
            inbox.touch();
            let mut builder = CommitBuilder::new();
            builder.replace(keys::inbox(id), old, row_of(&inbox)?);
            self.put_metadata(&mut builder, &inbox, change).await?;
            if self.commit_change(builder).await? {
                return Ok(inbox);
            }
        }
        Err(IdentityError::Busy)
    }

    /// Adds the change of an inbox's metadata to the commit that replaces its row.
    async fn put_metadata(
        &self,
        builder: &mut CommitBuilder,
        inbox: &InboxRecord,
        change: &InboxChange,
    ) -> Result<(), IdentityError> {
        if change.metadata.is_none() && change.merge_metadata.is_none() {
            return Ok(());
        }
        let first = keys::metadata(inbox.id);
        let (kept, parts) = self.text_in_parts(&first).await?;
        let kept = change.metadata.clone().unwrap_or(kept);
        let text = match &change.merge_metadata {
            Some(Some(merge)) => metadata::merged(kept.as_deref(), merge)?,
            Some(None) => None,
            None => kept,
        };
        parts::put(builder, &first, text.as_deref(), inbox.updated_at(), parts);
        Ok(())
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

    /// An inbox that neither was deleted itself nor with its organization.
    pub(crate) async fn live_inbox(&self, id: InboxId) -> Result<Option<InboxRecord>, IdentityError> {
        let Some(inbox) = self.kept_inbox(id).await? else {
            return Ok(None);
        };
        match self.standing(inbox.organization).await? {
            Standing::Active | Standing::Suspended => Ok(Some(inbox)),
            Standing::Deleted | Standing::Gone => Ok(None),
        }
    }

    /// An inbox that was not deleted itself.
    pub(crate) async fn kept_inbox(&self, id: InboxId) -> Result<Option<InboxRecord>, IdentityError> {
        let found = self.row::<InboxRecord>(&keys::inbox(id)).await?;
        Ok(found.map(|(_, inbox)| inbox).filter(|inbox| inbox.deleted_at.is_none()))
    }
}

/// The row of an inbox, which has to fit a value.
pub(crate) fn row_of(inbox: &InboxRecord) -> Result<Value, IdentityError> {
    let row = encode(inbox);
    if row.len() > MAX_VALUE_OCTETS {
        return Err(IdentityError::Invalid(
            "its addresses and its display name are too long together",
        ));
    }
    Ok(row)
}
