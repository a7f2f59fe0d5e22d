//! The human who answers for an agent, named after it signed up, or replaced.

use super::otp::StoredOtp;
use crate::attempts::ATTEMPTS;
use crate::keys;
use crate::record::{decode_id, encode, encode_id, now_ms};
use crate::{Identity, IdentityError};
use postroom_store::CommitBuilder;
use postroom_types::{EmailAddress, OrganizationId, Secret};

/// How often the human may be replaced by another.
const MAX_REPLACEMENTS: u8 = 2;

/// What came of naming a human. The code is told here only.
#[derive(Debug)]
pub struct HumanSet {
    /// The human, folded.
    pub human_email: EmailAddress,
    /// The code to be sent there; `None` if one that has not expired was sent before.
    pub otp: Option<Secret<String>>,
}

impl Identity {
    /// Names the human who answers for an unconfirmed agent, or replaces that human by another, at most twice. The same
    /// one again gets another code if the former one has expired.
    ///
    /// # Errors
    /// [`IdentityError::HumanTaken`], [`IdentityError::AlreadyVerified`], [`IdentityError::TooMany`];
    /// [`IdentityError::NoSuchOrganization`], also if no agent made it.
    pub async fn set_human(&self, id: OrganizationId, human: &EmailAddress) -> Result<HumanSet, IdentityError> {
        let human = human.folded();
        self.check_human(&human)?;
        let mut new_otp: Option<(Secret<String>, StoredOtp)> = None;
        for _ in 0..ATTEMPTS {
            let (old, mut organization) = self.live_organization(id).await?;
            let agent = organization.agent.as_mut().ok_or(IdentityError::NoSuchOrganization)?;
            if agent.verified {
                return Err(IdentityError::AlreadyVerified);
            }
            let is_same = agent.human_email.as_ref() == Some(&human);
            let mut builder = CommitBuilder::new();
            let otp = if is_same {
                self.put_due_otp(&mut builder, id, &mut new_otp).await?
            } else {
                let taken = self.store.get(&keys::human(&human)).await?;
                if taken
                    .as_deref()
                    .map(decode_id)
                    .transpose()?
                    .is_some_and(|other| other != *id.as_bytes())
                {
                    return Err(IdentityError::HumanTaken);
                }
                if let Some(former) = agent.human_email.replace(human.clone()) {
                    if agent.replacements >= MAX_REPLACEMENTS {
                        return Err(IdentityError::TooMany("replacements of the human"));
                    }
                    agent.replacements += 1;
                    builder.delete(keys::human(&former));
                }
                builder.put_new(keys::human(&human), encode_id(id.as_bytes()));
                // A code that somebody else got says nothing of this human.
                let (code, stored) = match new_otp.take() {
                    Some(made) => made,
                    None => self.new_otp().await?,
                };
                builder.put(keys::otp(id), encode(&stored));
                new_otp = Some((code.clone(), stored));
                Some(code)
            };
            organization.changed_at = Some(now_ms().max(organization.updated_at() + 1));
            builder.replace(keys::organization(id), old, encode(&organization));
            if self.commit_change(builder).await? {
                return Ok(HumanSet {
                    human_email: human,
                    otp,
                });
            }
        }
        Err(IdentityError::Busy)
    }
}
