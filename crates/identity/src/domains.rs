//! Domains: the configured ones, which are always there, and those added at run time.
//!
//! What always holds:
//! - An address in an added domain is made only while the domain's row stays as it was read, so no inbox is left in a
//!   domain that the operator removed. Removing closes the row first, then looks for addresses, then deletes it. An
//!   organization may give up its own with the inboxes in it ([`crate::tenant_domains`]).
//! - Tombstones stay when a domain goes: should it come back, its addresses still belong to whom they belonged.

use crate::attempts::ATTEMPTS;
use crate::dkim::DkimKeySummary;
use crate::dns::is_dns_name;
use crate::keys::{self, ADDRESSES};
use crate::record::{AddressRow, decode, encode, now_ms, optional_address, optional_text};
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, scan_prefix};
use postroom_types::{Domain, EmailAddress, OrganizationId};
use serde::{Deserialize, Serialize};

/// A domain this server answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainRecord {
    /// Its name.
    pub domain: Domain,
    /// The only organization that may have inboxes there; `None`: all may.
    pub organization: Option<OrganizationId>,
    /// Who gets mail for addresses that nobody has or had.
    pub catch_all: Option<EmailAddress>,
    /// Whether it is in the server's configuration, so that it cannot be removed.
    pub configured: bool,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Its DKIM keys, oldest first.
    pub keys: Vec<DkimKeySummary>,
}

/// A domain as stored. A configured one has a row for its catch-all alone; what it may not say is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredDomain {
    #[serde(with = "optional_text", default)]
    pub(crate) organization: Option<OrganizationId>,
    #[serde(with = "optional_address", default)]
    pub(crate) catch_all: Option<EmailAddress>,
    pub(crate) created_at: i64,
    /// Whether it was added at run time. A domain that is only configured is ours no longer once it is not.
    #[serde(default)]
    pub(crate) added: bool,
    /// Whether all below it is ours as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) subdomains: bool,
    /// Whether it is being removed, so that nobody makes an address there.
    #[serde(default)]
    pub(crate) closing: bool,
}

impl StoredDomain {
    pub(crate) fn is_open_to(&self, organization: OrganizationId) -> bool {
        self.added && !self.closing && self.organization.is_none_or(|own| own == organization)
    }
}

