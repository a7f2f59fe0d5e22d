//! Webhook subscriptions of identities (inkbox.md §10).
//!
//! What always holds: a subscription belongs to one inbox; an agent's key sees those of its own. Secrets that endpoints are
//! shown are never shown again.

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::operations::Operation;
use super::webhook_body::{CreateBody, UpdateBody, check_token, event_type, event_types};
use super::wire::{Asked, Body, Segments};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use postroom_identity::{InboxRecord, Permission};
use postroom_types::{IdentityId, InboxId};
use postroom_webhooks::{Dialect, EventType, LabelRights, Scope, Webhook, WebhookChange, WebhookId, WebhookWish};
use serde_json::{Value, json};

const ALL: &str = "/v1/webhooks/subscriptions";
const ONE: &str = "/v1/webhooks/subscriptions/{subscription}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("webhooks.catalog", "/v1/webhooks/catalog", || get(catalog)),
    Operation::get("webhooks.list", ALL, || get(list)).needs(Permission::WebhookRead),
    Operation::post("webhooks.create", ALL, || post(create))
        .needs(Permission::WebhookCreate)
        .and(Permission::MessageRead),
    Operation::get("webhooks.get", ONE, || get(show)).needs(Permission::WebhookRead),
    Operation::patch("webhooks.update", ONE, || patch(update))
        .needs(Permission::WebhookUpdate)
        .and(Permission::MessageRead),
    Operation::delete("webhooks.delete", ONE, || delete(remove)).needs(Permission::WebhookDelete),
];

/// Most subscriptions of an inbox.
const MAX_OF_ONE: usize = 20;
/// More than an organization can have of webhooks.
const EVERY: usize = 100_000;

async fn catalog(_: Caller) -> Json<Value> {
    let types = EventType::ALL
        .iter()
        .filter(|event_type| event_type.is_of(Dialect::Inkbox));
    let types: Vec<&str> = types.map(|event_type| event_type.as_str()).collect();
    Json(json!({ "supports_identity_subscriptions": true, "event_types": types }))
}

