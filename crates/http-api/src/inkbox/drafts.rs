//! Drafts of a mailbox (inkbox.md §8): the messages in its Drafts, whoever wrote them.
//!
//! What always holds: a change names the version that it is made of, its `generation`; of two changes of one version the
//! second is refused, and nothing of it is done.

use super::call::Caller;
use super::draft_body::{CreateBody, UpdateBody, VersionBody, version};
use super::draft_view::DraftView;
use super::failure::{Answer, Failure};
use super::keyed::{DRAFT_CREATE, DRAFT_SEND, Keyed};
use super::message_view::{Detail, by_email_id};
use super::operations::Operation;
use super::paging::{Page, Paging, bad_cursor};
use super::send::{Sent, sent};
use super::wire::{Asked, Body, Segments, parse};
use crate::State;
use crate::large;
use crate::model::hex;
use axum::Json;
use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use postroom_drafts::{Draft, DraftError, DraftId, Group, Place, Scope, Sending, Wanted};
use postroom_identity::{InboxRecord, Permission};
use postroom_types::{InboxId, Uid};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("drafts.list", "/v1/mail/mailboxes/{address}/drafts", || get(list)).needs(Permission::DraftRead),
    Operation::post("drafts.create", "/v1/mail/mailboxes/{address}/drafts", || post(create))
        .needs(Permission::DraftCreate),
    Operation::get("drafts.get", "/v1/mail/mailboxes/{address}/drafts/{draft}", || {
        get(show)
    })
    .needs(Permission::DraftRead),
    Operation::patch("drafts.update", "/v1/mail/mailboxes/{address}/drafts/{draft}", || {
        patch(update)
    })
    .needs(Permission::DraftUpdate),
    Operation::delete("drafts.delete", "/v1/mail/mailboxes/{address}/drafts/{draft}", || {
        delete(remove)
    })
    .needs(Permission::DraftDelete),
    Operation::post(
        "drafts.duplicate",
        "/v1/mail/mailboxes/{address}/drafts/{draft}/duplicate",
        || post(duplicate),
    )
    .needs(Permission::DraftCreate)
    .and(Permission::DraftRead),
    Operation::post(
        "drafts.send",
        "/v1/mail/mailboxes/{address}/drafts/{draft}/send",
        || post(send),
    )
    .needs(Permission::DraftSend),
];

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    asked: Asked,
) -> Answer<Json<Page<DraftView>>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let paging = Paging::read(&asked, &[caller.operation, &inbox.id.to_string()])?;
    let wanted = Wanted {
        scope: Scope::Inbox(inbox.id),
        labels: Vec::new(),
        since: None,
        before: None,
        ascending: false,
        after: place(&paging, inbox.id)?,
        group: Group::default(),
        limit: paging.limit,
    };
    let page = state.drafts().list(&wanted).await?;
    let views = page.drafts.iter().map(|draft| DraftView::item(&state, &inbox, draft));
    let next = page.next.map(octets);
    Ok(Json(paging.page(views.collect(), next.as_deref())))
}

/// Where a page begins: when, and where in the mailbox.
fn place(paging: &Paging, inbox: InboxId) -> Answer<Option<Place>> {
    let Some(position) = &paging.position else {
        return Ok(None);
    };
    let read = || {
        let (at, uid) = position.split_first_chunk::<8>()?;
        Some(Place {
            at: i64::from_be_bytes(*at),
            inbox,
            uid: Uid::new(u32::from_be_bytes(uid.try_into().ok()?))?,
        })
    };
    read().map(Some).ok_or_else(bad_cursor)
}

