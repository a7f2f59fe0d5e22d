//! The outbound queue: listed, shown, and worked by hand; and the trace of one message.

use super::events::in_own_form;
use super::queue_view::{recipient, state_named, traced};
use super::scope::Scope;
use super::window::Window;
use crate::State;
use crate::agentmail::failure::{Answer, Failure};
use crate::agentmail::message_id;
use crate::auth::Caller;
use crate::error::{ApiError, invalid};
use crate::request::{Asked, Fields, Segments};
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use postroom_identity::{KeyKind, Permission};
use postroom_queue::{ListFilter, RecipientStatus};
use postroom_types::{Domain, EmailId, InboxId};
use serde_json::{Value, json};

/// An id that no inbox has: those are made of the time.
const NOBODYS: InboxId = InboxId::from_bytes([0; 16]);

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/queue", get(list))
        .route("/queue/flush", post(flush))
        .route("/queue/{message}", get(show))
        .route("/queue/{message}/retry", by_hand(Deed::Retry))
        .route("/queue/{message}/hold", by_hand(Deed::Hold))
        .route("/queue/{message}/cancel", by_hand(Deed::Cancel))
        .route("/inboxes/{inbox}/messages/{message}/trace", get(trace))
}

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    asked: Result<Asked, ApiError>,
) -> Result<Json<Value>, ApiError> {
    let mut scope = Scope::of(&caller)?;
    let asked = asked?;
    let mut window = Window::asked(&asked)?;
    let filter = filter(&state, &asked, &mut scope).await?;
    // One inbox, and it may be seen: then each of its recipients may.
    let all_seen = filter.inbox.is_some();
    while let Some((after, limit)) = window.next_page() {
        let page = state.queue().list(&filter, after, limit).await?;
        window.turned(page.next);
        for status in &page.items {
            if all_seen || scope.sees(&state, status.sender).await? {
                window.add(status.id, recipient(status));
            }
        }
    }
    Ok(Json(window.shown("queue")))
}

async fn filter(state: &State, asked: &Asked, scope: &mut Scope) -> Result<ListFilter, ApiError> {
    let named = asked.text("state")?.unwrap_or("pending");
    let wanted = match named {
        "pending" | "all" => None,
        name => Some(state_named(name).ok_or_else(|| {
            invalid(
                "state is pending, all, queued, attempting, on-hold, delivered, bounced, expired, cancelled or held",
            )
        })?),
    };
    let domain = asked
        .text("domain")?
        .map(|name| Domain::parse(name).map_err(|_| invalid("domain is not a domain")));
    let inbox = asked.text("inbox")?.map(|id| {
        let id: Result<InboxId, _> = id.parse();
        id.map_err(|_| ApiError::NotFound)
    });
    let inbox = inbox.transpose()?;
    if inbox.is_some() && !scope.sees(state, inbox).await? {
        return Err(ApiError::NotFound);
    }
    Ok(ListFilter {
        inbox: inbox.or_else(|| scope.only()),
        pending: named == "pending",
        state: wanted,
        domain: domain.transpose()?,
    })
}

/// The recipients of a message that the caller may see.
async fn seen(state: &State, scope: &mut Scope, message: EmailId) -> Result<Vec<RecipientStatus>, ApiError> {
    let recipients = state.queue().recipients(message).await?;
    // Nobody's inbox is looked for as well: how long it takes tells nothing of others' messages.
    let sender = recipients.first().and_then(|first| first.sender).unwrap_or(NOBODYS);
    match scope.sees(state, Some(sender)).await? {
        true if !recipients.is_empty() => Ok(recipients),
        _ => Err(ApiError::NotFound),
    }
}

async fn with_attempts(state: &State, recipients: &[RecipientStatus]) -> Result<Vec<Value>, ApiError> {
    let mut views = Vec::with_capacity(recipients.len());
    for status in recipients {
        views.push(traced(status, &state.queue().attempts(status.id).await?));
    }
    Ok(views)
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let mut scope = Scope::of(&caller)?;
    let message: EmailId = path.id("message")?;
    let recipients = seen(&state, &mut scope, message).await?;
    let views = with_attempts(&state, &recipients).await?;
    Ok(Json(json!({ "message": message.to_string(), "recipients": views })))
}

async fn trace(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Response {
    match told_of(&state, &caller, &path).await {
        Ok(told) => told.into_response(),
        Err(failure) => in_own_form(failure),
    }
}

/// The same, by way of the inbox. A message that was never sent, or so long ago that nobody remembers, has no recipients.
async fn told_of(state: &State, caller: &Caller, path: &Segments) -> Answer<Json<Value>> {
    let inbox = caller.asked_about_named(state, path.text("inbox")?).await?.id;
    let name = path.text("message")?;
    let message: EmailId = match name.parse() {
        Ok(id) => id,
        // What the AgentMail dialect calls it.
        Err(_) => {
            let found = message_id::find(state, inbox, name, caller.may_see()).await?;
            found.record.email_id
        }
    };
    let listed = state.mailstore().list_of(inbox, &[message]).await?.pop();
    let mut recipients = state.queue().recipients(message).await?;
    recipients.retain(|status| status.sender == Some(inbox));
    let is_shown = match listed {
        Some(listed) => caller.may_see().shows(&listed.labels),
        None => !recipients.is_empty(),
    };
    if !is_shown {
        return Err(Failure::not_found());
    }
    let views = with_attempts(state, &recipients).await?;
    Ok(Json(json!({
        "id": message.to_string(),
        "inbox": inbox.to_string(),
        "acceptedAt": recipients.first().map(|status| crate::model::time(status.created_at)),
        "recipients": views,
    })))
}

/// What can be done by hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Retry,
    Hold,
    Cancel,
}

fn by_hand(deed: Deed) -> MethodRouter<State> {
    post(move |state, caller, path, fields| act(state, caller, path, fields, deed))
}

async fn act(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
    deed: Deed,
) -> Result<Json<Value>, ApiError> {
    let mut scope = Scope::of(&caller)?;
    // An agent may take its own mail back. To let go what the loop breaker stopped is for somebody above it.
    if caller.0.kind == KeyKind::Inbox && deed != Deed::Cancel {
        return Err(ApiError::Forbidden);
    }
    caller.require(Permission::MessageSend)?;
    let message: EmailId = path.id("message")?;
    let recipients = seen(&state, &mut scope, message).await?;
    let mut fields = fields?;
    let one = fields.number("recipient")?;
    fields.finish()?;
    let one = one.map(|number| {
        let known = recipients.iter().map(|status| status.id.recipient);
        let mut named = known.filter(|own| u32::from(*own) == number);
        named.next().ok_or(ApiError::NotFound)
    });
    let (queue, one) = (state.queue(), one.transpose()?);
    let changed = match deed {
        Deed::Retry => queue.retry(message, one).await?,
        Deed::Hold => queue.hold(message, one).await?,
        Deed::Cancel => queue.cancel(message, one).await?,
    };
    Ok(Json(json!({ "message": message.to_string(), "changed": changed })))
}

async fn flush(Shared(state): Shared<State>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    Ok(Json(json!({ "changed": state.queue().flush().await? })))
}
