//! Messages of an inbox (agentmail.md §8): listed, shown, labelled, deleted.

use super::attachments;
use super::call::Call;
use super::failure::{Answer, Failure};
use super::listing::{MESSAGES, SEARCHES, Wanted, filters, label_change, may_see};
use super::message_id::{find, message_id};
use super::message_view::{Detail, MessageView, labels, messages};
use super::operations::{INBOX, Operation};
use super::paging::Paging;
use super::search;
use super::wire::{Asked, Body, OneOrMany, Segments};
use crate::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use postroom_identity::Permission;
use postroom_mailstore::Listed;
use postroom_types::{EmailId, InboxId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use utoipa::ToSchema;

/// Most messages of one answer to a batch-get, and of one batch-update.
const MAX_BATCH_GET: usize = 500;
const MAX_BATCH_UPDATE: usize = 50;
/// How often a list that is filtered by the queue's labels is read on before an incomplete page is given out.
const ROUNDS: usize = 5;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("messages.list", INBOX, "/messages", || get(list))
        .needs(Permission::MessageRead)
        .asks(MESSAGES)
        .answers::<MessageList>(),
    Operation::get("messages.search", INBOX, "/messages/search", || get(search::messages))
        .needs(Permission::MessageRead)
        .asks(SEARCHES)
        .answers::<search::FoundMessages>(),
    Operation::post("messages.batch_get", INBOX, "/messages/batch-get", || post(batch_get))
        .needs(Permission::MessageRead)
        .takes::<BatchGet>()
        .answers::<MessageList>(),
    Operation::post("messages.batch_update", INBOX, "/messages/batch-update", || {
        post(batch_update)
    })
    .needs(Permission::MessageUpdate)
    .takes::<BatchUpdate>()
    .answers::<Updates>(),
    Operation::get("messages.get", INBOX, "/messages/{message_id}", || get(show))
        .needs(Permission::MessageRead)
        .answers::<MessageView>(),
    Operation::patch("messages.update", INBOX, "/messages/{message_id}", || patch(update))
        .needs(Permission::MessageUpdate)
        .takes::<UpdateLabels>()
        .answers::<Updated>(),
    Operation::delete("messages.delete", INBOX, "/messages/{message_id}", || delete(remove))
        .needs(Permission::MessageDelete),
    Operation::get("messages.get_raw", INBOX, "/messages/{message_id}/raw", || {
        get(attachments::raw)
    })
    .needs(Permission::MessageRead)
    .answers::<attachments::RawView>(),
    Operation::get(
        "messages.get_attachment",
        INBOX,
        "/messages/{message_id}/attachments/{attachment_id}",
        || get(attachments::of_message),
    )
    .needs(Permission::MessageRead)
    .answers::<attachments::DownloadView>(),
];

/// A page of messages.
#[derive(Debug, Serialize, ToSchema)]
struct MessageList {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    messages: Vec<MessageView>,
}

/// Messages to be read together.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = BatchGetMessagesRequest)]
struct BatchGet {
    message_ids: Vec<String>,
}

/// Messages whose labels are to be changed together.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = BatchUpdateMessagesRequest)]
struct BatchUpdate {
    message_ids: Vec<String>,
    add_labels: Option<OneOrMany>,
    remove_labels: Option<OneOrMany>,
}

/// Labels to be changed.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateMessageRequest)]
struct UpdateLabels {
    add_labels: Option<OneOrMany>,
    remove_labels: Option<OneOrMany>,
}

/// A message's labels after a change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UpdateMessageResponse)]
struct Updated {
    message_id: String,
    labels: Vec<String>,
}

/// Labels after a change of several messages.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchUpdateMessagesResponse)]
struct Updates {
    limit: usize,
    count: usize,
    updates: Vec<Updated>,
}

