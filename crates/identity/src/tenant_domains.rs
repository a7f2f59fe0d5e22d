//! Domains that organizations bring (agentmail.md §12): claimed, shown what to publish, and theirs once the DNS says so.
//!
//! What always holds:
//! - A claim excludes nobody: several organizations may claim a domain, and the DNS decides by a record that names the
//!   organization. With the check that succeeds, in one commit, the domain becomes one of this server, of that organization
//!   alone ([`crate::domains`]); only then are inboxes made there, mail taken and sent.
//! - No organization gets a domain that is another's, nor one above or below it, nor those of the configuration.
//! - A domain that is given up stops: its inboxes get nothing and send nothing. They and their mail stay, and whoever has
//!   the domain next does not reach them.

mod check;
mod recheck;
mod verify;

pub use check::{CheckedRecord, DomainNames, NoNames, RecordStatus};

use crate::attempts::ATTEMPTS;
use crate::dns::is_dns_name;
use crate::domains::StoredDomain;
use crate::keys;
use crate::record::{Pod, decode, encode, now_ms, optional_text};
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, Value, scan_prefix};
use postroom_types::{Domain, OrganizationId, PodId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most claims of one organization.
const MAX_CLAIMS: usize = 100;

/// A wanted domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainWish {
    /// Its name.
    pub domain: Domain,
    /// The pod it is for; `None`: the whole organization.
    pub pod: Option<PodId>,
    /// Whether notices of bounces and complaints are wanted in the inboxes.
    pub feedback: bool,
    /// Whether mail is to come here: else no MX record is asked for.
    pub inbound: bool,
    /// Whether inboxes are to be made in all domains below it as well.
    pub subdomains: bool,
}

/// What to change of a domain; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainChange {
    /// As in [`DomainWish`].
    pub feedback: Option<bool>,
    /// As in [`DomainWish`].
    pub inbound: Option<bool>,
    /// As in [`DomainWish`]. Taken back, inboxes below the domain stop at once.
    pub subdomains: Option<bool>,
}

/// How far a domain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainStatus {
    /// Nobody has looked yet.
    NotStarted,
    /// Records are missing.
    Pending,
    /// Records are wrong.
    Invalid,
    /// All is as it should be.
    Verified,
}

/// A domain of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantDomain {
    /// Its name.
    pub domain: Domain,
    /// The pod it is for.
    pub pod: Option<PodId>,
    /// How far it is.
    pub status: DomainStatus,
    /// As in [`DomainWish`].
    pub feedback: bool,
    /// As in [`DomainWish`].
    pub inbound: bool,
    /// As in [`DomainWish`].
    pub subdomains: bool,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When it was changed last, in milliseconds since 1970.
    pub updated_at: i64,
}

/// A claim as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    #[serde(with = "optional_text", default)]
    pod: Option<PodId>,
    feedback: bool,
    inbound: bool,
    #[serde(default)]
    subdomains: bool,
    /// What the last check found of each record, by its name and kind.
    #[serde(default)]
    checked: BTreeMap<String, RecordStatus>,
    /// Whether the last check found all that was needed then.
    #[serde(default)]
    settled: bool,
    created_at: i64,
    changed_at: i64,
}

