//! The check that makes a domain an organization's.

use super::check::{self, DomainNames, RecordStatus};
use super::{Claim, TenantDomain};
use crate::attempts::ATTEMPTS;
use crate::domains::StoredDomain;
use crate::record::{encode, now_ms};
use crate::{Identity, IdentityError, keys};
use postroom_feed::{NewEvent, What, announce};
use postroom_store::CommitBuilder;
use postroom_types::{Domain, OrganizationId};
use std::collections::BTreeMap;

impl Identity {
    /// Looks at what the DNS says. If all is there, the domain is the organization's, and its feed tells so.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchDomain`]; [`IdentityError::DomainTaken`]; [`IdentityError::NoAnswer`]: nothing was changed.
    pub async fn verify_domain(
        &self,
        organization: OrganizationId,
        domain: &Domain,
        names: &dyn DomainNames,
    ) -> Result<TenantDomain, IdentityError> {
        self.refresh_domain(domain).await?;
        self.refuse_taken(organization, domain)?;
        let mut records = self.domain_records(organization, domain).await?;
        if self.options.trust_domains {
            records
                .iter_mut()
                .for_each(|record| record.status = RecordStatus::Valid);
        } else {
            check::check(&mut records, names).await?;
        }
        let settled = records
            .iter()
            .all(|record| !record.is_needed() || record.status == RecordStatus::Valid);
        let checked: BTreeMap<_, _> = records.iter().map(|record| (record.mark(), record.status)).collect();
        for _ in 0..ATTEMPTS {
            let (old, claim) = self.claim(organization, domain).await?;
            let mut changed = Claim {
                checked: checked.clone(),
                settled,
                ..claim.clone()
            };
            let mut builder = CommitBuilder::new();
            let below = claim.subdomains;
            let is_new = settled
                && self
                    .add_verified(&mut builder, organization, domain, below, true)
                    .await?;
            if settled && (is_new || !claim.settled) {
                let what = What::DomainVerified { domain: domain.clone() };
                let (at, inbox) = (now_ms(), None);
                announce(&mut builder, organization, &[NewEvent { at, inbox, what }]);
            }
            if changed == claim && builder.operations() == 0 {
                return Ok(self.shown(organization, domain, &claim));
            }
            changed.changed_at = now_ms();
            builder.replace(keys::claim(organization, domain), old, encode(&changed));
            if self.commit_change(builder).await? {
                self.refresh_domain(domain).await?;
                tracing::info!(%domain, %organization, verified = settled, "domain checked");
                return Ok(self.shown(organization, domain, &changed));
            }
        }
        Err(IdentityError::Busy)
    }

    /// Adds to a commit that the domain is the organization's from now on, with all below it or alone; without `may_add`
    /// only if it is already. `false`: it was.
    pub(super) async fn add_verified(
        &self,
        builder: &mut CommitBuilder,
        organization: OrganizationId,
        domain: &Domain,
        subdomains: bool,
        may_add: bool,
    ) -> Result<bool, IdentityError> {
        let key = keys::domain(domain);
        let row = encode(&StoredDomain {
            organization: Some(organization),
            created_at: now_ms(),
            added: true,
            subdomains,
            ..StoredDomain::default()
        });
        match self.row::<StoredDomain>(&key).await? {
            Some((old, found)) if found.added && found.organization == Some(organization) => {
                let changed = StoredDomain { subdomains, ..found };
                let is_same = encode(&changed) == old;
                if !is_same {
                    builder.replace(key, old, encode(&changed));
                }
                return Ok(false);
            }
            _ if !may_add => return Ok(false),
            Some((_, found)) if found.added => return Err(IdentityError::DomainTaken),
            // It was configured once.
            Some((old, _)) => builder.replace(key, old, row),
            None => builder.put_new(key, row),
        };
        Ok(true)
    }
}
