//! What our own API can set of an inbox, beyond what the dialects know.

use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, invalid};
use crate::request::{Fields, Segments};
use axum::extract::State as Shared;
use axum::routing::get;
use axum::{Json, Router};
use postroom_identity::{InboxChange, InboxRecord, Permission};
use postroom_types::EmailAddress;
use serde_json::{Value, json};

pub(super) fn routes() -> Router<State> {
    Router::new().route("/inboxes/{inbox}", get(show).patch(update))
}

pub(super) fn view(inbox: &InboxRecord) -> Value {
    json!({
        "id": inbox.id.to_string(),
        "organization": inbox.organization.to_string(),
        "pod": inbox.pod.to_string(),
        "address": inbox.primary.to_string(),
        "addresses": inbox.addresses().map(ToString::to_string).collect::<Vec<_>>(),
        "forwardTo": inbox.forward_to.as_ref().map(ToString::to_string),
        "dailyMessages": inbox.daily_messages,
        "dailyNewRecipients": inbox.daily_new_recipients,
        "sendPaused": inbox.send_paused,
        "receivePaused": inbox.receive_paused,
        "identity": inbox.agent.as_ref().map(|agent| agent.id.to_string()),
        "handle": inbox.agent.as_ref().map(|agent| agent.handle.to_string()),
    })
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    caller.require(Permission::InboxRead)?;
    Ok(Json(view(&caller.asked_about(&state, path.id("inbox")?).await?)))
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<Value>, ApiError> {
    caller.require(Permission::InboxUpdate)?;
    let inbox = caller.set_up(&state, path.id("inbox")?).await?.id;
    let mut fields = fields?;
    let forward_to = fields.change("forwardTo", Fields::text)?.map(|text| {
        let address = text.map(|text| EmailAddress::parse(&text)).transpose();
        address.map_err(|_| invalid("forwardTo must be an address or null"))
    });
    let change = InboxChange {
        forward_to: forward_to.transpose()?,
        daily_messages: fields.change("dailyMessages", Fields::number)?,
        daily_new_recipients: fields.change("dailyNewRecipients", Fields::number)?,
        send_paused: fields.flag("sendPaused")?,
        receive_paused: fields.flag("receivePaused")?,
        ..InboxChange::default()
    };
    fields.finish()?;
    if change.daily_messages.is_some() || change.daily_new_recipients.is_some() {
        // These stand in for the server's limits, which protect the name of everybody who sends from here.
        caller.operator()?;
    }
    Ok(Json(view(&state.identity().update_inbox(inbox, &change).await?)))
}
