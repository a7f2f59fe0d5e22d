//! Mail that was caught instead of sent, to be read by who tries things out.

use super::queue_view::path as reverse_path;
use super::scope::Scope;
use super::window::Window;
use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::large;
use crate::model::{addresses, time};
use crate::request::{Asked, Segments};
use axum::extract::State as Shared;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use postroom_message::{attachments, decode_words, fields, html_text, plain_text, summarize, unfold};
use postroom_queue::{Captured, Cursor, ItemId};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

/// Most fields of a header section that are shown.
const MAX_FIELDS: usize = 500;

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/captured", get(list))
        .route("/captured/{captured}", get(show))
        .route("/captured/{captured}/raw", get(raw))
}

fn envelope(captured: &Captured, subject: Option<&[u8]>) -> Value {
    json!({
        "id": Cursor(captured.id).to_string(),
        "message": captured.id.message.to_string(),
        "from": reverse_path(&captured.envelope_from),
        "to": captured.address.to_string(),
        "subject": subject.map(decode_words),
        "capturedAt": time(captured.captured_at),
        "sizeBytes": captured.size_octets,
    })
}

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    asked: Result<Asked, ApiError>,
) -> Result<Json<Value>, ApiError> {
    let mut scope = Scope::of(&caller)?;
    let mut window = Window::asked(&asked?)?;
    while let Some((after, limit)) = window.next_page() {
        let page = state.queue().captured(after, limit).await?;
        window.turned(page.next);
        for captured in &page.items {
            if is_seen(&state, &mut scope, captured.id).await? {
                let header = state.queue().captured_header(captured.id).await?.unwrap_or_default();
                let subject = summarize(&header).envelope.subject;
                window.add(captured.id, envelope(captured, subject.as_deref()));
            }
        }
    }
    Ok(Json(window.shown("captured")))
}

/// Whether the inbox it comes from is one the caller sees; the queue's history knows.
async fn is_seen(state: &State, scope: &mut Scope, id: ItemId) -> Result<bool, ApiError> {
    let recipients = state.queue().recipients(id.message).await?;
    scope
        .sees(state, recipients.first().and_then(|status| status.sender))
        .await
}

/// One that the caller may see.
struct Found {
    captured: Captured,
    content: Vec<u8>,
    /// To be kept as long as the content.
    _turn: Option<OwnedSemaphorePermit>,
}

async fn find(state: &State, caller: &Caller, path: &Segments) -> Result<Found, ApiError> {
    let mut scope = Scope::of(caller)?;
    let Cursor(id) = path.id("captured")?;
    if !is_seen(state, &mut scope, id).await? {
        return Err(ApiError::NotFound);
    }
    // The list has it just below the one that would come before it.
    let above = Cursor(ItemId {
        message: id.message,
        recipient: id.recipient.checked_add(1).ok_or(ApiError::NotFound)?,
    });
    let page = state.queue().captured(Some(above), 1).await?;
    let captured = page.items.into_iter().find(|captured| captured.id == id);
    let captured = captured.ok_or(ApiError::NotFound)?;
    let turn = state.turns().take(captured.size_octets).await?;
    let content = state.queue().captured_content(id).await?;
    Ok(Found {
        captured,
        content: content.ok_or(ApiError::NotFound)?,
        _turn: turn,
    })
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let found = find(&state, &caller, &path).await?;
    let octets = found.captured.size_octets;
    large::work(octets, move || Ok(Json(described(&found)))).await
}

/// Envelope, and what is in it.
fn described(found: &Found) -> Value {
    let content = &found.content;
    let summary = summarize(content);
    let header = fields(content).take(MAX_FIELDS).map(|field| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        json!({ "name": text(field.name), "value": text(&unfold(field.value)) })
    });
    let files = attachments(&summary.root).into_iter().map(
        |file| json!({ "filename": file.filename, "contentType": file.content_type, "sizeBytes": file.size_octets }),
    );
    let more = json!({
        "fromAddresses": addresses(summary.envelope.from.as_ref()),
        "toAddresses": addresses(summary.envelope.to.as_ref()),
        "ccAddresses": addresses(summary.envelope.cc.as_ref()),
        "messageId": summary.message_id.as_ref().map(|id| format!("<{id}>")),
        "plainBody": plain_text(content, &summary.root),
        "htmlBody": html_text(content, &summary.root),
        "attachments": files.collect::<Vec<_>>(),
        "headers": header.collect::<Vec<_>>(),
    });
    let mut view = envelope(&found.captured, summary.envelope.subject.as_deref());
    for (name, value) in more.as_object().into_iter().flatten() {
        view[name] = value.clone();
    }
    view
}

async fn raw(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Response, ApiError> {
    let found = find(&state, &caller, &path).await?;
    let fields = [
        (header::CONTENT_TYPE, "message/rfc822"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((fields, found.content).into_response())
}
