//! Messages of a mailbox (inkbox.md §7): listed, shown, marked, deleted.

use super::call::Caller;
use super::dates;
use super::failure::{Answer, Failure};
use super::message_view::{Detail, Direction, MessageView, by_email_id, messages};
use super::operations::Operation;
use super::paging::{Page, Paging};
use super::wire::{Asked, Body, Segments};
use crate::State;
use crate::auth;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch};
use postroom_identity::{InboxRecord, Permission};
use postroom_mailstore::{Include, LabelChange, ListQuery, Listed};
use postroom_types::EmailId;
use serde::Deserialize;

/// How often a list is read on whose rows were not what is asked for, before an incomplete page is given out.
const ROUNDS: usize = 5;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("messages.list", "/v1/mail/mailboxes/{address}/messages", || get(list))
        .needs(Permission::MessageRead),
    Operation::get(
        "messages.get",
        "/v1/mail/mailboxes/{address}/messages/{message}",
        || get(show),
    )
    .needs(Permission::MessageRead),
    Operation::patch(
        "messages.update",
        "/v1/mail/mailboxes/{address}/messages/{message}",
        || patch(update),
    )
    .needs(Permission::MessageUpdate)
    .and(Permission::MessageRead),
    Operation::delete(
        "messages.delete",
        "/v1/mail/mailboxes/{address}/messages/{message}",
        || delete(remove),
    )
    .needs(Permission::MessageDelete),
];

/// Which mail lists tell of: not what is in Trash, which is no folder here, and agents not of what was blocked.
pub(super) fn may_see(caller: &Caller) -> Include {
    let named = may_name(caller);
    Include {
        blocked: named.blocked && caller.admin().is_ok(),
        ..named
    }
}

/// What is there for who names it: what lists do not tell an agent of may still be asked for, as far as its key may see it.
pub(super) fn may_name(caller: &Caller) -> Include {
    Include {
        trash: false,
        ..auth::may_see(&caller.principal)
    }
}

/// A message of the mailbox that the caller may name. Never a draft.
pub(super) async fn find(state: &State, caller: &Caller, inbox: &InboxRecord, id: EmailId) -> Answer<Listed> {
    let found = state.mailstore().list_of(inbox.id, &[id]).await?.pop();
    found
        .filter(|listed| may_name(caller).shows(&listed.labels))
        .ok_or_else(Failure::not_found)
}

/// The mailbox and the message that a path names.
pub(super) async fn named(state: &State, caller: &Caller, path: &Segments) -> Answer<(InboxRecord, Listed)> {
    let inbox = caller.mailbox_of(state, path).await?;
    let found = find(state, caller, &inbox, path.id("message")?).await?;
    Ok((inbox, found))
}

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    asked: Asked,
) -> Answer<Json<Page<MessageView>>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let direction = match asked.text("direction")? {
        None => None,
        Some("inbound") => Some(Direction::Inbound),
        Some("outbound") => Some(Direction::Outbound),
        Some(_) => return Err(Failure::field("direction", "direction is inbound or outbound")),
    };
    let span = dates::read(&asked)?;
    let filters = format!("{direction:?} {span:?}");
    let paging = Paging::read(&asked, &[caller.operation, &inbox.id.to_string(), &filters])?;
    let label = direction.map(|direction| match direction {
        Direction::Inbound => "received",
        Direction::Outbound => "sent",
    });
    let query = ListQuery {
        before: span.before,
        after: span.from,
        labels: label.into_iter().map(str::to_owned).collect(),
        include: may_see(&caller),
        ..ListQuery::default()
    };
    let mut cursor = paging.position_id(EmailId::from_bytes)?;
    let mut found: Vec<Listed> = Vec::new();
    for _ in 0..ROUNDS {
        let left = paging.limit - found.len();
        let page = state.mailstore().list(inbox.id, &query, cursor, left).await?;
        // A note to oneself has both labels, and went out.
        let takes = |listed: &Listed| direction.is_none_or(|direction| direction == Direction::of(listed));
        found.extend(page.messages.into_iter().filter(takes));
        cursor = page.next;
        if found.len() == paging.limit || cursor.is_none() {
            break;
        }
    }
    let views = messages(&state, &inbox, &found, Detail::Item).await?;
    Ok(Json(
        paging.page(views, cursor.as_ref().map(|next| &next.as_bytes()[..])),
    ))
}

/// Whoever reads a message has read it, if the key may mark what it reads.
async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<Json<MessageView>> {
    let (inbox, found) = named(&state, &caller, &path).await?;
    let marks = found.labels.unread && Direction::of(&found) == Direction::Inbound;
    if marks && caller.allows(Permission::MessageUpdate) {
        mark(&state, &inbox, &found, &LabelChange::marks(Some(true), None)).await?;
    }
    shown(&state, &inbox, &found).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marks {
    is_read: Option<bool>,
    is_starred: Option<bool>,
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(wanted): Body<Marks>,
) -> Answer<Json<MessageView>> {
    let (inbox, found) = named(&state, &caller, &path).await?;
    let change = LabelChange::marks(wanted.is_read, wanted.is_starred);
    if !change.is_empty() {
        mark(&state, &inbox, &found, &change).await?;
    }
    shown(&state, &inbox, &found).await
}

async fn mark(state: &State, inbox: &InboxRecord, found: &Listed, change: &LabelChange) -> Answer<()> {
    let ids = [found.record.email_id];
    let changed = state.mailstore().update_labels(inbox.id, &ids, change).await?;
    changed.first().map(|_| ()).ok_or_else(Failure::not_found)
}

async fn shown(state: &State, inbox: &InboxRecord, found: &Listed) -> Answer<Json<MessageView>> {
    let view = by_email_id(state, inbox, found.record.email_id, Detail::Bodies).await?;
    view.map(Json).ok_or_else(Failure::not_found)
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<StatusCode> {
    let (inbox, found) = named(&state, &caller, &path).await?;
    if state
        .mailstore()
        .delete_message(inbox.id, found.record.email_id)
        .await?
    {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Failure::not_found())
    }
}
