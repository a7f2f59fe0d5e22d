//! What happened, in order: `GET /postroom/v1/events`, as a page, as a page that waits, or as a stream.
//!
//! What always holds: a client that goes on from the cursor it was given misses no event and sees none twice, whatever
//! happens meanwhile, also to the server.

mod stream;

use crate::State;
use crate::agentmail::call::{self, Scope};
use crate::agentmail::failure::Failure;
use crate::agentmail::wire::Asked;
use crate::auth::{self, Caller};
use crate::error::ApiError;
use crate::subscriber::{Wanted, subscription};
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use postroom_feed::{Cursor, FeedError};
use postroom_identity::{Permission, Principal};
use postroom_webhooks::{Dialect, Hub, Subscription};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Longest wait, so that the answer begins within the deadline of a request.
const MAX_WAIT_SECONDS: u64 = 55;
/// Events of a page, unless asked otherwise, and at most.
const DEFAULT_LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 1000;
/// Octets of events on a page, about.
const MAX_PAGE_OCTETS: usize = 4 << 20;
/// Events looked at for one page: a narrow filter makes short pages, not long searches.
const MAX_LOOKED_AT: usize = 5000;

pub(super) fn routes() -> Router<State> {
    Router::new().route("/events", get(events))
}

/// Who listens to what.
struct Listener {
    state: State,
    hub: Arc<Hub>,
    subscription: Subscription,
    cursor: Cursor,
}

async fn events(
    Shared(state): Shared<State>,
    caller: Caller,
    headers: HeaderMap,
    asked: Result<Asked, Failure>,
) -> Response {
    let answer = match asked {
        Ok(asked) => answer(state, &caller.0, &headers, &asked).await,
        Err(failure) => Err(failure),
    };
    answer.unwrap_or_else(in_own_form)
}

/// Looks at a key again, for who has begun to watch the organization's keys: a change of it before that would be missed.
///
/// # Errors
/// [`ApiError::Unauthorized`], [`ApiError::MissingPermission`], and those of the store.
pub(super) async fn still_opens(state: &State, key: &str) -> Result<(), ApiError> {
    match state.identity().authenticate_key(key).await? {
        Some(principal) if principal.allows(Permission::MessageRead) => Ok(()),
        Some(_) => Err(ApiError::MissingPermission(Permission::MessageRead)),
        None => Err(ApiError::Unauthorized),
    }
}

