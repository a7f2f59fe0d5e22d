//! An event as the dialect tells of it to webhooks (inkbox.md §10 "Delivery").
//!
//! What always holds: a body tells what is so when it is made; what hides the message by then is said beside it.

use super::failure::{Answer, Failure};
use super::message_view::{Detail, Direction, MessageView, messages};
use crate::State;
use crate::agentmail::event_view::hidden;
use crate::model::time;
use postroom_feed::{Event, What};
use postroom_identity::{IdentityError, InboxRecord};
use postroom_message::readable_html;
use postroom_types::{EmailAddress, EmailId};
use postroom_webhooks::{Dialect, EventType, Told};
use serde::Serialize;
use serde_json::json;

/// Characters of a text that are told; the rest is to be asked for.
const MAX_BODY_CHARS: usize = 10_000;
/// Addresses of a message for which is looked who they are.
const MAX_ADDRESSES: usize = 100;

/// What is told of a message: the fields of its own view, without flags.
#[derive(Debug, Serialize)]
struct EventMessage {
    id: String,
    mailbox_id: String,
    thread_id: String,
    message_id: String,
    from_address: String,
    from_display_name: Option<String>,
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Option<Vec<String>>,
    subject: Option<String>,
    snippet: Option<String>,
    email_address: String,
    #[serde(flatten)]
    body: Body,
    direction: Direction,
    status: &'static str,
    has_attachments: bool,
    created_at: String,
}

/// The text of what came in; all `null` of what went out.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Body {
    body: Option<String>,
    body_state: Option<&'static str>,
    body_truncated: Option<bool>,
    body_total_chars: Option<usize>,
    body_included_chars: Option<usize>,
}

/// Another identity of the organization that a message names.
#[derive(Debug, Serialize)]
struct Known {
    bucket: &'static str,
    address: String,
    id: String,
    agent_handle: String,
    display_name: Option<String>,
}

/// The event as it is told now; `None` if the dialect does not tell of it, or what it tells of is gone.
pub(crate) async fn told(state: &State, event: &Event) -> Answer<Option<Told>> {
    let (Some(event_type), Some((message, incoming)), Some(inbox)) =
        (EventType::told(Dialect::Inkbox, event), about(&event.what), event.inbox)
    else {
        return Ok(None);
    };
    let inbox = match state.identity().inbox(inbox).await {
        Ok(inbox) => inbox,
        Err(IdentityError::NoSuchInbox) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(listed) = state.mailstore().list_of(inbox.id, &[message]).await?.pop() else {
        return Ok(None);
    };
    let hidden = hidden(&listed.labels);
    let Some(view) = messages(state, &inbox, &[listed], Detail::Beginnings).await?.pop() else {
        return Ok(None);
    };
    let view = event_message(&inbox, view, incoming);
    let agents = known(state, &inbox, &view).await?;
    let payload = json!({
        "id": format!("evt_{}", event.cursor),
        "event_type": event_type.as_str(),
        "timestamp": time(event.at),
        "data": { "message": view, "contacts": [], "agent_identities": agents },
    });
    let body = serde_json::to_vec(&payload).map_err(|_| Failure::internal())?.into();
    Ok(Some(Told { body, hidden }))
}

/// Which message, and whether it came in.
const fn about(what: &What) -> Option<(EmailId, bool)> {
    match what {
        What::Received { message, .. } => Some((*message, true)),
        What::Sent { message, .. }
        | What::Delivered { message, .. }
        | What::Bounced { message, .. }
        | What::Rejected { message, .. } => Some((*message, false)),
        What::Complained { .. } | What::DomainVerified { .. } => None,
    }
}

fn event_message(inbox: &InboxRecord, view: MessageView, incoming: bool) -> EventMessage {
    let detail = view.detail;
    let (text, html, bcc) = match detail {
        Some(detail) => (detail.body_text, detail.body_html, detail.bcc_addresses),
        None => (None, None, Vec::new()),
    };
    EventMessage {
        id: view.id,
        mailbox_id: view.mailbox_id,
        thread_id: view.thread_id,
        message_id: view.message_id,
        from_address: view.from_address,
        from_display_name: view.from_display_name,
        to_addresses: view.to_addresses,
        cc_addresses: view.cc_addresses,
        bcc_addresses: (!incoming).then_some(bcc),
        subject: view.subject,
        snippet: view.snippet,
        email_address: inbox.canonical.to_string(),
        body: if incoming {
            Body::of(text.or_else(|| html.map(|html| readable_html(&html))))
        } else {
            Body::default()
        },
        // What its owner sent to itself came in, too.
        direction: if incoming {
            Direction::Inbound
        } else {
            Direction::Outbound
        },
        status: if incoming { "received" } else { view.status },
        has_attachments: view.has_attachments,
        created_at: view.created_at,
    }
}

impl Body {
    fn of(text: Option<String>) -> Self {
        let Some(mut text) = text else {
            return Self {
                body_state: Some("unavailable"),
                body_truncated: Some(false),
                ..Self::default()
            };
        };
        let total = text.chars().count();
        if let Some((end, _)) = text.char_indices().nth(MAX_BODY_CHARS) {
            text.truncate(end);
        }
        let is_cut = total > MAX_BODY_CHARS;
        Self {
            body: Some(text),
            body_state: Some(if is_cut { "truncated" } else { "complete" }),
            body_truncated: Some(is_cut),
            body_total_chars: Some(total),
            body_included_chars: Some(total.min(MAX_BODY_CHARS)),
        }
    }
}

/// Who of those that a message names are other agents of the organization. It is the message that names them, so this
/// shows nobody whom its owner could not write to.
async fn known(state: &State, inbox: &InboxRecord, message: &EventMessage) -> Answer<Vec<Known>> {
    let from = std::slice::from_ref(&message.from_address);
    let bcc = message.bcc_addresses.as_deref().unwrap_or_default();
    let buckets = [
        ("from", from),
        ("to", message.to_addresses.as_slice()),
        ("cc", message.cc_addresses.as_slice()),
        ("bcc", bcc),
    ];
    let mut named = Vec::new();
    for (bucket, addresses) in buckets {
        named.extend(addresses.iter().map(|address| (bucket, address)));
    }
    named.truncate(MAX_ADDRESSES);
    let mut known = Vec::new();
    for (bucket, address) in named {
        let Ok(parsed) = EmailAddress::parse(address) else {
            continue;
        };
        let found = state.identity().inbox_at_address(&parsed).await?;
        let found = found.filter(|found| found.organization == inbox.organization && found.id != inbox.id);
        if let Some(found) = found
            && let Some(agent) = found.agent
        {
            known.push(Known {
                bucket,
                address: address.clone(),
                id: agent.id.to_string(),
                agent_handle: agent.handle.to_string(),
                display_name: found.display_name,
            });
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_counted_and_cut_in_characters() {
        let check = |text: Option<String>, state, total, included| {
            let body = Body::of(text);
            assert_eq!(
                (body.body_state, body.body_total_chars, body.body_included_chars),
                (Some(state), total, included)
            );
            assert_eq!(body.body.map(|body| body.chars().count()), included);
        };
        check(None, "unavailable", None, None);
        check(Some(String::new()), "complete", Some(0), Some(0));
        check(Some("für".into()), "complete", Some(3), Some(3));
        check(Some("é".repeat(10_000)), "complete", Some(10_000), Some(10_000));
        check(Some("é".repeat(10_001)), "truncated", Some(10_001), Some(10_000));
    }
}
