//! Who has which handle, and the address that it would be.

use crate::create::claim;
use crate::record::{AddressRow, InboxRecord, decode, encode, text};
use crate::{Handle, Identity, IdentityError, keys};
use postroom_store::{CommitBuilder, Value};
use postroom_types::{EmailAddress, IdentityId, OrganizationId};
use serde::{Deserialize, Serialize};

/// Handles that are kept back beside reserved usernames: they would hide a route of the API.
const RESERVED: [&str; 1] = ["a2a"];

/// Who is in the way of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// An identity that has it, or had it in another organization; or it is kept back for the server.
    Identities,
    /// An inbox whose address it would be, or was in another organization.
    Mail,
}

impl Namespace {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identities => "identities",
            Self::Mail => "mail",
        }
    }
}

/// The identity of an inbox, as the inbox's row names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentHandle {
    /// The identity.
    #[serde(with = "text")]
    pub id: IdentityId,
    /// Its handle.
    pub handle: Handle,
}

/// Who has a handle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum HandleRow {
    Held {
        #[serde(with = "text")]
        identity: IdentityId,
        #[serde(with = "text")]
        organization: OrganizationId,
    },
    /// Nobody any more, but only this organization may have it again: others know the agent by it.
    Tombstone {
        #[serde(with = "text")]
        organization: OrganizationId,
    },
}

/// What keeps a handle back for its inbox on the server's own domain.
pub(crate) const fn kept_back(inbox: &InboxRecord) -> AddressRow {
    AddressRow::Handle {
        inbox: inbox.id,
        organization: inbox.organization,
    }
}

impl Identity {
    /// The identity of an organization that has a handle. One of another is as if it was not there, and costs as much.
    pub(crate) async fn identity_named(
        &self,
        own: OrganizationId,
        handle: &Handle,
    ) -> Result<Option<IdentityId>, IdentityError> {
        match self.row::<HandleRow>(&keys::handle(handle)).await? {
            Some((_, HandleRow::Held { identity, organization })) if organization == own => Ok(Some(identity)),
            Some((_, HandleRow::Held { .. } | HandleRow::Tombstone { .. })) | None => Ok(None),
        }
    }

    /// The address that a handle is on the server's own domain.
    pub(crate) fn address_of(&self, handle: &Handle) -> Result<EmailAddress, IdentityError> {
        EmailAddress::from_parts(handle.as_str(), self.options.default_domain.clone())
            .map_err(|_| IdentityError::Invalid("the handle is too long for an address here"))
    }

    /// Whether this address is kept back for the handle of an inbox.
    pub(crate) fn is_handle_of(&self, address: &EmailAddress, inbox: &InboxRecord) -> bool {
        let handle = inbox.agent.as_ref().map(|agent| agent.handle.as_str());
        *address.domain() == self.options.default_domain && handle == Some(address.local_part())
    }

    pub(super) fn check_reserved(&self, handle: &Handle) -> Result<(), IdentityError> {
        if self.is_reserved(handle.as_str()) || RESERVED.contains(&handle.as_str()) {
            return Err(IdentityError::HandleTaken(Namespace::Identities));
        }
        Ok(())
    }

    /// Adds to a commit what gives a handle to the identity of an inbox, unless somebody has it.
    pub(super) async fn take_handle(
        &self,
        builder: &mut CommitBuilder,
        inbox: &InboxRecord,
        identity: IdentityId,
        handle: &Handle,
    ) -> Result<(), IdentityError> {
        let organization = inbox.organization;
        let held = encode(&HandleRow::Held { identity, organization });
        match self.row::<HandleRow>(&keys::handle(handle)).await? {
            None => builder.put_new(keys::handle(handle), held),
            Some((old, HandleRow::Tombstone { organization: own })) if own == organization => {
                builder.replace(keys::handle(handle), old, held)
            }
            Some(_) => return Err(IdentityError::HandleTaken(Namespace::Identities)),
        };
        let address = self.address_of(handle)?;
        if !inbox.addresses().any(|own| *own == address) {
            let tombstone = self.free_name(organization, &address).await?;
            claim(builder, &address, tombstone, &kept_back(inbox));
        }
        Ok(())
    }

    /// Adds to a commit that replaces or deletes an inbox what leaves a handle of it to its organization.
    pub(super) fn retire_handle(&self, builder: &mut CommitBuilder, inbox: &InboxRecord, handle: &Handle) {
        let organization = inbox.organization;
        builder.put(keys::handle(handle), encode(&HandleRow::Tombstone { organization }));
        // An address that is too long was never taken.
        if let Ok(address) = self.address_of(handle)
            && !inbox.addresses().any(|own| *own == address)
        {
            builder.put(keys::address(&address), encode(&AddressRow::Tombstone { organization }));
        }
    }

    /// The organization's own tombstone at an address that nobody has.
    async fn free_name(
        &self,
        organization: OrganizationId,
        address: &EmailAddress,
    ) -> Result<Option<Value>, IdentityError> {
        let Some(value) = self.store.get(&keys::address(address)).await? else {
            return Ok(None);
        };
        match decode(&value)? {
            AddressRow::Tombstone { organization: own } if own == organization => Ok(Some(value)),
            AddressRow::Handle { .. } => Err(IdentityError::HandleTaken(Namespace::Identities)),
            AddressRow::Inbox { .. } | AddressRow::Tombstone { .. } => Err(IdentityError::HandleTaken(Namespace::Mail)),
        }
    }
}
