//! The life of organizations: suspended and resumed, limited, deleted and had back. For the operator.
//!
//! What always holds: what was begun is brought to its end even if the client does not wait for it.

use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::model::time;
use crate::request::{Asked, Fields, Segments};
use axum::extract::State as Shared;
use axum::routing::{get, post};
use axum::{Json, Router};
use postroom_identity::{Organization, OrganizationChange, Standing};
use postroom_types::OrganizationId;
use serde_json::{Value, json};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/organizations", get(list))
        .route("/organizations/{organization}", get(show).patch(update).delete(remove))
        .route("/organizations/{organization}/suspend", post(suspend))
        .route("/organizations/{organization}/resume", post(resume))
        .route("/organizations/{organization}/restore", post(restore))
}

fn view(organization: &Organization) -> Value {
    json!({
        "id": organization.id.to_string(),
        "name": organization.name,
        "status": match organization.standing() {
            Standing::Active => "active",
            Standing::Suspended => "suspended",
            Standing::Deleted | Standing::Gone => "deleted",
        },
        "defaultPod": organization.default_pod.to_string(),
        "maxInboxes": organization.max_inboxes,
        "maxOctets": organization.max_octets,
        "dailyMessages": organization.daily_messages,
        "suspendedAt": organization.suspended_at.map(time),
        "deletedAt": organization.deleted_at().map(time),
        "createdAt": time(organization.created_at),
        "updatedAt": time(organization.updated_at()),
    })
}

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    asked: Result<Asked, ApiError>,
) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let all = match asked?.flag("deleted")? {
        true => state.identity().deleted_organizations().await?,
        false => state.identity().organizations().await?,
    };
    Ok(Json(
        json!({ "organizations": all.iter().map(view).collect::<Vec<_>>() }),
    ))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let id = path.id("organization")?;
    let mut answer = view(&state.identity().kept_organization(id).await?);
    let used = state.identity().storage(id).await?;
    answer["inboxCount"] = state.identity().inbox_count(id).await?.into();
    answer["octets"] = used.octets.into();
    answer["messages"] = used.messages.into();
    Ok(Json(answer))
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let (id, mut fields) = (path.id("organization")?, fields?);
    let change = OrganizationChange {
        name: fields.text("name")?,
        max_inboxes: fields.change("maxInboxes", Fields::number)?,
        max_octets: fields.change("maxOctets", Fields::octets)?,
        daily_messages: fields.change("dailyMessages", Fields::number)?,
        suspended: fields.flag("suspended")?,
    };
    fields.finish()?;
    Ok(Json(view(&changed(&state, id, change).await?)))
}

async fn suspend(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    switched(&state, &caller, &path, true).await
}

async fn resume(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    switched(&state, &caller, &path, false).await
}

async fn switched(state: &State, caller: &Caller, path: &Segments, suspended: bool) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let change = OrganizationChange {
        suspended: Some(suspended),
        ..OrganizationChange::default()
    };
    Ok(Json(view(&changed(state, path.id("organization")?, change).await?)))
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let id = path.id("organization")?;
    delete(&state, id).await?;
    Ok(Json(json!({ "deleted": true, "id": id.to_string() })))
}

async fn restore(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let restored = state.identity().restore_organization(path.id("organization")?).await?;
    Ok(Json(view(&restored)))
}

/// Changes an organization, and lets its mail go if it may leave again.
pub(crate) async fn changed(
    state: &State,
    id: OrganizationId,
    change: OrganizationChange,
) -> Result<Organization, ApiError> {
    let state = state.clone();
    finished(async move {
        let changed = state.identity().update_organization(id, &change).await?;
        if change.suspended == Some(false) {
            let senders = state.identity().inbox_ids(id).await?;
            state.queue().let_go(&senders).await?;
        }
        Ok(changed)
    })
    .await
}

/// Deletes an organization, and takes back what it has in the queue.
pub(crate) async fn delete(state: &State, id: OrganizationId) -> Result<(), ApiError> {
    let state = state.clone();
    finished(async move {
        state.identity().delete_organization(id).await?;
        let senders = state.identity().inbox_ids(id).await?;
        state.queue().withdraw(&senders).await?;
        Ok(())
    })
    .await
}

async fn finished<T: Send + 'static>(
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::spawn(work).await.map_err(|_| ApiError::Internal)?
}