async fn list(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<MessageList>> {
    let inbox = call.inbox()?;
    let paging = Paging::read(&call, &asked, &filters(MESSAGES))?;
    let wanted = Wanted::read(&call, &asked, "from", "to", paging.ascending)?;
    let mut cursor = paging.position_id(EmailId::from_bytes)?;
    let mut views: Vec<MessageView> = Vec::new();
    let mut next = None;
    for _ in 0..ROUNDS {
        let left = paging.limit - views.len();
        let page = state.mailstore().list(inbox.id, &wanted.query, cursor, left).await?;
        let shown = messages(&state, inbox, &page.messages, Detail::Item).await?;
        views.extend(shown.into_iter().filter(|view| wanted.takes_fates(&view.labels)));
        next = page.next;
        if wanted.fates.is_empty() || views.len() >= paging.limit || next.is_none() {
            break;
        }
        cursor = next;
    }
    Ok(Json(MessageList {
        count: views.len(),
        limit: paging.asked_limit,
        next_page_token: next.map(|next| paging.token(next.as_bytes())),
        messages: views,
    }))
}

async fn show(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<Json<MessageView>> {
    let inbox = call.inbox()?;
    let found = find(&state, inbox.id, path.text("message_id")?, may_see(&call)).await?;
    let shown = messages(&state, inbox, &[found], Detail::Bodies).await?.pop();
    shown.map(Json).ok_or_else(Failure::not_found)
}

/// Ids of a body, each once.
fn check_ids(ids: &[String], most: usize) -> Answer<()> {
    if ids.is_empty() || ids.len() > most {
        return Err(Failure::field(
            "message_ids",
            format!("message_ids has 1 to {most} ids"),
        ));
    }
    let mut seen = HashSet::new();
    match ids.iter().position(|id| !seen.insert(id)) {
        None => Ok(()),
        Some(place) => Err(Failure::field(
            &format!("message_ids.{place}"),
            "this id is given twice",
        )),
    }
}

/// The messages that ids name, in their order; unknown ones are left out.
async fn find_all(state: &State, call: &Call, inbox: InboxId, ids: &[String]) -> Answer<Vec<Listed>> {
    let mut found: Vec<Listed> = Vec::with_capacity(ids.len());
    for id in ids {
        match find(state, inbox, id, may_see(call)).await {
            // Two ids may name one message: its own one, and one that it bore before.
            Ok(listed)
                if found
                    .iter()
                    .all(|known| known.record.email_id != listed.record.email_id) =>
            {
                found.push(listed);
            }
            Ok(_) => {}
            Err(failure) if failure.status == StatusCode::NOT_FOUND => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

async fn batch_get(
    Shared(state): Shared<State>,
    call: Call,
    Body(wanted): Body<BatchGet>,
) -> Answer<Json<MessageList>> {
    let inbox = call.inbox()?;
    check_ids(&wanted.message_ids, MAX_BATCH_GET)?;
    let found = find_all(&state, &call, inbox.id, &wanted.message_ids).await?;
    let shown = messages(&state, inbox, &found, Detail::Headers).await?;
    Ok(Json(MessageList {
        count: shown.len(),
        limit: Some(wanted.message_ids.len() as u64),
        next_page_token: None,
        messages: shown,
    }))
}

async fn batch_update(
    Shared(state): Shared<State>,
    call: Call,
    Body(wanted): Body<BatchUpdate>,
) -> Answer<Json<Updates>> {
    let inbox = call.inbox()?.id;
    check_ids(&wanted.message_ids, MAX_BATCH_UPDATE)?;
    let change = label_change(wanted.add_labels, wanted.remove_labels)?;
    let found = find_all(&state, &call, inbox, &wanted.message_ids).await?;
    let ids: Vec<EmailId> = found.iter().map(|listed| listed.record.email_id).collect();
    let names: BTreeMap<EmailId, String> = found
        .iter()
        .map(|listed| (listed.record.email_id, message_id(listed)))
        .collect();
    let mut updates = Vec::with_capacity(ids.len());
    for (id, now) in state.mailstore().update_labels(inbox, &ids, &change).await? {
        updates.push(Updated {
            message_id: names.get(&id).cloned().unwrap_or_default(),
            labels: labels(&state, id, &now).await?,
        });
    }
    Ok(Json(Updates {
        limit: wanted.message_ids.len(),
        count: updates.len(),
        updates,
    }))
}

async fn update(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    Body(wanted): Body<UpdateLabels>,
) -> Answer<Json<Updated>> {
    let inbox = call.inbox()?.id;
    let change = label_change(wanted.add_labels, wanted.remove_labels)?;
    let found = find(&state, inbox, path.text("message_id")?, may_see(&call)).await?;
    let changed = state
        .mailstore()
        .update_labels(inbox, &[found.record.email_id], &change)
        .await?;
    let (id, now) = changed.into_iter().next().ok_or_else(Failure::not_found)?;
    Ok(Json(Updated {
        message_id: message_id(&found),
        labels: labels(&state, id, &now).await?,
    }))
}

async fn remove(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<StatusCode> {
    let inbox = call.inbox()?.id;
    let found = find(&state, inbox, path.text("message_id")?, may_see(&call)).await?;
    if state.mailstore().delete_message(inbox, found.record.email_id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Failure::not_found())
    }
}
