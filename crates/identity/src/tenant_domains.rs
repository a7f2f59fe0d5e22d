//! Domains that organizations bring (agentmail.md §12): claimed, shown what to publish, and theirs once the DNS says so.
//!
//! What always holds:
//! - A claim excludes nobody: several organizations may claim a domain, and the DNS decides by a record that names the
//!   organization. With the check that succeeds, in one commit, the domain becomes one of this server, of that organization
//!   alone ([`crate::domains`]); only then are inboxes made there, mail taken and sent.
//! - No organization gets a domain that is another's, nor one above or below it, nor those of the configuration.
//! - A domain that is given up stops: its inboxes get nothing and send nothing. They and their mail stay, and whoever has
//!   the domain next does not reach them.

mod change;
mod check;
mod claim;
mod recheck;
mod verify;

pub use check::{CheckedRecord, DomainNames, NoNames, RecordStatus};

use crate::domains::StoredDomain;
use crate::keys;
use crate::record::{decode, now_ms};
use crate::{Identity, IdentityError};
use claim::Claim;
use postroom_store::{Value, scan_prefix};
use postroom_types::{Domain, OrganizationId, PodId};

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

impl Identity {
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
}
