//! WebSocket connections of those who listen, whichever dialect they speak.
//!
//! What always holds:
//! - A connection holds one event at a time: who does not read is closed, and nothing piles up.
//! - Events come in the order of the feed, each once; who comes back names the last one seen and misses none.
//! - A key that is revoked, or goes with its inbox, ends its connections at once; one that expires, within a minute.

mod session;

use crate::State;
use crate::agentmail::call::{Scope, scope_of_key};
use crate::agentmail::failure::{Answer, Failure};
use crate::auth;
use crate::error::ApiError;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::HeaderMap;
use axum::response::Response;
use postroom_feed::Cursor;
use postroom_identity::Principal;
use postroom_types::Secret;
use postroom_webhooks::{Dialect, LabelRights, Subscription};
use session::Session;

/// Longest frame of a client.
const MAX_FRAME_OCTETS: usize = 64 << 10;

/// What a request for a connection may be.
pub(crate) type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// What a dialect says over its connections.
pub(crate) trait Speech: Send + 'static {
    /// In which events are told.
    const DIALECT: Dialect;

    /// Which hidden messages a key may hear of.
    fn rights(principal: &Principal) -> LabelRights;

    /// What the client is told before it says anything.
    fn greeting(&self) -> Option<String>;

    /// A sign of life, beside that of the protocol.
    fn ping(&self) -> Option<String>;

    /// What a frame of the client asks for, as far as the key allows.
    fn hear(
        &self,
        state: &State,
        principal: &Principal,
        scope: &Scope,
        text: &str,
    ) -> impl Future<Output = Answer<Heard>> + Send;

    /// A frame for what went wrong.
    fn error(&self, failure: &Failure) -> String;
}

/// What a client asked for.
pub(crate) enum Heard {
    /// Nothing.
    Nothing,
    /// To hear of events from now on. The last subscription is the one that counts.
    Subscribe {
        subscription: Subscription,
        /// What happened after this event is told first.
        after: Option<Cursor>,
        /// What the client is told once it is so.
        answer: String,
    },
}

/// The key of a request for a connection. The header wins: Node sends the same key both ways. Browsers can send it in the
/// query alone.
pub(crate) fn key(headers: &HeaderMap, query: Option<&str>) -> Option<String> {
    auth::bearer_or_key(headers)
        .map(str::to_owned)
        .or_else(|| key_of(query?))
}

/// Opens the connection of a key that may listen.
pub(crate) async fn open<S: Speech>(
    state: State,
    key: String,
    principal: Principal,
    upgrade: Upgrade,
    speech: S,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| ApiError::NoUpgrade)?;
    let room = state.sockets().take(principal.organization);
    let room = room.ok_or(ApiError::TooManySockets)?;
    let scope = scope_of_key(&state, &principal).await?;
    let session = Session::new(state, Secret::new(key), principal, scope, speech);
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
