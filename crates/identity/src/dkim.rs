//! DKIM keys of a domain (RFC 6376): pairs of RSA-2048 and Ed25519 (RFC 8463), each under a selector of its own.
//!
//! What always holds:
//! - A pair is published for [`PUBLISHED`] before it signs, so that no verifier has an old answer cached, except for a
//!   domain's first pair, which nobody can have asked for, and where the operator says so.
//! - At every moment one pair of a domain signs. What changes with time follows from the times in the rows; nothing has
//!   to run for it.
//! - A private key leaves the store only into a [`Signer`], and is wiped from the store once its pair is retired.

mod row;
#[cfg(test)]
mod tests;

pub use row::{DkimKeySummary, KeyStage};

use crate::attempts::ATTEMPTS;
use crate::dns::is_dns_name;
use crate::domains::StoredDomain;
use crate::keys;
use crate::record::{decode, encode, now_ms};
use crate::{Identity, IdentityError};
use postroom_message::{DkimKey, SignError, Signer};
use postroom_store::{CommitBuilder, Key, Value, scan_prefix};
use postroom_types::Domain;
use row::{Row, StoredKey, dated_name, make_pair, ms};
use std::sync::Arc;
use std::time::Duration;

/// How long a pair is in DNS before it signs: longer than the day that negative answers and records are commonly cached.
const PUBLISHED: Duration = Duration::from_hours(48);
/// Most pairs of a domain: more would mean that rotation is called in a loop.
const MAX_PAIRS: usize = 8;
/// A signer is read again after this long, in case another process rotated the keys.
const SIGNER_KEPT: Duration = Duration::from_hours(1);

/// A signer and when it must be looked up again, in milliseconds since 1970.
#[derive(Clone)]
pub(crate) struct CachedSigner {
    signer: Arc<Signer>,
    until: i64,
}

impl Identity {
    /// Makes a new pair of DKIM keys for a domain and returns its keys. The new pair signs after 48 hours, or at once
    /// with `now`; the one before it may leave DNS 7 days after that.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchDomain`]; [`IdentityError::TooMany`] while 8 pairs are there; [`IdentityError::Keys`].
    pub async fn rotate_dkim(&self, domain: &Domain, now: bool) -> Result<Vec<DkimKeySummary>, IdentityError> {
        self.rotate_dkim_at(domain, now, now_ms()).await
    }

    /// The signer of a domain; exactly this one, or the one above it that has all below it: their signatures count for it
    /// (RFC 7489 §3.1.1). A domain that has no keys gets its first pair.
    /// `None` if this server does not answer for it, or it cannot stand in DNS.
    ///
    /// # Errors
    /// [`IdentityError::Keys`]; those of the store.
    pub async fn signer(&self, domain: &Domain) -> Result<Option<Arc<Signer>>, IdentityError> {
        self.signer_at(domain, now_ms()).await
    }

    /// Makes the first keys of domains that have none, wipes the private halves of retired keys and forgets those that
    /// are gone. For the start and every hour or so; nothing breaks if it is late.
    ///
    /// # Errors
    /// [`IdentityError::Keys`]; those of the store.
    pub async fn maintain_domains(&self) -> Result<(), IdentityError> {
        self.refresh_domains().await?;
        self.maintain_domains_at(now_ms()).await
    }

    pub(crate) async fn dkim_keys(&self, domain: &Domain, now: i64) -> Result<Vec<DkimKeySummary>, IdentityError> {
        let mut rows = self.dkim_rows(domain).await?;
        rows.retain(|row| !row.key.is_gone(now));
        Ok(rows.iter().map(|row| row.summary(now)).collect())
    }

    /// The keys of a domain, after making the first pair if there are none.
    pub(crate) async fn ready_dkim_keys(
        &self,
        domain: &Domain,
        now: i64,
    ) -> Result<Vec<DkimKeySummary>, IdentityError> {
        self.ready_rows(domain, now).await?;
        self.dkim_keys(domain, now).await
    }

