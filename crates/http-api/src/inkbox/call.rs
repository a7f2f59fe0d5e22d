//! Who calls an operation, and what they may see.
//!
//! What always holds: a handler that has a [`Caller`] has one whose key is live and of this dialect, wide enough for the
//! operation, and permitted what it takes: the same as in the other dialects. A mailbox that a key may not see is not there.

use super::failure::{Answer, Failure};
use super::operations::Who;
use super::room;
use super::wire::Segments;
use crate::State;
use crate::auth::{self, Lack, Needs};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use postroom_identity::{IdentityError, InboxRecord, KeyKind, Permission, Principal, Reach};
use postroom_types::{EmailAddress, InboxId, OrganizationId};

/// An admitted caller.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Whose key it is.
    pub(crate) principal: Principal,
    /// The name of the operation.
    pub(crate) operation: &'static str,
}

impl FromRequestParts<State> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Failure::internal)
    }
}

impl Caller {
    /// The organization of the key.
    pub(crate) const fn organization(&self) -> OrganizationId {
        self.principal.organization
    }

    /// The inbox of an agent's key; `None` for a key of the organization.
    pub(crate) const fn inbox_scope(&self) -> Option<InboxId> {
        self.principal.inbox
    }

    /// For what agents may not do: the organization of an admin's key.
    pub(crate) fn admin(&self) -> Answer<OrganizationId> {
        match self.principal.kind {
            KeyKind::Tenant => Ok(self.organization()),
            KeyKind::Operator
            | KeyKind::Organization
            | KeyKind::AgentPod
            | KeyKind::AgentInbox
            | KeyKind::Pod
            | KeyKind::Inbox => Err(Failure::admin_key_required()),
        }
    }

    /// Whether the key is permitted something beside what the operation takes.
    pub(crate) fn allows(&self, permission: Permission) -> bool {
        self.principal.allows(permission)
    }

    /// Asks for a permission beside those of the operation.
    pub(crate) fn require(&self, permission: Permission) -> Answer<()> {
        if self.allows(permission) {
            Ok(())
        } else {
            Err(Failure::missing_permission(permission))
        }
    }

    /// The inboxes that it may see.
    pub(crate) const fn reach(&self) -> Reach {
        self.principal.reach()
    }

    /// The inbox of an address, if the key may see it.
    pub(crate) async fn mailbox(&self, state: &State, address: &str) -> Answer<InboxRecord> {
        let address = EmailAddress::parse(address).map_err(|_| Failure::not_found())?;
        Ok(state.identity().inbox_within_at(&self.reach(), &address).await?)
    }

    /// The inbox of the path's `{address}`.
    pub(crate) async fn mailbox_of(&self, state: &State, path: &Segments) -> Answer<InboxRecord> {
        self.mailbox(state, path.text("address")?).await
    }
}

/// What stands before a route.
#[derive(Clone)]
pub(super) struct Admission {
    pub(super) state: State,
    pub(super) who: Who,
    pub(super) needs: Needs,
    pub(super) id: &'static str,
}

/// Lets a request through to its handler, with its [`Caller`].
pub(super) async fn admit(
    axum::extract::State(admission): axum::extract::State<Admission>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    match caller(&admission, &parts).await {
        Ok(caller) => {
            let state = &admission.state;
            let path = match Segments::from_request_parts(&mut parts, state).await {
                Ok(path) => path,
                Err(failure) => return failure.into_response(),
            };
            parts.extensions.insert(caller.clone());
            let response = next.run(Request::from_parts(parts, body)).await;
            room::with_limit(state, &caller, &path, response).await
        }
        Err(failure) => failure.into_response(),
    }
}

async fn caller(admission: &Admission, parts: &Parts) -> Answer<Caller> {
    let key = auth::bearer_or_key(&parts.headers).filter(|key| !key.is_empty());
    let key = key.ok_or_else(Failure::unauthorized)?;
    let principal = admission.state.identity().authenticate_key(key).await?;
    let caller = Caller {
        principal: principal.ok_or_else(Failure::unauthorized)?,
        operation: admission.id,
    };
    match (caller.principal.kind, admission.who) {
        (KeyKind::Tenant, _) => {}
        (KeyKind::Inbox, Who::Agent | Who::Open) => {}
        (KeyKind::Inbox, Who::Admin) => return Err(Failure::admin_key_required()),
        // Keys of other dialects have bounds that this one cannot say: what they may do is not to be guessed.
        (KeyKind::Operator | KeyKind::Organization | KeyKind::AgentPod | KeyKind::AgentInbox | KeyKind::Pod, _) => {
            return Err(Failure::forbidden(
                "this API takes tk_ keys of organizations and ak_ keys of agents",
            ));
        }
    }
    match admission.needs.lack(&caller.principal) {
        None => Ok(caller),
        Some(Lack::Permission(permission)) => Err(Failure::missing_permission(permission)),
        Some(Lack::Freedom) => Err(IdentityError::UnrestrictedKeyRequired.into()),
    }
}
