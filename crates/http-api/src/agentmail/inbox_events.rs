//! What labels the messages of an inbox were given and lost (agentmail.md §7 "InboxEvent"), over the API and by mail clients.

use super::call::Call;
use super::failure::Answer;
use super::listing::may_see;
use super::message_id::message_id;
use super::operations::{INBOX, Operation, PAGED};
use super::paging::{Paging, bad_token};
use super::wire::Asked;
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::routing::get;
use postroom_identity::Permission;
use postroom_mailstore::LabelPlace;
use postroom_types::{EmailId, ModSeq};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use utoipa::ToSchema;

pub(super) const OPERATIONS: &[Operation] = &[Operation::get("inboxes.events.list", INBOX, "/events", || get(list))
    .needs(Permission::MessageRead)
    .asks(PAGED)
    .answers::<InboxEventList>()];

/// A label was given to a message, or taken from it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InboxEvent)]
struct InboxEventView {
    organization_id: String,
    pod_id: String,
    inbox_id: String,
    event_id: String,
    /// `label.added` or `label.removed`.
    event_type: &'static str,
    message_id: String,
    label: String,
    event_at: String,
    created_at: String,
}

/// A page of them.
#[derive(Debug, Serialize, ToSchema)]
struct InboxEventList {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    events: Vec<InboxEventView>,
}

fn octets(place: LabelPlace) -> [u8; 12] {
    let mut octets = [0; 12];
    octets[..8].copy_from_slice(&place.modseq.0.to_be_bytes());
    octets[8..].copy_from_slice(&place.index.to_be_bytes());
    octets
}

fn place(octets: &[u8]) -> Answer<LabelPlace> {
    let (modseq, index) = octets.split_first_chunk::<8>().ok_or_else(bad_token)?;
    Ok(LabelPlace {
        modseq: ModSeq(u64::from_be_bytes(*modseq)),
        index: u32::from_be_bytes(index.try_into().map_err(|_| bad_token())?),
    })
}

async fn list(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<InboxEventList>> {
    let inbox = call.inbox()?;
    let paging = Paging::read(&call, &asked, &[])?;
    let after = paging.position.as_deref().map(place).transpose()?;
    let page = state
        .mailstore()
        .label_events(inbox.id, after, paging.ascending, paging.limit)
        .await?;
    let messages: BTreeSet<EmailId> = page.events.iter().map(|event| event.message).collect();
    let messages: Vec<EmailId> = messages.into_iter().collect();
    let shown = may_see(&call);
    let listed = state.mailstore().list_of(inbox.id, &messages).await?;
    let listed = listed.iter().filter(|listed| shown.shows(&listed.labels));
    let names: HashMap<EmailId, String> = listed
        .map(|listed| (listed.record.email_id, message_id(listed)))
        .collect();
    // What is gone by now has no name any more.
    let events = page.events.into_iter().filter_map(|event| {
        Some(InboxEventView {
            organization_id: inbox.organization.to_string(),
            pod_id: inbox.pod.to_string(),
            inbox_id: inbox.canonical.to_string(),
            event_id: format!("evt_{:x}_{}", event.place.modseq.0, event.place.index),
            event_type: if event.added { "label.added" } else { "label.removed" },
            message_id: names.get(&event.message)?.clone(),
            label: event.label,
            event_at: time(event.at),
            created_at: time(event.at),
        })
    });
    let events: Vec<InboxEventView> = events.collect();
    Ok(Json(InboxEventList {
        count: events.len(),
        limit: paging.asked_limit,
        next_page_token: page.next.map(|next| paging.token(&octets(next))),
        events,
    }))
}
