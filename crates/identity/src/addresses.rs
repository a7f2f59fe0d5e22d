//! An inbox's further addresses.

use crate::attempts::ATTEMPTS;
use crate::create::claim;
use crate::identities::kept_back;
use crate::inboxes::row_of;
use crate::keys;
use crate::names::parse_username;
use crate::record::{AddressRow, InboxRecord, decode, encode};
use crate::{Identity, IdentityError};
use postroom_store::CommitBuilder;
use postroom_types::{EmailAddress, InboxId};

/// Most aliases of one inbox, so that its record fits a value even if each has 254 octets.
const MAX_ALIASES: usize = 8;

impl Identity {
    /// Gives an inbox another address, as its primary one if asked. Giving it one that it has sets only what is primary.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Reserved`], [`IdentityError::DomainNotAvailable`],
    /// [`IdentityError::AddressTaken`], [`IdentityError::TooMany`], [`IdentityError::NoSuchInbox`].
    pub async fn add_address(
        &self,
        id: InboxId,
        address: &str,
        primary: bool,
    ) -> Result<(InboxRecord, EmailAddress), IdentityError> {
        let (local_part, domain) = address
            .rsplit_once('@')
            .ok_or(IdentityError::Invalid("an address has the form name@domain"))?;
        let organization = self.inbox(id).await?.organization;
        let address = parse_username(local_part, &self.domain_for(Some(domain), organization)?)?;
        if self.is_reserved(address.local_part()) {
            return Err(IdentityError::Reserved);
        }
        for _ in 0..ATTEMPTS {
            let found = self.row::<InboxRecord>(&keys::inbox(id)).await?;
            let Some((old, mut inbox)) = found.filter(|(_, inbox)| inbox.deleted_at.is_none()) else {
                return Err(IdentityError::NoSuchInbox);
            };
            let mut builder = CommitBuilder::new();
            if !inbox.addresses().any(|own| *own == address) {
                if inbox.aliases.len() >= MAX_ALIASES {
                    return Err(IdentityError::TooMany("addresses"));
                }
                self.check_pod_of_domain(address.domain(), organization, inbox.pod)
                    .await?;
                self.hold_domain(&mut builder, address.domain(), organization).await?;
                let there = self.store.get(&keys::address(&address)).await?;
                let own = [
                    AddressRow::Tombstone {
                        organization: inbox.organization,
                    },
                    kept_back(&inbox),
                ];
                if let Some(value) = &there
                    && !own.contains(&decode::<AddressRow>(value)?)
                {
                    return Err(IdentityError::AddressTaken);
                }
                let row = AddressRow::Inbox {
                    inbox: id,
                    organization: inbox.organization,
                    pod: inbox.pod,
                    canonical: false,
                };
                claim(&mut builder, &address, there, &row);
                inbox.aliases.push(address.clone());
            }
            if primary {
                inbox.primary.clone_from(&address);
            }
            inbox.touch();
            builder.replace(keys::inbox(id), old, row_of(&inbox)?);
            if self.commit_change(builder).await? {
                return Ok((inbox, address));
            }
        }
        Err(IdentityError::Busy)
    }

    /// Takes an address from an inbox; a tombstone stays. If it was primary, the canonical one is again.
    ///
    /// # Errors
    /// [`IdentityError::CanonicalAddress`], [`IdentityError::NoSuchAddress`], [`IdentityError::NoSuchInbox`].
    pub async fn remove_address(&self, id: InboxId, address: &EmailAddress) -> Result<EmailAddress, IdentityError> {
        let address = address.folded();
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let found = self.row::<InboxRecord>(&keys::inbox(id)).await?;
            let Some((old, mut inbox)) = found.filter(|(_, inbox)| inbox.deleted_at.is_none()) else {
                return Err(IdentityError::NoSuchInbox);
            };
            if inbox.canonical == address {
                return Err(IdentityError::CanonicalAddress);
            }
            if !inbox.aliases.contains(&address) {
                return if sent {
                    Ok(address)
                } else {
                    Err(IdentityError::NoSuchAddress)
                };
            }
            inbox.aliases.retain(|alias| *alias != address);
            if inbox.primary == address {
                inbox.primary = inbox.canonical.clone();
            }
            let left = if self.is_handle_of(&address, &inbox) {
                kept_back(&inbox)
            } else {
                AddressRow::Tombstone {
                    organization: inbox.organization,
                }
            };
            inbox.touch();
            let mut builder = CommitBuilder::new();
            builder.replace(keys::inbox(id), old, encode(&inbox));
            builder.put(keys::address(&address), encode(&left));
            sent = true;
            if self.commit_change(builder).await? {
                return Ok(address);
            }
        }
        Err(IdentityError::Busy)
    }
}
