//! Making an inbox: the wanted name, or the first free one after it, in one conditional commit for each try.
//!
//! What always holds:
//! - The address, the memory of what was asked for, the inbox, its mailboxes and the count against the plan are one
//!   commit. Whoever loses a race reads again and finds the winner's inbox, or goes on to the next name.
//! - The password is hashed before that commit, and only when there is a free name; of many equal requests at once, one
//!   hashes for each permit, and the rest find the inbox made. Without credentials, nothing is hashed at all.

mod rows;

use crate::attempts::ATTEMPTS;
use crate::client_id::check_client_id;
use crate::hashing::Turn;
use crate::keys::{self, LANE_ROOM};
use crate::metadata::{self, Metadata};
use crate::names::parse_username;
use crate::place::{Free, Place};
use crate::record::{InboxRecord, Organization};
use crate::scram::StoredPassword;
use crate::secrets::random_secret;
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, CounterRecord, Value};
use postroom_types::{Domain, EmailAddress, InboxId, OrganizationId, PodId, Secret};
use rows::add_metadata;
pub(crate) use rows::{add_credentials, address_row, claim};

/// A wanted inbox.
#[derive(Clone, Debug)]
pub struct CreateInbox {
    /// Whose it will be.
    pub organization: OrganizationId,
    /// The pod; the default one if `None`.
    pub pod: Option<PodId>,
    /// Whether inboxes of other pods count as somebody else's, as they do for keys that see one pod only.
    pub restrict_to_pod: bool,
    /// The wanted name. If `None`, one made from the organization's name where requests are remembered, else a random
    /// one; and then every call makes a new inbox.
    pub username: Option<String>,
    /// The wanted domain; the server's default if `None`.
    pub domain: Option<String>,
    /// The name shown in From.
    pub display_name: Option<String>,
    /// That name or none. Without a username this says nothing.
    pub strict: bool,
    /// Whether asking for a name again finds the inbox that it gave before. If not, as with `strict` that name or none,
    /// and what the caller has already is taken.
    pub remember: bool,
    /// What the caller calls it: once there is an inbox that the organization calls so, that is found, whatever else is
    /// asked for.
    pub client_id: Option<String>,
    /// Anything the owner wants kept; at most 256 names, each with a text, a number or a boolean.
    pub metadata: Option<Metadata>,
    /// Whether it neither sends nor takes mail at first.
    pub paused: bool,
    /// Whether it gets a password and an `ak_` key. If not,
    /// [`rotate_credentials`](Identity::rotate_credentials) can give it some later.
    pub credentials: bool,
}

