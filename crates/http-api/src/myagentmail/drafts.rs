//! Drafts: made, listed, shown, changed, deleted, and sent.
//!
//! What always holds: whether the caller may see the inbox is settled before a body is read; a draft is sent and gone with
//! one commit.

use super::draft_body;
use super::draft_view::DraftView;
use super::messages;
use super::operations::{Operation, READERS};
use super::send::shown;
use super::strangers;
use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, invalid};
use crate::large::{self, Large};
use crate::model::{from_hex, hex};
use crate::outgoing::{fingerprint, idempotency_key};
use crate::request::{Asked, Segments};
use axum::Json;
use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, patch, post};
use postroom_drafts::{Draft, DraftId, Group, NewKind, Place, Scope, Sending, Wanted, mailboxes_of};
use postroom_identity::{InboxRecord, Permission};
use postroom_intake::{Idempotency, KeyScope};
use postroom_types::{EmailAddress, EmailId, InboxId, Uid};
use serde_json::{Value, json};

const ALL: &str = "/inboxes/{inbox}/drafts";
const ONE: &str = "/inboxes/{inbox}/drafts/{draft}";
/// Drafts of one answer, unless asked otherwise.
const LIMIT: u64 = 50;
/// Most drafts of one answer.
const MAX_LIMIT: u64 = 100;
/// How much of each text is shown in a list, and of a draft by itself; octets as stored.
const TEXT_IN_LIST: u64 = 64 << 10;
const TEXT_ALONE: u64 = 4 << 20;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get(ALL, READERS, || get(list)).needs(Permission::DraftRead),
    Operation::post(ALL, READERS, || post(create)).needs(Permission::DraftCreate),
    Operation::get(ONE, READERS, || get(show)).needs(Permission::DraftRead),
    Operation::patch(ONE, READERS, || patch(update)).needs(Permission::DraftUpdate),
    Operation::delete(ONE, READERS, || delete(remove)).needs(Permission::DraftDelete),
    Operation::post("/inboxes/{inbox}/drafts/{draft}/send", READERS, || post(send)).needs(Permission::DraftSend),
];

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    asked: Result<Asked, ApiError>,
) -> Result<Json<Value>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let asked = asked?;
    let limit = asked.number("limit", 1, LIMIT)?.min(MAX_LIMIT);
    let wanted = Wanted {
        scope: Scope::Inbox(inbox),
        labels: Vec::new(),
        since: None,
        before: None,
        ascending: false,
        after: asked.text("cursor")?.map(|text| place(inbox, text)).transpose()?,
        group: Group::default(),
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let page = state.drafts().list(&wanted).await?;
    let mut drafts = Vec::with_capacity(page.drafts.len());
    for draft in &page.drafts {
        match DraftView::new(&state, draft, TEXT_IN_LIST).await {
            Ok(view) => drafts.push(view),
            // Gone meanwhile.
            Err(ApiError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Json(json!({ "drafts": drafts, "nextCursor": page.next.map(cursor) })))
}

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
) -> Result<(StatusCode, Json<DraftView>), ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let body = large::read(&state, request, 0).await?;
    let octets = body.octets();
    let Large { fields, turn, .. } = body;
    let (mut new, answers) = large::work(octets, move || draft_body::new(fields)).await?;
    if let Some(of) = answers {
        if !caller.0.allows(Permission::MessageRead) {
            return Err(ApiError::MissingPermission(Permission::MessageRead));
        }
        // Only what the dialect shows may be answered.
        messages::found(state.mailstore(), &caller, inbox, of).await?;
        new.kind = NewKind::Reply { of, all: false };
    }
    let inbox = state.identity().inbox(inbox).await?;
    let draft = state.drafts().create(&inbox, new).await?;
    drop(turn);
    Ok((StatusCode::CREATED, view(&state, draft).await?))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<DraftView>, ApiError> {
    let (_, draft) = found(&state, &caller, &path).await?;
    view(&state, draft).await
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
) -> Result<Json<DraftView>, ApiError> {
    let (inbox, there) = found(&state, &caller, &path).await?;
    let body = large::read(&state, request, there.content().octets()).await?;
    let octets = body.octets();
    let Large { fields, turn, .. } = body;
    let id = there.id;
    let read = move || {
        let (change, answers) = draft_body::change(fields, &there)?;
        Ok((change, answers, there))
    };
    let (change, answers, there) = large::work(octets, read).await?;
    if let Some(answers) = answers {
        let shown = DraftView::new(&state, &there, 0).await?;
        if !shown.answers(answers) {
            return Err(invalid("what a draft answers is settled when it is made"));
        }
    }
    let draft = state.drafts().update(&inbox, id, &change).await?;
    drop(turn);
    view(&state, draft).await
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let id: DraftId = path.id("draft")?;
    state.drafts().delete(inbox, id).await?;
    Ok(Json(json!({ "deleted": true, "id": id.to_string() })))
}

async fn send(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
) -> Result<Response, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?;
    let id: DraftId = path.id("draft")?;
    let key = idempotency_key(request.headers())?;
    // A request that is repeated finds it gone.
    let there = state.drafts().get(inbox.id, id).await;
    let further = there.as_ref().map_or(0, |draft| draft.content().octets());
    let Large { mut fields, turn, .. } = large::read(&state, request, further).await?;
    let fingerprint = fingerprint("draft", Some(EmailId::from_bytes(id.0)), &fields)?;
    let verified = fields.flag("verified")?.unwrap_or(false);
    let idempotency = key.map(|key| Idempotency {
        scope: KeyScope::Inbox,
        key,
        fingerprint,
    });
    if let Some(idempotency) = &idempotency
        && let Some(done) = state.intake().replayed(&inbox, idempotency).await?
    {
        return Ok(shown(&done, Some(id)));
    }
    if let (Ok(draft), false) = (&there, verified) {
        strangers::refuse(&state, inbox.id, &recipients(draft)).await?;
    }
    // What the inbox may do is what counts now.
    let inbox = state.identity().inbox(inbox.id).await?;
    let how = Sending {
        idempotency,
        ..Sending::default()
    };
    let submitted = state.drafts().send(&inbox, id, &how).await?;
    drop(turn);
    Ok(shown(&submitted, Some(id)))
}

