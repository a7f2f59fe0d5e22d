//! Making an inbox: the wanted name, or the first free one after it, in one conditional commit for each try.
//!
//! What always holds:
//! - The address, the memory of what was asked for, the inbox, its mailboxes and the count against the plan are one
//!   commit. Whoever loses a race reads again and finds the winner's inbox, or goes on to the next name.
//! - The password is hashed before that commit, and only when there is a free name; of many equal requests at once, one
//!   hashes for each permit, and the rest find the inbox made.

use crate::api_keys::add_key;
use crate::attempts::ATTEMPTS;
use crate::hashing::Turn;
use crate::keys::{self, LANE_INBOXES, LANE_ROOM};
use crate::names::parse_username;
use crate::place::{Free, Memory, Place};
use crate::record::{AddressRow, InboxRecord, Organization, encode, encode_id, now_ms};
use crate::scram::StoredPassword;
use crate::secrets::random_secret;
use crate::{CredentialEpoch, Identity, IdentityError, KeyScope};
use postroom_store::{CommitBuilder, CounterRecord, Value};
use postroom_types::{Domain, EmailAddress, InboxId, OrganizationId, PodId, ScramParameters, Secret};

/// A wanted inbox.
#[derive(Clone, Debug)]
pub struct CreateInbox {
    /// Whose it will be.
    pub organization: OrganizationId,
    /// The pod; the default one if `None`.
    pub pod: Option<PodId>,
    /// Whether inboxes of other pods count as somebody else's, as they do for keys that see one pod only.
    pub restrict_to_pod: bool,
    /// The wanted name; made from the organization's name if `None`, and then every call makes a new inbox.
    pub username: Option<String>,
    /// The wanted domain; the server's default if `None`.
    pub domain: Option<String>,
    /// The name shown in From.
    pub display_name: Option<String>,
    /// That name or none. Without a username this says nothing.
    pub strict: bool,
}

/// What came of it.
#[derive(Debug)]
pub enum CreateOutcome {
    /// A new inbox. The secrets are told here only.
    Created {
        /// It.
        inbox: Box<InboxRecord>,
        /// Its `ak_` key.
        api_key: Secret<String>,
        /// Its IMAP and SMTP password.
        password: Secret<String>,
    },
    /// The caller has it already; nothing was changed.
    Existed(Box<InboxRecord>),
    /// Neither the name nor any that might be tried instead is free.
    UsernameTaken {
        /// The name asked for, folded.
        requested: String,
        /// The last one tried.
        attempted: String,
        /// Where.
        domain: Domain,
    },
}

/// How far the password is.
enum Preparation {
    Nothing,
    Turn(Turn),
    Ready(Secret<String>, StoredPassword),
}

impl Identity {
    /// Makes an inbox, or finds the one that the same request made before.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Reserved`], [`IdentityError::DomainNotAvailable`],
    /// [`IdentityError::NoSuchPod`], [`IdentityError::PlanLimit`] (only if an inbox would be made): nothing was done.
    pub async fn create_inbox(&self, request: &CreateInbox) -> Result<CreateOutcome, IdentityError> {
        let domain = self.domain_for(request.domain.as_deref(), request.organization)?;
        request.display_name.as_deref().map_or(Ok(()), check_display_name)?;
        let asked = match &request.username {
            None => None,
            Some(name) => Some(self.allowed(parse_username(name, &domain)?)?),
        };
        let mut preparation = Preparation::Nothing;
        for _ in 0..ATTEMPTS {
            let (owner, organization) = self.live_organization(request.organization).await?;
            let pod = request.pod.unwrap_or(organization.default_pod);
            self.pod(organization.id, pod).await?;
            let place = match &asked {
                Some(address) => self.place_for_name(request, pod, address).await?,
                None => Some(self.place_for_any(&organization, &domain).await?),
            };
            let free = match place {
                None => continue,
                Some(Place::Existed(inbox)) => return Ok(CreateOutcome::Existed(inbox)),
                Some(Place::Taken { requested, attempted }) => return Ok(taken(&requested, &attempted)),
                Some(Place::Free(free)) => free,
            };
            self.check_plan(organization.id).await?;
            preparation = match preparation {
                // Others may have made it while this one waited: read again before hashing.
                Preparation::Nothing => Preparation::Turn(self.hasher.turn().await),
                Preparation::Turn(turn) => {
                    let password = random_secret("");
                    let stored = self.stored_password(turn, &password).await?;
                    Preparation::Ready(password, stored)
                }
                Preparation::Ready(password, stored) => {
                    let mut builder = CommitBuilder::new();
                    builder.require(keys::organization(organization.id), owner);
                    self.hold_domain(&mut builder, &domain, organization.id).await?;
                    let inbox = new_inbox(request, pod, &free);
                    let parameters = self.scram().await?;
                    let api_key = self.add_inbox(&mut builder, parameters, &inbox, free, &stored);
                    match self.commit_new(builder, &keys::inbox(inbox.id)).await? {
                        None => {
                            return Ok(CreateOutcome::Created {
                                inbox: Box::new(inbox),
                                api_key,
                                password,
                            });
                        }
                        Some(_) => Preparation::Ready(password, stored),
                    }
                }
            };
        }
        Err(IdentityError::Busy)
    }

