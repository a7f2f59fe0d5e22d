//! Who calls an operation, and what they may see.
//!
//! What always holds: a handler that has a [`Caller`] has one whose key is live and of this dialect, and wide enough for
//! the operation. A mailbox that a key may not see is not there.

use super::failure::{Answer, Failure};
use super::operations::Who;
use super::wire::Segments;
use crate::State;
use crate::auth;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use postroom_identity::{InboxRecord, KeyKind, Principal};
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

    /// For what stays when the key is gone: webhooks, rules, signatures, signing keys. An agent sets these up for itself. The
    /// key of an inbox without an identity may not do so in the dialect that it was made for, and so not here.
    pub(crate) async fn may_leave_behind(&self, state: &State) -> Answer<()> {
        let Some(own) = self.inbox_scope() else {
            return Ok(());
        };
        match state.identity().inbox(own).await?.agent {
            Some(_) => Ok(()),
            None => Err(Failure::admin_key_required()),
        }
    }

    /// Whether it may see an inbox.
    pub(crate) fn sees(&self, inbox: &InboxRecord) -> bool {
        inbox.organization == self.organization() && self.inbox_scope().is_none_or(|own| own == inbox.id)
    }

    /// The inbox of an address, if the key may see it.
    pub(crate) async fn mailbox(&self, state: &State, address: &str) -> Answer<InboxRecord> {
        let address = EmailAddress::parse(address).map_err(|_| Failure::not_found())?;
        let found = state.identity().inbox_at_address(&address).await?;
        found.filter(|inbox| self.sees(inbox)).ok_or_else(Failure::not_found)
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
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
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
    Ok(caller)
}
