//! Looking at the domains that wait for their records, without being asked.

use super::{Claim, DomainNames};
use crate::record::{decode, now_ms};
use crate::{Identity, IdentityError, keys};
use postroom_store::scan_prefix;
use postroom_types::{Domain, OrganizationId};
use std::time::Duration;
use tokio::time::Instant;

/// How long one round may take.
const ROUND: Duration = Duration::from_secs(60);
/// What was not published within 30 days of the last change is looked at when somebody asks.
const PATIENCE_MS: i64 = 30 * 86_400_000;

impl Identity {
    /// Checks domains that are not as they should be, as many as a minute allows, each round beginning with others. For
    /// every few minutes; nothing breaks if it is late.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn recheck_domains(&self, names: &dyn DomainNames) -> Result<(), IdentityError> {
        // Whoever asks is told at once.
        if self.options.trust_domains {
            return Ok(());
        }
        let now = now_ms();
        let mut waiting = self.waiting_claims(now).await?;
        let first = usize::try_from(now).unwrap_or(0) % waiting.len().max(1);
        waiting.rotate_left(first);
        let until = Instant::now() + ROUND;
        for (organization, domain) in waiting {
            if Instant::now() >= until {
                break;
            }
            match self.verify_domain(organization, &domain, names).await {
                Ok(_) | Err(IdentityError::NoAnswer | IdentityError::DomainTaken | IdentityError::NoSuchDomain) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn waiting_claims(&self, now: i64) -> Result<Vec<(OrganizationId, Domain)>, IdentityError> {
        let mut waiting = Vec::new();
        let mut rows = scan_prefix(&*self.store, keys::CLAIMS);
        while let Some((key, value)) = rows.next().await? {
            let claim: Claim = decode(&value)?;
            if !claim.settled && now.saturating_sub(claim.changed_at) <= PATIENCE_MS {
                waiting.extend(keys::claim_of(&key));
            }
        }
        Ok(waiting)
    }
}