    fn allowed(&self, address: EmailAddress) -> Result<EmailAddress, IdentityError> {
        if self.is_reserved(address.local_part()) {
            return Err(IdentityError::Reserved);
        }
        Ok(address)
    }

    async fn live_organization(&self, id: OrganizationId) -> Result<(Value, Organization), IdentityError> {
        let found = self.row::<Organization>(&keys::organization(id)).await?;
        let live = found.filter(|(_, organization)| organization.deleted_at.is_none());
        live.ok_or(IdentityError::NoSuchOrganization)
    }

    async fn check_plan(&self, organization: OrganizationId) -> Result<(), IdentityError> {
        let value = self.store.get(&keys::organization_counters(organization)).await?;
        let counters = value.as_deref().and_then(CounterRecord::from_value);
        match counters.ok_or(IdentityError::NoSuchOrganization)?.0[LANE_ROOM] {
            0 => Err(IdentityError::PlanLimit),
            _ => Ok(()),
        }
    }

    /// Adds an inbox with everything it needs to a commit; returns its key.
    fn add_inbox(
        &self,
        builder: &mut CommitBuilder,
        parameters: &ScramParameters,
        inbox: &InboxRecord,
        free: Free,
        password: &StoredPassword,
    ) -> Secret<String> {
        let row = AddressRow::Inbox {
            inbox: inbox.id,
            organization: inbox.organization,
            pod: inbox.pod,
            canonical: true,
        };
        claim(builder, &free.address, free.tombstone, &row);
        match free.memory {
            Memory::Nothing => {}
            Memory::New(request) => {
                let within = request.within_pod.then_some(inbox.pod);
                let key = keys::request(inbox.organization, within, &request.address);
                builder.put_new(key, encode_id(inbox.id.as_bytes()));
            }
            Memory::Kept(key, value) => {
                builder.require(key, value);
            }
        }
        let counters = keys::organization_counters(inbox.organization);
        builder.count(counters.clone(), LANE_INBOXES, 1);
        builder.count(counters, LANE_ROOM, -1);
        builder.count(keys::pod_counters(inbox.pod), LANE_INBOXES, 1);
        self.add_inbox_rows(builder, parameters, inbox, password)
    }

    /// The rows of an inbox other than its address and the counters; returns its key.
    pub(crate) fn add_inbox_rows(
        &self,
        builder: &mut CommitBuilder,
        parameters: &ScramParameters,
        inbox: &InboxRecord,
        password: &StoredPassword,
    ) -> Secret<String> {
        builder.put_new(keys::inbox(inbox.id), encode(inbox));
        builder.put(keys::password(inbox.id), encode(password));
        builder.put(
            keys::listed_inbox(inbox.organization, inbox.id),
            encode_id(inbox.pod.as_bytes()),
        );
        self.mailstore.add_inbox(builder, inbox.id, self.options.quota_octets);
        let scope = KeyScope::Inbox(inbox.organization, inbox.id);
        add_key(builder, parameters, &scope, None).1.secret
    }
}

/// Puts an address row where there is none, or where the organization's own tombstone lies.
pub(crate) fn claim(builder: &mut CommitBuilder, address: &EmailAddress, tombstone: Option<Value>, row: &AddressRow) {
    match tombstone {
        None => builder.put_new(keys::address(address), encode(row)),
        Some(tombstone) => builder.replace(keys::address(address), tombstone, encode(row)),
    };
}

/// A display name: at most 255 characters, none of them a control character.
pub(crate) fn check_display_name(name: &str) -> Result<(), IdentityError> {
    if name.chars().count() > 255 || name.chars().any(char::is_control) {
        return Err(IdentityError::Invalid(
            "a display name has at most 255 characters, and no control characters",
        ));
    }
    Ok(())
}

fn new_inbox(request: &CreateInbox, pod: PodId, free: &Free) -> InboxRecord {
    InboxRecord {
        id: InboxId::new(),
        organization: request.organization,
        pod,
        canonical: free.address.clone(),
        primary: free.address.clone(),
        aliases: Vec::new(),
        display_name: request.display_name.clone(),
        send_paused: false,
        receive_paused: false,
        forward_to: None,
        daily_messages: None,
        daily_new_recipients: None,
        epoch: CredentialEpoch::default(),
        created_at: now_ms(),
        request: match &free.memory {
            Memory::New(request) => Some(request.clone()),
            Memory::Nothing | Memory::Kept(..) => None,
        },
        rotations: 0,
        deleted_at: None,
    }
}

fn taken(requested: &EmailAddress, attempted: &EmailAddress) -> CreateOutcome {
    CreateOutcome::UsernameTaken {
        requested: requested.local_part().to_owned(),
        attempted: attempted.local_part().to_owned(),
        domain: requested.domain().clone(),
    }
}