impl Claim {
    fn status(&self, is_theirs: bool) -> DomainStatus {
        let is_wrong = |status: &RecordStatus| matches!(status, RecordStatus::Mismatch | RecordStatus::Duplicate);
        if self.settled && is_theirs {
            DomainStatus::Verified
        } else if self.checked.is_empty() {
            DomainStatus::NotStarted
        } else if self.checked.values().any(is_wrong) {
            DomainStatus::Invalid
        } else {
            DomainStatus::Pending
        }
    }
}

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

    /// The domains that an organization has claimed, or those for one pod, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn domains_of(
        &self,
        organization: OrganizationId,
        pod: Option<PodId>,
    ) -> Result<Vec<TenantDomain>, IdentityError> {
        let mut found = Vec::new();
        let mut rows = scan_prefix(&*self.store, &keys::claims(organization));
        while let Some((key, value)) = rows.next().await? {
            let Some((_, domain)) = keys::claim_of(&key) else {
                continue;
            };
            let claim: Claim = decode(&value)?;
            if pod.is_none() || claim.pod == pod {
                found.push(self.shown(organization, &domain, &claim));
            }
        }
        found.sort_by(|one, two| (one.created_at, &one.domain).cmp(&(two.created_at, &two.domain)));
        Ok(found)
    }

    /// A domain that an organization has claimed.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchDomain`].
    pub async fn domain_of(
        &self,
        organization: OrganizationId,
        domain: &Domain,
    ) -> Result<TenantDomain, IdentityError> {
        let (_, claim) = self.claim(organization, domain).await?;
        Ok(self.shown(organization, domain, &claim))
    }

    /// What is to be published for a domain, and what the last check found of it.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchDomain`]; [`IdentityError::Keys`].
    pub async fn domain_records(
        &self,
        organization: OrganizationId,
        domain: &Domain,
    ) -> Result<Vec<CheckedRecord>, IdentityError> {
        let (value, claim) = self.claim(organization, domain).await?;
        self.records_of_claim(organization, domain, (value, &claim)).await
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
                let mut rows = scan_prefix(&*self.store, &keys::dkim_keys(domain));
                while let Some((key, _)) = rows.next().await? {
                    builder.delete(key);
                }
            }
            sent = true;
            if self.commit_change(builder).await? {
                return self.forget_domain(domain).await;
            }
        }
        Err(IdentityError::Busy)
    }

    /// Whether mail may go out from a domain for an organization: not once it was given up.
    #[must_use]
    pub fn may_send_from(&self, organization: OrganizationId, domain: &Domain) -> bool {
        let open = |(_, row): (Domain, StoredDomain)| row.organization.is_none_or(|own| own == organization);
        match self.hosted_form(domain) {
            Some(domain) => self.is_configured(&domain) || self.hosted.over(&domain).is_some_and(open),
            None => false,
        }
    }

    /// Refuses a domain for addresses of a pod if it was brought for another one.
    pub(crate) async fn check_pod_of_domain(
        &self,
        domain: &Domain,
        organization: OrganizationId,
        pod: PodId,
    ) -> Result<(), IdentityError> {
        if self.is_configured(domain) {
            return Ok(());
        }
        let Some((over, _)) = self.hosted.over(domain) else {
            return Ok(());
        };
        match self.row::<Claim>(&keys::claim(organization, &over)).await? {
            Some((_, claim)) if claim.pod.is_some_and(|own| own != pod) => Err(IdentityError::DomainNotAvailable),
            _ => Ok(()),
        }
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

    async fn claim(&self, organization: OrganizationId, domain: &Domain) -> Result<(Value, Claim), IdentityError> {
        let found = self.row(&keys::claim(organization, domain)).await?;
        found.ok_or(IdentityError::NoSuchDomain)
    }

    fn shown(&self, organization: OrganizationId, domain: &Domain, claim: &Claim) -> TenantDomain {
        let row = self.hosted.row(domain);
        let is_theirs = row.is_some_and(|row| row.added && row.organization == Some(organization));
        TenantDomain {
            domain: domain.clone(),
            pod: claim.pod,
            status: claim.status(is_theirs),
            feedback: claim.feedback,
            inbound: claim.inbound,
            subdomains: claim.subdomains,
            created_at: claim.created_at,
            updated_at: claim.changed_at,
        }
    }

    async fn records_of_claim(
        &self,
        organization: OrganizationId,
        domain: &Domain,
        (value, claim): (Value, &Claim),
    ) -> Result<Vec<CheckedRecord>, IdentityError> {
        let held = (keys::claim(organization, domain), value);
        let keys = self.ready_claimed_keys(domain, held, now_ms()).await?;
        let mut records = vec![check::ownership(organization, domain)];
        records.extend(self.records_with(domain, &keys));
        if claim.subdomains {
            let below = records.iter().find(|record| record.kind == "MX").map(check::below);
            records.extend(below);
        }
        records.retain(|record| claim.inbound || record.kind != "MX");
        let checked = |record| {
            let mut checked = CheckedRecord::new(record);
            checked.status = claim.checked.get(&checked.mark()).copied().unwrap_or_default();
            checked
        };
        Ok(records.into_iter().map(checked).collect())
    }

    /// Refuses a domain that is another's, or lies above or below one that is.
    fn refuse_taken(&self, organization: OrganizationId, domain: &Domain) -> Result<(), IdentityError> {
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
