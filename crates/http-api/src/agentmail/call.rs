//! Who calls an operation, and what they may see of the tree: the scope of the key met with the scope of the route.
//!
//! What always holds: a handler that has a [`Call`] has one whose key is live, holds the operation's permission, and
//! sees the pod and inbox that the path names.

use super::failure::{Answer, Failure};
use super::operations::{Level, Operation};
use crate::State;
use crate::auth::{self, Lack};
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use postroom_identity::{IdentityError, InboxRecord, Permission, Principal, Reach};
use postroom_types::{EmailAddress, OrganizationId, PodId};
use std::sync::Arc;

/// What a call may see: the whole organization, one pod of it, or one inbox.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) organization: OrganizationId,
    pub(crate) pod: Option<PodId>,
    pub(crate) inbox: Option<Arc<InboxRecord>>,
}

impl Scope {
    /// The inboxes that lie in it.
    pub(crate) fn reach(&self) -> Reach {
        Reach {
            organization: self.organization,
            pod: self.pod,
            inbox: self.inbox.as_ref().map(|inbox| inbox.id),
        }
    }

    /// Whether the inbox lies in it.
    pub(crate) fn sees(&self, inbox: &InboxRecord) -> bool {
        self.reach().sees(inbox)
    }
}

/// An admitted call.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) principal: Principal,
    pub(crate) operation: &'static Operation,
    pub(crate) level: Level,
    pub(crate) scope: Scope,
}

impl FromRequestParts<State> for Call {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Failure::internal)
    }
}

impl Call {
    /// The inbox that the path names, or the key.
    pub(crate) fn inbox(&self) -> Answer<&Arc<InboxRecord>> {
        self.scope.inbox.as_ref().ok_or_else(Failure::not_found)
    }

    /// Whether the key holds a permission beside that of the operation.
    pub(crate) fn allows(&self, permission: Permission) -> bool {
        self.principal.allows(permission)
    }

    /// Asks for a permission beside that of the operation.
    pub(crate) fn require(&self, permission: Permission) -> Answer<()> {
        if self.allows(permission) {
            Ok(())
        } else {
            Err(Failure::missing_permission(permission))
        }
    }
}

/// What stands before a route.
#[derive(Clone)]
pub(crate) struct Admission {
    pub(crate) state: State,
    pub(crate) operation: &'static Operation,
    pub(crate) level: Level,
}

/// Lets a request through to its handler, with its [`Call`].
pub(crate) async fn admit(
    axum::extract::State(admission): axum::extract::State<Admission>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    match call(&admission, &mut parts).await {
        Ok(call) => {
            parts.extensions.insert(call);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(failure) => failure.into_response(),
    }
}

async fn call(admission: &Admission, parts: &mut Parts) -> Answer<Call> {
    let Admission {
        state,
        operation,
        level,
    } = admission;
    let principal = authenticate(state, auth::bearer_or_key(&parts.headers)).await?;
    match operation.needs.lack(&principal) {
        None => {}
        Some(Lack::Permission(permission)) => return Err(Failure::missing_permission(permission)),
        Some(Lack::Freedom) => return Err(IdentityError::UnrestrictedKeyRequired.into()),
    }
    let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
    let Ok(Path(segments)) = path else {
        // What does not decode names nothing.
        return Err(Failure::not_found());
    };
    let scope = scope(state, &principal, &segments).await?;
    Ok(Call {
        principal,
        operation,
        level: *level,
        scope,
    })
}

/// Whose key it is; the contract tells a missing one from one that opens nothing (agentmail.md §4).
pub(crate) async fn authenticate(state: &State, key: Option<&str>) -> Answer<Principal> {
    let key = key.filter(|key| !key.is_empty() && !key.contains(char::is_whitespace));
    let key = key.ok_or_else(Failure::missing_authorization)?;
    let principal = state.identity().authenticate_key(key).await?;
    principal
        .filter(Principal::is_of_a_tenant)
        .ok_or_else(Failure::unknown_api_key)
}

/// The whole scope of a key.
pub(crate) async fn scope_of_key(state: &State, principal: &Principal) -> Result<Scope, IdentityError> {
    let inbox = match principal.inbox {
        None => None,
        Some(own) => Some(Arc::new(state.identity().inbox(own).await?)),
    };
    Ok(Scope {
        organization: principal.organization,
        pod: principal.pod,
        inbox,
    })
}

async fn scope(state: &State, principal: &Principal, segments: &[(String, String)]) -> Answer<Scope> {
    let named = |name| {
        segments
            .iter()
            .find_map(|(segment, value)| (segment == name).then_some(value.as_str()))
    };
    let mut scope = scope_of_key(state, principal).await?;
    if let Some(pod) = named("pod_id") {
        if principal.inbox.is_some() {
            // An inbox key has no business with pods, and learns nothing by being told (agentmail.md §5).
            return Err(Failure::forbidden("an inbox key has no access to pods"));
        }
        let pod = state.identity().pod_by(scope.organization, pod, scope.pod).await?;
        scope.pod = Some(pod.id);
    }
    if let Some(inbox) = named("inbox_id") {
        scope.inbox = Some(Arc::new(inbox_in(state, &scope, inbox).await?));
    }
    Ok(scope)
}

/// The inbox that an `inbox_id` names: its address. If it lies in the scope.
pub(crate) async fn inbox_in(state: &State, scope: &Scope, id: &str) -> Answer<InboxRecord> {
    let address = EmailAddress::parse(id).map_err(|_| Failure::not_found())?;
    Ok(state.identity().inbox_within_at(&scope.reach(), &address).await?)
}
