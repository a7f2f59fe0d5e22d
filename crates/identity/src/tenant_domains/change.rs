//! Domains are claimed, changed and given up.

use super::claim::Claim;
use super::{DomainChange, DomainWish, TenantDomain};
use crate::attempts::ATTEMPTS;
use crate::dns::is_dns_name;
use crate::domains::StoredDomain;
use crate::keys;
use crate::record::{Pod, encode, now_ms};
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, scan_prefix};
use postroom_types::{Domain, OrganizationId};
use std::collections::BTreeMap;

/// Most claims of one organization.
const MAX_CLAIMS: usize = 100;

impl Identity {
    /// Claims a domain for an organization, and makes its first DKIM keys.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] if it cannot stand in DNS; [`IdentityError::DomainTaken`] (also if the organization has
    /// claimed it already); [`IdentityError::TooMany`]; [`IdentityError::NoSuchOrganization`],
    /// [`IdentityError::NoSuchPod`]; [`IdentityError::Keys`].
    pub async fn create_domain(
        &self,
        organization: OrganizationId,
        wish: &DomainWish,
    ) -> Result<TenantDomain, IdentityError> {
        let domain = &wish.domain;
        if !is_dns_name(domain) {
            return Err(IdentityError::Invalid(
                "a domain has at least two labels of letters, digits and hyphens (others in their xn-- form), at most 220 in all",
            ));
        }
        self.refuse_taken(organization, domain)?;
        if self.domains_of(organization, None).await?.len() >= MAX_CLAIMS {
            return Err(IdentityError::TooMany("domains"));
        }
        let now = now_ms();
        let claim = Claim {
            pod: wish.pod,
            feedback: wish.feedback,
            inbound: wish.inbound,
            subdomains: wish.subdomains,
            checked: BTreeMap::new(),
            settled: false,
            created_at: now,
            changed_at: now,
        };
        let key = keys::claim(organization, domain);
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            match self.row::<Claim>(&key).await? {
                Some((_, found)) if sent && found == claim => return Ok(self.shown(organization, domain, &claim)),
                Some(_) => return Err(IdentityError::DomainTaken),
                None => {}
            }
            let (owner, _) = self.live_organization(organization).await?;
            let mut builder = CommitBuilder::new();
            builder.require(keys::organization(organization), owner);
            if let Some(pod) = wish.pod {
                let key = keys::pod(organization, pod);
                let (value, _) = self.row::<Pod>(&key).await?.ok_or(IdentityError::NoSuchPod)?;
                builder.require(key, value);
            }
            builder.put_new(key.clone(), encode(&claim));
            sent = true;
            if self.commit_change(builder).await? {
                return Ok(self.shown(organization, domain, &claim));
            }
        }
        Err(IdentityError::Busy)
    }

    /// Changes a domain. Where mail is to come here from now on, or to domains below it, it is pending until the next check;
    /// what works goes on.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchDomain`].
    pub async fn update_domain(
        &self,
        organization: OrganizationId,
        domain: &Domain,
        change: &DomainChange,
    ) -> Result<TenantDomain, IdentityError> {
        for _ in 0..ATTEMPTS {
            let (old, claim) = self.claim(organization, domain).await?;
            let mut changed = claim.clone();
            changed.feedback = change.feedback.unwrap_or(claim.feedback);
            changed.inbound = change.inbound.unwrap_or(claim.inbound);
            changed.subdomains = change.subdomains.unwrap_or(claim.subdomains);
            let asks_more = (changed.inbound && !claim.inbound) || (changed.subdomains && !claim.subdomains);
            changed.settled &= !asks_more;
            if changed == claim {
                return Ok(self.shown(organization, domain, &claim));
            }
            changed.changed_at = now_ms();
            let mut builder = CommitBuilder::new();
            builder.replace(keys::claim(organization, domain), old, encode(&changed));
            if !changed.subdomains && claim.subdomains {
                self.add_verified(&mut builder, organization, domain, false, false)
                    .await?;
            }
            if self.commit_change(builder).await? {
                self.refresh_domain(domain).await?;
                return Ok(self.shown(organization, domain, &changed));
            }
        }
        Err(IdentityError::Busy)
    }

    /// Gives a domain up.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchDomain`].
    pub async fn delete_domain(&self, organization: OrganizationId, domain: &Domain) -> Result<(), IdentityError> {
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let old = match self.claim(organization, domain).await {
                Ok((old, _)) => old,
                Err(IdentityError::NoSuchDomain) if sent => return self.forget_domain(domain).await,
                Err(error) => return Err(error),
            };
            let mut builder = CommitBuilder::new();
            builder.require(keys::claim(organization, domain), old);
            builder.delete(keys::claim(organization, domain));
            let is_others = match self.row::<StoredDomain>(&keys::domain(domain)).await? {
                Some((value, row)) if row.added && row.organization == Some(organization) => {
                    builder.require(keys::domain(domain), value);
                    builder.delete(keys::domain(domain));
                    false
                }
                found => found.is_some() || self.is_configured(domain),
            };
            // Others were shown the same keys, and may have published them.
            if !is_others && !self.is_claimed_by_others(organization, domain).await? {
                self.delete_dkim_keys(&mut builder, domain).await?;
            }
            sent = true;
            if self.commit_change(builder).await? {
                return self.forget_domain(domain).await;
            }
        }
        Err(IdentityError::Busy)
    }

    /// Whether another organization claims the domain as well.
    async fn is_claimed_by_others(&self, organization: OrganizationId, domain: &Domain) -> Result<bool, IdentityError> {
        let mut rows = scan_prefix(&*self.store, keys::CLAIMS);
        while let Some((key, _)) = rows.next().await? {
            if keys::claim_of(&key).is_some_and(|(other, claimed)| other != organization && claimed == *domain) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Refuses a domain that is another's, or lies above or below one that is.
    pub(super) fn refuse_taken(&self, organization: OrganizationId, domain: &Domain) -> Result<(), IdentityError> {
        let meets = |other: &Domain| {
            let below = |low: &Domain, high: &Domain| {
                let rest = low.as_str().strip_suffix(high.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            };
            below(domain, other) || below(other, domain)
        };
        let is_anothers = |row: &StoredDomain| row.added && row.organization != Some(organization);
        if self.configured().any(meets) || self.hosted.any(|other, row| is_anothers(row) && meets(other)) {
            return Err(IdentityError::DomainTaken);
        }
        Ok(())
    }
}
