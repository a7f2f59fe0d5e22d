//! Keys: those of a workspace and of the tenant itself, made and revoked with the tenant's master key, and those of an
//! inbox, by whoever provisions it.

use super::operations::{MANAGERS, Operation, TENANT};
use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::model::time;
use crate::request::{Fields, Segments};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use postroom_identity::{IdentityError, KeyRecord, KeyScope, Permission};
use postroom_types::KeyId;
use serde_json::{Value, json};

const OF_WORKSPACE: &str = "/workspaces/{workspace}/keys";
const ONE_OF_WORKSPACE: &str = "/workspaces/{workspace}/keys/{key}";
const OF_INBOX: &str = "/inboxes/{inbox}/keys";
const ONE_OF_INBOX: &str = "/inboxes/{inbox}/keys/{key}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("/keys", TENANT, || get(list)).needs(Permission::ApiKeyRead),
    Operation::post("/keys", TENANT, || post(create))
        .needs(Permission::ApiKeyCreate)
        .gives_keys(),
    Operation::delete("/keys/{key}", TENANT, || delete(revoke)).needs(Permission::ApiKeyDelete),
    Operation::get(OF_WORKSPACE, TENANT, || get(list)).needs(Permission::ApiKeyRead),
    Operation::post(OF_WORKSPACE, TENANT, || post(create))
        .needs(Permission::ApiKeyCreate)
        .gives_keys(),
    Operation::delete(ONE_OF_WORKSPACE, TENANT, || delete(revoke)).needs(Permission::ApiKeyDelete),
    Operation::get(OF_INBOX, MANAGERS, || get(list)).needs(Permission::ApiKeyRead),
    Operation::post(OF_INBOX, MANAGERS, || post(create))
        .needs(Permission::ApiKeyCreate)
        .gives_keys(),
    Operation::delete(ONE_OF_INBOX, MANAGERS, || delete(revoke)).needs(Permission::ApiKeyDelete),
];

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let scope = scope(&state, &caller, &path).await?;
    let name = fields?.text("name")?;
    let new = state.identity().create_key(&scope, name.as_deref()).await?;
    let mut answer = view(&new.record);
    answer["key"] = new.secret.expose().as_str().into();
    match scope {
        KeyScope::Pod(_, pod) => answer["workspaceId"] = pod.to_string().into(),
        KeyScope::Inbox(_, inbox) => answer["inboxId"] = inbox.to_string().into(),
        _ => {}
    }
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn list(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let scope = scope(&state, &caller, &path).await?;
    let keys = state.identity().keys(&scope).await?;
    Ok(Json(json!({ "keys": keys.iter().map(view).collect::<Vec<_>>() })))
}

async fn revoke(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let scope = scope(&state, &caller, &path).await?;
    let id: KeyId = path.id("key")?;
    if id == caller.0.key {
        // Whoever shuts the last door from inside needs the operator to open it again.
        return Err(IdentityError::CannotDelete("it is the key in use: revoke it with another one").into());
    }
    state.identity().revoke_key(&scope, id).await?;
    Ok(Json(json!({ "deleted": true, "id": id.to_string() })))
}

/// Whose keys the path means: those of a workspace, of an inbox, or of the tenant.
async fn scope(state: &State, caller: &Caller, path: &Segments) -> Result<KeyScope, ApiError> {
    if path.text("inbox").is_ok() {
        let inbox = caller.managed(state, path.id("inbox")?).await?;
        return Ok(KeyScope::Inbox(inbox.organization, inbox.id));
    }
    let tenant = caller.tenant()?;
    if path.text("workspace").is_ok() {
        let pod = state.identity().pod(tenant, path.id("workspace")?).await?;
        return Ok(KeyScope::Pod(tenant, pod.id));
    }
    Ok(KeyScope::Tenant(tenant))
}

fn view(key: &KeyRecord) -> Value {
    json!({
        "id": key.id.to_string(),
        "prefix": key.prefix,
        "name": key.name,
        "createdAt": time(key.created_at),
    })
}