async fn list(Shared(state): Shared<State>, caller: Caller, asked: Asked) -> Answer<Json<Value>> {
    check_scope(&asked)?;
    let (identity, mailbox): (Option<IdentityId>, Option<InboxId>) =
        (asked.id("agent_identity_id")?, asked.id("mailbox_id")?);
    if asked.text("phone_number_id")?.is_some() {
        return Err(no_phones());
    }
    if identity.is_some() && mailbox.is_some() {
        let text = "agent_identity_id and mailbox_id exclude each other";
        return Err(Failure::field("mailbox_id", text));
    }
    let event_type = asked.text("event_type")?.map(event_type).transpose()?;
    let url = asked.text("url")?;
    let found = state
        .webhooks()
        .list(Dialect::Inkbox, &scope(&caller), None, true, EVERY)
        .await?;
    let mut views = Vec::new();
    for webhook in &found.webhooks {
        if url.is_some_and(|url| url != webhook.url)
            || event_type.is_some_and(|event_type| !webhook.event_types.contains(&event_type))
            || mailbox.is_some() && webhook.scope.inbox != mailbox
        {
            continue;
        }
        let owner = owner_of(&state, webhook).await?;
        if identity.is_none() || identity == owner {
            views.push(view(webhook, owner));
        }
    }
    Ok(Json(json!({ "subscriptions": views })))
}

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    Body(body): Body<CreateBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    let owners = [&body.agent_identity_id, &body.mailbox_id, &body.phone_number_id];
    if owners.into_iter().flatten().count() != 1 {
        let text = "exactly one of agent_identity_id and mailbox_id is needed";
        return Err(Failure::field("agent_identity_id", text));
    }
    if body.phone_number_id.is_some() {
        return Err(no_phones());
    }
    let inbox = owner(
        &state,
        &caller,
        body.agent_identity_id.as_deref(),
        body.mailbox_id.as_deref(),
    )
    .await?;
    check_token(body.auth_token.as_deref())?;
    let wish = WebhookWish {
        dialect: Dialect::Inkbox,
        url: body.url,
        event_types: event_types(&body.event_types)?,
        rights: LabelRights::PLAIN,
        context: body.context_config.map(|config| config.text()).transpose()?,
        auth_token: body.auth_token,
        most: Some(MAX_OF_ONE),
        ..WebhookWish::default()
    };
    let scope = Scope {
        organization: inbox.organization,
        pod: Some(inbox.pod),
        inbox: Some(inbox.id),
    };
    let webhook = state.webhooks().create(&scope, &wish).await?;
    let key = state.identity().first_signing_key(inbox.id).await?;
    let mut view = view(&webhook, inbox.agent.as_ref().map(|agent| agent.id));
    view["signing_key"] = key.map_or(Value::Null, |key| key.secret.expose().as_str().into());
    Ok((StatusCode::CREATED, Json(view)))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<Json<Value>> {
    let webhook = state
        .webhooks()
        .get(Dialect::Inkbox, &scope(&caller), id(&path)?)
        .await?;
    let owner = owner_of(&state, &webhook).await?;
    Ok(Json(view(&webhook, owner)))
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    asked: Asked,
    Body(body): Body<UpdateBody>,
) -> Answer<Json<Value>> {
    check_scope(&asked)?;
    let (scope, id) = (scope(&caller), id(&path)?);
    // What cannot be seen is not there, whatever the body says.
    state.webhooks().get(Dialect::Inkbox, &scope, id).await?;
    let url = body
        .url
        .map(|url| url.ok_or_else(|| Failure::field("url", "url is not null")));
    let names = body.event_types;
    let names = names.map(|names| names.ok_or_else(|| Failure::field("event_types", "event_types is not null")));
    let context = body.context_config;
    check_token(body.auth_token.as_ref().and_then(|token| token.as_deref()))?;
    let change = WebhookChange {
        url: url.transpose()?,
        event_types: match names.transpose()? {
            Some(names) => event_types(&names)?,
            None => Vec::new(),
        },
        context: match context {
            Some(Some(config)) => Some(Some(config.text()?)),
            Some(None) => Some(None),
            None => None,
        },
        auth_token: body.auth_token,
        ..WebhookChange::default()
    };
    let webhook = state.webhooks().update(Dialect::Inkbox, &scope, id, &change).await?;
    let owner = owner_of(&state, &webhook).await?;
    Ok(Json(view(&webhook, owner)))
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments, asked: Asked) -> Answer<StatusCode> {
    check_scope(&asked)?;
    let (scope, id) = (scope(&caller), id(&path)?);
    state.webhooks().get(Dialect::Inkbox, &scope, id).await?;
    state.webhooks().delete(Dialect::Inkbox, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn id(path: &Segments) -> Answer<WebhookId> {
    WebhookId::parse_uuid(path.text("subscription")?).map_err(|_| Failure::not_found())
}

/// What a key sees of subscriptions.
pub(super) fn scope(caller: &Caller) -> Scope {
    Scope {
        inbox: caller.inbox_scope(),
        ..Scope::organization(caller.organization())
    }
}

/// Whose subscription it is to be.
async fn owner(state: &State, caller: &Caller, identity: Option<&str>, mailbox: Option<&str>) -> Answer<InboxRecord> {
    let malformed = |field: &'static str| move |_| Failure::field(field, format!("{field} is a UUID"));
    let reach = caller.reach();
    let found = match (identity, mailbox) {
        (Some(id), _) => {
            let id: IdentityId = id.parse().map_err(malformed("agent_identity_id"))?;
            let found = state.identity().identity_within(&reach, id).await;
            found.map(|(_, inbox)| inbox)
        }
        (None, id) => {
            let id: InboxId = id.unwrap_or_default().parse().map_err(malformed("mailbox_id"))?;
            state.identity().inbox_within(&reach, id).await
        }
    };
    Ok(found?)
}

async fn owner_of(state: &State, webhook: &Webhook) -> Answer<Option<IdentityId>> {
    match webhook.scope.inbox {
        Some(inbox) => Ok(state.identity().identity_of(inbox).await?.map(|identity| identity.id)),
        None => Ok(None),
    }
}

/// `scope=identity` is all there is.
fn check_scope(asked: &Asked) -> Answer<()> {
    match asked.text("scope")? {
        None | Some("identity") => Ok(()),
        Some(_) => Err(Failure::field("scope", "scope is identity")),
    }
}

pub(super) fn no_phones() -> Failure {
    Failure::not_supported("phone", "This server has no phone numbers, calls or text messages.")
}

/// Of a mailbox without an identity it is the mailbox that owns it.
fn view(webhook: &Webhook, owner: Option<IdentityId>) -> Value {
    let mailbox = webhook.scope.inbox.filter(|_| owner.is_none());
    let owner = owner.map(|owner| owner.to_string());
    let context: Option<Value> = webhook
        .context
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    json!({
        "id": webhook.id.uuid().to_string(),
        "organization_id": webhook.scope.organization.to_string(),
        "mailbox_id": mailbox.map(|mailbox| mailbox.to_string()),
        "phone_number_id": null,
        "agent_identity_id": owner,
        "owner_identity_id": owner,
        "url": webhook.url,
        "event_types": webhook.event_types.iter().map(|event_type| event_type.as_str()).collect::<Vec<_>>(),
        "status": "active",
        "created_at": time(webhook.created_at),
        "updated_at": time(webhook.updated_at),
        "context_config": context,
        "has_auth_token": webhook.has_auth_token(),
        "auth_token": null,
    })
}
