//! Our own routes: whether the server lives and is ready, what its API is, a message as it is stored, and what runs a mail server: its
//! queue, its domains, its inboxes.

mod captured;
mod described;
mod domains;
mod events;
mod export;
mod inboxes;
pub(crate) mod organizations;
mod queue;
mod queue_view;
mod scope;
mod wait;
mod window;

use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::pipe::{Pipe, pipe};
use crate::request::Segments;
use axum::extract::State as Shared;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use postroom_mailstore::{Content, Mailstore};
use postroom_types::{BlobSpan, InboxId, Piece};
use serde_json::{Value, json};
use std::sync::Arc;

/// Octets read from the store at a time.
const CHUNK_OCTETS: u64 = 64 * 1024;

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
        .nest("/postroom/v1", inboxes::routes())
        .nest("/postroom/v1", organizations::routes())
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

/// Ready is who can read the store.
async fn ready(Shared(state): Shared<State>) -> Result<Json<Value>, ApiError> {
    state.identity().postmaster().await?;
    Ok(Json(json!({ "status": "ready" })))
}

/// The message octet by octet, streamed.
async fn raw(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Response, ApiError> {
    let inbox: InboxId = path.id("inbox")?;
    caller.readable(&state, inbox).await?;
    let content = state
        .mailstore()
        .content(inbox, path.id("message")?)
        .await?
        .ok_or(ApiError::NotFound)?;
    let octets = content.octets();
    let (pipe, body) = pipe();
    let mailstore = Arc::clone(state.mailstore());
    tokio::spawn(async move {
        if let Err(error) = copy(&mailstore, &content, &pipe).await {
            tracing::debug!(reason = %error, "sending a message was cut short");
            pipe.fail(error).await;
        }
    });
    let fields = [
        (header::CONTENT_TYPE, "message/rfc822".to_owned()),
        (header::CONTENT_LENGTH, octets.to_string()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((fields, body).into_response())
}

async fn copy(mailstore: &Mailstore, content: &Content, to: &Pipe) -> std::io::Result<()> {
    for piece in content.pieces(0..u64::MAX) {
        match piece {
            Piece::Inline(bytes) => to.send(bytes).await?,
            Piece::Stored(span) => copy_stored(mailstore, span, to).await?,
        }
    }
    Ok(())
}

async fn copy_stored(mailstore: &Mailstore, span: BlobSpan, to: &Pipe) -> std::io::Result<()> {
    let mut left = span;
    while left.octets > 0 {
        let next = BlobSpan {
            octets: left.octets.min(CHUNK_OCTETS),
            ..left
        };
        let bytes = mailstore
            .read_blob(next)
            .await
            .map_err(std::io::Error::other)?
            .unwrap_or_default();
        if bytes.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let octets = bytes.len() as u64;
        to.send(bytes).await?;
        left.offset += octets;
        left.octets -= octets.min(left.octets);
    }
    Ok(())
}
