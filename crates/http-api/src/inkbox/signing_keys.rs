//! The keys with which webhooks of identities are signed (inkbox.md §10): shown once, when they are made.

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::identities::own_identity;
use super::operations::Operation;
use super::wire::{Body, Nothing, Segments};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{get, post};
use postroom_identity::{PageOf, Permission};
use postroom_types::InboxId;
use serde_json::{Value, json};

const OF_ONE: &str = "/v1/identities/{handle}/signing-key";
const OLD: &str = "/v1/signing-keys";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("signing_keys.get", OF_ONE, || get(show)).needs(Permission::WebhookRead),
    Operation::post("signing_keys.rotate", OF_ONE, || post(rotate)).needs(Permission::WebhookUpdate),
    Operation::get("signing_keys.get_own", OLD, || get(show_own)).needs(Permission::WebhookRead),
    Operation::post("signing_keys.rotate_own", OLD, || post(rotate_own)).needs(Permission::WebhookUpdate),
];

/// Identities that are looked at to say whether any has a key.
const LOOKED_AT: usize = 1000;

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<Json<Value>> {
    let inbox = named(&state, &caller, &path).await?;
    status(&state, inbox).await
}

async fn rotate(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(Nothing {}): Body<Nothing>,
) -> Answer<(StatusCode, Json<Value>)> {
    let inbox = named(&state, &caller, &path).await?;
    rotated(&state, inbox).await
}

/// Of an agent's key that of its own; of the organization's whether any identity has one.
async fn show_own(Shared(state): Shared<State>, caller: Caller) -> Answer<Json<Value>> {
    if let Some(inbox) = caller.inbox_scope() {
        return status(&state, inbox).await;
    }
    let page = PageOf {
        after: None,
        ascending: true,
        limit: LOOKED_AT,
    };
    let found = state.identity().identities(caller.organization(), &page).await?;
    for (identity, _) in &found.identities {
        let status = status(&state, identity.inbox).await?;
        if status.0["configured"] == true {
            return Ok(status);
        }
    }
    Ok(Json(json!({ "configured": false, "created_at": null })))
}

async fn rotate_own(
    Shared(state): Shared<State>,
    caller: Caller,
    Body(Nothing {}): Body<Nothing>,
) -> Answer<(StatusCode, Json<Value>)> {
    let Some(inbox) = caller.inbox_scope() else {
        let text = "keys belong to identities: use /api/v1/identities/{handle}/signing-key";
        return Err(Failure::conflict("identity_required", text));
    };
    rotated(&state, inbox).await
}

/// The inbox of the identity that the path names. Others' keys are nobody's business, however visible they are.
async fn named(state: &State, caller: &Caller, path: &Segments) -> Answer<InboxId> {
    own_identity(state, caller, path).await.map(|(_, inbox)| inbox.id)
}

async fn status(state: &State, inbox: InboxId) -> Answer<Json<Value>> {
    let key = state.identity().signing_key(inbox).await?;
    let created_at = key.as_ref().map(|key| time(key.created_at));
    Ok(Json(json!({ "configured": key.is_some(), "created_at": created_at })))
}

async fn rotated(state: &State, inbox: InboxId) -> Answer<(StatusCode, Json<Value>)> {
    let key = state.identity().rotate_signing_key(inbox).await?;
    let view = json!({ "signing_key": key.secret.expose(), "created_at": time(key.created_at) });
    Ok((StatusCode::CREATED, Json(view)))
}
