//! Tenants, for the operator.

use super::operations::{OPERATOR, Operation};
use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::model::time;
use crate::own::organizations;
use crate::request::{Fields, Segments};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use postroom_identity::{Organization, OrganizationChange, Standing};
use serde_json::{Value, json};

const ONE: &str = "/tenants/{tenant}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("/tenants", OPERATOR, || get(list)),
    Operation::post("/tenants", OPERATOR, || post(create)),
    Operation::get(ONE, OPERATOR, || get(show)),
    Operation::patch(ONE, OPERATOR, || patch(update)),
    Operation::delete(ONE, OPERATOR, || delete(remove)),
];

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    fields: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    caller.operator()?;
    let mut fields = fields?;
    let (name, max_inboxes) = (fields.required_text("name")?, fields.number("maxInboxes")?);
    let new = state.identity().create_organization(&name, max_inboxes).await?;
    let mut answer = view(&new.organization);
    answer["apiKey"] = new.api_key.expose().as_str().into();
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn list(Shared(state): Shared<State>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let all = state.identity().organizations().await?;
    Ok(Json(json!({ "tenants": all.iter().map(view).collect::<Vec<_>>() })))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let id = path.id("tenant")?;
    let organization = state.identity().organization(id).await?;
    let mut answer = view(&organization);
    answer["inboxCount"] = state.identity().inbox_count(id).await?.into();
    Ok(Json(answer))
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let mut fields = fields?;
    let change = OrganizationChange {
        name: fields.text("name")?,
        max_inboxes: fields.change("maxInboxes", Fields::number)?,
        max_octets: fields.change("maxStorageBytes", Fields::octets)?,
        daily_messages: fields.change("dailyMessages", Fields::number)?,
        suspended: fields.flag("suspended")?,
    };
    let changed = organizations::changed(&state, path.id("tenant")?, change).await?;
    Ok(Json(view(&changed)))
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let id = path.id("tenant")?;
    organizations::delete(&state, id).await?;
    Ok(Json(json!({ "deleted": true, "id": id.to_string() })))
}

fn view(organization: &Organization) -> Value {
    json!({
        "id": organization.id.to_string(),
        "name": organization.name,
        "defaultWorkspaceId": organization.default_pod.to_string(),
        "maxInboxes": organization.max_inboxes,
        "maxStorageBytes": organization.max_octets,
        "dailyMessages": organization.daily_messages,
        "suspended": organization.standing() == Standing::Suspended,
        "createdAt": time(organization.created_at),
    })
}
