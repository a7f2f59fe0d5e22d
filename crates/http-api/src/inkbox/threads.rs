//! Threads of a mailbox and the folders they are in (inkbox.md §8).
//!
//! What always holds: a folder is a view of where the messages are, so what is moved over IMAP is moved here. The thread is
//! where the messages are that were received, the most open of these places first: new mail brings an archived thread back.

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::message_view::{Detail, messages};
use super::messages::{may_name, may_see};
use super::operations::Operation;
use super::paging::{Page, Paging};
use super::thread_view::{ThreadView, folder_of, parse, word};
use super::wire::{Asked, Body, Segments};
use crate::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch};
use postroom_identity::{InboxRecord, Permission};
use postroom_mailstore::{Folder, Include, ListQuery, Listed, MAX_LABEL_CHANGE, MailError, MailboxInfo, ThreadListed};
use postroom_types::{EmailId, SpecialUse, ThreadId};
use serde::Deserialize;
use std::collections::BTreeSet;

/// How often a list is read on whose threads were not what is asked for, before an incomplete page is given out.
const ROUNDS: usize = 5;
/// Threads read at a time to see which folders are in use.
const PIECE: usize = 100;
/// Messages of a mailbox looked at to see whether the folder is in use that it is.
const NEWEST: usize = 20;
/// Most messages of a thread that are shown: the newest.
const MAX_MESSAGES: usize = 500;
/// Most messages of a thread that one request moves or deletes.
const MAX_CHANGED: usize = 20_000;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("threads.list", "/v1/mail/mailboxes/{address}/threads", || get(list)).needs(Permission::MessageRead),
    Operation::get(
        "threads.folders",
        "/v1/mail/mailboxes/{address}/threads/folders",
        || get(folders),
    )
    .needs(Permission::MessageRead),
    Operation::get("threads.get", "/v1/mail/mailboxes/{address}/threads/{thread}", || {
        get(show)
    })
    .needs(Permission::MessageRead),
    Operation::patch(
        "threads.update",
        "/v1/mail/mailboxes/{address}/threads/{thread}",
        || patch(update),
    )
    .needs(Permission::MessageUpdate)
    .and(Permission::MessageRead),
    Operation::delete(
        "threads.delete",
        "/v1/mail/mailboxes/{address}/threads/{thread}",
        || delete(remove),
    )
    .needs(Permission::MessageDelete),
];

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    asked: Asked,
) -> Answer<Json<Page<ThreadView>>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let folder = match asked.text("folder")? {
        None => None,
        Some(text) => Some(parse(text).ok_or_else(unknown_folder)?),
    };
    let filter = folder.map_or("", word);
    let paging = Paging::read(&asked, &[caller.operation, &inbox.id.to_string(), filter])?;
    // What was blocked is shown to whoever asks for it.
    let include = Include {
        blocked: may_see(&caller).blocked || folder == Some(Folder::Blocked) && may_name(&caller).blocked,
        ..may_see(&caller)
    };
    let mut cursor = paging.position_id(EmailId::from_bytes)?;
    let (mut views, mut last) = (Vec::new(), None);
    let paged = |views, cursor: Option<EmailId>| {
        let next = cursor.as_ref().map(|next| &next.as_bytes()[..]);
        Ok(Json(paging.page(views, next)))
    };
    for _ in 0..ROUNDS {
        // One more than goes onto the page: whether there is a next page is said of threads that would be on it. Of a folder
        // most threads are none, and still more are read.
        let piece = folder.map_or(paging.limit + 1 - views.len(), |_| PIECE);
        let page = threads(&state, &inbox, include, cursor, piece).await?;
        cursor = page.next;
        for listed in &page.threads {
            let view = ThreadView::new(&inbox, listed);
            let Some(view) = view.filter(|view| folder.is_none_or(|folder| view.folder == word(folder))) else {
                continue;
            };
            if views.len() == paging.limit {
                return paged(views, last);
            }
            views.push(view);
            // A thread stands where its newest message does.
            last = listed.messages.last().map(|last| last.record.email_id);
        }
        if cursor.is_none() {
            break;
        }
    }
    paged(views, cursor)
}

async fn threads(
    state: &State,
    inbox: &InboxRecord,
    include: Include,
    cursor: Option<EmailId>,
    limit: usize,
) -> Answer<postroom_mailstore::ThreadPage> {
    let query = ListQuery {
        include,
        ..ListQuery::default()
    };
    Ok(state.mailstore().list_threads(inbox.id, &query, cursor, limit).await?)
}

