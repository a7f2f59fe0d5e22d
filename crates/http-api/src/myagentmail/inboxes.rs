//! Inboxes: made, listed, shown, changed, deleted, and given new credentials.

use super::inbox_view::InboxView;
use super::operations::{MANAGERS, Operation, READERS};
use crate::State;
use crate::auth::{Caller, Manager};
use crate::error::{ApiError, invalid};
use crate::request::{Asked, Fields, Segments};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use postroom_identity::{CreateInbox, CreateOutcome, IdentityError, InboxChange, KeyKind, Permission, Rotate};
use postroom_types::{InboxId, PodId};
use serde_json::{Value, json};

const ONE: &str = "/inboxes/{inbox}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("/inboxes", READERS, || get(list)).needs(Permission::InboxRead),
    Operation::post("/inboxes", MANAGERS, || post(create))
        .needs(Permission::InboxCreate)
        .and(Permission::ApiKeyCreate)
        .gives_keys(),
    Operation::get(ONE, READERS, || get(show)).needs(Permission::InboxRead),
    Operation::patch(ONE, MANAGERS, || patch(update)).needs(Permission::InboxUpdate),
    Operation::delete(ONE, MANAGERS, || delete(remove)).needs(Permission::InboxDelete),
    Operation::post("/inboxes/{inbox}/rotate-credentials", MANAGERS, || post(rotate))
        .needs(Permission::ApiKeyCreate)
        .and(Permission::ApiKeyDelete)
        .gives_keys(),
];

/// Inboxes read at a time.
const PAGE: usize = 200;
/// Most inboxes of one answer; beyond the contract, it says then where to go on.
const MAX_LISTED: u64 = 10_000;

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    asked: Result<Asked, ApiError>,
    fields: Result<Fields, ApiError>,
) -> Result<Response, ApiError> {
    let manager = caller.manager()?;
    let strict = asked?.flag("strict")?;
    let request = wanted(manager, strict, fields?)?;
    match state.identity().create_inbox(&request).await? {
        CreateOutcome::Created {
            inbox,
            api_key,
            password,
        } => {
            let view = InboxView::new(&inbox, state.options()).with_secrets(api_key.as_ref(), password.as_ref());
            Ok((StatusCode::CREATED, Json(view)).into_response())
        }
        CreateOutcome::Existed(inbox) => Ok(Json(InboxView::new(&inbox, state.options()).existed()).into_response()),
        CreateOutcome::UsernameTaken {
            requested,
            attempted,
            domain,
        } => Err(ApiError::UsernameTaken {
            requested,
            attempted,
            domain: domain.to_string(),
        }),
    }
}

fn wanted(manager: Manager, strict: bool, mut fields: Fields) -> Result<CreateInbox, ApiError> {
    let pod = match fields.text("workspaceId")? {
        None => manager.pod,
        Some(text) => Some(text.parse().map_err(|_| invalid("workspaceId must be a UUID"))?),
    };
    if manager.pod.is_some_and(|own| pod != Some(own)) {
        return Err(IdentityError::NoSuchPod.into());
    }
    Ok(CreateInbox {
        pod,
        restrict_to_pod: manager.pod.is_some(),
        username: fields.text("username")?,
        domain: fields.text("domain")?,
        display_name: fields.text("displayName")?,
        strict,
        ..CreateInbox::new(manager.organization)
    })
}

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    asked: Result<Asked, ApiError>,
) -> Result<Json<Value>, ApiError> {
    if let (KeyKind::Inbox, Some(own)) = (caller.0.kind, caller.0.inbox) {
        let inbox = caller.readable(&state, own).await?;
        return Ok(Json(json!({ "inboxes": [InboxView::new(&inbox, state.options())] })));
    }
    let (manager, asked) = (caller.manager()?, asked?);
    let filter = asked.text("workspace")?.map(|text| {
        let id: PodId = text.parse().map_err(|_| invalid("workspace must be a UUID"))?;
        Ok::<_, ApiError>(id)
    });
    let pod = match (manager.pod, filter.transpose()?) {
        (None, Some(wanted)) => Some(state.identity().pod(manager.organization, wanted).await?.id),
        (Some(own), Some(wanted)) if own != wanted => return Err(IdentityError::NoSuchPod.into()),
        (own, _) => own,
    };
    let limit = asked.number("limit", 1, MAX_LISTED)?.min(MAX_LISTED);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let cursor = asked.text("cursor")?.map(str::parse).transpose();
    let mut after: Option<InboxId> = cursor.map_err(|_| invalid("cursor is the nextCursor of the page before"))?;
    let mut views = Vec::new();
    loop {
        let most = PAGE.min(limit - views.len());
        let page = state.identity().inboxes(manager.organization, pod, after, most).await?;
        views.extend(page.inboxes.iter().map(|inbox| InboxView::new(inbox, state.options())));
        after = page.next;
        if after.is_none() || views.len() >= limit {
            break;
        }
    }
    let mut answer = json!({ "inboxes": views });
    if let Some(next) = after {
        answer["nextCursor"] = next.to_string().into();
    }
    Ok(Json(answer))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<InboxView>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?;
    let metadata = state.identity().metadata(inbox.id).await?;
    Ok(Json(
        InboxView::new(&inbox, state.options()).with_metadata(metadata.as_deref()),
    ))
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<Value>, ApiError> {
    let inbox = caller.managed(&state, path.id("inbox")?).await?;
    let mut fields = fields?;
    let metadata = fields.change("metadata", Fields::object)?;
    let change = InboxChange {
        display_name: fields.change("displayName", Fields::text)?,
        metadata: metadata.map(|metadata| metadata.map(|object| Value::Object(object).to_string())),
        ..InboxChange::default()
    };
    state.identity().update_inbox(inbox.id, &change).await?;
    Ok(Json(json!({ "updated": true, "id": inbox.id.to_string() })))
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let inbox = caller.managed(&state, path.id("inbox")?).await?;
    state.identity().delete_inbox(inbox.id).await?;
    Ok(Json(json!({ "deleted": true, "id": inbox.id.to_string() })))
}

async fn rotate(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<InboxView>, ApiError> {
    let inbox = caller.managed(&state, path.id("inbox")?).await?;
    let mut fields = fields?;
    let rotate = rotation(fields.flag("apiKey")?, fields.flag("imapPassword")?)?;
    let rotated = state.identity().rotate_credentials(inbox.id, rotate).await?;
    let view = InboxView::new(&rotated.inbox, state.options());
    Ok(Json(
        view.with_secrets(rotated.api_key.as_ref(), rotated.password.as_ref()),
    ))
}

/// Which of an inbox's secrets are replaced: both, unless something is said of them.
pub(crate) fn rotation(api_key: Option<bool>, password: Option<bool>) -> Result<Rotate, ApiError> {
    match (api_key, password) {
        (None, None) | (Some(true), Some(true)) => Ok(Rotate::Both),
        (Some(true), _) => Ok(Rotate::ApiKey),
        (_, Some(true)) => Ok(Rotate::Password),
        // One is left out of what is rotated, and the other not mentioned.
        (Some(false), None) => Ok(Rotate::Password),
        (None, Some(false)) => Ok(Rotate::ApiKey),
        (Some(false), Some(false)) => Err(invalid("nothing to rotate")),
    }
}
