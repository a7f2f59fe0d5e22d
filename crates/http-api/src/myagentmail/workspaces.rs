//! Workspaces, for the tenant's master key.

use super::operations::{Operation, TENANT};
use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::model::time;
use crate::request::{Fields, Segments};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{get, post};
use postroom_identity::{Permission, Pod};
use serde_json::{Value, json};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("/workspaces", TENANT, || get(list)).needs(Permission::PodRead),
    Operation::post("/workspaces", TENANT, || post(create)).needs(Permission::PodCreate),
    Operation::get("/workspaces/{workspace}", TENANT, || get(show)).needs(Permission::PodRead),
];

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    fields: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let tenant = caller.tenant()?;
    let mut fields = fields?;
    let (name, slug) = (fields.required_text("name")?, fields.text("slug")?);
    let pod = state.identity().create_pod(tenant, &name, slug.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(view(&pod, false, 0, 0))))
}

async fn list(Shared(state): Shared<State>, caller: Caller) -> Result<Json<Value>, ApiError> {
    let tenant = caller.tenant()?;
    let mut views = Vec::new();
    for pod in state.identity().pods(tenant).await? {
        views.push(counted(&state, &pod).await?);
    }
    Ok(Json(json!({ "workspaces": views })))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let pod = state.identity().pod(caller.tenant()?, path.id("workspace")?).await?;
    Ok(Json(counted(&state, &pod).await?))
}

async fn counted(state: &State, pod: &Pod) -> Result<Value, ApiError> {
    let default = state.identity().organization(pod.organization).await?.default_pod;
    let inboxes = state.identity().pod_inbox_count(pod.id).await?;
    let domains = state.identity().domains_of(pod.organization, Some(pod.id)).await?;
    Ok(view(pod, pod.id == default, inboxes, domains.len()))
}

fn view(pod: &Pod, is_default: bool, inboxes: u64, domains: usize) -> Value {
    json!({
        "id": pod.id.to_string(),
        "name": pod.name,
        "slug": pod.slug,
        "isDefault": is_default,
        "inboxCount": inboxes,
        "domainCount": domains,
        "createdAt": time(pod.created_at),
    })
}
