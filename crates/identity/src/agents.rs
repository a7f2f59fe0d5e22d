//! Agents that sign themselves up: an organization with one inbox and one key, and a human who confirms it with a code.
//!
//! What always holds: one human answers for one agent at most, by a row put under `Absent`; a code is kept as argon2id
//! and every try is counted on disk before it is looked at; once an agent is confirmed, signing up again gives nothing.

mod human;
mod otp;

use crate::api_keys::add_key;
use crate::attempts::ATTEMPTS;
use crate::create::{address_row, claim};
use crate::keys;
use crate::names::parse_username;
use crate::organizations::add_organization;
use crate::record::{AgentState, InboxRecord, Organization, Standing, decode_id, encode, encode_id, now_ms};
use crate::{CreateInbox, CreateOutcome, Identity, IdentityError, KeyScope};
use otp::{StoredOtp, new_code};
use postroom_store::{CommitBuilder, Key, Value};
use postroom_types::{EmailAddress, OrganizationId, Secret};

pub use human::HumanSet;

/// Addresses a day that an agent may write to whom nobody has confirmed.
const UNVERIFIED_RECIPIENTS_A_DAY: u32 = 10;
/// Inboxes that it may have.
const UNVERIFIED_INBOXES: u32 = 1;
/// What the key is called that an agent gets.
const KEY_NAME: &str = "Agent sign-up";

/// What an agent asks for.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// The name of its inbox in the default domain.
    pub username: String,
    /// Who answers for it.
    pub human_email: Option<EmailAddress>,
}

/// What it gets. The secrets are told here only.
#[derive(Debug)]
pub struct SignedUp {
    /// Its organization.
    pub organization: OrganizationId,
    /// Its inbox.
    pub inbox: InboxRecord,
    /// Its `am_` key. Former ones have stopped.
    pub api_key: Secret<String>,
    /// The code to be sent to the human; `None` if there is no human, or one that has not expired was sent before.
    pub otp: Option<Secret<String>>,
}

/// What an organization may send while no human has confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentLimits {
    /// The only one to whom it may; `None`: it may not send at all.
    pub only_to: Option<EmailAddress>,
    /// Recipients a day.
    pub recipients_a_day: u32,
}

/// A rotation that was sent to the store: the row of the new key, and what to tell.
struct Sent {
    row: Key,
    value: Value,
    api_key: Secret<String>,
    otp: Option<Secret<String>>,
}

impl Identity {
    /// Makes an organization for an agent. With a human who answers for an unconfirmed agent already: finds that one, and
    /// gives it another key.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Reserved`]; [`IdentityError::AddressTaken`] by whomever;
    /// [`IdentityError::AlreadyVerified`].
    pub async fn sign_up(&self, request: &SignUp) -> Result<SignedUp, IdentityError> {
        let domain = self.options.default_domain.clone();
        let address = self.allowed(parse_username(&request.username, &domain)?)?;
        let human = request.human_email.as_ref().map(EmailAddress::folded);
        human.as_ref().map_or(Ok(()), |human| self.check_human(human))?;
        let mut otp = None;
        for _ in 0..ATTEMPTS {
            if let Some(human) = &human
                && let Some(value) = self.store.get(&keys::human(human)).await?
            {
                let organization = OrganizationId::from_bytes(decode_id(&value)?);
                match self.sign_up_again(organization, &address).await {
                    // It was deleted, or got another human, since the row was read.
                    Err(IdentityError::NoSuchOrganization) => {
                        // While it may be had back, its human is its own.
                        if self.standing(organization).await? == Standing::Deleted {
                            return Err(IdentityError::HumanTaken);
                        }
                        tokio::task::yield_now().await;
                        continue;
                    }
                    result => return result,
                }
            }
            if self.store.get(&keys::address(&address)).await?.is_some() {
                return Err(IdentityError::AddressTaken);
            }
            if human.is_some() && otp.is_none() {
                otp = Some(self.new_otp().await?);
            }
            if let Some(signed_up) = self.commit_agent(&address, human.as_ref(), otp.as_ref()).await? {
                return Ok(signed_up);
            }
        }
        Err(IdentityError::Busy)
    }

