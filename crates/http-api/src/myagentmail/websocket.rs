//! The WebSocket at `/v1/ws`. Unlike the rest of the dialect, what is said here is in snake_case.

use super::operations::{Operation, READERS};
use crate::State;
use crate::agentmail::call::Scope;
use crate::agentmail::failure::{Answer, Failure};
use crate::agentmail::wire::parse;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::socket::{self, Heard, Speech, Upgrade};
use crate::subscriber::{inboxes, place, pods};
use axum::extract::{RawQuery, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use postroom_feed::Cursor;
use postroom_identity::{Permission, Principal};
use postroom_webhooks::{Dialect, EventType, LabelRights, Subscription};
use serde::Deserialize;
use serde_json::json;

/// What there is to hear of.
const EVENT_TYPES: [EventType; 3] = [
    EventType::MessageReceived,
    EventType::MessageSent,
    EventType::MessageBounced,
];

pub(super) const OPERATIONS: &[Operation] = &[Operation::get("/ws", READERS, || get(connect))
    .needs(Permission::MessageRead)
    .with_key_in_query()];

async fn connect(
    Shared(state): Shared<State>,
    Caller(principal): Caller,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let inbox = match principal.inbox {
        Some(inbox) => Some(state.identity().inbox(inbox).await?),
        None => None,
    };
    let greeting = json!({
        "type": "connected",
        "inboxId": inbox.as_ref().map(|inbox| inbox.id.to_string()),
        "email": inbox.as_ref().map(|inbox| inbox.primary.to_string()),
    });
    let speech = MyAgentMail {
        greeting: greeting.to_string(),
    };
    let key = socket::key(&headers, query.as_deref()).unwrap_or_default();
    socket::open(state, key, principal, upgrade, speech).await
}

/// What is said at `/v1/ws`.
struct MyAgentMail {
    greeting: String,
}

/// What a client asks for.
#[derive(Debug, Deserialize)]
struct Frame {
    r#type: String,
    #[serde(default)]
    event_types: Option<Vec<String>>,
    #[serde(default)]
    inbox_ids: Option<Vec<String>>,
    #[serde(default)]
    workspace_ids: Option<Vec<String>>,
    /// Another word for `workspace_ids`.
    #[serde(default)]
    pod_ids: Option<Vec<String>>,
    /// Beyond the contract: what happened after this event is told first.
    #[serde(default)]
    last_event_id: Option<String>,
}

impl Speech for MyAgentMail {
    const DIALECT: Dialect = Dialect::MyAgentMail;

    fn rights(_: &Principal) -> LabelRights {
        LabelRights::PLAIN
    }

    fn greeting(&self) -> Option<String> {
        Some(self.greeting.clone())
    }

    fn ping(&self) -> Option<String> {
        Some(json!({ "type": "ping" }).to_string())
    }

    async fn hear(&self, state: &State, _: &Principal, scope: &Scope, text: &str) -> Answer<Heard> {
        let frame: Frame = parse(text.as_bytes())?;
        match frame.r#type.as_str() {
            "subscribe" => {}
            // A client may answer our sign of life, or give one.
            "ping" | "pong" => return Ok(Heard::Nothing),
            other => return Err(Failure::field("type", format!("{other:?} is not a type of frame"))),
        }
        let event_types = frame.event_types()?;
        let inbox_ids = frame.inbox_ids.unwrap_or_default();
        let workspaces = frame.workspace_ids.into_iter().chain(frame.pod_ids).flatten();
        let workspace_ids: Vec<String> = workspaces.collect();
        let names: Vec<&str> = event_types.iter().map(|event_type| event_type.as_str()).collect();
        let answer = json!({
            "type": "subscribed",
            "event_types": names,
            "inbox_ids": inbox_ids,
            "workspace_ids": workspace_ids,
        });
        let subscription = Subscription {
            dialect: Self::DIALECT,
            scope: place(scope),
            pods: pods(state, scope, "workspace_ids", &workspace_ids).await?,
            inboxes: inboxes(state, scope, "inbox_ids", &inbox_ids).await?,
            event_types,
            rights: LabelRights::PLAIN,
        };
        Ok(Heard::Subscribe {
            subscription,
            after: after(frame.last_event_id.as_deref())?,
            answer: answer.to_string(),
        })
    }

    fn error(&self, failure: &Failure) -> String {
        let code = failure.body.code.to_uppercase();
        json!({ "type": "error", "message": failure.body.message, "code": code }).to_string()
    }
}

impl Frame {
    /// The types that are asked for; all if none is.
    fn event_types(&self) -> Answer<Vec<EventType>> {
        let asked = self.event_types.iter().flatten();
        let found = asked.map(|name| {
            let event_type = EventType::parse(MyAgentMail::DIALECT, name);
            event_type.map_err(|_| Failure::field("event_types", format!("{name:?} is not an event type")))
        });
        let found = found.collect::<Answer<Vec<_>>>()?;
        Ok(if found.is_empty() { EVENT_TYPES.to_vec() } else { found })
    }
}

/// The last event that the client has seen.
fn after(id: Option<&str>) -> Answer<Option<Cursor>> {
    let Some(id) = id else { return Ok(None) };
    let cursor = id.strip_prefix("evt_").unwrap_or(id).parse();
    cursor
        .map(Some)
        .map_err(|_| Failure::field("last_event_id", "last_event_id is not the id of an event"))
}
