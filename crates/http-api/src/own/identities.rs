//! An identity for an inbox that was made without one: from then on it is an agent of the Inkbox dialect too.
//!
//! What always holds: the operator and keys of the whole organization give identities, as they alone make them in that
//! dialect; asked again with the same handle, nothing changes.

use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, invalid};
use crate::model::time;
use crate::request::{Fields, Segments};
use axum::extract::State as Shared;
use axum::routing::post;
use axum::{Json, Router};
use postroom_identity::{GivenIdentity, Handle, InboxRecord, KeyKind, Permission, Reach};
use serde_json::{Value, json};

pub(super) fn routes() -> Router<State> {
    Router::new().route("/inboxes/{inbox}/identity", post(give))
}

fn view(given: &GivenIdentity) -> Value {
    let (identity, inbox) = (&given.identity, &given.inbox);
    json!({
        "id": identity.id.to_string(),
        "handle": identity.handle.to_string(),
        "description": identity.description,
        "displayName": inbox.display_name,
        "organization": identity.organization.to_string(),
        "inbox": inbox.id.to_string(),
        "address": inbox.primary.to_string(),
        "createdAt": time(identity.created_at),
        "updatedAt": time(identity.updated_at),
        "existed": !given.is_new,
    })
}

async fn give(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<Value>, ApiError> {
    let inbox = caller.of_organization(&state, path.text("inbox")?).await?.id;
    let mut fields = fields?;
    let handle = fields.required_text("handle")?;
    let handle = Handle::parse(&handle).map_err(|error| invalid(error.to_string()))?;
    let description = fields.text("description")?;
    fields.finish()?;
    let given = state
        .identity()
        .give_identity(inbox, &handle, description.as_deref())
        .await?;
    Ok(Json(view(&given)))
}

impl Caller {
    /// An inbox, named by its id or by one of its addresses, for the operator or a key of all of its organization.
    async fn of_organization(&self, state: &State, name: &str) -> Result<InboxRecord, ApiError> {
        self.require(Permission::InboxUpdate)?;
        let reach = match self.0.kind {
            KeyKind::Operator => None,
            _ => Some(Reach::organization(self.tenant()?)),
        };
        super::scope::named(state, name, reach).await
    }
}
