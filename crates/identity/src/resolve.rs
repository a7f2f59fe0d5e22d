//! Whose an address is.

use crate::inboxes::NOWHERE;
use crate::record::{AddressRow, InboxRecord, Standing, StoredOperator};
use crate::{Identity, IdentityError, keys};
use postroom_types::{EmailAddress, OrganizationId};

/// Local-parts that reach the operator in every hosted domain (RFC 5321 §4.5.1, RFC 2142 §2).
const ROLES: [&str; 2] = ["postmaster", "abuse"];

/// An id that no organization has: those are made of the time.
const NOBODYS: OrganizationId = OrganizationId::from_bytes([0; 16]);

/// What an address is to this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// An inbox; whether it takes mail at the moment is for the caller to see.
    Inbox(Box<InboxRecord>),
    /// In a domain of ours, but nobody's.
    NoSuchMailbox,
    /// In no domain of ours.
    NotLocal,
}

impl Identity {
    /// Finds the inbox behind an address: in any case, with a subaddress, an alias, a role of the operator, or else
    /// the one that catches all mail of the domain.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn resolve(&self, address: &EmailAddress) -> Result<Resolution, IdentityError> {
        let Some(domain) = self.hosted_form(address.domain()) else {
            return Ok(Resolution::NotLocal);
        };
        let Ok(address) = EmailAddress::from_parts(address.local_part(), domain) else {
            return Ok(Resolution::NoSuchMailbox);
        };
        let folded = address.folded();
        let base = folded.subaddress().map_or_else(|| folded.clone(), |(base, _)| base);
        let found = if ROLES.contains(&base.local_part()) {
            Some(self.postmaster().await?)
        } else {
            match self.row::<AddressRow>(&keys::address(&base)).await? {
                Some((_, AddressRow::Inbox { inbox, .. })) => self.live_inbox(inbox).await?,
                // Mail for somebody who was here once, or is here under another address, is not for whoever catches the
                // rest.
                Some((_, AddressRow::Handle { .. } | AddressRow::Tombstone { .. })) => None,
                None => self.catch_all(&base).await?,
            }
        };
        // Who had the domain before has inboxes in it still.
        let found = found.filter(|inbox| {
            ROLES.contains(&base.local_part()) || self.may_send_from(inbox.organization, base.domain())
        });
        Ok(found.map_or(Resolution::NoSuchMailbox, |inbox| Resolution::Inbox(Box::new(inbox))))
    }

    async fn catch_all(&self, address: &EmailAddress) -> Result<Option<InboxRecord>, IdentityError> {
        let row = self.hosted.row(address.domain());
        match row.and_then(|row| row.catch_all) {
            Some(target) => Ok(self.inbox_at(&target).await?.map(|(inbox, _)| inbox)),
            None => Ok(None),
        }
    }

    /// The operator's inbox, where `<postmaster>` without a domain goes (RFC 5321 §4.5.1).
    ///
    /// # Errors
    /// [`IdentityError::NoSuchInbox`] before [`bootstrap`](Self::bootstrap).
    pub async fn postmaster(&self) -> Result<InboxRecord, IdentityError> {
        let operator = self.row::<StoredOperator>(keys::OPERATOR).await?;
        let (_, operator) = operator.ok_or(IdentityError::NoSuchInbox)?;
        self.inbox(operator.postmaster).await
    }

    /// The live inbox that has a folded address, and whether it is its canonical one. As much is read where there is none:
    /// who logs in learns nothing from how long it takes.
    pub(crate) async fn inbox_at(&self, folded: &EmailAddress) -> Result<Option<(InboxRecord, bool)>, IdentityError> {
        let (id, canonical) = match self.row::<AddressRow>(&keys::address(folded)).await? {
            Some((_, AddressRow::Inbox { inbox, canonical, .. })) => (inbox, canonical),
            Some((_, AddressRow::Handle { .. } | AddressRow::Tombstone { .. })) | None => (NOWHERE, false),
        };
        let kept = self.kept_inbox(id).await?;
        let whose = kept.as_ref().map_or(NOBODYS, |inbox| inbox.organization);
        match self.standing(whose).await? {
            Standing::Active | Standing::Suspended => Ok(kept.map(|inbox| (inbox, canonical))),
            Standing::Deleted | Standing::Gone => Ok(None),
        }
    }
}
