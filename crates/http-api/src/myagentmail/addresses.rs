//! Further addresses of an inbox.

use super::operations::{MANAGERS, Operation};
use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::request::{Fields, Segments};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, post};
use postroom_identity::Permission;
use postroom_types::EmailAddress;
use serde_json::{Value, json};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::post("/inboxes/{inbox}/addresses", MANAGERS, || post(add)).needs(Permission::InboxUpdate),
    Operation::delete("/inboxes/{inbox}/addresses/{address}", MANAGERS, || delete(remove))
        .needs(Permission::InboxUpdate),
];

async fn add(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let inbox = caller.managed(&state, path.id("inbox")?).await?;
    let mut fields = fields?;
    let (email, primary) = (fields.required_text("email")?, fields.flag("primary")?.unwrap_or(true));
    let (inbox, address) = state.identity().add_address(inbox.id, &email, primary).await?;
    let answer = json!({ "ok": true, "address": address.to_string(), "isPrimary": inbox.primary == address });
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let inbox = caller.managed(&state, path.id("inbox")?).await?;
    let address = EmailAddress::parse(path.text("address")?).map_err(|_| ApiError::NotFound)?;
    let removed = state.identity().remove_address(inbox.id, &address).await?;
    Ok(Json(json!({ "deleted": true, "address": removed.to_string() })))
}
