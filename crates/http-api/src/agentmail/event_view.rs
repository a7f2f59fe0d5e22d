//! An event as the dialect shows it (agentmail.md §14 "Events"): to webhooks, over the WebSocket, and in the events API.
//!
//! What always holds: a body tells what is so when it is made, and what is gone by then is not told of.

use super::failure::{Answer, Failure};
use super::message_id::message_id;
use super::message_view::{MessageView, by_email_id};
use super::thread_view::{self, ThreadView};
use crate::State;
use crate::model::time;
use axum::http::StatusCode;
use bytes::Bytes;
use postroom_feed::{Event, ReceivedAs, What};
use postroom_identity::{IdentityError, InboxRecord};
use postroom_mailstore::{Include, Listed};
use postroom_queue::RecipientStatus;
use postroom_types::{EmailId, OrganizationId, ThreadId};
use postroom_webhooks::{BoxFuture, EventType, Placed, Render, RenderError};
use serde::Serialize;

/// Longest body with texts in it.
const MAX_BODY_OCTETS: usize = 1_000_000;

/// An event.
#[derive(Debug, Serialize)]
struct EventView {
    #[serde(rename = "type")]
    kind: &'static str,
    event_type: &'static str,
    event_id: String,
    #[serde(flatten)]
    payload: Payload,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Payload {
    Received {
        message: Box<MessageView>,
        thread: Box<ThreadView>,
    },
    Sent {
        send: About,
    },
    Delivered {
        delivery: About,
    },
    Bounced {
        bounce: Kinds<Bounced>,
    },
    Complained {
        complaint: Kinds<String>,
    },
    Rejected {
        reject: Rejected,
    },
    DomainVerified {
        domain: DomainView,
    },
}

/// Which message, and when.
#[derive(Debug, Serialize)]
struct Which {
    inbox_id: String,
    thread_id: String,
    message_id: String,
    timestamp: String,
}

#[derive(Debug, Serialize)]
struct About {
    #[serde(flatten)]
    which: Which,
    recipients: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Kinds<T> {
    #[serde(flatten)]
    which: Which,
    #[serde(rename = "type")]
    kind: &'static str,
    sub_type: &'static str,
    recipients: Vec<T>,
}

#[derive(Debug, Serialize)]
struct Bounced {
    address: String,
    status: String,
}

#[derive(Debug, Serialize)]
struct Rejected {
    #[serde(flatten)]
    which: Which,
    reason: String,
}

#[derive(Debug, Serialize)]
struct DomainView {
    domain_id: String,
    domain: String,
    status: &'static str,
}

/// The `event_id` of an event.
fn event_id(event: &Event) -> String {
    format!("evt_{}", event.cursor)
}

impl Render for State {
    fn render<'a>(
        &'a self,
        _: OrganizationId,
        placed: &'a Placed,
    ) -> BoxFuture<'a, Result<Option<Bytes>, RenderError>> {
        Box::pin(async move {
            match body(self, &placed.event).await {
                Ok(body) => Ok(body),
                // Deleted while it was read.
                Err(failure) if failure.status == StatusCode::NOT_FOUND => Ok(None),
                Err(failure) => Err(RenderError(failure.body.message)),
            }
        })
    }
}

async fn body(state: &State, event: &Event) -> Answer<Option<Bytes>> {
    let Some(payload) = payload(state, event).await? else {
        return Ok(None);
    };
    let mut view = EventView {
        kind: "event",
        event_type: EventType::of(event).as_str(),
        event_id: event_id(event),
        payload,
    };
    let mut json = to_json(&view)?;
    if json.len() > MAX_BODY_OCTETS
        && let Payload::Received { message, .. } = &mut view.payload
    {
        (message.text, message.html) = (None, None);
        (message.extracted_text, message.extracted_html) = (None, None);
        json = to_json(&view)?;
    }
    Ok(Some(json.into()))
}

fn to_json(view: &EventView) -> Answer<Vec<u8>> {
    serde_json::to_vec(view).map_err(|_| Failure::internal())
}

