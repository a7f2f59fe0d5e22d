//! Inboxes (agentmail.md §7).

use super::call::Call;
use super::failure::{Answer, Failure};
use super::inbox_view::{InboxList, InboxView};
use super::operations::{ABOVE_INBOX, Operation, PAGED, SEARCHED};
use super::paging::Paging;
use super::wire::{Asked, Body, Object, given};
use crate::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use postroom_identity::{CreateInbox, CreateOutcome, InboxChange, InboxRecord, KeyKind, PageOf, Permission};
use postroom_types::InboxId;
use serde::Deserialize;
use utoipa::ToSchema;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("inboxes.list", ABOVE_INBOX, "/inboxes", || get(list))
        .needs(Permission::InboxRead)
        .asks(PAGED)
        .answers::<InboxList>(),
    Operation::get("inboxes.search", ABOVE_INBOX, "/inboxes/search", || get(search))
        .needs(Permission::InboxRead)
        .asks(SEARCHED)
        .answers::<InboxList>(),
    Operation::post("inboxes.create", ABOVE_INBOX, "/inboxes", || post(create))
        .needs(Permission::InboxCreate)
        .takes::<CreateInboxBody>()
        .answers::<InboxView>(),
    Operation::get("inboxes.get", ABOVE_INBOX, "/inboxes/{inbox_id}", || get(show))
        .needs(Permission::InboxRead)
        .answers::<InboxView>(),
    Operation::patch("inboxes.update", ABOVE_INBOX, "/inboxes/{inbox_id}", || patch(update))
        .needs(Permission::InboxUpdate)
        .takes::<UpdateInboxBody>()
        .answers::<InboxView>(),
    Operation::delete("inboxes.delete", ABOVE_INBOX, "/inboxes/{inbox_id}", || delete(remove))
        .needs(Permission::InboxDelete),
];

/// Whether an inbox works or rests.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = InboxStatus)]
enum Status {
    Active,
    Paused,
}

/// A wanted inbox; all may be left out.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateInboxRequest)]
struct CreateInboxBody {
    username: Option<String>,
    domain: Option<String>,
    display_name: Option<String>,
    client_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    status: Option<Status>,
}

/// What to change of an inbox; at least one field.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateInboxRequest)]
struct UpdateInboxBody {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    display_name: Option<Option<String>>,
    status: Option<Status>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Option<Object>>,
}

/// Several inboxes with what is kept with them.
async fn views(state: &State, inboxes: &[InboxRecord]) -> Answer<Vec<InboxView>> {
    let mut views = Vec::with_capacity(inboxes.len());
    for inbox in inboxes {
        views.push(InboxView::new(inbox, state.identity().metadata_object(inbox.id).await?));
    }
    Ok(views)
}

async fn view(state: &State, inbox: &InboxRecord) -> Answer<Json<InboxView>> {
    let metadata = state.identity().metadata_object(inbox.id).await?;
    Ok(Json(InboxView::new(inbox, metadata)))
}

async fn list(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<InboxList>> {
    let paging = Paging::read(&call, &asked, &[])?;
    if let Some(own) = &call.scope.inbox {
        return Ok(Json(InboxList {
            count: 1,
            limit: paging.asked_limit,
            next_page_token: None,
            inboxes: views(&state, std::slice::from_ref(own)).await?,
        }));
    }
    let page = PageOf {
        after: paging.position_id(InboxId::from_bytes)?,
        ascending: paging.ascending,
        limit: paging.limit,
    };
    let scope = &call.scope;
    let found = state
        .identity()
        .inbox_page(scope.organization, scope.pod, &page)
        .await?;
    let inboxes = views(&state, &found.inboxes).await?;
    Ok(Json(InboxList {
        count: inboxes.len(),
        limit: paging.asked_limit,
        next_page_token: found.next.map(|next| paging.token(next.as_bytes())),
        inboxes,
    }))
}

async fn search(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<InboxList>> {
    let q = asked.required_text("q", 2..=256)?;
    let paging = Paging::read(&call, &asked, &["q"])?;
    let offset = usize::try_from(paging.position_number()?).unwrap_or(usize::MAX);
    let scope = &call.scope;
    // One more tells whether there is a next page.
    let mut found = state
        .identity()
        .search_inboxes(scope.organization, scope.pod, q, offset, paging.limit + 1)
        .await?;
    let more = found.len() > paging.limit;
    found.truncate(paging.limit);
    found.retain(|inbox| scope.sees(inbox));
    let inboxes = views(&state, &found).await?;
    let next = (offset + paging.limit) as u64;
    Ok(Json(InboxList {
        count: inboxes.len(),
        limit: paging.asked_limit,
        next_page_token: more.then(|| paging.token(&next.to_be_bytes())),
        inboxes,
    }))
}

async fn create(
    Shared(state): Shared<State>,
    call: Call,
    Body(wanted): Body<CreateInboxBody>,
) -> Answer<Json<InboxView>> {
    if call.scope.inbox.is_some() {
        return Err(Failure::forbidden("an inbox key makes no inboxes"));
    }
    let request = CreateInbox {
        organization: call.scope.organization,
        pod: call.scope.pod,
        restrict_to_pod: call.scope.pod.is_some(),
        username: wanted.username,
        domain: wanted.domain,
        display_name: wanted.display_name.filter(|name| !name.is_empty()),
        strict: true,
        client_id: wanted.client_id,
        metadata: wanted.metadata,
        paused: matches!(wanted.status, Some(Status::Paused)),
        remember: false,
        credentials: false,
    };
    match state.identity().create_inbox(&request).await? {
        CreateOutcome::Created { inbox, .. } | CreateOutcome::Existed(inbox) => view(&state, &inbox).await,
        CreateOutcome::UsernameTaken { requested, domain, .. } => Err(Failure::new(
            StatusCode::FORBIDDEN,
            "resource_taken",
            format!("{requested}@{domain} is taken"),
        )),
    }
}

async fn show(Shared(state): Shared<State>, call: Call) -> Answer<Json<InboxView>> {
    view(&state, call.inbox()?).await
}

async fn update(
    Shared(state): Shared<State>,
    call: Call,
    Body(wanted): Body<UpdateInboxBody>,
) -> Answer<Json<InboxView>> {
    if wanted.display_name.is_none() && wanted.status.is_none() && wanted.metadata.is_none() {
        return Err(Failure::invalid(
            "at least one of display_name, status and metadata is needed",
        ));
    }
    if wanted.status.is_some() && call.principal.kind == KeyKind::Inbox {
        // An agent names itself; whether it works is for its organization to say, as in its own dialect (inkbox.md §4).
        return Err(Failure::forbidden(
            "an agent's key does not change the status of its inbox",
        ));
    }
    let paused = wanted.status.map(|status| matches!(status, Status::Paused));
    let change = InboxChange {
        display_name: wanted.display_name.map(|name| name.filter(|name| !name.is_empty())),
        send_paused: paused,
        receive_paused: paused,
        merge_metadata: wanted.metadata,
        ..InboxChange::default()
    };
    let inbox = state.identity().update_inbox(call.inbox()?.id, &change).await?;
    view(&state, &inbox).await
}

async fn remove(Shared(state): Shared<State>, call: Call) -> Answer<StatusCode> {
    state.identity().delete_inbox(call.inbox()?.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
