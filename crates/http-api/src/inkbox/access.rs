//! Which identities agents may find (inkbox.md §5).

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::identities::own_identity;
use super::operations::Operation;
use super::wire::{Body, Segments};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use postroom_identity::{AccessRow, Permission};
use postroom_types::IdentityId;
use serde::{Deserialize, Serialize};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("access.list", "/v1/identities/{handle}/access", || get(list))
        .needs(Permission::InboxRead)
        .admin(),
    Operation::post("access.grant", "/v1/identities/{handle}/access", || post(grant))
        .needs(Permission::InboxUpdate)
        .admin(),
    Operation::delete("access.revoke", "/v1/identities/{handle}/access/{viewer}", || {
        delete(revoke)
    })
    .needs(Permission::InboxUpdate)
    .admin(),
];

#[derive(Debug, Serialize)]
struct RowView {
    id: String,
    target_identity_id: String,
    viewer_identity_id: Option<String>,
    created_at: String,
}

impl From<AccessRow> for RowView {
    fn from(row: AccessRow) -> Self {
        Self {
            id: row.id.to_string(),
            target_identity_id: row.target.to_string(),
            viewer_identity_id: row.viewer.map(|viewer| viewer.to_string()),
            created_at: time(row.created_at),
        }
    }
}

async fn list(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<Json<Vec<RowView>>> {
    let organization = caller.admin()?;
    let (target, _) = own_identity(&state, &caller, &path).await?;
    let rows = state.identity().access(organization, target.id).await?;
    Ok(Json(rows.into_iter().map(RowView::from).collect()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    /// Nobody in particular is everybody.
    #[serde(default)]
    viewer_identity_id: Option<String>,
}

async fn grant(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(grant): Body<Grant>,
) -> Answer<(StatusCode, Json<RowView>)> {
    let organization = caller.admin()?;
    let viewer: Option<IdentityId> = grant
        .viewer_identity_id
        .map(|id| id.parse())
        .transpose()
        .map_err(|_| Failure::field("viewer_identity_id", "viewer_identity_id is a UUID or null"))?;
    let (target, _) = own_identity(&state, &caller, &path).await?;
    let row = state.identity().grant_access(organization, target.id, viewer).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

async fn revoke(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<StatusCode> {
    let organization = caller.admin()?;
    let (target, _) = own_identity(&state, &caller, &path).await?;
    let viewer: IdentityId = path.id("viewer")?;
    state.identity().revoke_access(organization, target.id, viewer).await?;
    Ok(StatusCode::NO_CONTENT)
}
