//! Every operation of the dialect, in one table: its route, the kinds of keys that may call it, and what a key has to be
//! permitted for it.
//!
//! What always holds: no route is reached but through [`admit`], which asks for a live key (401) of a kind that may call
//! the operation and is permitted it (403) before anything else of the request is looked at. What a key of the right kind may see is for the
//! handler, and what it may not see is 404.

use super::{
    addresses, attachments, domains, drafts, inboxes, keys, later, me, messages, send, tenants, webhooks, websocket,
    workspaces,
};
use crate::State;
use crate::auth::{self, Caller, Lack, Needs};
use crate::error::ApiError;
use crate::socket;
use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use postroom_identity::{IdentityError, KeyKind, Permission};

/// The operator: makes tenants, and has no business within them.
pub(super) const OPERATOR: &[KeyKind] = &[KeyKind::Operator];
/// A tenant as a whole.
pub(super) const TENANT: &[KeyKind] = &[KeyKind::Tenant];
/// Who provisions, in a tenant or in a workspace.
pub(super) const MANAGERS: &[KeyKind] = &[KeyKind::Tenant, KeyKind::Pod];
/// Who reads and writes mail.
pub(super) const READERS: &[KeyKind] = &[KeyKind::Tenant, KeyKind::Pod, KeyKind::Inbox];
/// Whoever has a key, of another dialect too.
pub(super) const ANYBODY: &[KeyKind] = &[
    KeyKind::Operator,
    KeyKind::Tenant,
    KeyKind::Organization,
    KeyKind::AgentPod,
    KeyKind::AgentInbox,
    KeyKind::Pod,
    KeyKind::Inbox,
];

/// One operation.
pub(super) struct Operation {
    /// `None`: every method.
    method: Option<&'static str>,
    /// Below `/v1`.
    path: &'static str,
    who: &'static [KeyKind],
    /// What the key has to be permitted, as over `/v0`.
    needs: Needs,
    /// Whether the key may stand in the query.
    key_in_query: bool,
    handler: fn() -> MethodRouter<State>,
}

impl Operation {
    const fn new(
        method: Option<&'static str>,
        path: &'static str,
        who: &'static [KeyKind],
        handler: fn() -> MethodRouter<State>,
    ) -> Self {
        Self {
            method,
            path,
            who,
            needs: Needs::NOTHING,
            key_in_query: false,
            handler,
        }
    }

    pub(super) const fn get(path: &'static str, who: &'static [KeyKind], handler: fn() -> MethodRouter<State>) -> Self {
        Self::new(Some("GET"), path, who, handler)
    }

    pub(super) const fn post(
        path: &'static str,
        who: &'static [KeyKind],
        handler: fn() -> MethodRouter<State>,
    ) -> Self {
        Self::new(Some("POST"), path, who, handler)
    }

    pub(super) const fn patch(
        path: &'static str,
        who: &'static [KeyKind],
        handler: fn() -> MethodRouter<State>,
    ) -> Self {
        Self::new(Some("PATCH"), path, who, handler)
    }

    pub(super) const fn delete(
        path: &'static str,
        who: &'static [KeyKind],
        handler: fn() -> MethodRouter<State>,
    ) -> Self {
        Self::new(Some("DELETE"), path, who, handler)
    }

    /// With whatever method.
    pub(super) const fn any(path: &'static str, who: &'static [KeyKind], handler: fn() -> MethodRouter<State>) -> Self {
        Self::new(None, path, who, handler)
    }

    /// The permission that a key needs.
    pub(super) const fn needs(self, permission: Permission) -> Self {
        Self {
            needs: Needs::of(permission),
            ..self
        }
    }

    /// A second permission that a key needs.
    pub(super) const fn and(self, permission: Permission) -> Self {
        Self {
            needs: self.needs.and(permission),
            ..self
        }
    }

    /// It gives out a key or a password.
    pub(super) const fn gives_keys(self) -> Self {
        Self {
            needs: self.needs.giving_keys(),
            ..self
        }
    }

    /// Browsers cannot set a header field when they open a WebSocket.
    pub(super) const fn with_key_in_query(self) -> Self {
        Self {
            key_in_query: true,
            ..self
        }
    }
}

/// All of them; each module has the rows of its own routes.
const ALL: &[&[Operation]] = &[
    me::OPERATIONS,
    tenants::OPERATIONS,
    workspaces::OPERATIONS,
    keys::OPERATIONS,
    inboxes::OPERATIONS,
    addresses::OPERATIONS,
    messages::OPERATIONS,
    attachments::OPERATIONS,
    send::OPERATIONS,
    drafts::OPERATIONS,
    domains::OPERATIONS,
    websocket::OPERATIONS,
    later::OPERATIONS,
    webhooks::OPERATIONS,
];

fn all() -> impl Iterator<Item = &'static Operation> {
    ALL.iter().flat_map(|group| group.iter())
}

/// An operation of the dialect, for those who check that each keeps to its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MyAgentMailOperation {
    /// The method; `None`: every one.
    pub method: Option<&'static str>,
    /// The path below `/v1`, with the names of its parameters in braces.
    pub path: &'static str,
    /// The kinds of keys that may call it.
    pub who: &'static [KeyKind],
    /// What a key has to be permitted.
    pub needs: Vec<Permission>,
}

/// Every operation of the MyAgentMail dialect.
pub fn myagentmail_operations() -> impl Iterator<Item = MyAgentMailOperation> {
    all().map(|operation| MyAgentMailOperation {
        method: operation.method,
        path: operation.path,
        who: operation.who,
        needs: operation.needs.iter().collect(),
    })
}

/// What stands before a route.
#[derive(Clone)]
struct Admission {
    state: State,
    operation: &'static Operation,
}

/// Lets a request through to its handler, with its [`Caller`].
async fn admit(
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
        Err(error) => error.into_response(),
    }
}

async fn caller(admission: &Admission, parts: &Parts) -> Result<Caller, ApiError> {
    let Admission { state, operation } = admission;
    let key = match operation.key_in_query {
        true => socket::key(&parts.headers, parts.uri.query()),
        false => auth::bearer_or_key(&parts.headers).map(str::to_owned),
    };
    let caller = Caller::of(state, key.as_deref()).await?;
    if !operation.who.contains(&caller.0.kind) {
        return Err(ApiError::Forbidden);
    }
    match operation.needs.lack(&caller.0) {
        None => Ok(caller),
        Some(Lack::Permission(permission)) => Err(ApiError::MissingPermission(permission)),
        Some(Lack::Freedom) => Err(IdentityError::UnrestrictedKeyRequired.into()),
    }
}

/// All routes, below `/v1`.
pub(super) fn routes(state: &State) -> Router<State> {
    let mut router = Router::new();
    for operation in all() {
        let admission = Admission {
            state: state.clone(),
            operation,
        };
        let handler = (operation.handler)().layer(from_fn_with_state(admission, admit));
        router = router.route(operation.path, handler);
    }
    router
}
