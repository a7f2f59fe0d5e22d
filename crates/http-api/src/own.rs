//! Our own routes: whether the server lives and is ready, what its API is, a message as it is stored, and what runs a
//! mail server: its queue, its domains, its inboxes.

mod captured;
mod described;
mod domains;
mod events;
mod export;
mod identities;
mod inboxes;
pub(crate) mod organizations;
mod postmaster;
mod queue;
mod queue_view;
mod scope;
mod wait;
mod window;

use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::request::Segments;
use axum::extract::State as Shared;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use postroom_identity::Permission;
use postroom_mailstore::Listed;
use postroom_types::{EmailId, InboxId};
use serde_json::{Value, json};

pub(crate) fn routes() -> Router<State> {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/readyz", get(ready))
        .route("/openapi.json", get(async || Json(document())))
        .route("/postroom/v1/inboxes/{inbox}/messages/{message}/raw", get(raw))
        .nest("/postroom/v1", captured::routes())
        .nest("/postroom/v1", domains::routes())
        .nest("/postroom/v1", events::routes())
        .nest("/postroom/v1", export::routes())
        .nest("/postroom/v1", identities::routes())
        .nest("/postroom/v1", inboxes::routes())
        .nest("/postroom/v1", organizations::routes())
        .nest("/postroom/v1", postmaster::routes())
        .nest("/postroom/v1", queue::routes())
        .nest("/postroom/v1", wait::routes())
}

/// What the API is: the AgentMail dialect, and our own routes.
fn document() -> Value {
    let mut document = crate::agentmail::document();
    described::add_to(&mut document);
    document
}

/// The schema of what waiting for a message answers; what it refers to is in the dialect's document.
pub(crate) fn waited() -> Value {
    described::waited()
}

/// Ready is who can read the store. One that is full is ready too: mail is there to be read and deleted, and who balances
/// load by this would take that away.
async fn ready(Shared(state): Shared<State>) -> Result<Json<Value>, ApiError> {
    state.identity().postmaster().await?;
    let mut answer = json!({ "status": "ready", "takesMail": state.takes_mail() });
    if !state.takes_mail() {
        answer["reason"] = "less free space than store.min_free".into();
    }
    Ok(Json(answer))
}

/// A message whose labels do not hide it from the caller.
async fn visible(state: &State, caller: &Caller, inbox: InboxId, message: EmailId) -> Result<Listed, ApiError> {
    let listed = state.mailstore().list_of(inbox, &[message]).await?.pop();
    listed
        .filter(|listed| caller.may_see().shows(&listed.labels))
        .ok_or(ApiError::NotFound)
}

/// The message octet by octet, streamed.
async fn raw(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Response, ApiError> {
    caller.require(Permission::MessageRead)?;
    let inbox: InboxId = path.id("inbox")?;
    caller.readable(&state, inbox).await?;
    let content = visible(&state, &caller, inbox, path.id("message")?)
        .await?
        .record
        .content;
    let octets = content.octets();
    let body = crate::agentmail::whole(state.mailstore(), content);
    let fields = [
        (header::CONTENT_TYPE, "message/rfc822".to_owned()),
        (header::CONTENT_LENGTH, octets.to_string()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((fields, body).into_response())
}