impl CreateInbox {
    /// Any name in the default domain and the default pod, remembered, with credentials.
    #[must_use]
    pub const fn new(organization: OrganizationId) -> Self {
        Self {
            organization,
            pod: None,
            restrict_to_pod: false,
            username: None,
            domain: None,
            display_name: None,
            strict: false,
            remember: true,
            client_id: None,
            metadata: None,
            paused: false,
            credentials: true,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub enum CreateOutcome {
    /// A new inbox. The secrets are told here only.
    Created {
        /// It.
        inbox: Box<InboxRecord>,
        /// Its `ak_` key, if credentials were asked for.
        api_key: Option<Secret<String>>,
        /// Its IMAP and SMTP password, if credentials were asked for.
        password: Option<Secret<String>>,
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
    Ready(Option<(Secret<String>, StoredPassword)>),
}

impl Identity {
    /// Makes an inbox, or finds the one that the same request made before.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Reserved`], [`IdentityError::DomainNotAvailable`],
    /// [`IdentityError::NoSuchPod`], [`IdentityError::PlanLimit`] (only if an inbox would be made),
    /// [`IdentityError::ClientIdTaken`] (by an inbox of another pod, for who sees one pod only): nothing was done.
    pub async fn create_inbox(&self, request: &CreateInbox) -> Result<CreateOutcome, IdentityError> {
        request.client_id.as_deref().map_or(Ok(()), check_client_id)?;
        if let Some(inbox) = self.made_before(request).await? {
            return Ok(CreateOutcome::Existed(Box::new(inbox)));
        }
        let outcome = self.create_new(request).await;
        match outcome {
            // An equal request, made meanwhile, may have taken the name or the last place of the plan.
            Ok(CreateOutcome::UsernameTaken { .. }) | Err(IdentityError::PlanLimit) => {
                let made = self.made_before(request).await?;
                made.map_or(outcome, |inbox| Ok(CreateOutcome::Existed(Box::new(inbox))))
            }
            outcome => outcome,
        }
    }

    async fn create_new(&self, request: &CreateInbox) -> Result<CreateOutcome, IdentityError> {
        let (domain, asked) = self.checked(request)?;
        let mut preparation = if request.credentials {
            Preparation::Nothing
        } else {
            Preparation::Ready(None)
        };
        for _ in 0..ATTEMPTS {
            let (owner, organization) = self.live_organization(request.organization).await?;
            let pod = request.pod.unwrap_or(organization.default_pod);
            self.pod(organization.id, pod).await?;
            self.check_pod_of_domain(&domain, organization.id, pod).await?;
            let free = match self.place(request, &organization, pod, &domain, asked.as_ref()).await? {
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
                    Preparation::Ready(Some((password, stored)))
                }
                Preparation::Ready(password) => {
                    let mut builder = CommitBuilder::new();
                    builder.require(keys::organization(organization.id), owner);
                    self.hold_domain(&mut builder, &domain, organization.id).await?;
                    let made = self
                        .commit_inbox(builder, request, pod, free, password.as_ref())
                        .await?;
                    if let Some((inbox, api_key)) = made {
                        return Ok(CreateOutcome::Created {
                            inbox: Box::new(inbox),
                            api_key,
                            password: password.map(|(password, _)| password),
                        });
                    }
                    if let Some(inbox) = self.made_before(request).await? {
                        return Ok(CreateOutcome::Existed(Box::new(inbox)));
                    }
                    Preparation::Ready(password)
                }
            };
        }
        Err(IdentityError::Busy)
    }

    /// Where it is to be, and the address asked for.
    fn checked(&self, request: &CreateInbox) -> Result<(Domain, Option<EmailAddress>), IdentityError> {
        let domain = self.domain_for(request.domain.as_deref(), request.organization)?;
        request.display_name.as_deref().map_or(Ok(()), check_display_name)?;
        if let Some(given) = &request.metadata {
            metadata::check(given, false)?;
        }
        let asked = match &request.username {
            None => None,
            Some(name) => Some(self.allowed(parse_username(name, &domain)?)?),
        };
        Ok((domain, asked))
    }

    /// Makes it, unless somebody was faster.
    async fn commit_inbox(
        &self,
        mut builder: CommitBuilder,
        request: &CreateInbox,
        pod: PodId,
        free: Free,
        password: Option<&(Secret<String>, StoredPassword)>,
    ) -> Result<Option<(InboxRecord, Option<Secret<String>>)>, IdentityError> {
        let inbox = InboxRecord::wanted(request, pod, &free);
        let stored = password.map(|(_, stored)| stored);
        let api_key = self.add_inbox(&mut builder, self.scram().await?, &inbox, free, stored);
        add_metadata(&mut builder, &inbox, request);
        let conflict = self.commit_new(builder, &keys::inbox(inbox.id)).await?;
        Ok(conflict.is_none().then_some((inbox, api_key)))
    }

    /// The inbox that the organization calls as this request does.
    async fn made_before(&self, request: &CreateInbox) -> Result<Option<InboxRecord>, IdentityError> {
        let Some(client_id) = &request.client_id else {
            return Ok(None);
        };
        let Some(id) = self.by_client_id(request.organization, b'i', client_id).await? else {
            return Ok(None);
        };
        let found = self.live_inbox(InboxId::from_bytes(id)).await?;
        if let Some(inbox) = &found
            && request.restrict_to_pod
            && request.pod.is_some_and(|pod| pod != inbox.pod)
        {
            return Err(IdentityError::ClientIdTaken);
        }
        Ok(found)
    }

    /// Where the request leads; `None` means that the rows changed while they were read.
    async fn place(
        &self,
        request: &CreateInbox,
        organization: &Organization,
        pod: PodId,
        domain: &Domain,
        asked: Option<&EmailAddress>,
    ) -> Result<Option<Place>, IdentityError> {
        match asked {
            Some(address) if request.remember => self.place_for_name(request, pod, address).await,
            Some(address) => self.place_for_new(organization.id, address).await.map(Some),
            None if request.remember => self.place_for_any(organization, domain).await.map(Some),
            None => self.place_at_random(domain).await.map(Some),
        }
    }

    pub(crate) fn allowed(&self, address: EmailAddress) -> Result<EmailAddress, IdentityError> {
        if self.is_reserved(address.local_part()) {
            return Err(IdentityError::Reserved);
        }
        Ok(address)
    }

    pub(crate) async fn live_organization(&self, id: OrganizationId) -> Result<(Value, Organization), IdentityError> {
        let found = self.row::<Organization>(&keys::organization(id)).await?;
        let live = found.filter(|(_, organization)| organization.deleted_at.is_none());
        live.ok_or(IdentityError::NoSuchOrganization)
    }

    pub(crate) async fn check_plan(&self, organization: OrganizationId) -> Result<(), IdentityError> {
        let value = self.store.get(&keys::organization_counters(organization)).await?;
        let counters = value.as_deref().and_then(CounterRecord::from_value);
        match counters.ok_or(IdentityError::NoSuchOrganization)?.0[LANE_ROOM] {
            0 => Err(IdentityError::PlanLimit),
            _ => Ok(()),
        }
    }
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

fn taken(requested: &EmailAddress, attempted: &EmailAddress) -> CreateOutcome {
    CreateOutcome::UsernameTaken {
        requested: requested.local_part().to_owned(),
        attempted: attempted.local_part().to_owned(),
        domain: requested.domain().clone(),
    }
}
