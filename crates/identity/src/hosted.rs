//! Which domains are ours, answered without asking the store.
//!
//! What always holds: configured domains are ours whatever the rows say, and a row that changed is read again before the
//! change is reported as done.

use crate::dkim::CachedSigner;
use crate::domains::StoredDomain;
use crate::keys::{self, DOMAINS};
use crate::record::decode;
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, scan_prefix};
use postroom_types::{Domain, OrganizationId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

/// What is kept in memory of the domains: as many entries as there are domains.
#[derive(Default)]
pub(crate) struct Hosted {
    rows: RwLock<HashMap<Domain, StoredDomain>>,
    signers: Mutex<HashMap<Domain, CachedSigner>>,
    /// Held from reading a row to keeping it, so that an older reading never replaces a newer one.
    refreshing: tokio::sync::Mutex<()>,
}

impl Hosted {
    pub(crate) fn row(&self, domain: &Domain) -> Option<StoredDomain> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.get(domain).cloned()
    }

    pub(crate) fn signers(&self) -> MutexGuard<'_, HashMap<Domain, CachedSigner>> {
        self.signers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any domain's row is so.
    pub(crate) fn any(&self, is: impl Fn(&Domain, &StoredDomain) -> bool) -> bool {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.iter().any(|(domain, row)| is(domain, row))
    }

    /// The added domain that a domain is, or else the next one above it that has all below it.
    pub(crate) fn over(&self, domain: &Domain) -> Option<(Domain, StoredDomain)> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.get(domain).filter(|row| row.added) {
            return Some((domain.clone(), row.clone()));
        }
        let mut name = domain.as_str();
        while let Some((_, above)) = name.split_once('.') {
            let above_domain = Domain::parse(above).ok()?;
            if let Some(row) = rows.get(&above_domain).filter(|row| row.added && row.subdomains) {
                return Some((above_domain, row.clone()));
            }
            name = above;
        }
        None
    }
}

impl Identity {
    /// Whether this server answers for the domain.
    #[must_use]
    pub fn is_local(&self, domain: &Domain) -> bool {
        self.hosted_form(domain).is_some()
    }

    /// The name under which the domain is ours, if it is: as given, or with A-labels (RFC 5890 §2.3.2.1), as
    /// internationalized domains are added.
    pub(crate) fn hosted_form(&self, domain: &Domain) -> Option<Domain> {
        let is_ours = |domain: &Domain| self.is_configured(domain) || self.hosted.over(domain).is_some();
        if is_ours(domain) {
            return Some(domain.clone());
        }
        if domain.as_str().is_ascii() {
            return None;
        }
        let encoded = Domain::parse(&idna::domain_to_ascii(domain.as_str()).ok()?).ok()?;
        is_ours(&encoded).then_some(encoded)
    }

    /// Whether the domain is in the server's configuration: it cannot be removed, and is open to all organizations.
    pub(crate) fn is_configured(&self, domain: &Domain) -> bool {
        *domain == self.options.default_domain || self.options.hosted_domains.contains(domain)
    }

    /// The configured domains, the default one first.
    pub(crate) fn configured(&self) -> impl Iterator<Item = &Domain> {
        std::iter::once(&self.options.default_domain).chain(&self.options.hosted_domains)
    }

    /// The domain of a new address of an organization: the default one, or the one named if it may use that.
    pub(crate) fn domain_for(
        &self,
        named: Option<&str>,
        organization: OrganizationId,
    ) -> Result<Domain, IdentityError> {
        let Some(named) = named else {
            return Ok(self.options.default_domain.clone());
        };
        let domain = Domain::parse(named).map_err(|_| IdentityError::DomainNotAvailable)?;
        let open = |(_, row): (Domain, StoredDomain)| row.is_open_to(organization);
        if self.is_configured(&domain) || self.hosted.over(&domain).is_some_and(open) {
            Ok(domain)
        } else {
            Err(IdentityError::DomainNotAvailable)
        }
    }

    /// Adds to the commit of a new address what keeps its domain from being removed meanwhile.
    pub(crate) async fn hold_domain(
        &self,
        builder: &mut CommitBuilder,
        domain: &Domain,
        organization: OrganizationId,
    ) -> Result<(), IdentityError> {
        if self.is_configured(domain) {
            return Ok(());
        }
        let over = self.hosted.over(domain);
        let (over, _) = over.ok_or(IdentityError::DomainNotAvailable)?;
        let found = self.row::<StoredDomain>(&keys::domain(&over)).await?;
        let reaches = |row: &StoredDomain| over == *domain || row.subdomains;
        let (value, _) = found
            .filter(|(_, row)| row.is_open_to(organization) && reaches(row))
            .ok_or(IdentityError::DomainNotAvailable)?;
        builder.require(keys::domain(&over), value);
        Ok(())
    }

    /// Reads one domain's row again, after a change.
    pub(crate) async fn refresh_domain(&self, domain: &Domain) -> Result<(), IdentityError> {
        let _turn = self.hosted.refreshing.lock().await;
        let found = self.row::<StoredDomain>(&keys::domain(domain)).await?;
        let mut rows = self.hosted.rows.write().unwrap_or_else(PoisonError::into_inner);
        match found {
            Some((_, row)) => rows.insert(domain.clone(), row),
            None => rows.remove(domain),
        };
        Ok(())
    }

    /// Reads all rows again: at the start, and now and then because another process may have changed them.
    pub(crate) async fn refresh_domains(&self) -> Result<(), IdentityError> {
        let _turn = self.hosted.refreshing.lock().await;
        let mut found = HashMap::new();
        let mut rows = scan_prefix(&*self.store, DOMAINS);
        while let Some((key, value)) = rows.next().await? {
            if let Some(domain) = keys::domain_of(&key) {
                found.insert(domain, decode(&value)?);
            }
        }
        *self.hosted.rows.write().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(())
    }
}