impl Identity {
    /// Adds a domain, open to all organizations or to one, with its first DKIM keys.
    ///
    /// # Errors
    /// [`IdentityError::DomainTaken`], [`IdentityError::NoSuchOrganization`]; [`IdentityError::Invalid`] if it cannot
    /// stand in DNS; [`IdentityError::Keys`].
    pub async fn add_domain(
        &self,
        domain: &Domain,
        organization: Option<OrganizationId>,
    ) -> Result<DomainRecord, IdentityError> {
        if !is_dns_name(domain) {
            return Err(IdentityError::Invalid(
                "a domain has at least two labels of letters, digits and hyphens (others in their xn-- form), at most 220 in all",
            ));
        }
        if self.is_configured(domain) {
            return Err(IdentityError::DomainTaken);
        }
        if let Some(id) = organization {
            self.organization(id).await?;
        }
        let row = StoredDomain {
            organization,
            created_at: now_ms(),
            added: true,
            ..StoredDomain::default()
        };
        let key = keys::domain(domain);
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let mut builder = CommitBuilder::new();
            let done = match self.row::<StoredDomain>(&key).await? {
                Some((_, found)) if sent && found == row => true,
                Some((_, found)) if found.added => return Err(IdentityError::DomainTaken),
                found => {
                    match found {
                        // It was configured once.
                        Some((old, _)) => builder.replace(key.clone(), old, encode(&row)),
                        None => builder.put_new(key.clone(), encode(&row)),
                    };
                    sent = true;
                    self.commit_change(builder).await?
                }
            };
            if done {
                self.refresh_domain(domain).await?;
                self.ready_dkim_keys(domain, now_ms()).await?;
                tracing::info!(%domain, "domain added");
                return self.domain(domain).await;
            }
        }
        Err(IdentityError::Busy)
    }

    /// A domain.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchDomain`].
    pub async fn domain(&self, domain: &Domain) -> Result<DomainRecord, IdentityError> {
        let configured = self.is_configured(domain);
        let row = self.row::<StoredDomain>(&keys::domain(domain)).await?;
        let row = row.map(|(_, row)| row).filter(|row| configured || row.added);
        let row = match row {
            Some(row) => row,
            None if configured => StoredDomain::default(),
            None => return Err(IdentityError::NoSuchDomain),
        };
        Ok(DomainRecord {
            domain: domain.clone(),
            organization: row.organization.filter(|_| !configured),
            catch_all: row.catch_all,
            configured,
            created_at: row.created_at,
            keys: self.dkim_keys(domain, now_ms()).await?,
        })
    }

    /// All domains: the default one, the other configured ones, then those added, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn domains(&self) -> Result<Vec<DomainRecord>, IdentityError> {
        let mut names: Vec<Domain> = self.configured().cloned().collect();
        let mut rows = scan_prefix(&*self.store, keys::DOMAINS);
        while let Some((key, value)) = rows.next().await? {
            let added = decode::<StoredDomain>(&value)?.added;
            names.extend(keys::domain_of(&key).filter(|name| added && !self.is_configured(name)));
        }
        let mut domains = Vec::with_capacity(names.len());
        for name in &names {
            match self.domain(name).await {
                Ok(domain) => domains.push(domain),
                // It was removed since the list was read.
                Err(IdentityError::NoSuchDomain) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(domains)
    }

    /// Sets who gets mail for addresses of the domain that nobody has or had, or nobody. In a domain of one organization
    /// it must be an inbox of that organization, else any inbox here.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchDomain`], [`IdentityError::NoSuchInbox`].
    pub async fn set_catch_all(
        &self,
        domain: &Domain,
        address: Option<&EmailAddress>,
    ) -> Result<DomainRecord, IdentityError> {
        let address = address.map(EmailAddress::folded);
        let owner = match &address {
            None => None,
            Some(address) => {
                let (inbox, _) = self.inbox_at(address).await?.ok_or(IdentityError::NoSuchInbox)?;
                Some(inbox.organization)
            }
        };
        let configured = self.is_configured(domain);
        let foreign = |row: &StoredDomain| !configured && row.organization.is_some_and(|own| Some(own) != owner);
        self.change_domain(domain, |row| {
            if address.is_some() && foreign(row) {
                return Err(IdentityError::NoSuchInbox);
            }
            row.catch_all.clone_from(&address);
            Ok(())
        })
        .await?;
        self.domain(domain).await
    }

    /// Removes an added domain with its DKIM keys. Reads every address of the server once.
    ///
    /// # Errors
    /// [`IdentityError::DomainInUse`] while an inbox has an address there, and always for a configured one;
    /// [`IdentityError::NoSuchDomain`].
    pub async fn remove_domain(&self, domain: &Domain) -> Result<(), IdentityError> {
        if self.is_configured(domain) {
            return Err(IdentityError::DomainInUse("it is in the server's configuration"));
        }
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            match self.change_domain(domain, closing(true)).await {
                Ok(()) => {}
                Err(IdentityError::NoSuchDomain) if sent => return self.forget_domain(domain).await,
                Err(error) => return Err(error),
            }
            if self.has_addresses(domain).await? {
                self.change_domain(domain, closing(false)).await?;
                return Err(IdentityError::DomainInUse("inboxes have addresses there"));
            }
            let found = self.row::<StoredDomain>(&keys::domain(domain)).await?;
            // Opened again by a start of another process.
            let Some((old, _)) = found.filter(|(_, row)| row.closing) else {
                continue;
            };
            let mut builder = CommitBuilder::new();
            builder.require(keys::domain(domain), old);
            builder.delete(keys::domain(domain));
            self.delete_dkim_keys(&mut builder, domain).await?;
            sent = true;
            if self.commit_change(builder).await? {
                return self.forget_domain(domain).await;
            }
        }
        Err(IdentityError::Busy)
    }

    pub(crate) async fn forget_domain(&self, domain: &Domain) -> Result<(), IdentityError> {
        self.refresh_domain(domain).await?;
        self.hosted.signers().remove(domain);
        tracing::info!(%domain, "domain removed");
        Ok(())
    }

    /// Makes sure that the configured domains have rows, opens domains whose removal a crash cut short, and reads all.
    pub(crate) async fn open_domains(&self) -> Result<(), IdentityError> {
        for domain in self.configured() {
            self.change_domain(domain, |_| Ok(())).await?;
        }
        self.refresh_domains().await?;
        for domain in self.domains().await? {
            self.change_domain(&domain.domain, closing(false)).await?;
        }
        Ok(())
    }

    /// Changes a domain's row; a configured domain without one gets it.
    async fn change_domain(
        &self,
        domain: &Domain,
        change: impl Fn(&mut StoredDomain) -> Result<(), IdentityError>,
    ) -> Result<(), IdentityError> {
        let (key, configured) = (keys::domain(domain), self.is_configured(domain));
        let created_at = now_ms();
        for _ in 0..ATTEMPTS {
            let found = self.row::<StoredDomain>(&key).await?;
            let mut builder = CommitBuilder::new();
            match found.filter(|(_, row)| configured || row.added) {
                Some((old, row)) => {
                    let mut changed = row.clone();
                    change(&mut changed)?;
                    if changed == row {
                        return self.refresh_domain(domain).await;
                    }
                    builder.replace(key.clone(), old, encode(&changed));
                }
                None if configured => {
                    let mut row = StoredDomain {
                        created_at,
                        ..StoredDomain::default()
                    };
                    change(&mut row)?;
                    builder.put_new(key.clone(), encode(&row));
                }
                None => return Err(IdentityError::NoSuchDomain),
            }
            if self.commit_change(builder).await? {
                return self.refresh_domain(domain).await;
            }
        }
        Err(IdentityError::Busy)
    }

    async fn has_addresses(&self, domain: &Domain) -> Result<bool, IdentityError> {
        let end = format!("@{domain}");
        let mut rows = scan_prefix(&*self.store, ADDRESSES);
        while let Some((key, value)) = rows.next().await? {
            let inside = key.ends_with(end.as_bytes());
            if inside && matches!(decode(&value)?, AddressRow::Inbox { .. }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes the domains of an organization that is being deleted, after its inboxes.
    pub(crate) async fn remove_domains_of(&self, organization: OrganizationId) -> Result<(), IdentityError> {
        for claimed in self.domains_of(organization, None).await? {
            match self.delete_domain(organization, &claimed.domain).await {
                Ok(()) | Err(IdentityError::NoSuchDomain) => {}
                Err(error) => return Err(error),
            }
        }
        for domain in self.domains().await? {
            if domain.organization != Some(organization) {
                continue;
            }
            match self.remove_domain(&domain.domain).await {
                Ok(()) | Err(IdentityError::NoSuchDomain) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn closing(is: bool) -> impl Fn(&mut StoredDomain) -> Result<(), IdentityError> {
    move |row| {
        row.closing = is;
        Ok(())
    }
}
