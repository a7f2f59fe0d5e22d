//! The WebSocket at `/v0` (agentmail.md §15).

mod frames;

use super::call::{Scope, authenticate};
use super::failure::{Answer, Failure};
use crate::State;
use crate::socket::{self, Heard, Speech, Upgrade};
use crate::subscriber::{rights, subscription};
use axum::Router;
use axum::extract::{RawQuery, State as Shared};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use frames::Subscribe;
use postroom_identity::{Permission, Principal};
use postroom_webhooks::{Dialect, LabelRights};

pub(crate) fn routes() -> Router<State> {
    Router::new().route("/", get(connect))
}

/// The key is asked for before anything else is looked at: clients turn a 401 into an error of their own.
async fn connect(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Upgrade,
) -> Response {
    match open(state, &headers, query.as_deref(), upgrade).await {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}

async fn open(state: State, headers: &HeaderMap, query: Option<&str>, upgrade: Upgrade) -> Answer<Response> {
    let key = socket::key(headers, query);
    let principal = authenticate(&state, key.as_deref()).await?;
    if !principal.allows(Permission::MessageRead) {
        return Err(Failure::missing_permission(Permission::MessageRead));
    }
    Ok(socket::open(state, key.unwrap_or_default(), principal, upgrade, AgentMail).await?)
}

/// What is said at `/v0`.
struct AgentMail;

impl Speech for AgentMail {
    const DIALECT: Dialect = Dialect::AgentMail;

    fn rights(principal: &Principal) -> LabelRights {
        rights(principal)
    }

    fn greeting(&self) -> Option<String> {
        None
    }

    fn ping(&self) -> Option<String> {
        None
    }

    async fn hear(&self, state: &State, principal: &Principal, scope: &Scope, text: &str) -> Answer<Heard> {
        let frame = Subscribe::parse(text)?;
        Ok(Heard::Subscribe {
            subscription: subscription(state, principal, scope, &frame.wanted()).await?,
            after: frame.after()?,
            answer: frame.subscribed(),
        })
    }

    fn error(&self, failure: &Failure) -> String {
        frames::error(failure)
    }
}
