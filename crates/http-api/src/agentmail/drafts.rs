//! Drafts (agentmail.md §10): the messages in Drafts, and when they go.

use super::attachments::{self, DownloadView};
use super::call::{Call, Scope as CallScope};
use super::draft_body::{CreateDraftBody, SendDraftBody, UpdateDraftBody};
use super::draft_view::{DraftItem, DraftView, attachment_place};
use super::failure::{Answer, Failure};
use super::listing::{DRAFTS, filters};
use super::message_id::attachment_id;
use super::operations::{EVERYWHERE, INBOX, Operation};
use super::paging::{Paging, bad_token};
use super::send::{Keyed, SentView};
use super::wire::{Asked, Segments, parse};
use crate::State;
use crate::large;
use axum::Json;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{delete, get, patch, post};
use postroom_drafts::{Draft, DraftError, DraftId, Group, Place, Scope, Wanted};
use postroom_identity::{InboxRecord, Permission};
use postroom_types::{InboxId, Uid};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::ToSchema;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("drafts.list", EVERYWHERE, "/drafts", || get(list))
        .needs(Permission::DraftRead)
        .asks(DRAFTS)
        .answers::<DraftList>(),
    Operation::get("drafts.get", EVERYWHERE, "/drafts/{draft_id}", || get(show))
        .needs(Permission::DraftRead)
        .answers::<DraftView>(),
    Operation::get(
        "drafts.get_attachment",
        EVERYWHERE,
        "/drafts/{draft_id}/attachments/{attachment_id}",
        || get(attachment),
    )
    .needs(Permission::DraftRead)
    .answers::<DownloadView>(),
    Operation::post("drafts.create", INBOX, "/drafts", || post(create))
        .needs(Permission::DraftCreate)
        .takes::<CreateDraftBody>()
        .answers::<DraftView>(),
    Operation::patch("drafts.update", INBOX, "/drafts/{draft_id}", || patch(update))
        .needs(Permission::DraftUpdate)
        .takes::<UpdateDraftBody>()
        .answers::<DraftView>(),
    Operation::delete("drafts.delete", INBOX, "/drafts/{draft_id}", || delete(remove)).needs(Permission::DraftDelete),
    Operation::post("drafts.send", INBOX, "/drafts/{draft_id}/send", || post(send))
        .needs(Permission::DraftSend)
        .takes::<SendDraftBody>()
        .answers::<SentView>(),
];

/// A page of drafts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListDraftsResponse)]
struct DraftList {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    drafts: Vec<DraftItem>,
}

