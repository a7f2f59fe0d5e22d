//! Who the caller is, and the organization (agentmail.md §6).

use super::call::Call;
use super::failure::{Answer, Failure};
use super::operations::{ORGANIZATION, Operation};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::routing::{get, post};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("auth.me", ORGANIZATION, "/auth/me", || get(me)).answers::<MeView>(),
    Operation::get("organizations.get", ORGANIZATION, "/organizations", || get(show)).answers::<OrganizationView>(),
    Operation::get("organizations.getLabs", ORGANIZATION, "/organizations/labs", || {
        get(labs)
    })
    .answers::<LabsView>(),
    Operation::post("organizations.joinLabs", ORGANIZATION, "/organizations/labs", || {
        post(join_labs)
    }),
];

/// What a key is for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me)]
struct MeView {
    scope_type: &'static str,
    scope_id: String,
    organization_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inbox_id: Option<String>,
    api_key_id: String,
}

/// An organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Organization)]
struct OrganizationView {
    organization_id: String,
    inbox_count: u64,
    domain_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    inbox_limit: Option<u32>,
    updated_at: String,
    created_at: String,
}

/// Experiments of the hosted service, which are not offered here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Labs)]
struct LabsView {
    enabled: bool,
    enabled_at: Option<String>,
    available: bool,
}

async fn me(call: Call) -> Answer<Json<MeView>> {
    let scope = &call.scope;
    let inbox_id = scope.inbox.as_ref().map(|inbox| inbox.canonical.to_string());
    let pod_id = scope.pod.map(|pod| pod.to_string());
    let organization_id = scope.organization.to_string();
    let (scope_type, scope_id) = match (&inbox_id, &pod_id) {
        (Some(inbox), _) => ("inbox", inbox),
        (None, Some(pod)) => ("pod", pod),
        (None, None) => ("organization", &organization_id),
    };
    Ok(Json(MeView {
        scope_type,
        scope_id: scope_id.clone(),
        organization_id: organization_id.clone(),
        pod_id: pod_id.clone(),
        inbox_id: inbox_id.clone(),
        api_key_id: call.principal.key.to_string(),
    }))
}

async fn show(Shared(state): Shared<State>, call: Call) -> Answer<Json<OrganizationView>> {
    // Governed by a permission that only keys of the whole organization hold (agentmail.md §5).
    if call.scope.pod.is_some() {
        return Err(Failure::forbidden("only a key of the organization may read it"));
    }
    let identity = state.identity();
    let organization = identity.organization(call.scope.organization).await?;
    Ok(Json(OrganizationView {
        organization_id: organization.id.to_string(),
        inbox_count: identity.inbox_count(organization.id).await?,
        domain_count: identity.domain_count(organization.id, None).await?,
        inbox_limit: organization.max_inboxes,
        updated_at: time(organization.updated_at()),
        created_at: time(organization.created_at),
    }))
}

async fn labs() -> Json<LabsView> {
    Json(LabsView {
        enabled: false,
        enabled_at: None,
        available: false,
    })
}

async fn join_labs() -> Failure {
    Failure::forbidden("this server has no labs")
}
