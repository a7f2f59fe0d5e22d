//! `wk_` keys, made and revoked with the tenant's master key.

use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::model::time;
use crate::request::{Fields, Segments};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use postroom_identity::{KeyRecord, KeyScope};
use postroom_types::PodId;
use serde_json::{Value, json};

pub(super) async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (scope, pod) = scope(&state, &caller, &path).await?;
    let name = fields?.text("name")?;
    let new = state.identity().create_key(&scope, name.as_deref()).await?;
    let mut answer = view(&new.record);
    answer["key"] = new.secret.expose().as_str().into();
    answer["workspaceId"] = pod.to_string().into();
    Ok((StatusCode::CREATED, Json(answer)))
}

pub(super) async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
) -> Result<Json<Value>, ApiError> {
    let (scope, _) = scope(&state, &caller, &path).await?;
    let keys = state.identity().keys(&scope).await?;
    Ok(Json(json!({ "keys": keys.iter().map(view).collect::<Vec<_>>() })))
}

pub(super) async fn revoke(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
) -> Result<Json<Value>, ApiError> {
    let (scope, _) = scope(&state, &caller, &path).await?;
    let id = path.id("key")?;
    state.identity().revoke_key(&scope, id).await?;
    Ok(Json(json!({ "deleted": true, "id": id.to_string() })))
}

async fn scope(state: &State, caller: &Caller, path: &Segments) -> Result<(KeyScope, PodId), ApiError> {
    let tenant = caller.tenant()?;
    let pod = state.identity().pod(tenant, path.id("workspace")?).await?;
    Ok((KeyScope::Pod(tenant, pod.id), pod.id))
}

fn view(key: &KeyRecord) -> Value {
    json!({
        "id": key.id.to_string(),
        "prefix": key.prefix,
        "name": key.name,
        "createdAt": time(key.created_at),
    })
}