fn octets(place: Place) -> Vec<u8> {
    [&place.at.to_be_bytes()[..], &place.uid.get().to_be_bytes()].concat()
}

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
) -> Answer<(StatusCode, Json<DraftView>)> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let keyed = Keyed::begin(&state, &inbox, request.headers(), DRAFT_CREATE)?;
    let raw = large::read_raw(&state, request, 0).await?;
    let idempotency = keyed.as_ref().map(|keyed| keyed.of(None, &raw)).transpose()?;
    let body: CreateBody = parse(&raw.bytes)?;
    let mut new = body.read(&state, &caller, &inbox).await?;
    if let Some(idempotency) = idempotency {
        new.request = Some(hex(&idempotency.fingerprint));
        new.client_id = Some(format!("inkbox {}", idempotency.key));
    }
    let asked_for = new.request.clone();
    let draft = state.drafts().create(&inbox, new).await?;
    drop(raw.turn);
    if asked_for.is_some() && draft.request != asked_for {
        let text = "idempotency key used for another request";
        return Err(Failure::conflict("idempotency_key_reused", text));
    }
    Ok((StatusCode::CREATED, full(&state, &inbox, &draft).await?))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<Json<DraftView>> {
    let (inbox, draft) = found(&state, &caller, &path).await?;
    full(&state, &inbox, &draft).await
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
) -> Answer<Json<DraftView>> {
    let (inbox, draft) = found(&state, &caller, &path).await?;
    let raw = large::read_raw(&state, request, draft.content().octets()).await?;
    let body: UpdateBody = parse(&raw.bytes)?;
    let change = body.read(&state, &caller, &inbox).await?;
    let changed = state.drafts().update(&inbox, draft.id, &change).await?;
    drop(raw.turn);
    full(&state, &inbox, &changed).await
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments, asked: Asked) -> Answer<StatusCode> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let generation = generation(&asked)?;
    let id = path.id("draft")?;
    state.drafts().delete_version(inbox.id, id, Some(generation)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn duplicate(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(wanted): Body<VersionBody>,
) -> Answer<(StatusCode, Json<DraftView>)> {
    let (inbox, draft) = found(&state, &caller, &path).await?;
    let turn = state.turns().take(draft.content().octets()).await?;
    let generation = wanted.generation()?;
    let copy = state.drafts().duplicate(&inbox, draft.id, Some(generation)).await?;
    drop(turn);
    Ok((StatusCode::CREATED, full(&state, &inbox, &copy).await?))
}

async fn send(Shared(state): Shared<State>, caller: Caller, path: Segments, request: Request) -> Answer<Sent> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let id: DraftId = path.id("draft")?;
    let keyed = Keyed::begin(&state, &inbox, request.headers(), DRAFT_SEND)?;
    // What it takes to send it is in memory then, with what it passes on.
    let there = state.drafts().get(inbox.id, id).await;
    let further = there.as_ref().map_or(0, |draft| draft.content().octets());
    let raw = large::read_raw(&state, request, further).await?;
    let idempotency = keyed
        .as_ref()
        .map(|keyed| keyed.with(id.to_string(), &raw))
        .transpose()?;
    if let Some(idempotency) = &idempotency
        && let Some(done) = state.intake().replayed(&inbox, idempotency).await?
    {
        return sent(&state, &inbox, &done).await;
    }
    let wanted: VersionBody = parse(&raw.bytes)?;
    let generation = wanted.generation()?;
    let how = Sending {
        idempotency,
        generation: Some(generation),
        signature: state.identity().signature(inbox.id).await?,
        ..Sending::default()
    };
    // What the inbox may do is what counts now.
    let inbox = state.identity().inbox(inbox.id).await?;
    let submitted = match state.drafts().send(&inbox, id, &how).await {
        // Who asks again for what is done hears what it made.
        Err(DraftError::NotFound) => return sent_before(&state, &inbox, id, generation).await,
        Err(DraftError::Unavailable) => {
            let text = "it is not known whether the draft was sent: look for it among the messages before trying again";
            return Err(Failure::conflict("draft_delivery_uncertain", text));
        }
        submitted => submitted?,
    };
    drop(raw.turn);
    sent(&state, &inbox, &submitted).await
}

async fn sent_before(state: &State, inbox: &InboxRecord, id: DraftId, generation: Uid) -> Answer<Sent> {
    let message = state.drafts().sent_as(inbox.id, id, generation).await?;
    let message = message.ok_or_else(Failure::not_found)?;
    let view = by_email_id(state, inbox, message, Detail::Beginnings).await?;
    let view = view.ok_or_else(Failure::not_found)?;
    Ok((StatusCode::CREATED, Json(view)))
}

pub(super) fn generation(asked: &Asked) -> Answer<Uid> {
    let given = asked.number("generation", 0..=u64::from(u32::MAX))?;
    let given = given.ok_or_else(|| Failure::field("generation", "generation is missing"))?;
    version(u32::try_from(given).unwrap_or_default())
}

pub(super) async fn found(state: &State, caller: &Caller, path: &Segments) -> Answer<(InboxRecord, Draft)> {
    let inbox = caller.mailbox_of(state, path).await?;
    let draft = state.drafts().get(inbox.id, path.id("draft")?).await?;
    Ok((inbox, draft))
}

/// One that changes again before it is read is shown as it is then.
pub(super) async fn full(state: &State, inbox: &InboxRecord, draft: &Draft) -> Answer<Json<DraftView>> {
    match DraftView::full(state, inbox, draft).await {
        Err(failure) if failure.status == StatusCode::NOT_FOUND => {
            let again = state.drafts().get(inbox.id, draft.id).await?;
            DraftView::full(state, inbox, &again).await.map(Json)
        }
        view => view.map(Json),
    }
}