async fn payload(state: &State, event: &Event) -> Answer<Option<Payload>> {
    if let What::DomainVerified { domain } = &event.what {
        let domain = DomainView {
            domain_id: domain.to_string(),
            domain: domain.to_string(),
            status: "VERIFIED",
        };
        return Ok(Some(Payload::DomainVerified { domain }));
    }
    let Some(inbox) = event.inbox else { return Ok(None) };
    let inbox = match state.identity().inbox(inbox).await {
        Ok(inbox) => inbox,
        Err(IdentityError::NoSuchInbox) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match &event.what {
        What::Received { message, received_as } => received(state, &inbox, *message, *received_as).await,
        What::Sent { message } => {
            let Some((which, all)) = sent(state, event, &inbox, *message).await? else {
                return Ok(None);
            };
            let recipients = all.iter().map(|recipient| recipient.address.to_string()).collect();
            let send = About { which, recipients };
            Ok(Some(Payload::Sent { send }))
        }
        What::Delivered { message, recipients } => {
            let Some((which, all)) = sent(state, event, &inbox, *message).await? else {
                return Ok(None);
            };
            let recipients = addresses(&all, recipients);
            let delivery = About { which, recipients };
            Ok(Some(Payload::Delivered { delivery }))
        }
        What::Bounced {
            message,
            recipients,
            permanent,
        } => {
            let Some((which, all)) = sent(state, event, &inbox, *message).await? else {
                return Ok(None);
            };
            let bounce = Kinds {
                which,
                kind: if *permanent { "Permanent" } else { "Transient" },
                sub_type: "General",
                recipients: named(&all, recipients).map(bounced).collect(),
            };
            Ok(Some(Payload::Bounced { bounce }))
        }
        What::Complained { message, recipients } => {
            let Some((which, all)) = sent(state, event, &inbox, *message).await? else {
                return Ok(None);
            };
            let complaint = Kinds {
                which,
                kind: "abuse",
                sub_type: "General",
                recipients: addresses(&all, recipients),
            };
            Ok(Some(Payload::Complained { complaint }))
        }
        What::Rejected { message, reason } => {
            let Some((which, _)) = sent(state, event, &inbox, *message).await? else {
                return Ok(None);
            };
            let reject = Rejected {
                which,
                reason: reason.clone(),
            };
            Ok(Some(Payload::Rejected { reject }))
        }
        What::DomainVerified { .. } => Ok(None),
    }
}

async fn received(state: &State, inbox: &InboxRecord, id: EmailId, received_as: ReceivedAs) -> Answer<Option<Payload>> {
    let listed = state.mailstore().list_of(inbox.id, &[id]).await?.pop();
    let Some(thread_id) = listed.map(|listed| listed.record.thread_id) else {
        return Ok(None);
    };
    let Some(message) = by_email_id(state, inbox, id, true).await? else {
        return Ok(None);
    };
    let Some(thread) = thread(state, inbox, thread_id, received_as).await? else {
        return Ok(None);
    };
    Ok(Some(Payload::Received {
        message: Box::new(message),
        thread: Box::new(thread),
    }))
}

/// The thread with what those who hear of such a message may see; all of it, if that is nothing by now.
async fn thread(
    state: &State,
    inbox: &InboxRecord,
    id: ThreadId,
    received_as: ReceivedAs,
) -> Answer<Option<ThreadView>> {
    let shown = Include {
        spam: received_as == ReceivedAs::Spam,
        blocked: received_as == ReceivedAs::Blocked,
        unauthenticated: received_as == ReceivedAs::Unauthenticated,
        trash: false,
    };
    for include in [shown, Include::ALL] {
        if let Some(listed) = state.mailstore().list_thread(inbox.id, id, include).await? {
            return thread_view::thread(state, inbox, &listed).await;
        }
    }
    Ok(None)
}

/// A message that was sent, and where its recipients stand.
async fn sent(
    state: &State,
    event: &Event,
    inbox: &InboxRecord,
    id: EmailId,
) -> Answer<Option<(Which, Vec<RecipientStatus>)>> {
    let listed: Option<Listed> = state.mailstore().list_of(inbox.id, &[id]).await?.pop();
    let Some(listed) = listed else { return Ok(None) };
    let which = Which {
        inbox_id: inbox.canonical.to_string(),
        thread_id: listed.record.thread_id.to_string(),
        message_id: message_id(&listed),
        timestamp: time(event.at),
    };
    Ok(Some((which, state.queue().recipients(id).await?)))
}

/// The recipients with these numbers, as far as the queue still knows them.
fn named<'a>(all: &'a [RecipientStatus], numbers: &'a [u16]) -> impl Iterator<Item = &'a RecipientStatus> {
    all.iter().filter(|status| numbers.contains(&status.id.recipient))
}

fn addresses(all: &[RecipientStatus], numbers: &[u16]) -> Vec<String> {
    named(all, numbers).map(|status| status.address.to_string()).collect()
}

/// With the status of the last report, else of the last reply.
fn bounced(recipient: &RecipientStatus) -> Bounced {
    let reported = recipient.reports.last().map(|report| report.status.clone());
    let status = reported.filter(|status| !status.is_empty());
    Bounced {
        address: recipient.address.to_string(),
        status: status.unwrap_or_else(|| recipient.reason.status.clone()),
    }
}