    /// The same of a domain that is claimed, as long as this row of the claim stays as it is.
    pub(crate) async fn ready_claimed_keys(
        &self,
        domain: &Domain,
        claim: (Key, Value),
        now: i64,
    ) -> Result<Vec<DkimKeySummary>, IdentityError> {
        if self.dkim_rows(domain).await?.is_empty() {
            self.add_pair(domain, Some(claim), |rows| Ok(rows.is_empty().then_some((now, now))))
                .await?;
        }
        self.dkim_keys(domain, now).await
    }

    async fn signer_at(&self, domain: &Domain, now: i64) -> Result<Option<Arc<Signer>>, IdentityError> {
        if !self.is_local(domain) || !is_dns_name(domain) {
            return Ok(None);
        }
        let over = self.hosted.over(domain).filter(|_| !self.is_configured(domain));
        let domain = over.as_ref().map_or(domain, |(over, _)| over);
        if let Some(cached) = self.hosted.signers().get(domain)
            && now < cached.until
        {
            return Ok(Some(Arc::clone(&cached.signer)));
        }
        let rows = self.ready_rows(domain, now).await?;
        let mut keys = Vec::new();
        for row in rows.iter().filter(|row| row.key.stage(now) == KeyStage::Signing) {
            let private = row.key.private.as_ref().ok_or(IdentityError::Keys(SignError::Key))?;
            let der = private.bytes().ok_or(IdentityError::Keys(SignError::Key))?;
            keys.push((row.selector.clone(), DkimKey::from_pkcs8(der.expose())?));
        }
        let signer = Arc::new(Signer::new(domain.clone(), keys)?);
        let next = rows.iter().map(|row| row.key.signs_from).filter(|at| *at > now).min();
        let kept = now.saturating_add(ms(SIGNER_KEPT));
        let cached = CachedSigner {
            signer: Arc::clone(&signer),
            until: next.map_or(kept, |next| next.min(kept)),
        };
        self.hosted.signers().insert(domain.clone(), cached);
        Ok(Some(signer))
    }

    async fn rotate_dkim_at(
        &self,
        domain: &Domain,
        at_once: bool,
        now: i64,
    ) -> Result<Vec<DkimKeySummary>, IdentityError> {
        if !self.is_local(domain) || !is_dns_name(domain) {
            return Err(IdentityError::NoSuchDomain);
        }
        self.add_pair(domain, None, |rows| {
            if rows.len() >= 2 * MAX_PAIRS {
                return Err(IdentityError::TooMany("DKIM keys"));
            }
            let wait = if at_once || rows.is_empty() { 0 } else { ms(PUBLISHED) };
            Ok(Some((now, now.saturating_add(wait))))
        })
        .await?;
        self.dkim_keys(domain, now).await
    }

    async fn ready_rows(&self, domain: &Domain, now: i64) -> Result<Vec<Row>, IdentityError> {
        let rows = self.dkim_rows(domain).await?;
        if !rows.is_empty() {
            return Ok(rows);
        }
        // Of two that make the first pair at once, the second finds the first one's.
        self.add_pair(domain, None, |rows| Ok(rows.is_empty().then_some((now, now))))
            .await?;
        self.dkim_rows(domain).await
    }

