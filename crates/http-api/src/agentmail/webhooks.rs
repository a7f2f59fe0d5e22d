//! Webhooks of an organization, a pod, or an inbox (agentmail.md §14).

use super::call::Call;
use super::failure::{Answer, Failure};
use super::operations::{EVERYWHERE, Operation, PAGED};
use super::paging::{Paging, bad_token};
use super::webhook_view::{HeaderNames, WebhookList, WebhookView, view};
use super::wire::{Asked, Body, Segments};
use crate::State;
use crate::subscriber::{self, Wanted, place};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use postroom_identity::Permission;
use postroom_webhooks::{Dialect, Webhook, WebhookChange, WebhookId, WebhookWish};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("webhooks.list", EVERYWHERE, "/webhooks", || get(list))
        .needs(Permission::WebhookRead)
        .asks(PAGED)
        .answers::<WebhookList>(),
    Operation::post("webhooks.create", EVERYWHERE, "/webhooks", || post(create))
        .needs(Permission::WebhookCreate)
        .and(Permission::MessageRead)
        .takes::<CreateWebhookBody>()
        .answers::<WebhookView>(),
    Operation::get("webhooks.get", EVERYWHERE, "/webhooks/{webhook_id}", || get(show))
        .needs(Permission::WebhookRead)
        .answers::<WebhookView>(),
    Operation::patch("webhooks.update", EVERYWHERE, "/webhooks/{webhook_id}", || {
        patch(update)
    })
    .needs(Permission::WebhookUpdate)
    .and(Permission::MessageRead)
    .takes::<UpdateWebhookBody>()
    .answers::<WebhookView>(),
    Operation::delete("webhooks.delete", EVERYWHERE, "/webhooks/{webhook_id}", || {
        delete(remove)
    })
    .needs(Permission::WebhookDelete),
    Operation::get(
        "webhooks.getHeaders",
        EVERYWHERE,
        "/webhooks/{webhook_id}/headers",
        || get(header_names),
    )
    .needs(Permission::WebhookRead)
    .answers::<HeaderNames>(),
    Operation::patch(
        "webhooks.updateHeaders",
        EVERYWHERE,
        "/webhooks/{webhook_id}/headers",
        || patch(update_headers),
    )
    .needs(Permission::WebhookUpdate)
    .takes::<UpdateHeadersBody>(),
    // Hosted only (agentmail.md §20); reading it would otherwise be taken for a webhook's name.
    Operation::post("webhooks.polling.create", EVERYWHERE, "/webhooks/polling", || {
        post(no_polling).get(no_polling)
    })
    .needs(Permission::WebhookCreate)
    .and(Permission::MessageRead),
];

/// A wanted webhook. Without pods and inboxes it hears of the whole scope, without types of all standard ones.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateWebhookRequest)]
struct CreateWebhookBody {
    url: String,
    event_types: Option<Vec<String>>,
    pod_ids: Option<Vec<String>>,
    inbox_ids: Option<Vec<String>>,
    client_id: Option<String>,
    headers: Option<BTreeMap<String, String>>,
}

/// What to change of a webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateWebhookRequest)]
struct UpdateWebhookBody {
    event_types: Option<Vec<String>>,
    add_pod_ids: Option<Vec<String>>,
    remove_pod_ids: Option<Vec<String>>,
    add_inbox_ids: Option<Vec<String>>,
    remove_inbox_ids: Option<Vec<String>>,
    enabled: Option<bool>,
}

/// Header fields to set or take away; at least one, none in both.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateWebhookHeadersRequest)]
struct UpdateHeadersBody {
    headers: Option<BTreeMap<String, String>>,
    remove_headers: Option<Vec<String>>,
}