async fn found(state: &State, caller: &Caller, path: &Segments) -> Result<(InboxRecord, Draft), ApiError> {
    let inbox = caller.readable(state, path.id("inbox")?).await?;
    let draft = state.drafts().get(inbox.id, path.id("draft")?).await?;
    Ok((inbox, draft))
}

/// Whom a draft is for.
fn recipients(draft: &Draft) -> Vec<EmailAddress> {
    let envelope = &draft.summary.envelope;
    let lists = [&envelope.to, &envelope.cc, &envelope.bcc];
    let all = lists.into_iter().flat_map(|list| mailboxes_of(list.as_ref()));
    all.map(|mailbox| mailbox.address).collect()
}

/// One that changes again before it is read is shown as it is then.
async fn view(state: &State, draft: Draft) -> Result<Json<DraftView>, ApiError> {
    match DraftView::new(state, &draft, TEXT_ALONE).await {
        Err(ApiError::NotFound) => {
            let again = state.drafts().get(draft.inbox, draft.id).await?;
            DraftView::new(state, &again, TEXT_ALONE).await.map(Json)
        }
        view => view.map(Json),
    }
}

/// Where a page of a list ended, as its reader says it when asking for the next one.
fn cursor(place: Place) -> String {
    hex(&[&place.at.to_be_bytes()[..], &place.uid.get().to_be_bytes()].concat())
}

fn place(inbox: InboxId, cursor: &str) -> Result<Place, ApiError> {
    let read = || {
        let octets = from_hex(cursor)?;
        let (at, uid) = octets.split_first_chunk::<8>()?;
        Some(Place {
            at: i64::from_be_bytes(*at),
            inbox,
            uid: Uid::new(u32::from_be_bytes(uid.try_into().ok()?))?,
        })
    };
    read().ok_or_else(|| invalid("cursor is the nextCursor of the page before"))
}
