//! The code that a human confirms an agent with.

use crate::attempts::ATTEMPTS;
use crate::keys;
use crate::organizations::with_limit;
use crate::record::{encode, now_ms};
use crate::secrets::random_bytes;
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, CounterRecord};
use postroom_types::{OrganizationId, Secret};
use serde::{Deserialize, Serialize};

/// How long a code counts, in milliseconds.
const LIFE_MS: i64 = 24 * 60 * 60 * 1000;
/// How often a code may be tried.
const MAX_TRIES: u8 = 10;

/// What is kept of a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredOtp {
    /// argon2id, PHC string.
    hash: String,
    /// Milliseconds since 1970.
    expires_at: i64,
    tries: u8,
}

impl StoredOtp {
    pub(super) const fn new(hash: String, now: i64) -> Self {
        Self {
            hash,
            expires_at: now + LIFE_MS,
            tries: 0,
        }
    }

    const fn has_expired(&self, now: i64) -> bool {
        self.expires_at <= now
    }
}

/// Six digits, each million equally likely but for one part in four thousand.
pub(super) fn new_code() -> Secret<String> {
    let number = u64::from_be_bytes(random_bytes());
    Secret::new(format!("{:06}", number % 1_000_000))
}

const WRONG: IdentityError = IdentityError::Invalid("this is not the code, or it has expired");

impl Identity {
    /// Confirms an agent by the code that its human got: its organization is then as any other. Confirming again is no
    /// error.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] for a wrong code; [`IdentityError::TooManyAttempts`]: from the eleventh try on, until
    /// the code expires; [`IdentityError::NoSuchOrganization`], also if no agent made it.
    pub async fn verify_otp(&self, organization: OrganizationId, code: &Secret<String>) -> Result<(), IdentityError> {
        if self.is_verified(organization).await? {
            return Ok(());
        }
        let stored = self.count_try(organization).await?;
        if !self.hasher.verify(code, stored.hash.clone()).await? {
            return Err(WRONG);
        }
        self.lift_limits(organization, &stored).await
    }

    async fn is_verified(&self, organization: OrganizationId) -> Result<bool, IdentityError> {
        let agent = self.organization(organization).await?.agent;
        agent
            .map(|agent| agent.verified)
            .ok_or(IdentityError::NoSuchOrganization)
    }

    /// Counts a try of a code, then says what it is.
    async fn count_try(&self, organization: OrganizationId) -> Result<StoredOtp, IdentityError> {
        let key = keys::otp(organization);
        for _ in 0..ATTEMPTS {
            let (old, mut otp) = self.row::<StoredOtp>(&key).await?.ok_or(WRONG)?;
            if otp.has_expired(now_ms()) {
                return Err(WRONG);
            }
            if otp.tries >= MAX_TRIES {
                return Err(IdentityError::TooManyAttempts);
            }
            otp.tries += 1;
            let mut builder = CommitBuilder::new();
            builder.replace(key.clone(), old, encode(&otp));
            // An unknown outcome counts twice, which does no harm.
            if self.commit_change(builder).await? {
                return Ok(otp);
            }
        }
        Err(IdentityError::Busy)
    }

    async fn lift_limits(&self, id: OrganizationId, shown: &StoredOtp) -> Result<(), IdentityError> {
        let otp_key = keys::otp(id);
        for _ in 0..ATTEMPTS {
            let (old, mut organization) = self.live_organization(id).await?;
            let agent = organization.agent.as_mut().ok_or(IdentityError::NoSuchOrganization)?;
            if agent.verified {
                return Ok(());
            }
            // The code of a human who has been replaced meanwhile says nothing of the new one.
            let (otp, stored) = self.row::<StoredOtp>(&otp_key).await?.ok_or(WRONG)?;
            if stored.hash != shown.hash {
                return Err(WRONG);
            }
            agent.verified = true;
            organization.max_inboxes = None;
            organization.changed_at = Some(now_ms());
            let counters_key = keys::organization_counters(id);
            let value = self.store.get(&counters_key).await?;
            let value = value.ok_or(IdentityError::NoSuchOrganization)?;
            let counters = CounterRecord::from_value(&value).ok_or(IdentityError::NoSuchOrganization)?;
            let mut builder = CommitBuilder::new();
            builder.replace(keys::organization(id), old, encode(&organization));
            builder.replace(counters_key, value, with_limit(counters, None).to_value());
            builder.require(otp_key.clone(), otp);
            builder.delete(otp_key.clone());
            if self.commit_change(builder).await? {
                tracing::info!(organization = %id, "agent verified");
                return Ok(());
            }
        }
        Err(IdentityError::Busy)
    }

    /// Adds another code to a commit if there is none that counts; returns it then. It is hashed once, and kept in `new`
    /// for the next try of the commit, which may find that the last one was done.
    pub(super) async fn put_due_otp(
        &self,
        builder: &mut CommitBuilder,
        organization: OrganizationId,
        new: &mut Option<(Secret<String>, StoredOtp)>,
    ) -> Result<Option<Secret<String>>, IdentityError> {
        let found = self.row::<StoredOtp>(&keys::otp(organization)).await?;
        if let Some((_, found)) = found.filter(|(_, found)| !found.has_expired(now_ms())) {
            let own = new.as_ref().filter(|(_, new)| new.hash == found.hash);
            return Ok(own.map(|(code, _)| code.clone()));
        }
        let (code, stored) = match new.take() {
            Some(made) => made,
            None => self.new_otp().await?,
        };
        builder.put(keys::otp(organization), encode(&stored));
        *new = Some((code.clone(), stored));
        Ok(Some(code))
    }
}