async fn list(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<WebhookList>> {
    let paging = Paging::read(&call, &asked, &[])?;
    let after = match &paging.position {
        None => None,
        Some(position) => {
            let text = std::str::from_utf8(position).ok();
            Some(
                text.and_then(|text| text.parse::<WebhookId>().ok())
                    .ok_or_else(bad_token)?,
            )
        }
    };
    let scope = place(&call.scope);
    let found = state
        .webhooks()
        .list(Dialect::AgentMail, &scope, after, paging.ascending, paging.limit)
        .await?;
    let mut webhooks = Vec::with_capacity(found.webhooks.len());
    for webhook in &found.webhooks {
        webhooks.push(view(&state, webhook).await?);
    }
    Ok(Json(WebhookList {
        count: webhooks.len(),
        limit: paging.asked_limit,
        next_page_token: found.next.map(|next| paging.token(next.to_string().as_bytes())),
        webhooks,
    }))
}

async fn create(
    Shared(state): Shared<State>,
    call: Call,
    Body(body): Body<CreateWebhookBody>,
) -> Answer<Json<WebhookView>> {
    let wanted = Wanted {
        event_types: body.event_types.unwrap_or_default(),
        pod_ids: body.pod_ids.unwrap_or_default(),
        inbox_ids: body.inbox_ids.unwrap_or_default(),
    };
    let subscription = subscriber::subscription(&state, &call.principal, &call.scope, &wanted).await?;
    let wish = WebhookWish {
        url: body.url,
        event_types: subscription.event_types,
        pods: subscription.pods,
        inboxes: subscription.inboxes,
        headers: body.headers.unwrap_or_default().into_iter().collect(),
        client_id: body.client_id,
        rights: subscription.rights,
        ..WebhookWish::default()
    };
    let webhook = state.webhooks().create(&subscription.scope, &wish).await?;
    Ok(Json(view(&state, &webhook).await?))
}

async fn found(state: &State, call: &Call, path: &Segments) -> Answer<Webhook> {
    Ok(state
        .webhooks()
        .get(Dialect::AgentMail, &place(&call.scope), path.id("webhook_id")?)
        .await?)
}

async fn show(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<Json<WebhookView>> {
    let webhook = found(&state, &call, &path).await?;
    Ok(Json(view(&state, &webhook).await?))
}

async fn update(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    Body(body): Body<UpdateWebhookBody>,
) -> Answer<Json<WebhookView>> {
    let webhook = found(&state, &call, &path).await?;
    let scope = &call.scope;
    let (add_pods, remove_pods) = (
        body.add_pod_ids.unwrap_or_default(),
        body.remove_pod_ids.unwrap_or_default(),
    );
    let add_inboxes = body.add_inbox_ids.unwrap_or_default();
    let remove_inboxes = body.remove_inbox_ids.unwrap_or_default();
    let change = WebhookChange {
        event_types: subscriber::event_types(
            subscriber::rights(&call.principal),
            &body.event_types.unwrap_or_default(),
        )?,
        add_pods: subscriber::pods(&state, scope, "add_pod_ids", &add_pods).await?,
        // Those that are gone are not listened to either.
        remove_pods: remove_pods.iter().filter_map(|id| id.parse().ok()).collect(),
        add_inboxes: subscriber::inboxes(&state, scope, "add_inbox_ids", &add_inboxes).await?,
        remove_inboxes: subscriber::inboxes(&state, scope, "remove_inbox_ids", &remove_inboxes).await?,
        enabled: body.enabled,
        ..WebhookChange::default()
    };
    let webhooks = state.webhooks();
    let webhook = webhooks
        .update(Dialect::AgentMail, &place(scope), webhook.id, &change)
        .await?;
    Ok(Json(view(&state, &webhook).await?))
}

async fn remove(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<StatusCode> {
    state
        .webhooks()
        .delete(Dialect::AgentMail, &place(&call.scope), path.id("webhook_id")?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn header_names(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<Json<HeaderNames>> {
    let webhook = found(&state, &call, &path).await?;
    let header_names = webhook.headers.into_iter().map(|(name, _)| name).collect();
    Ok(Json(HeaderNames { header_names }))
}

async fn update_headers(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    Body(body): Body<UpdateHeadersBody>,
) -> Answer<StatusCode> {
    let set: Vec<_> = body.headers.unwrap_or_default().into_iter().collect();
    let remove = body.remove_headers.unwrap_or_default();
    if set.is_empty() && remove.is_empty() {
        return Err(Failure::invalid("at least one of headers and remove_headers is needed"));
    }
    let is_set = |name: &String| set.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    if let Some(name) = remove.iter().find(|name| is_set(name)) {
        return Err(Failure::field("remove_headers", format!("{name} is to be set, too")));
    }
    let webhook = found(&state, &call, &path).await?;
    state
        .webhooks()
        .update_headers(Dialect::AgentMail, &place(&call.scope), webhook.id, &set, &remove)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn no_polling() -> Failure {
    Failure::not_found()
}
