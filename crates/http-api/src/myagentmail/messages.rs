//! Mail of an inbox: listed, shown, marked, archived, moved to the trash.
//!
//! What always holds: a deleted message is one in the trash, and is not shown; it is there for IMAP, which may take it
//! back out.

use super::message_view::MessageView;
use super::operations::{Operation, READERS};
use super::texts;
use crate::State;
use crate::auth::{self, Caller};
use crate::error::{ApiError, invalid};
use crate::request::{Asked, Fields, Segments};
use axum::Json;
use axum::extract::State as Shared;
use axum::routing::{delete, get, patch};
use postroom_identity::Permission;
use postroom_mailstore::{
    Folder, Include, LabelChange, Listed, MAX_WINDOW_OFFSET, Mailstore, MessageRecord, WindowQuery,
};
use postroom_types::{EmailId, InboxId, Summary, ThreadId};
use serde_json::{Value, json};

const ONE: &str = "/inboxes/{inbox}/messages/{message}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("/inboxes/{inbox}/messages", READERS, || get(list)).needs(Permission::MessageRead),
    Operation::get(ONE, READERS, || get(show)).needs(Permission::MessageRead),
    Operation::patch(ONE, READERS, || patch(update))
        .needs(Permission::MessageUpdate)
        .and(Permission::MessageRead),
    Operation::delete(ONE, READERS, || delete(remove)).needs(Permission::MessageDelete),
    Operation::get("/inboxes/{inbox}/threads/{thread}", READERS, || get(thread)).needs(Permission::MessageRead),
];

/// Messages of one answer, unless asked otherwise.
const LIMIT: u64 = 50;
/// Most messages of one answer.
const MAX_LIMIT: u64 = 100;
/// Most messages of a thread that are shown: the newest.
const MAX_THREAD: usize = 200;
/// How much of each text is shown in a list; octets as stored. A message by itself is shown whole.
const TEXT_IN_LIST: u64 = 64 << 10;

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    asked: Result<Asked, ApiError>,
) -> Result<Json<Value>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let asked = asked?;
    let (limit, offset) = (
        asked.number("limit", 1, LIMIT)?.min(MAX_LIMIT),
        asked.number("offset", 0, 0)?,
    );
    if offset > MAX_WINDOW_OFFSET {
        return Err(invalid(format!("offset is at most {MAX_WINDOW_OFFSET}")));
    }
    let sent = match asked.text("direction")? {
        None => None,
        Some("inbound") => Some(false),
        Some("outbound") => Some(true),
        Some(_) => return Err(invalid("direction is inbound or outbound")),
    };
    let query = WindowQuery {
        include: include(&caller),
        sent,
        offset,
        // At most 100.
        limit: limit as usize,
    };
    let window = state.mailstore().window(inbox, &query).await?;
    let messages = views(state.mailstore(), window.messages).await?;
    Ok(Json(json!({
        "messages": messages,
        "pagination": { "total": window.total, "limit": limit, "offset": offset },
    })))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<MessageView>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    one(&state, &caller, inbox, path.id("message")?).await.map(Json)
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<MessageView>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let id: EmailId = path.id("message")?;
    let mut fields = fields?;
    let marks = LabelChange::marks(fields.flag("isRead")?, fields.flag("isStarred")?);
    let archived = fields.flag("isArchived")?;
    let mailstore = state.mailstore();
    let listed = find(mailstore, &caller, inbox, id).await?;
    if !marks.is_empty() {
        mailstore.update_labels(inbox, &[id], &marks).await?;
    }
    if let Some(archived) = archived.filter(|archived| *archived != listed.labels.archived) {
        let folder = if archived { Folder::Archive } else { Folder::Inbox };
        mailstore.file(inbox, &[id], folder, true).await?;
    }
    one(&state, &caller, inbox, id).await.map(Json)
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let id: EmailId = path.id("message")?;
    let mailstore = state.mailstore();
    find(mailstore, &caller, inbox, id).await?;
    let trash = LabelChange::new(&["trash"], &[]).expect("trash is a label");
    mailstore.update_labels(inbox, &[id], &trash).await?;
    Ok(Json(json!({ "deleted": true, "id": id.to_string() })))
}

async fn thread(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let thread: ThreadId = path.id("thread")?;
    let (mailstore, include) = (state.mailstore(), include(&caller));
    let newest = mailstore
        .thread_messages(inbox, thread, include, None, MAX_THREAD)
        .await?;
    let count = match newest.next {
        None => newest.messages.len(),
        Some(_) => {
            let listed = mailstore.list_thread(inbox, thread, include).await?;
            listed.map_or(0, |listed| listed.count).max(newest.messages.len())
        }
    };
    if newest.messages.is_empty() {
        return Err(ApiError::NotFound);
    }
    let messages = views(mailstore, newest.messages).await?;
    Ok(Json(
        json!({ "threadId": thread.to_string(), "messageCount": count, "messages": messages }),
    ))
}

/// What the dialect shows: nothing that is in the trash or among the blocked; of spam, and of what came without proof,
/// what the key is permitted to see.
fn include(caller: &Caller) -> Include {
    Include {
        trash: false,
        blocked: false,
        ..auth::may_see(&caller.0)
    }
}

async fn find(mailstore: &Mailstore, caller: &Caller, inbox: InboxId, id: EmailId) -> Result<Listed, ApiError> {
    let listed = mailstore.list_of(inbox, &[id]).await?.pop();
    let include = include(caller);
    listed
        .filter(|listed| include.shows(&listed.labels))
        .ok_or(ApiError::NotFound)
}

async fn one(state: &State, caller: &Caller, inbox: InboxId, id: EmailId) -> Result<MessageView, ApiError> {
    let mailstore = state.mailstore();
    let listed = find(mailstore, caller, inbox, id).await?;
    let texts = texts::whole(state, &listed.record.content, &listed.summary.root).await?;
    Ok(MessageView::new(&listed, texts))
}

/// A message with what is known of it.
pub(super) struct Found {
    pub(super) record: MessageRecord,
    pub(super) summary: Summary,
    /// Whether the inbox sent it.
    pub(super) outbound: bool,
}

/// A message that the dialect shows, to be answered or passed on.
pub(super) async fn found(
    mailstore: &Mailstore,
    caller: &Caller,
    inbox: InboxId,
    id: EmailId,
) -> Result<Found, ApiError> {
    let listed = find(mailstore, caller, inbox, id).await?;
    Ok(Found {
        record: listed.record,
        summary: listed.summary,
        outbound: listed.labels.sent,
    })
}

/// The messages as lists show them, in their order. One that is gone by now is left out.
async fn views(mailstore: &Mailstore, listed: Vec<Listed>) -> Result<Vec<MessageView>, ApiError> {
    let mut shown = Vec::with_capacity(listed.len());
    for listed in listed {
        let (content, root) = (&listed.record.content, &listed.summary.root);
        let texts = match texts::read(mailstore, content, root, TEXT_IN_LIST).await {
            Ok(texts) => texts,
            Err(ApiError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        shown.push(MessageView::new(&listed, texts.into_given()));
    }
    Ok(shown)
}
