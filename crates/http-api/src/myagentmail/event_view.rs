//! An event as the dialect tells of it, over the WebSocket and to webhooks; unlike the rest of the dialect in snake_case.
//!
//! What always holds: a body tells what is so when it is made; of what is gone by then, or lies in the trash, in spam or
//! among the blocked, nothing is told.

use super::texts;
use crate::State;
use crate::error::ApiError;
use crate::model::{address, addresses, time};
use bytes::Bytes;
use postroom_feed::{Event, What};
use postroom_identity::IdentityError;
use postroom_mailstore::Listed;
use postroom_types::{EmailId, InboxId};
use postroom_webhooks::Placed;
use serde_json::{Value, json};

/// How much of each text is told, octets as stored.
const TEXT_OCTETS: u64 = 256 << 10;
/// How many messages of a thread are looked at for its subject: the oldest.
const MAX_LOOKS: usize = 20;

/// The event as JSON text; `None` if there is nothing to tell.
pub(crate) async fn body(state: &State, placed: &Placed) -> Result<Option<Bytes>, ApiError> {
    match event(state, &placed.event).await {
        Ok(event) => Ok(event.map(|event| event.to_string().into())),
        // Deleted while it was read.
        Err(ApiError::NotFound | ApiError::Identity(IdentityError::NoSuchInbox)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn event(state: &State, event: &Event) -> Result<Option<Value>, ApiError> {
    let (event_type, message) = match &event.what {
        What::Received { message, .. } => ("message.received", *message),
        What::Sent { message, .. } => ("message.sent", *message),
        What::Bounced { message, .. } => ("message.bounced", *message),
        What::Delivered { .. } | What::Complained { .. } | What::Rejected { .. } | What::DomainVerified { .. } => {
            return Ok(None);
        }
    };
    let Some(inbox) = event.inbox else { return Ok(None) };
    let inbox = state.identity().inbox(inbox).await?.id;
    let Some(listed) = shown(state, inbox, message).await? else {
        return Ok(None);
    };
    let thread = json!({
        "thread_id": listed.record.thread_id.to_string(),
        "subject": subject_of_thread(state, inbox, &listed).await?,
    });
    let mut view = json!({
        "type": "event",
        "event_type": event_type,
        "event_id": format!("evt_{}", event.cursor),
        "message": message_view(state, inbox, &listed, event.at).await?,
        "thread": thread,
    });
    if let What::Bounced {
        recipients, permanent, ..
    } = &event.what
    {
        let all = state.queue().recipients(message).await?;
        let bounced = all.iter().filter(|status| recipients.contains(&status.id.recipient));
        let bounced: Vec<String> = bounced.map(|status| status.address.to_string()).collect();
        view["bounce"] = json!({ "permanent": permanent, "recipients": bounced });
    }
    Ok(Some(view))
}

async fn shown(state: &State, inbox: InboxId, message: EmailId) -> Result<Option<Listed>, ApiError> {
    let listed = state.mailstore().list_of(inbox, &[message]).await?.pop();
    Ok(listed.filter(|listed| !(listed.labels.spam || listed.labels.blocked || listed.labels.trash)))
}

async fn message_view(state: &State, inbox: InboxId, listed: &Listed, at: i64) -> Result<Value, ApiError> {
    let (record, summary) = (&listed.record, &listed.summary);
    let texts = texts::read(state.mailstore(), &record.content, &summary.root, TEXT_OCTETS).await?;
    let texts = texts.into_given();
    let author = summary.envelope.from.iter().flatten().find_map(address);
    Ok(json!({
        "message_id": record.email_id.to_string(),
        "inbox_id": inbox.to_string(),
        "thread_id": record.thread_id.to_string(),
        "from": author,
        "to": addresses(summary.envelope.to.as_ref()),
        "subject": summary.subject_text,
        "plain_body": texts.plain,
        "html_body": texts.html,
        "timestamp": time(at),
    }))
}

/// That of its first message which is shown; where none of the oldest is, that of the message itself.
async fn subject_of_thread(state: &State, inbox: InboxId, listed: &Listed) -> Result<String, ApiError> {
    let mailstore = state.mailstore();
    let oldest = mailstore
        .thread_start(inbox, listed.record.thread_id, MAX_LOOKS)
        .await?;
    for id in oldest.into_iter().take_while(|id| *id != listed.record.email_id) {
        if let Some(first) = shown(state, inbox, id).await? {
            return Ok(first.summary.subject_text);
        }
    }
    Ok(listed.summary.subject_text.clone())
}
