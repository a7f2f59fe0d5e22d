//! What a key resolves to.

use super::operations::{ANYBODY, Operation};
use crate::auth::Caller;
use axum::Json;
use axum::routing::get;
use postroom_identity::KeyKind;
use serde_json::{Value, json};

pub(super) const OPERATIONS: &[Operation] = &[Operation::get("/me", ANYBODY, || get(show))];

async fn show(Caller(principal): Caller) -> Json<Value> {
    let kind = match principal.kind {
        KeyKind::Operator => "operator",
        KeyKind::Tenant => "tenant",
        KeyKind::Organization => "organization",
        KeyKind::Pod | KeyKind::AgentPod => "workspace",
        KeyKind::Inbox | KeyKind::AgentInbox => "inbox",
    };
    // An operator's key opens nothing inside a tenant, not even the operator's own.
    let tenant = (principal.kind != KeyKind::Operator).then(|| principal.organization.to_string());
    Json(json!({
        "kind": kind,
        "tenantId": tenant,
        "workspaceId": principal.pod.map(|pod| pod.to_string()),
        "inboxId": principal.inbox.map(|inbox| inbox.to_string()),
    }))
}