    async fn commit_agent(
        &self,
        address: &EmailAddress,
        human: Option<&EmailAddress>,
        otp: Option<&(Secret<String>, StoredOtp)>,
    ) -> Result<Option<SignedUp>, IdentityError> {
        let mut builder = CommitBuilder::new();
        let agent = AgentState {
            human_email: human.cloned(),
            verified: false,
            replacements: 0,
            rotations: 0,
        };
        let (name, limit) = (address.local_part(), Some(UNVERIFIED_INBOXES));
        let (organization, pod) = add_organization(&mut builder, name, limit, 1, Some(agent))?;
        let inbox = InboxRecord::new(organization.id, pod.id, address.clone());
        claim(&mut builder, address, None, &address_row(&inbox));
        self.add_inbox_rows(&mut builder, &inbox);
        if let Some(human) = human {
            builder.put_new(keys::human(human), encode_id(organization.id.as_bytes()));
        }
        if let Some((_, stored)) = otp {
            builder.put(keys::otp(organization.id), encode(stored));
        }
        let scope = KeyScope::Organization(organization.id);
        let (_, key) = add_key(&mut builder, self.scram().await?, &scope, Some(KEY_NAME));
        let conflict = self.commit_new(builder, &keys::organization(organization.id)).await?;
        if conflict.is_some() {
            return Ok(None);
        }
        tracing::info!(organization = %organization.id, inbox = %inbox.id, "agent signed up");
        Ok(Some(SignedUp {
            organization: organization.id,
            inbox,
            api_key: key.secret,
            otp: otp.map(|(code, _)| code.clone()),
        }))
    }

    /// Another key for an agent that has signed up, in place of all it had.
    async fn sign_up_again(&self, id: OrganizationId, address: &EmailAddress) -> Result<SignedUp, IdentityError> {
        let (mut new_otp, mut sent) = (None, None::<Sent>);
        for _ in 0..ATTEMPTS {
            // Whether it was done, also where nobody said so, is seen by the key.
            if let Some(sent) = sent.take()
                && self.store.get(&sent.row).await? == Some(sent.value)
            {
                return Ok(SignedUp {
                    organization: id,
                    inbox: self.agent_inbox(id, address).await?,
                    api_key: sent.api_key,
                    otp: sent.otp,
                });
            }
            let (old, mut organization) = self.live_organization(id).await?;
            let agent = organization.agent.as_mut().ok_or(IdentityError::NoSuchOrganization)?;
            if agent.verified {
                return Err(IdentityError::AlreadyVerified);
            }
            agent.rotations += 1;
            let mut builder = CommitBuilder::new();
            builder.replace(keys::organization(id), old, encode(&organization));
            let scope = KeyScope::Organization(id);
            for row in self.all_key_rows(&scope).await? {
                builder.delete(row);
            }
            builder.wake(keys::changed_keys(id));
            let ((row, value), new) = add_key(&mut builder, self.scram().await?, &scope, Some(KEY_NAME));
            let otp = self.put_due_otp(&mut builder, id, &mut new_otp).await?;
            self.commit_change(builder).await?;
            sent = Some(Sent {
                row,
                value,
                api_key: new.secret,
                otp,
            });
        }
        Err(IdentityError::Busy)
    }

    /// The agent's inbox, made anew if it deleted the one it had.
    async fn agent_inbox(&self, id: OrganizationId, address: &EmailAddress) -> Result<InboxRecord, IdentityError> {
        if let Some(inbox) = self.inboxes(id, None, None, 1).await?.inboxes.into_iter().next() {
            return Ok(inbox);
        }
        let request = CreateInbox {
            username: Some(address.local_part().to_owned()),
            remember: false,
            credentials: false,
            ..CreateInbox::new(id)
        };
        match self.create_inbox(&request).await? {
            CreateOutcome::Created { inbox, .. } | CreateOutcome::Existed(inbox) => Ok(*inbox),
            CreateOutcome::UsernameTaken { .. } => Err(IdentityError::AddressTaken),
        }
    }

    /// An address of this server may be that of another agent, who would confirm this one. For trying out, where every
    /// domain is taken for ours, there is no other.
    fn check_human(&self, human: &EmailAddress) -> Result<(), IdentityError> {
        if self.is_local(human.domain()) && !self.options.trust_domains {
            return Err(IdentityError::Invalid("the human must have an address elsewhere"));
        }
        Ok(())
    }

    /// What an organization may send; `None`: as any other.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchOrganization`].
    pub async fn sending_limits(&self, organization: OrganizationId) -> Result<Option<AgentLimits>, IdentityError> {
        let agent = self.organization(organization).await?.agent;
        Ok(agent.filter(|agent| !agent.verified).map(|agent| AgentLimits {
            only_to: agent.human_email,
            recipients_a_day: UNVERIFIED_RECIPIENTS_A_DAY,
        }))
    }

    /// The rows of an agent beside its organization's.
    pub(crate) async fn agent_rows(&self, id: OrganizationId) -> Result<Vec<Key>, IdentityError> {
        let found = self.row::<Organization>(&keys::organization(id)).await?;
        let human = found.and_then(|(_, organization)| organization.agent?.human_email);
        Ok(Vec::from_iter(
            human
                .map(|human| keys::human(&human))
                .into_iter()
                .chain([keys::otp(id)]),
        ))
    }

    /// A code and what is kept of it.
    async fn new_otp(&self) -> Result<(Secret<String>, StoredOtp), IdentityError> {
        let code = new_code();
        let hash = self.hasher.hash(self.hasher.turn().await, &code).await?;
        Ok((code, StoredOtp::new(hash, now_ms())))
    }
}
