//! Requests with an idempotency key, and what became of them (inkbox.md §7 "Idempotency").

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::operations::Operation;
use super::wire::{Asked, parse};
use crate::State;
use crate::large::Raw;
use crate::outgoing::{fingerprint, idempotency_key};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::routing::get;
use postroom_identity::{InboxRecord, Permission};
use postroom_intake::{Idempotency, KeyScope, Running};
use postroom_types::EmailId;
use serde::Serialize;
use serde_json::Value;

pub(super) const OPERATIONS: &[Operation] =
    &[
        Operation::get("message_sends.lookup", "/v1/message-sends/lookup", || get(lookup))
            .needs(Permission::MessageSend),
    ];

/// What requests with a key are, in the words of the lookup.
pub(super) const SEND: &str = "mail.send";
pub(super) const REPLY_ALL: &str = "mail.reply_all";
pub(super) const FORWARD: &str = "mail.forward";
pub(super) const DRAFT_CREATE: &str = "mail.draft_create";
pub(super) const DRAFT_SEND: &str = "mail.draft_send";

/// A request with an idempotency key, under way.
pub(super) struct Keyed {
    scope: KeyScope,
    key: String,
    /// Others with the same key are refused until this goes.
    _running: Running,
}

impl Keyed {
    /// Reads the `Idempotency-Key`.
    pub(super) fn begin(
        state: &State,
        inbox: &InboxRecord,
        headers: &HeaderMap,
        operation: &'static str,
    ) -> Answer<Option<Self>> {
        let Some(key) = idempotency_key(headers)? else {
            return Ok(None);
        };
        let scope = KeyScope::Operation(operation);
        let running = state.intake().begin(inbox, scope, &key)?;
        Ok(Some(Self {
            scope,
            key,
            _running: running,
        }))
    }

    /// What the request is: the same key with anything else is a mistake.
    pub(super) fn of(&self, target: Option<EmailId>, raw: &Raw) -> Answer<Idempotency> {
        self.with(target.map(|id| id.to_string()).unwrap_or_default(), raw)
    }

    /// As [`of`](Self::of), of a request that is about something else than a message.
    pub(super) fn with(&self, target: String, raw: &Raw) -> Answer<Idempotency> {
        let body: Value = parse(&raw.bytes)?;
        Ok(Idempotency {
            scope: self.scope,
            key: self.key.clone(),
            fingerprint: fingerprint(&target, None, &body)?,
        })
    }
}

/// The message that a request made.
#[derive(Debug, Serialize)]
struct LookupView {
    message_id: String,
}

async fn lookup(
    Shared(state): Shared<State>,
    caller: Caller,
    asked: Asked,
    headers: HeaderMap,
) -> Answer<Json<LookupView>> {
    let required = |name: &'static str| {
        let text = asked.text(name)?;
        text.ok_or_else(|| Failure::field(name, format!("{name} is missing")))
    };
    if required("sender_kind")? != "mailbox" {
        return Err(Failure::field("sender_kind", "sender_kind is mailbox"));
    }
    let known = [SEND, REPLY_ALL, FORWARD, DRAFT_SEND];
    let operation = required("operation")?;
    let operation = known.into_iter().find(|known| *known == operation);
    let operation = operation.ok_or_else(|| Failure::field("operation", format!("operation is one of {known:?}")))?;
    let id = asked.id("sender_id")?;
    let id = id.ok_or_else(|| Failure::field("sender_id", "sender_id is missing"))?;
    let key = idempotency_key(&headers)?;
    let key = key.ok_or_else(|| Failure::field("Idempotency-Key", "the header Idempotency-Key is missing"))?;
    let inbox = state.identity().inbox_within(&caller.reach(), id).await?;
    let scope = KeyScope::Operation(operation);
    let answer = state.intake().answer_of(&inbox, scope, &key).await?;
    let submitted = answer.ok_or_else(Failure::not_found)?;
    Ok(Json(LookupView {
        message_id: submitted.id.to_string(),
    }))
}
