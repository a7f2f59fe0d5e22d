//! An event as the dialect shows it (agentmail.md §14 "Events"): to webhooks, over the WebSocket, and in the events API.
//!
//! What always holds: a body tells what is so when it is made, and what is gone by then is not told of; what hides the
//! message by then is said beside it, so that those who may not see it are not told.

use super::failure::{Answer, Failure};
use super::message_id::message_id;
use super::message_view::{Detail, MessageView, messages};
use super::thread_view::{self, ThreadView};
use crate::State;
use crate::model::time;
use axum::http::StatusCode;
use postroom_feed::{Event, ReceivedAs, What};
use postroom_identity::{IdentityError, InboxRecord};
use postroom_mailstore::{Include, Labels, Listed};
use postroom_queue::RecipientStatus;
use postroom_types::EmailId;
use postroom_webhooks::{EventType, Hidden, Told};
use serde::Serialize;

/// How often a message is looked at again that moves meanwhile.
const LOOKS: usize = 5;
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

/// The event as it is told now; `None` if what it tells of is gone.
pub(crate) async fn told(state: &State, event: &Event) -> Answer<Option<Told>> {
    let Some((payload, hidden)) = payload(state, event).await? else {
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
    let body = json.into();
    Ok(Some(Told { body, hidden }))
}

fn to_json(view: &EventView) -> Answer<Vec<u8>> {
    serde_json::to_vec(view).map_err(|_| Failure::internal())
}

/// What is told, and what hides the message that it is about.
type Shown = (Payload, Hidden);

async fn payload(state: &State, event: &Event) -> Answer<Option<Shown>> {
    if let What::DomainVerified { domain } = &event.what {
        let domain = DomainView {
            domain_id: domain.to_string(),
            domain: domain.to_string(),
            status: "VERIFIED",
        };
        return Ok(Some((Payload::DomainVerified { domain }, Hidden::default())));
    }
    let Some(inbox) = event.inbox else { return Ok(None) };
    let inbox = match state.identity().inbox(inbox).await {
        Ok(inbox) => inbox,
        Err(IdentityError::NoSuchInbox) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match &event.what {
        What::Received { message, received_as } => received(state, &inbox, *message, *received_as).await,
        What::Sent { message, .. } => {
            let Some((which, all, hidden)) = sent(state, event, &inbox, *message).await? else {
                return Ok(None);
            };
            let recipients = all.iter().map(|recipient| recipient.address.to_string()).collect();
            let send = About { which, recipients };
            Ok(Some((Payload::Sent { send }, hidden)))
        }
        What::Delivered { message, recipients } => {
            let Some((which, all, hidden)) = sent(state, event, &inbox, *message).await? else {
                return Ok(None);
            };
            let recipients = addresses(&all, recipients);
            let delivery = About { which, recipients };
            Ok(Some((Payload::Delivered { delivery }, hidden)))
        }
        What::Bounced {
            message,
            recipients,
            permanent,
        } => {
            let Some((which, all, hidden)) = sent(state, event, &inbox, *message).await? else {
                return Ok(None);
            };
            let bounce = Kinds {
                which,
                kind: if *permanent { "Permanent" } else { "Transient" },
                sub_type: "General",
                recipients: named(&all, recipients).map(bounced).collect(),
            };
            Ok(Some((Payload::Bounced { bounce }, hidden)))
        }
        What::Complained { message, recipients } => {
            let Some((which, all, hidden)) = sent(state, event, &inbox, *message).await? else {
                return Ok(None);
            };
            let complaint = Kinds {
                which,
                kind: "abuse",
                sub_type: "General",
                recipients: addresses(&all, recipients),
            };
            Ok(Some((Payload::Complained { complaint }, hidden)))
        }
        What::Rejected { message, reason } => {
            let Some((which, _, hidden)) = sent(state, event, &inbox, *message).await? else {
                return Ok(None);
            };
            let reject = Rejected {
                which,
                reason: reason.clone(),
            };
            Ok(Some((Payload::Rejected { reject }, hidden)))
        }
        What::DomainVerified { .. } => Ok(None),
    }
}

/// What was received, and its thread with what those who hear of such a message may see.
async fn received(state: &State, inbox: &InboxRecord, id: EmailId, received_as: ReceivedAs) -> Answer<Option<Shown>> {
    for _ in 0..LOOKS {
        let Some(listed) = state.mailstore().list_of(inbox.id, &[id]).await?.pop() else {
            return Ok(None);
        };
        let hidden = hidden(&listed.labels);
        let include = Include {
            spam: hidden.spam || received_as == ReceivedAs::Spam,
            blocked: hidden.blocked || received_as == ReceivedAs::Blocked,
            unauthenticated: hidden.unauthenticated || received_as == ReceivedAs::Unauthenticated,
            trash: hidden.trash,
        };
        if !include.shows(&listed.labels) {
            // It was made a draft.
            return Ok(None);
        }
        let thread = state
            .mailstore()
            .list_thread(inbox.id, listed.record.thread_id, include)
            .await?;
        // Moved between two reads, it is hidden by something else now.
        let Some(thread) = thread else { continue };
        let thread = thread_view::thread(state, inbox, &thread).await?;
        let message = messages(state, inbox, &[listed], Detail::Bodies).await?.pop();
        return Ok(message.zip(thread).map(|(message, thread)| {
            let (message, thread) = (Box::new(message), Box::new(thread));
            (Payload::Received { message, thread }, hidden)
        }));
    }
    let text = "the message is being moved";
    Err(Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "service_unavailable",
        text,
    ))
}

/// What of its labels hides a message.
pub(crate) const fn hidden(labels: &Labels) -> Hidden {
    Hidden {
        spam: labels.spam,
        trash: labels.trash,
        blocked: labels.blocked,
        unauthenticated: labels.unauthenticated,
    }
}

/// A message that was sent, and where its recipients stand.
async fn sent(
    state: &State,
    event: &Event,
    inbox: &InboxRecord,
    id: EmailId,
) -> Answer<Option<(Which, Vec<RecipientStatus>, Hidden)>> {
    let listed: Option<Listed> = state.mailstore().list_of(inbox.id, &[id]).await?.pop();
    let Some(listed) = listed else { return Ok(None) };
    let which = Which {
        inbox_id: inbox.canonical.to_string(),
        thread_id: listed.record.thread_id.to_string(),
        message_id: message_id(&listed),
        timestamp: time(event.at),
    };
    let hidden = hidden(&listed.labels);
    Ok(Some((which, state.queue().recipients(id).await?, hidden)))
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
