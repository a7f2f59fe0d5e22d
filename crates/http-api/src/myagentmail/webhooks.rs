//! Webhooks of a tenant or a workspace: whatever the key that makes them is for. That of an inbox makes none: they would
//! outlive it.

use super::operations::{MANAGERS, Operation};
use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, invalid};
use crate::model::time;
use crate::request::{Fields, Segments};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use postroom_identity::Permission;
use postroom_webhooks::{Dialect, EventType, LabelRights, Scope, Webhook, WebhookChange, WebhookId, WebhookWish};
use serde_json::{Value, json};

const ALL: &str = "/webhooks";
const ONE: &str = "/webhooks/{webhook}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get(ALL, MANAGERS, || get(list)).needs(Permission::WebhookRead),
    Operation::post(ALL, MANAGERS, || post(create))
        .needs(Permission::WebhookCreate)
        .and(Permission::MessageRead),
    Operation::get(ONE, MANAGERS, || get(show)).needs(Permission::WebhookRead),
    Operation::patch(ONE, MANAGERS, || patch(update))
        .needs(Permission::WebhookUpdate)
        .and(Permission::MessageRead),
    Operation::delete(ONE, MANAGERS, || delete(remove)).needs(Permission::WebhookDelete),
];

/// More than an organization can have.
const EVERY: usize = 100_000;

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    fields: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let scope = scope(&caller);
    let mut fields = fields?;
    let wish = WebhookWish {
        dialect: Dialect::MyAgentMail,
        url: fields.required_text("url")?,
        event_types: event_types(fields.take("events").unwrap_or_default())?,
        rights: LabelRights::PLAIN,
        ..WebhookWish::default()
    };
    let webhook = state.webhooks().create(&scope, &wish).await?;
    let mut view = view(&webhook);
    view["secret"] = webhook.secret.expose().as_str().into();
    Ok((StatusCode::CREATED, Json(view)))
}

async fn list(Shared(state): Shared<State>, caller: Caller) -> Result<Json<Value>, ApiError> {
    let scope = scope(&caller);
    let found = state
        .webhooks()
        .list(Dialect::MyAgentMail, &scope, None, true, EVERY)
        .await?;
    let views: Vec<Value> = found.webhooks.iter().map(view).collect();
    Ok(Json(json!({ "webhooks": views })))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let scope = scope(&caller);
    let webhook = state.webhooks().get(Dialect::MyAgentMail, &scope, id(&path)?).await?;
    Ok(Json(view(&webhook)))
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<Value>, ApiError> {
    let (scope, id) = (scope(&caller), id(&path)?);
    // What cannot be seen is not there, whatever the body says.
    state.webhooks().get(Dialect::MyAgentMail, &scope, id).await?;
    let mut fields = fields?;
    let change = WebhookChange {
        url: fields.text("url")?,
        event_types: match fields.take("events") {
            Some(names) => event_types(names)?,
            None => Vec::new(),
        },
        enabled: fields.flag("isActive")?,
        ..WebhookChange::default()
    };
    let webhook = state
        .webhooks()
        .update(Dialect::MyAgentMail, &scope, id, &change)
        .await?;
    Ok(Json(view(&webhook)))
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let (scope, id) = (scope(&caller), id(&path)?);
    state.webhooks().delete(Dialect::MyAgentMail, &scope, id).await?;
    Ok(Json(json!({ "deleted": true, "id": id.uuid().to_string() })))
}

fn id(path: &Segments) -> Result<WebhookId, ApiError> {
    WebhookId::parse_uuid(path.text("webhook")?).map_err(|_| ApiError::NotFound)
}

/// What the key is for.
fn scope(caller: &Caller) -> Scope {
    let principal = &caller.0;
    Scope {
        pod: principal.pod,
        ..Scope::organization(principal.organization)
    }
}

fn event_types(names: Value) -> Result<Vec<EventType>, ApiError> {
    let wrong = || invalid("events is a list with message.received, message.sent or message.bounced in it");
    let names: Vec<String> = serde_json::from_value(names).map_err(|_| wrong())?;
    let mut types = Vec::new();
    for name in &names {
        let found = EventType::parse(Dialect::MyAgentMail, name).map_err(|_| wrong())?;
        if !types.contains(&found) {
            types.push(found);
        }
    }
    if types.is_empty() {
        return Err(wrong());
    }
    Ok(types)
}

fn view(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id.uuid().to_string(),
        "url": webhook.url,
        "events": webhook.event_types.iter().map(|event_type| event_type.as_str()).collect::<Vec<_>>(),
        "isActive": webhook.enabled,
        "workspaceId": webhook.scope.pod.map(|pod| pod.to_string()),
        "inboxId": webhook.scope.inbox.map(|inbox| inbox.to_string()),
        "createdAt": time(webhook.created_at),
        "updatedAt": time(webhook.updated_at),
    })
}
