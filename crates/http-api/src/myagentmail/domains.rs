//! Domains of a workspace: claimed, shown what to publish, and looked for in the DNS.

use super::operations::{MANAGERS, Operation};
use crate::State;
use crate::auth::{Caller, Manager};
use crate::error::{ApiError, invalid};
use crate::model::time;
use crate::request::{Asked, Fields, Segments};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use postroom_identity::{
    CheckedRecord, DomainStatus, DomainWish, IdentityError, Permission, RecordStatus, TenantDomain,
};
use postroom_types::{Domain, PodId};
use serde_json::{Value, json};

const ONE: &str = "/domains/{domain}";
const VERIFY: &str = "/domains/{domain}/verify";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("/domains", MANAGERS, || get(list)).needs(Permission::DomainRead),
    Operation::post("/domains", MANAGERS, || post(create)).needs(Permission::DomainCreate),
    Operation::get(ONE, MANAGERS, || get(show)).needs(Permission::DomainRead),
    Operation::delete(ONE, MANAGERS, || delete(remove)).needs(Permission::DomainDelete),
    // The vendor's page and its sample disagree on the method.
    Operation::get(VERIFY, MANAGERS, || get(verify)).needs(Permission::DomainUpdate),
    Operation::post(VERIFY, MANAGERS, || post(verify)).needs(Permission::DomainUpdate),
];

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    fields: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let manager = caller.manager()?;
    let mut fields = fields?;
    let domain = Domain::parse(&fields.required_text("domain")?).map_err(|_| invalid("domain is not a domain"))?;
    let pod = workspace(&state, manager, fields.text("workspaceId")?.as_deref()).await?;
    let pod = match pod {
        Some(pod) => pod,
        None => state.identity().organization(manager.organization).await?.default_pod,
    };
    let wish = DomainWish {
        domain,
        pod: Some(pod),
        feedback: true,
        inbound: true,
        subdomains: false,
    };
    let made = state.identity().create_domain(manager.organization, &wish).await?;
    Ok((StatusCode::CREATED, Json(view(&state, manager, &made).await?)))
}

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    asked: Result<Asked, ApiError>,
) -> Result<Json<Value>, ApiError> {
    let manager = caller.manager()?;
    let pod = workspace(&state, manager, asked?.text("workspace")?).await?;
    let mut views = Vec::new();
    for domain in state.identity().domains_of(manager.organization, pod).await? {
        match view(&state, manager, &domain).await {
            Ok(view) => views.push(view),
            // Given up meanwhile.
            Err(ApiError::Identity(IdentityError::NoSuchDomain)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Json(json!({ "domains": views })))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let (manager, domain) = found(&state, &caller, &path).await?;
    Ok(Json(view(&state, manager, &domain).await?))
}

async fn verify(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let (manager, domain) = found(&state, &caller, &path).await?;
    let checked = state
        .identity()
        .verify_domain(manager.organization, &domain.domain, state.names())
        .await?;
    Ok(Json(view(&state, manager, &checked).await?))
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let (manager, domain) = found(&state, &caller, &path).await?;
    let identity = state.identity();
    identity.delete_domain(manager.organization, &domain.domain).await?;
    Ok(Json(json!({ "deleted": true, "domain": domain.domain.to_string() })))
}

/// The workspace that is named, else the key's own; `None`: all that the key sees.
async fn workspace(state: &State, manager: Manager, named: Option<&str>) -> Result<Option<PodId>, ApiError> {
    let Some(text) = named else { return Ok(manager.pod) };
    let id: PodId = text.parse().map_err(|_| invalid("a workspace is named by its UUID"))?;
    if manager.pod.is_some_and(|own| own != id) {
        return Err(IdentityError::NoSuchPod.into());
    }
    Ok(Some(state.identity().pod(manager.organization, id).await?.id))
}

/// The domain of the path, if the key sees it; what is none names nothing.
async fn found(state: &State, caller: &Caller, path: &Segments) -> Result<(Manager, TenantDomain), ApiError> {
    let manager = caller.manager()?;
    let domain = Domain::parse(path.text("domain")?).map_err(|_| ApiError::NotFound)?;
    let domain = state.identity().domain_of(manager.organization, &domain).await?;
    if manager.pod.is_some() && manager.pod != domain.pod {
        return Err(IdentityError::NoSuchDomain.into());
    }
    Ok((manager, domain))
}

async fn view(state: &State, manager: Manager, domain: &TenantDomain) -> Result<Value, ApiError> {
    let records = state
        .identity()
        .domain_records(manager.organization, &domain.domain)
        .await?;
    Ok(json!({
        "id": domain.domain.to_string(),
        "domain": domain.domain.to_string(),
        "status": match domain.status {
            DomainStatus::NotStarted | DomainStatus::Pending => "pending",
            DomainStatus::Invalid => "failed",
            DomainStatus::Verified => "verified",
        },
        "workspaceId": domain.pod.map(|pod| pod.to_string()),
        "dnsRecords": records.iter().map(record).collect::<Vec<_>>(),
        "createdAt": time(domain.created_at),
        "updatedAt": time(domain.updated_at),
    }))
}

fn record(checked: &CheckedRecord) -> Value {
    json!({
        "type": checked.record.kind,
        "name": checked.record.name,
        "value": checked.record.value,
        "priority": checked.record.priority,
        "status": match checked.status {
            RecordStatus::Missing => "pending",
            RecordStatus::Valid => "verified",
            RecordStatus::Mismatch | RecordStatus::Duplicate => "failed",
        },
    })
}
