//! The log of what was posted to subscriptions, and posting it again (inkbox.md §10).

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::operations::Operation;
use super::webhook_body::event_type;
use super::webhooks::{no_phones, scope};
use super::wire::{Asked, Body, Nothing, Segments};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{get, post};
use postroom_identity::Permission;
use postroom_types::{DeliveryId, OrganizationId};
use postroom_webhooks::{Delivery, DeliveryQuery, WebhookError, WebhookId};
use serde_json::{Value, json};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("webhook_deliveries.list", "/v1/webhooks/deliveries", || get(list))
        .needs(Permission::WebhookRead)
        .and(Permission::MessageRead),
    Operation::post(
        "webhook_deliveries.replay",
        "/v1/webhooks/deliveries/{delivery}/replay",
        || post(replay),
    )
    .needs(Permission::WebhookUpdate)
    .and(Permission::MessageRead),
];

const DEFAULT_LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 200;
/// How far one can page.
const MAX_OFFSET: u64 = 10_000;

async fn list(Shared(state): Shared<State>, caller: Caller, asked: Asked) -> Answer<Json<Value>> {
    if asked.text("phone_number_id")?.is_some() {
        return Err(no_phones());
    }
    let limit = asked.number("limit", 0..=u64::MAX)?.unwrap_or(DEFAULT_LIMIT);
    let offset = asked.number("offset", 0..=MAX_OFFSET)?.unwrap_or(0);
    let small = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let query = DeliveryQuery {
        inbox: scope(&caller).inbox,
        webhook: asked.text("subscription_id")?.map(subscription).transpose()?,
        event_type: asked.text("event_type")?.map(event_type).transpose()?,
        success: asked.flag("success")?,
        // The vendor's too brings it within bounds and refuses nothing.
        limit: small(limit.clamp(1, MAX_LIMIT)),
        offset: small(offset),
    };
    let organization = caller.organization();
    let found = state.webhooks().deliveries(organization, &query).await?;
    let views: Vec<Value> = found.iter().map(|delivery| view(organization, delivery)).collect();
    Ok(Json(json!({ "deliveries": views })))
}

fn subscription(id: &str) -> Answer<WebhookId> {
    WebhookId::parse_uuid(id).map_err(|_| Failure::field("subscription_id", "subscription_id is a UUID"))
}

async fn replay(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(Nothing {}): Body<Nothing>,
) -> Answer<(StatusCode, Json<Value>)> {
    let id: DeliveryId = path.id("delivery")?;
    let (organization, inbox) = (caller.organization(), caller.inbox_scope());
    match state.webhooks().replay(organization, inbox, id).await {
        Ok(delivery) => Ok((StatusCode::CREATED, Json(view(organization, &delivery)))),
        Err(WebhookError::NotReplayable(why)) => Err(Failure::conflict("not_replayable", why)),
        Err(error) => Err(error.into()),
    }
}

fn view(organization: OrganizationId, delivery: &Delivery) -> Value {
    let payload = delivery.payload.as_deref().map(String::from_utf8_lossy);
    json!({
        "id": delivery.id.to_string(),
        "organization_id": organization.to_string(),
        "webhook_subscription_id": delivery.webhook.uuid().to_string(),
        "phone_number_id": null,
        "event_id": format!("evt_{}", delivery.event),
        "event_type": delivery.event_type.as_str(),
        "url": delivery.url,
        "request_payload": payload.unwrap_or_default(),
        "response_status": delivery.status,
        "response_body": delivery.response,
        "error_detail": delivery.failure,
        "duration_ms": delivery.milliseconds,
        "is_replay": delivery.is_replay,
        "created_at": time(delivery.at),
        "replayable": delivery.final_because.is_none(),
        "replay_unavailable_reason": delivery.final_because,
    })
}
