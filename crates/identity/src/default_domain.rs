//! The domain of an organization's new addresses.

use crate::attempts::ATTEMPTS;
use crate::record::{Organization, encode, now_ms};
use crate::{Identity, IdentityError, keys};
use postroom_store::CommitBuilder;
use postroom_types::{Domain, OrganizationId};

impl Identity {
    /// The default domain of an organization; `None` is the server's, also once it may not use its own any more.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchOrganization`].
    pub async fn default_domain(&self, id: OrganizationId) -> Result<Option<Domain>, IdentityError> {
        Ok(self.usable_default_domain(&self.organization(id).await?))
    }

    /// Sets the default domain of an organization, and returns it; the server's own is none.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchOrganization`]; [`IdentityError::DomainNotAvailable`].
    pub async fn set_default_domain(
        &self,
        id: OrganizationId,
        domain: Option<&Domain>,
    ) -> Result<Option<Domain>, IdentityError> {
        let wanted = domain.filter(|domain| **domain != self.options.default_domain);
        for _ in 0..ATTEMPTS {
            let (old, mut organization) = self.live_organization(id).await?;
            organization.default_domain = wanted.cloned();
            if wanted.is_some() && self.usable_default_domain(&organization).is_none() {
                return Err(IdentityError::DomainNotAvailable);
            }
            organization.changed_at = Some(now_ms());
            let mut builder = CommitBuilder::new();
            builder.replace(keys::organization(id), old, encode(&organization));
            if self.commit_change(builder).await? {
                return Ok(organization.default_domain);
            }
        }
        Err(IdentityError::Busy)
    }

    pub(crate) fn usable_default_domain(&self, organization: &Organization) -> Option<Domain> {
        let named = organization.default_domain.as_ref()?;
        self.domain_for(Some(named.as_str()), organization.id).ok()
    }
}