    /// Adds a pair that is published and signs at the times that `plan` says, given the rows; `None` is for no pair. A
    /// domain that is not ours (yet) has a claim to hold on to.
    async fn add_pair(
        &self,
        domain: &Domain,
        claim: Option<(Key, Value)>,
        plan: impl Fn(&[Row]) -> Result<Option<(i64, i64)>, IdentityError>,
    ) -> Result<(), IdentityError> {
        let pair = make_pair().await?;
        for _ in 0..ATTEMPTS {
            // Its row is asked for, so that a domain removed meanwhile leaves no keys behind.
            let held = self.row::<StoredDomain>(&keys::domain(domain)).await?;
            let rows = self.dkim_rows(domain).await?;
            let Some((published_at, signs_from)) = plan(&rows)? else {
                return Ok(());
            };
            let mut builder = CommitBuilder::new();
            match (held, &claim) {
                (Some((value, _)), _) => builder.require(keys::domain(domain), value),
                (None, _) if self.is_configured(domain) => &mut builder,
                (None, Some((key, value))) => builder.require(key.clone(), value.clone()),
                (None, None) => return Err(IdentityError::NoSuchDomain),
            };
            let name = dated_name(&rows, published_at)?;
            let once = keys::dkim_key(domain, &format!("r{name}"));
            for (letter, key) in &pair {
                let key = StoredKey {
                    published_at,
                    signs_from,
                    ..key.clone()
                };
                builder.put_new(keys::dkim_key(domain, &format!("{letter}{name}")), encode(&key));
            }
            for row in rows {
                let end = row.key.superseded_at.map_or(signs_from, |end| end.min(signs_from));
                let key = StoredKey {
                    superseded_at: Some(end),
                    ..row.key
                };
                builder.replace(keys::dkim_key(domain, &row.selector), row.value, encode(&key));
            }
            let conflict = self.commit_new(builder, &once).await?;
            if let (Some(conflict), Some((key, _))) = (&conflict, &claim)
                && conflict == key
            {
                // Changed or given up meanwhile: the caller looks again.
                return Err(IdentityError::Busy);
            }
            if conflict.is_none() {
                self.hosted.signers().remove(domain);
                tracing::info!(%domain, selector = %name, signs_from, "DKIM keys made");
                return Ok(());
            }
        }
        Err(IdentityError::Busy)
    }

    async fn maintain_domains_at(&self, now: i64) -> Result<(), IdentityError> {
        for domain in self.domains().await?.into_iter().map(|record| record.domain) {
            if is_dns_name(&domain) {
                self.ready_rows(&domain, now).await?;
            }
            for row in self.dkim_rows(&domain).await? {
                let at = keys::dkim_key(&domain, &row.selector);
                let mut builder = CommitBuilder::new();
                if row.key.is_gone(now) {
                    builder.require(at.clone(), row.value).delete(at);
                } else if row.key.private.is_some() && row.key.stage(now) == KeyStage::Retired {
                    let key = StoredKey {
                        private: None,
                        ..row.key
                    };
                    builder.replace(at, row.value, encode(&key));
                } else {
                    continue;
                }
                // If somebody was faster, or it is not known whether it was done, the next round sees.
                self.commit_change(builder).await?;
            }
        }
        Ok(())
    }

    /// Adds to a commit that all keys of a domain go.
    pub(crate) async fn delete_dkim_keys(
        &self,
        builder: &mut CommitBuilder,
        domain: &Domain,
    ) -> Result<(), IdentityError> {
        let mut rows = scan_prefix(&*self.store, &keys::dkim_keys(domain));
        while let Some((key, _)) = rows.next().await? {
            builder.delete(key);
        }
        Ok(())
    }

    /// Oldest first.
    async fn dkim_rows(&self, domain: &Domain) -> Result<Vec<Row>, IdentityError> {
        let prefix = keys::dkim_keys(domain);
        let mut found = Vec::new();
        let mut rows = scan_prefix(&*self.store, &prefix);
        while let Some((key, value)) = rows.next().await? {
            let selector = String::from_utf8_lossy(&key[prefix.len()..]).into_owned();
            let key = decode(&value)?;
            found.push(Row { selector, value, key });
        }
        // Without their first letter, so that the keys of a pair stand together.
        found.sort_by(|one, two| {
            let place = |row: &Row| (row.key.published_at, row.selector.get(1..).map(str::to_owned));
            place(one).cmp(&place(two))
        });
        Ok(found)
    }
}
