//! Making an identity: the handle, its address, the inbox and its mailboxes in one commit, or nothing at all.

use super::{AgentHandle, AgentIdentity, Namespace, StoredIdentity, check_description};
use crate::attempts::ATTEMPTS;
use crate::create::check_display_name;
use crate::names::parse_username;
use crate::place::Place;
use crate::record::{InboxRecord, Organization};
use crate::visibility::Visibility;
use crate::{Handle, Identity, IdentityError, keys};
use postroom_store::CommitBuilder;
use postroom_types::{Domain, EmailAddress, IdentityId, OrganizationId, PodId};

/// A wanted identity. Its inbox gets no credentials: keys are made for it later.
#[derive(Clone, Debug)]
pub struct CreateIdentity {
    /// Whose it will be.
    pub organization: OrganizationId,
    /// The pod of its inbox; the default one if `None`.
    pub pod: Option<PodId>,
    /// What it is to be called.
    pub handle: Handle,
    /// The name shown in From; the handle if `None`.
    pub display_name: Option<String>,
    /// What it is for; at most 1,000 characters.
    pub description: Option<String>,
    /// The local-part of its address, if that is not the handle. On the server's own domain it is.
    pub local_part: Option<String>,
    /// Where its address is.
    pub domain: DomainChoice,
}

/// Where an address is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DomainChoice {
    /// In the organization's default domain, or the server's if it has none.
    #[default]
    Default,
    /// In the server's own.
    Server,
    /// In this one, which the organization may use.
    Named(String),
}

impl Identity {
    /// Makes an identity with its inbox.
    ///
    /// # Errors
    /// [`IdentityError::HandleTaken`]; [`IdentityError::Invalid`], [`IdentityError::Reserved`] (a local-part),
    /// [`IdentityError::DomainNotAvailable`], [`IdentityError::NoSuchPod`], [`IdentityError::PlanLimit`]: nothing was done.
    pub async fn create_identity(
        &self,
        request: &CreateIdentity,
    ) -> Result<(AgentIdentity, InboxRecord), IdentityError> {
        request.display_name.as_deref().map_or(Ok(()), check_display_name)?;
        request.description.as_deref().map_or(Ok(()), check_description)?;
        for _ in 0..ATTEMPTS {
            let (owner, organization) = self.live_organization(request.organization).await?;
            let pod = request.pod.unwrap_or(organization.default_pod);
            self.pod(organization.id, pod).await?;
            // Of a handle that is kept back, that is what is said, not what follows from it for its address.
            self.check_reserved(&request.handle)?;
            let address = self.identity_address(request, &organization)?;
            let mut builder = CommitBuilder::new();
            builder.require(keys::organization(organization.id), owner);
            let id = IdentityId::new();
            let inbox = InboxRecord {
                display_name: Some(
                    request
                        .display_name
                        .clone()
                        .unwrap_or_else(|| request.handle.to_string()),
                ),
                agent: Some(AgentHandle {
                    id,
                    handle: request.handle.clone(),
                }),
                ..InboxRecord::new(organization.id, pod, address.clone())
            };
            self.take_handle(&mut builder, &inbox, id, &request.handle).await?;
            let Place::Free(free) = self.place_for_new(organization.id, &address).await? else {
                return Err(IdentityError::HandleTaken(Namespace::Mail));
            };
            self.check_plan(organization.id).await?;
            self.check_pod_of_domain(address.domain(), organization.id, pod).await?;
            self.hold_domain(&mut builder, address.domain(), organization.id)
                .await?;
            let stored = StoredIdentity {
                id,
                organization: organization.id,
                inbox: inbox.id,
                handle: request.handle.clone(),
                description: request.description.clone(),
                visibility: Visibility::nobody(),
                created_at: inbox.created_at,
                changed_at: inbox.created_at,
            };
            builder.put(keys::identity(id), stored.row()?);
            Self::list_identity(&mut builder, &stored);
            self.add_inbox(&mut builder, self.scram().await?, &inbox, free, None);
            if self.commit_new(builder, &keys::inbox(inbox.id)).await?.is_none() {
                tracing::info!(identity = %id, inbox = %inbox.id, organization = %organization.id, "identity made");
                return Ok((stored.shown(&inbox), inbox));
            }
        }
        Err(IdentityError::Busy)
    }

    /// The address that is asked for.
    fn identity_address(
        &self,
        request: &CreateIdentity,
        organization: &Organization,
    ) -> Result<EmailAddress, IdentityError> {
        let domain = self.identity_domain(&request.domain, organization)?;
        let (own, given) = (request.handle.as_str(), request.local_part.as_deref());
        if domain == self.options.default_domain {
            if given.is_some_and(|given| !given.eq_ignore_ascii_case(own)) {
                return Err(IdentityError::Invalid(
                    "on this server's own domain the local-part of the address is the handle",
                ));
            }
            return self.address_of(&request.handle);
        }
        self.allowed(parse_username(given.unwrap_or(own), &domain)?)
    }

    fn identity_domain(&self, choice: &DomainChoice, organization: &Organization) -> Result<Domain, IdentityError> {
        match choice {
            DomainChoice::Server => Ok(self.options.default_domain.clone()),
            DomainChoice::Named(name) => self.domain_for(Some(name), organization.id),
            DomainChoice::Default => Ok(self
                .usable_default_domain(organization)
                .unwrap_or_else(|| self.options.default_domain.clone())),
        }
    }
}
