//! The WebSocket at `/v0` (agentmail.md §15).
//!
//! What always holds:
//! - A connection holds one event at a time: who does not read is closed, and nothing piles up.
//! - Events come in the order of the feed, each once; who comes back names the last one seen and misses none.
//! - A key that is revoked ends its connections within a minute.

mod frames;
mod session;

use super::call::{authenticate, scope_of_key};
use super::failure::Failure;
use crate::State;
use crate::auth;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{RawQuery, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use postroom_identity::Permission;
use postroom_types::Secret;
use session::Session;
use std::sync::Arc;

/// Longest frame of a client.
const MAX_FRAME_OCTETS: usize = 64 << 10;

pub(crate) fn routes() -> Router<State> {
    Router::new().route("/", get(connect))
}

/// The key is asked for before anything else is looked at: clients turn a 401 into an error of their own.
async fn connect(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    match open(state, &headers, query.as_deref(), upgrade).await {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}

async fn open(
    state: State,
    headers: &HeaderMap,
    query: Option<&str>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    // The header wins: Node sends the same key both ways.
    let key = auth::bearer_or_key(headers)
        .map(str::to_owned)
        .or_else(|| key_of(query?));
    let principal = authenticate(&state, key.as_deref()).await?;
    if !principal.allows(Permission::MessageRead) {
        return Err(Failure::missing_permission(Permission::MessageRead));
    }
    let upgrade = upgrade.map_err(|_| {
        let text = "this address is for WebSocket connections";
        Failure::new(StatusCode::UPGRADE_REQUIRED, "validation_error", text)
    })?;
    let Ok(room) = Arc::clone(state.sockets()).try_acquire_owned() else {
        let text = "too many WebSocket connections";
        let mut failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", text);
        failure.retry_after_seconds = Some(5);
        return Err(failure);
    };
    let scope = scope_of_key(&state, &principal).await?;
    let session = Session::new(state, Secret::new(key.unwrap_or_default()), principal, scope);
    let upgrade = upgrade
        .max_message_size(MAX_FRAME_OCTETS)
        .max_frame_size(MAX_FRAME_OCTETS);
    Ok(upgrade.on_upgrade(async move |socket| {
        session.run(socket).await;
        drop(room);
    }))
}

/// `api_key` of the query.
fn key_of(query: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = pairs_of(query)?;
    pairs
        .into_iter()
        .find_map(|(name, value)| (name == "api_key").then_some(value))
}

fn pairs_of(query: &str) -> Option<Vec<(String, String)>> {
    let uri = axum::http::Uri::builder()
        .path_and_query(format!("/?{query}"))
        .build()
        .ok()?;
    axum::extract::Query::try_from_uri(&uri)
        .ok()
        .map(|axum::extract::Query(pairs)| pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_in_the_query() {
        assert_eq!(key_of("api_key=am_x"), Some("am_x".into()));
        assert_eq!(key_of("a=b&api_key=am%5Fx&c"), Some("am_x".into()));
        assert_eq!(key_of("key=am_x"), None);
        assert_eq!(key_of(""), None);
    }
}