/// The folders in use, as far as the newest threads tell, and the newest messages of the mailboxes that the folders are.
async fn folders(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<Json<Vec<&'static str>>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let (mut used, mut cursor) = (BTreeSet::new(), None);
    for _ in 0..ROUNDS {
        let page = threads(&state, &inbox, may_see(&caller), cursor, PIECE).await?;
        used.extend(page.threads.iter().filter_map(|listed| folder_of(&listed.messages)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if cursor.is_some() {
        for mailbox in state.mailstore().mailboxes(inbox.id).await? {
            if let Some(folder) = folder_in(&mailbox)
                && !used.contains(&folder)
            {
                used.extend(of_newest(&state, &inbox, &mailbox, may_see(&caller)).await?);
            }
        }
    }
    let used: BTreeSet<_> = used.into_iter().map(word).collect();
    Ok(Json(used.into_iter().collect()))
}

/// The folder that a mailbox is.
fn folder_in(mailbox: &MailboxInfo) -> Option<Folder> {
    match (mailbox.special_use, mailbox.label) {
        (_, Some("spam")) => Some(Folder::Spam),
        (_, Some("blocked")) => Some(Folder::Blocked),
        (Some(SpecialUse::Archive), _) => Some(Folder::Archive),
        _ if mailbox.name == "INBOX" => Some(Folder::Inbox),
        _ => None,
    }
}

/// The folders of the threads that the newest messages of a mailbox belong to.
async fn of_newest(
    state: &State,
    inbox: &InboxRecord,
    mailbox: &MailboxInfo,
    include: Include,
) -> Answer<BTreeSet<Folder>> {
    let mailstore = state.mailstore();
    let open = match mailstore.open_shared(inbox.id, mailbox.id).await {
        // Deleted since the list was read.
        Err(MailError::NoSuchMailbox) => return Ok(BTreeSet::new()),
        open => open?,
    };
    let uids = open.snapshot().uids;
    let newest = &uids[uids.len().saturating_sub(NEWEST)..];
    let found = mailstore.metadata(inbox.id, mailbox.id, newest, false).await?;
    let threads: BTreeSet<ThreadId> = found.iter().map(|meta| meta.thread_id).collect();
    let mut folders = BTreeSet::new();
    for thread in threads {
        let listed = mailstore.list_thread(inbox.id, thread, include).await?;
        folders.extend(listed.and_then(|listed| folder_of(&listed.messages)));
    }
    Ok(folders)
}

fn unknown_folder() -> Failure {
    Failure::field("folder", "folder is one of inbox, spam, archive, blocked")
}

/// The mailbox and the thread that a path names, as far as the caller may see it.
async fn find(state: &State, caller: &Caller, path: &Segments) -> Answer<(InboxRecord, ThreadListed)> {
    let inbox = caller.mailbox_of(state, path).await?;
    let id: ThreadId = path.id("thread")?;
    let listed = state.mailstore().list_thread(inbox.id, id, may_see(caller)).await?;
    Ok((inbox, listed.ok_or_else(Failure::not_found)?))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<Json<ThreadView>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let id: ThreadId = path.id("thread")?;
    // What was blocked is shown alone or not at all: a thread with other mail in it does not bring it along.
    let mut include = may_see(&caller);
    let mut listed = state.mailstore().list_thread(inbox.id, id, include).await?;
    if listed.is_none() {
        include = may_name(&caller);
        listed = state.mailstore().list_thread(inbox.id, id, include).await?;
    }
    let listed = listed.ok_or_else(Failure::not_found)?;
    let mut view = ThreadView::new(&inbox, &listed).ok_or_else(Failure::not_found)?;
    let page = state
        .mailstore()
        .thread_messages(inbox.id, id, include, None, MAX_MESSAGES)
        .await?;
    view.messages = Some(messages(&state, &inbox, &page.messages, Detail::Item).await?);
    Ok(Json(view))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filing {
    folder: Option<String>,
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(wanted): Body<Filing>,
) -> Answer<Json<ThreadView>> {
    let (inbox, listed) = find(&state, &caller, &path).await?;
    let folder = match wanted.folder.as_deref().map(parse) {
        Some(Some(Folder::Blocked)) => return Err(Failure::field("folder", "blocked is for the server to say")),
        Some(Some(folder)) => Some(folder),
        Some(None) => return Err(unknown_folder()),
        None => None,
    };
    if let Some(folder) = folder {
        let members = members(&state, &caller, &inbox, listed.thread_id).await?;
        let none_came = members.iter().all(|(_, came)| !came);
        let ids: Vec<EmailId> = members.into_iter().map(|(id, _)| id).collect();
        for piece in ids.chunks(MAX_LABEL_CHANGE) {
            state.mailstore().file(inbox.id, piece, folder, none_came).await?;
        }
    }
    let include = may_see(&caller);
    let listed = state
        .mailstore()
        .list_thread(inbox.id, listed.thread_id, include)
        .await?;
    let view = listed.and_then(|listed| ThreadView::new(&inbox, &listed));
    view.map(Json).ok_or_else(Failure::not_found)
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<StatusCode> {
    let (inbox, listed) = find(&state, &caller, &path).await?;
    for (id, _) in members(&state, &caller, &inbox, listed.thread_id).await? {
        state.mailstore().delete_message(inbox.id, id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The messages of a thread that the caller may see, and of each whether it came in.
async fn members(
    state: &State,
    caller: &Caller,
    inbox: &InboxRecord,
    thread: ThreadId,
) -> Answer<Vec<(EmailId, bool)>> {
    let (mut members, mut before) = (Vec::new(), None);
    while members.len() < MAX_CHANGED {
        let page = state
            .mailstore()
            .thread_messages(inbox.id, thread, may_see(caller), before, PIECE)
            .await?;
        let of = |listed: Listed| (listed.record.email_id, listed.labels.received);
        members.extend(page.messages.into_iter().map(of));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok(members)
}