async fn list(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<DraftList>> {
    let paging = Paging::read(&call, &asked, &filters(DRAFTS))?;
    let (group, after) = place(&paging)?;
    let wanted = Wanted {
        scope: scope_of(&call.scope),
        labels: asked.texts("labels")?,
        since: asked.time("after")?,
        before: asked.time("before")?,
        ascending: paging.ascending,
        after,
        group,
        limit: paging.limit,
    };
    let page = state.drafts().list(&wanted).await?;
    let mut inboxes = Inboxes::default();
    let mut drafts = Vec::with_capacity(page.drafts.len());
    for draft in &page.drafts {
        // One that was deleted meanwhile shows nothing.
        if let Some(inbox) = inboxes.get(&state, draft.inbox).await? {
            drafts.push(DraftItem::new(&inbox, draft));
        }
    }
    Ok(Json(DraftList {
        count: drafts.len(),
        limit: paging.asked_limit,
        next_page_token: page.goes_on().map(|(group, place)| paging.token(&octets(group, place))),
        drafts,
    }))
}

async fn show(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<Json<DraftView>> {
    let (inbox, draft) = found(&state, &call, &path).await?;
    view(&state, &inbox, &draft).await
}

async fn attachment(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    headers: HeaderMap,
) -> Answer<Json<DownloadView>> {
    let (inbox, draft) = found(&state, &call, &path).await?;
    let id = path.text("attachment_id")?;
    let index = attachment_place(&draft.summary, id)?;
    let listed = state.mailstore().list_of(inbox.id, &[draft.email_id()]).await?;
    let listed = listed.first().ok_or_else(Failure::not_found)?;
    let stored = attachment_id(draft.email_id(), index);
    let Json(mut view) = attachments::view(&state, &headers, inbox.id, listed, &stored).await?;
    id.clone_into(&mut view.attachment.attachment_id);
    Ok(Json(view))
}

async fn create(Shared(state): Shared<State>, call: Call, request: Request) -> Answer<Json<DraftView>> {
    let raw = large::read_raw(&state, request, 0).await?;
    let wanted: CreateDraftBody = parse(&raw.bytes)?;
    let kind = wanted.kind(&state, &call).await?;
    let (new, _turns) = wanted.read(&state, raw, kind).await?;
    let inbox = state.identity().inbox(call.inbox()?.id).await?;
    let draft = state.drafts().create(&inbox, new).await?;
    view(&state, &inbox, &draft).await
}

async fn update(Shared(state): Shared<State>, call: Call, path: Segments, request: Request) -> Answer<Json<DraftView>> {
    let inbox = Arc::clone(call.inbox()?);
    let id: DraftId = path.id("draft_id")?;
    let there = state.drafts().get(inbox.id, id).await?;
    if there.forward_of.is_some() {
        // Whom it goes to gets to read what it passes on.
        call.require(Permission::MessageRead)?;
    }
    let raw = large::read_raw(&state, request, there.content().octets()).await?;
    let wanted: UpdateDraftBody = parse(&raw.bytes)?;
    let (change, _turns) = wanted.read(&state, raw, &there).await?;
    let draft = state.drafts().update(&inbox, id, &change).await?;
    view(&state, &inbox, &draft).await
}

async fn remove(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<StatusCode> {
    state.drafts().delete(call.inbox()?.id, path.id("draft_id")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn send(Shared(state): Shared<State>, call: Call, path: Segments, request: Request) -> Answer<Json<SentView>> {
    let inbox = Arc::clone(call.inbox()?);
    let keyed = Keyed::begin(&state, &inbox, request.headers())?;
    let target = path.text("draft_id")?;
    let id: Answer<DraftId> = path.id("draft_id");
    // What it takes to send it is in memory then, with what it passes on.
    let further = match &id {
        Ok(id) => state
            .drafts()
            .get(inbox.id, *id)
            .await
            .map_or(0, |draft| draft.content().octets()),
        Err(_) => 0,
    };
    let raw = large::read_raw(&state, request, further).await?;
    let idempotency = keyed.as_ref().map(|keyed| keyed.of(&call, target, &raw)).transpose()?;
    if let Some(idempotency) = &idempotency
        && let Some(done) = state.intake().replayed(&inbox, idempotency).await?
    {
        return Ok(Json(SentView::new(&done)));
    }
    let wanted: SendDraftBody = parse(&raw.bytes)?;
    let how = wanted.read(idempotency);
    // What the inbox may do is what counts now.
    let inbox = state.identity().inbox(inbox.id).await?;
    let submitted = state.drafts().send(&inbox, id?, &how).await?;
    Ok(Json(SentView::new(&submitted)))
}

fn scope_of(scope: &CallScope) -> Scope {
    match (&scope.inbox, scope.pod) {
        (Some(inbox), _) => Scope::Inbox(inbox.id),
        (None, Some(pod)) => Scope::Pod(scope.organization, pod),
        (None, None) => Scope::Organization(scope.organization),
    }
}

async fn found(state: &State, call: &Call, path: &Segments) -> Answer<(Arc<InboxRecord>, Draft)> {
    let id: DraftId = path.id("draft_id")?;
    let draft = state.drafts().find(scope_of(&call.scope), id).await?;
    let inbox = match &call.scope.inbox {
        Some(inbox) => Arc::clone(inbox),
        None => Arc::new(state.identity().inbox(draft.inbox).await?),
    };
    Ok((inbox, draft))
}

/// One that changes again before it is read is shown as it is then.
async fn view(state: &State, inbox: &InboxRecord, draft: &Draft) -> Answer<Json<DraftView>> {
    match DraftView::new(state, inbox, draft).await {
        Err(failure) if failure.status == StatusCode::NOT_FOUND => {
            let again = state.drafts().get(inbox.id, draft.id).await?;
            DraftView::new(state, inbox, &again).await.map(Json)
        }
        view => view.map(Json),
    }
}

/// Inboxes by their ids, each read once.
#[derive(Default)]
struct Inboxes(HashMap<InboxId, Option<Arc<InboxRecord>>>);

impl Inboxes {
    async fn get(&mut self, state: &State, id: InboxId) -> Answer<Option<Arc<InboxRecord>>> {
        if let Some(known) = self.0.get(&id) {
            return Ok(known.clone());
        }
        let found = match state.identity().inbox(id).await {
            Ok(inbox) => Some(Arc::new(inbox)),
            Err(postroom_identity::IdentityError::NoSuchInbox) => None,
            Err(error) => return Err(DraftError::from(error).into()),
        };
        self.0.insert(id, found.clone());
        Ok(found)
    }
}

/// Where a page begins: when, which inbox, where there.
fn place(paging: &Paging) -> Answer<(Group, Option<Place>)> {
    let Some(position) = &paging.position else {
        return Ok((Group::default(), None));
    };
    read_place(position).ok_or_else(bad_token)
}

fn read_place(position: &[u8]) -> Option<(Group, Option<Place>)> {
    let (behind, rest) = position.split_first_chunk::<16>()?;
    let (until, rest) = rest.split_first_chunk::<16>()?;
    let named = |id: &[u8; 16]| (*id != [0; 16]).then(|| InboxId::from_bytes(*id));
    let group = Group {
        behind: named(behind),
        until: named(until),
    };
    if rest.is_empty() {
        return Some((group, None));
    }
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let (inbox, uid) = rest.split_first_chunk::<16>()?;
    let place = Place {
        at: i64::from_be_bytes(*at),
        inbox: InboxId::from_bytes(*inbox),
        uid: Uid::new(u32::from_be_bytes(uid.try_into().ok()?))?,
    };
    Some((group, Some(place)))
}

fn octets(group: Group, place: Option<Place>) -> Vec<u8> {
    // No inbox has an id of nothing but zeros.
    let named = |id: Option<InboxId>| id.map_or([0; 16], |id| *id.as_bytes());
    let mut octets = [named(group.behind), named(group.until)].concat();
    if let Some(place) = place {
        octets.extend(place.at.to_be_bytes());
        octets.extend(place.inbox.as_bytes());
        octets.extend(place.uid.get().to_be_bytes());
    }
    octets
}
