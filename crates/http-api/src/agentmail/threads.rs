//! Threads (agentmail.md §9): of an inbox, of a pod, of an organization.

use super::attachments;
use super::call::Call;
use super::failure::{Answer, Failure};
use super::listing::{SEARCHES, THREADS, Wanted, filters, label_change, may_see};
use super::message_view::{Detail, messages};
use super::operations::{EVERYWHERE, Operation, PAGED_ONE_WAY};
use super::paging::Paging;
use super::scope_inboxes;
use super::search;
use super::thread_merge;
use super::thread_view::{FullThread, ThreadView, thread};
use super::wire::{Asked, Body, Segments};
use crate::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch};
use postroom_identity::{InboxRecord, Permission};
use postroom_mailstore::{MAX_LABEL_CHANGE, ThreadListed};
use postroom_types::{EmailId, ThreadId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Most messages of a thread on one page.
const MAX_PAGE: usize = 100;
/// How often a list that is filtered by the queue's labels is read on before an incomplete page is given out.
const ROUNDS: usize = 5;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("threads.list", EVERYWHERE, "/threads", || get(list))
        .needs(Permission::MessageRead)
        .asks(THREADS)
        .answers::<ThreadList>(),
    Operation::get("threads.search", EVERYWHERE, "/threads/search", || get(search::threads))
        .needs(Permission::MessageRead)
        .asks(SEARCHES)
        .answers::<search::FoundThreads>(),
    Operation::get("threads.get", EVERYWHERE, "/threads/{thread_id}", || get(show))
        .needs(Permission::MessageRead)
        .asks(PAGED_ONE_WAY)
        .answers::<FullThread>(),
    Operation::patch("threads.update", EVERYWHERE, "/threads/{thread_id}", || patch(update))
        .needs(Permission::MessageUpdate)
        .takes::<UpdateThread>()
        .answers::<UpdatedThread>(),
    Operation::delete("threads.delete", EVERYWHERE, "/threads/{thread_id}", || delete(remove))
        .needs(Permission::MessageDelete),
    Operation::get(
        "threads.get_attachment",
        EVERYWHERE,
        "/threads/{thread_id}/attachments/{attachment_id}",
        || get(attachments::of_thread),
    )
    .needs(Permission::MessageRead)
    .answers::<attachments::DownloadView>(),
];

/// A page of threads.
#[derive(Debug, Serialize, ToSchema)]
struct ThreadList {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    threads: Vec<ThreadView>,
}

/// Labels to be changed on all messages of a thread.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateThreadRequest)]
struct UpdateThread {
    add_labels: Option<super::wire::OneOrMany>,
    remove_labels: Option<super::wire::OneOrMany>,
}

/// A thread's labels after a change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UpdateThreadResponse)]
struct UpdatedThread {
    thread_id: String,
    labels: Vec<String>,
}

async fn list(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<ThreadList>> {
    let paging = Paging::read(&call, &asked, &filters(THREADS))?;
    let wanted = Wanted::read(&call, &asked, "senders", "recipients", paging.ascending)?;
    let inboxes = scope_inboxes::all(&state, &call.scope).await?;
    let mut cursor = paging.position_id(EmailId::from_bytes)?;
    let mut views: Vec<ThreadView> = Vec::new();
    let mut next = None;
    for _ in 0..ROUNDS {
        let left = paging.limit - views.len();
        let page = thread_merge::page(&state, &inboxes, &wanted.query, cursor, left).await?;
        for (inbox, listed) in &page.threads {
            let view = thread(&state, inbox, listed).await?;
            views.extend(view.filter(|view| wanted.takes_fates(&view.labels)));
        }
        next = page.next;
        if wanted.fates.is_empty() || views.len() >= paging.limit || next.is_none() {
            break;
        }
        cursor = next;
    }
    Ok(Json(ThreadList {
        count: views.len(),
        limit: paging.asked_limit,
        next_page_token: next.map(|next| paging.token(next.as_bytes())),
        threads: views,
    }))
}

/// The thread that the path names, with the inbox it is in, as far as the key may see it.
pub(super) async fn find(state: &State, call: &Call, path: &Segments) -> Answer<(Arc<InboxRecord>, ThreadListed)> {
    let id: ThreadId = path.id("thread_id")?;
    for inbox in scope_inboxes::all(state, &call.scope).await? {
        if !state.mailstore().has_thread(inbox.id, id).await? {
            continue;
        }
        if let Some(listed) = state.mailstore().list_thread(inbox.id, id, may_see(call)).await? {
            return Ok((inbox, listed));
        }
        break;
    }
    Err(Failure::not_found())
}

async fn show(Shared(state): Shared<State>, call: Call, path: Segments, asked: Asked) -> Answer<Json<FullThread>> {
    let (inbox, listed) = find(&state, &call, &path).await?;
    let paging = Paging::read(&call, &asked, &[])?;
    // Whoever does not ask for pages wants all of what fits one.
    let limit = if paging.asked_limit.is_some() {
        paging.limit
    } else {
        MAX_PAGE
    };
    let before = paging.position_id(EmailId::from_bytes)?;
    let page = state
        .mailstore()
        .thread_messages(inbox.id, listed.thread_id, may_see(&call), before, limit)
        .await?;
    let shown = messages(&state, &inbox, &page.messages, Detail::Bodies).await?;
    let thread = thread(&state, &inbox, &listed).await?.ok_or_else(Failure::not_found)?;
    Ok(Json(FullThread {
        thread,
        count: shown.len(),
        limit: paging.asked_limit,
        next_page_token: page.next.map(|next| paging.token(next.as_bytes())),
        messages: shown,
    }))
}

async fn update(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    Body(wanted): Body<UpdateThread>,
) -> Answer<Json<UpdatedThread>> {
    let change = label_change(wanted.add_labels, wanted.remove_labels)?;
    let (inbox, listed) = find(&state, &call, &path).await?;
    if listed.count >= MAX_LABEL_CHANGE {
        return Err(Failure::unprocessable(format!(
            "the thread has {MAX_LABEL_CHANGE} messages or more: change the labels of its messages instead"
        )));
    }
    let ids: Vec<EmailId> = listed.messages.iter().map(|message| message.record.email_id).collect();
    let changed = state.mailstore().update_labels(inbox.id, &ids, &change).await?;
    if changed.is_empty() {
        return Err(Failure::not_found());
    }
    let mut labels = Vec::new();
    for (id, now) in &changed {
        for label in super::message_view::labels(&state, *id, now).await? {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    Ok(Json(UpdatedThread {
        thread_id: listed.thread_id.to_string(),
        labels,
    }))
}

async fn remove(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<StatusCode> {
    let (inbox, listed) = find(&state, &call, &path).await?;
    state.mailstore().delete_thread(inbox.id, listed.thread_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
