//! Domains to send from (inkbox.md §9): listed, and one made the default. Registering them is not in this API.

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::operations::Operation;
use super::wire::{Asked, Body, Nothing, Segments};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::routing::{get, post};
use postroom_identity::{DomainStatus, IdentityError, Permission};
use postroom_types::Domain;
use serde::Serialize;

/// The dialect's words; this server uses four of them.
const STATUSES: [&str; 10] = [
    "not_started",
    "awaiting_ownership",
    "pending",
    "dns_invalid",
    "verifying",
    "verified",
    "failed",
    "pending_dkim_rotation",
    "degraded",
    "pending_deletion",
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("domains.list", "/v1/domains", || get(list)).needs(Permission::DomainRead),
    Operation::post("domains.set_default", "/v1/domains/{name}/set-default", || {
        post(set_default)
    })
    .needs(Permission::DomainUpdate)
    .admin(),
];

#[derive(Debug, Serialize)]
struct DomainView {
    id: String,
    domain: String,
    status: &'static str,
    is_default: bool,
    verified_at: Option<String>,
}

const fn word(status: DomainStatus) -> &'static str {
    match status {
        DomainStatus::NotStarted => "not_started",
        DomainStatus::Pending => "pending",
        DomainStatus::Invalid => "dns_invalid",
        DomainStatus::Verified => "verified",
    }
}

async fn list(Shared(state): Shared<State>, caller: Caller, asked: Asked) -> Answer<Json<Vec<DomainView>>> {
    let wanted = asked.text("status")?;
    if wanted.is_some_and(|wanted| !STATUSES.contains(&wanted)) {
        return Err(Failure::field("status", "status is not a status of a domain"));
    }
    let organization = caller.organization();
    let default = state.identity().default_domain(organization).await?;
    let domains = state.identity().domains_of(organization, None).await?;
    let views = domains.into_iter().map(|domain| {
        let is_verified = domain.status == DomainStatus::Verified;
        DomainView {
            id: domain.domain.to_string(),
            is_default: default.as_ref() == Some(&domain.domain),
            domain: domain.domain.to_string(),
            status: word(domain.status),
            verified_at: is_verified.then(|| time(domain.updated_at)),
        }
    });
    Ok(Json(
        views
            .filter(|view| wanted.is_none_or(|wanted| wanted == view.status))
            .collect(),
    ))
}

#[derive(Debug, Serialize)]
struct Default {
    /// The server's own if there is none.
    default_domain: Option<String>,
}

/// The server's own domain stands for none of one's own.
async fn set_default(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(Nothing {}): Body<Nothing>,
) -> Answer<Json<Default>> {
    let organization = caller.admin()?;
    let domain = Domain::parse(path.text("name")?).map_err(|_| Failure::not_found())?;
    let set = state.identity().set_default_domain(organization, Some(&domain)).await;
    let default = match set {
        Err(IdentityError::DomainNotAvailable) => {
            // One that is claimed is known, but cannot be used before it is verified.
            state.identity().domain_of(organization, &domain).await?;
            return Err(Failure::conflict(
                "domain_not_verified",
                "this domain is not verified yet",
            ));
        }
        set => set?,
    };
    Ok(Json(Default {
        default_domain: default.map(|domain| domain.to_string()),
    }))
}
