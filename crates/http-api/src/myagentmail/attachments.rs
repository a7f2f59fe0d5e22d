//! The bytes of attachments.

use super::messages;
use super::operations::{Operation, READERS};
use crate::State;
use crate::agentmail::{file, given_name};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::request::Segments;
use axum::extract::State as Shared;
use axum::response::Response;
use axum::routing::get;
use postroom_identity::Permission;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get(
        "/inboxes/{inbox}/messages/{message}/attachments/{attachment}",
        READERS,
        || get(of_message),
    )
    .needs(Permission::MessageRead),
    Operation::get(
        "/inboxes/{inbox}/drafts/{draft}/attachments/{attachment}",
        READERS,
        || get(of_draft),
    )
    .needs(Permission::DraftRead),
];

async fn of_message(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Response, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let found = messages::found(state.mailstore(), &caller, inbox, path.id("message")?).await?;
    let root = &found.summary.root;
    file(
        state.mailstore(),
        found.record.content,
        root,
        path.id("attachment")?,
        given_name,
    )
}

async fn of_draft(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Response, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let draft = state.drafts().get(inbox, path.id("draft")?).await?;
    let (content, root) = (draft.content().clone(), &draft.summary.root);
    file(state.mailstore(), content, root, path.id("attachment")?, given_name)
}