/// Filters are read as the AgentMail dialect does; errors have the form of our own routes.
pub(super) fn in_own_form(failure: Failure) -> Response {
    let body = json!({ "error": failure.body.message, "code": failure.body.code.to_uppercase() });
    let mut response = (failure.status, Json(body)).into_response();
    if let Some(seconds) = failure.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn answer(state: State, principal: &Principal, headers: &HeaderMap, asked: &Asked) -> Result<Response, Failure> {
    if !principal.is_of_a_tenant() {
        return Err(ApiError::Forbidden.into());
    }
    if !principal.allows(Permission::MessageRead) {
        return Err(Failure::missing_permission(Permission::MessageRead));
    }
    let limit = asked.number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let wait = asked.number("wait", 0..=MAX_WAIT_SECONDS)?.unwrap_or(0);
    let mut listener = match listener(&state, principal, headers, asked).await? {
        Ok(listener) => listener,
        Err(oldest) => return Ok(gone(&state, oldest)),
    };
    if wants_stream(headers) {
        let key = auth::bearer_or_key(headers).unwrap_or_default().to_owned();
        return Ok(stream::answer(listener, key));
    }
    let until = Instant::now() + Duration::from_secs(wait);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let key = auth::bearer_or_key(headers).unwrap_or_default();
    match listener.page(limit, until, key).await? {
        Ok(page) => Ok(page),
        Err(oldest) => Ok(gone(&state, oldest)),
    }
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

/// Where to begin: after the cursor or event named, from now on, or with the oldest event that is kept. `Err`: events
/// after what is named are gone.
async fn listener(
    state: &State,
    principal: &Principal,
    headers: &HeaderMap,
    asked: &Asked,
) -> Result<Result<Listener, Cursor>, Failure> {
    let scope: Scope = call::scope_of_key(state, principal).await?;
    let wanted = Wanted {
        event_types: asked.texts("event_types")?,
        pod_ids: asked.texts("pod_id")?,
        inbox_ids: asked.texts("inbox_id")?,
    };
    let subscription = subscription(state, principal, &scope, &wanted).await?;
    let hub = state.hubs().of(principal.organization);
    // What a reconnecting browser has seen is newer than what it asked for at first.
    let last_seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let after = match last_seen.filter(|id| !id.is_empty()) {
        Some(id) => Some(id),
        None => asked.text("after")?,
    };
    let cursor = match after {
        Some("now") => state.hubs().feed().newest(),
        Some(text) => {
            let cursor = text.strip_prefix("evt_").unwrap_or(text).parse();
            cursor.map_err(|_| Failure::field("after", "after is a cursor, the id of an event, or now"))?
        }
        None => Cursor::START,
    };
    let cursor = match (hub.page(cursor, 1).await, after) {
        (Ok(_), _) => cursor,
        (Err(FeedError::Gone { oldest }), None) => oldest,
        (Err(FeedError::Gone { oldest }), Some(_)) => return Ok(Err(oldest)),
        (Err(error), _) => return Err(error.into()),
    };
    Ok(Ok(Listener {
        state: state.clone(),
        hub,
        subscription,
        cursor,
    }))
}

/// What the client missed is not kept any more: it reads everything anew, and goes on from one of these.
pub(super) fn gone(state: &State, oldest: Cursor) -> Response {
    let body = json!({
        "error": "events after this cursor are no longer kept: read everything anew, then go on from `newest`, \
                  or go on from `oldest` and do without what is between",
        "code": "CURSOR_GONE",
        "oldest": oldest.to_string(),
        "newest": state.hubs().feed().newest().to_string(),
    });
    (StatusCode::GONE, Json(body)).into_response()
}

/// Some events, rendered.
struct Told {
    events: Vec<(Cursor, &'static str, Bytes)>,
    more: bool,
}

impl Listener {
    /// A page; without events it waits for some. When a key of the organization changes it waits no more: who asks again
    /// shows what the key opens now.
    async fn page(&mut self, limit: usize, until: Instant, key: &str) -> Result<Result<Response, Cursor>, Failure> {
        let mut news = self.hub.news();
        let mut keys = self.state.identity().watch_keys(self.hub.organization());
        still_opens(&self.state, key).await?;
        loop {
            let told = match self.next(limit).await? {
                Ok(told) => told,
                Err(oldest) => return Ok(Err(oldest)),
            };
            if !told.events.is_empty() || told.more || Instant::now() >= until {
                return Ok(Ok(self.answer(&told)));
            }
            let stopping = self.state.stopping();
            let waited = tokio::select! {
                // What comes after the key was revoked is not looked at.
                biased;
                _ = keys.changed() => false,
                waited = timeout_at(until, news.changed()) => waited.is_ok_and(|changed| changed.is_ok()),
                () = stopping.cancelled() => false,
            };
            if !waited {
                return Ok(Ok(self.answer(&told)));
            }
        }
    }

    /// What comes next; the cursor moves past it.
    async fn next(&mut self, limit: usize) -> Result<Result<Told, Cursor>, Failure> {
        let mut told = Told {
            events: Vec::new(),
            more: true,
        };
        let (mut looked_at, mut octets) = (0, 0);
        while told.more && told.events.len() < limit && looked_at < MAX_LOOKED_AT && octets < MAX_PAGE_OCTETS {
            let page = match self.hub.page(self.cursor, limit).await {
                Ok(page) => page,
                Err(FeedError::Gone { oldest }) => return Ok(Err(oldest)),
                Err(error) => return Err(error.into()),
            };
            looked_at += page.events.len();
            let (mut next, mut more) = (page.next, page.more);
            for (at, placed) in page.events.iter().enumerate() {
                if self.subscription.passes(placed) {
                    let rights = self.subscription.rights;
                    let body = self.hub.body(&self.state, Dialect::AgentMail, placed, rights).await;
                    let body = body.map_err(|error| {
                        tracing::warn!(reason = %error, code = 503, "request failed");
                        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", "try again")
                    })?;
                    if let Some(body) = body {
                        octets += body.len();
                        let event_type = postroom_webhooks::EventType::of(&placed.event).as_str();
                        told.events.push((placed.event.cursor, event_type, body));
                    }
                }
                let is_full = told.events.len() == limit || octets >= MAX_PAGE_OCTETS;
                if is_full && at + 1 < page.events.len() {
                    (next, more) = (placed.event.cursor, true);
                    break;
                }
            }
            self.cursor = next;
            told.more = more;
        }
        Ok(Ok(told))
    }

    /// The events as they were rendered, and where to go on.
    fn answer(&self, told: &Told) -> Response {
        let octets: usize = told.events.iter().map(|(_, _, body)| body.len() + 1).sum();
        let mut json = Vec::with_capacity(octets + 100);
        json.extend(b"{\"events\":[");
        for (at, (_, _, body)) in told.events.iter().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            json.extend(body);
        }
        json.extend(format!("],\"next\":\"{}\",\"more\":{}}}", self.cursor, told.more).as_bytes());
        ([(header::CONTENT_TYPE, "application/json")], json).into_response()
    }
}
