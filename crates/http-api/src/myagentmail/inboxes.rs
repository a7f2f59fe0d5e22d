//! Inboxes: made, listed, shown, changed, deleted, and given new credentials.

use super::inbox_view::InboxView;
use crate::State;
use crate::auth::{Caller, Manager};
use crate::error::{ApiError, invalid};
use crate::request::{Asked, Fields, Segments};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postroom_identity::{CreateInbox, CreateOutcome, IdentityError, InboxChange, KeyKind, Rotate};
use postroom_types::{OrganizationId, PodId};
use serde_json::{Value, json};

/// Inboxes read at a time.
const PAGE: usize = 200;

pub(super) async fn create(
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

pub(super) async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    asked: Result<Asked, ApiError>,
) -> Result<Json<Value>, ApiError> {
    if let (KeyKind::Inbox, Some(own)) = (caller.0.kind, caller.0.inbox) {
        let inbox = caller.readable(&state, own).await?;
        return Ok(Json(json!({ "inboxes": [InboxView::new(&inbox, state.options())] })));
    }
    let manager = caller.manager()?;
    let filter = asked?.text("workspace")?.map(|text| {
        let id: PodId = text.parse().map_err(|_| invalid("workspace must be a UUID"))?;
        Ok::<_, ApiError>(id)
    });
    let pod = match (manager.pod, filter.transpose()?) {
        (None, Some(wanted)) => Some(state.identity().pod(manager.organization, wanted).await?.id),
        (Some(own), Some(wanted)) if own != wanted => return Err(IdentityError::NoSuchPod.into()),
        (own, _) => own,
    };
    Ok(Json(
        json!({ "inboxes": all(&state, manager.organization, pod).await? }),
    ))
}

async fn all(state: &State, organization: OrganizationId, pod: Option<PodId>) -> Result<Vec<InboxView>, ApiError> {
    let (mut views, mut after) = (Vec::new(), None);
    loop {
        let page = state.identity().inboxes(organization, pod, after, PAGE).await?;
        views.extend(page.inboxes.iter().map(|inbox| InboxView::new(inbox, state.options())));
        after = page.next;
        if after.is_none() {
            return Ok(views);
        }
    }
}

pub(super) async fn show(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
) -> Result<Json<InboxView>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?;
    let metadata = state.identity().metadata(inbox.id).await?;
    Ok(Json(
        InboxView::new(&inbox, state.options()).with_metadata(metadata.as_deref()),
    ))
}

pub(super) async fn update(
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

pub(super) async fn remove(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
) -> Result<Json<Value>, ApiError> {
    let inbox = caller.managed(&state, path.id("inbox")?).await?;
    state.identity().delete_inbox(inbox.id).await?;
    Ok(Json(json!({ "deleted": true, "id": inbox.id.to_string() })))
}

pub(super) async fn rotate(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<InboxView>, ApiError> {
    let inbox = caller.managed(&state, path.id("inbox")?).await?;
    let mut fields = fields?;
    let rotate = match (fields.flag("apiKey")?, fields.flag("imapPassword")?) {
        (None, None) | (Some(true), Some(true)) => Rotate::Both,
        (Some(true), _) => Rotate::ApiKey,
        (_, Some(true)) => Rotate::Password,
        // One is left out of what is rotated, and the other not mentioned.
        (Some(false), None) => Rotate::Password,
        (None, Some(false)) => Rotate::ApiKey,
        (Some(false), Some(false)) => return Err(invalid("nothing to rotate")),
    };
    let rotated = state.identity().rotate_credentials(inbox.id, rotate).await?;
    let view = InboxView::new(&rotated.inbox, state.options());
    Ok(Json(
        view.with_secrets(rotated.api_key.as_ref(), rotated.password.as_ref()),
    ))
}
