//! Domains of an organization or a pod (agentmail.md §12).
//!
//! Of the vendor's options, the tracking of opened mail is not to be had here: who asks for it is refused, and the field
//! says `false`.

use super::call::Call;
use super::failure::{Answer, Failure};
use super::operations::{ABOVE_INBOX, ORGANIZATION, Operation, PAGED};
use super::paging::{Paging, bad_token};
use super::wire::{Asked, Body, Segments};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use postroom_identity::{
    CheckedRecord, DomainChange, DomainStatus, DomainWish, IdentityError, Permission, RecordStatus, TenantDomain,
    zone_file,
};
use postroom_types::Domain;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const ONE: &str = "/domains/{domain_id}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("domains.list", ABOVE_INBOX, "/domains", || get(list))
        .needs(Permission::DomainRead)
        .asks(PAGED)
        .answers::<DomainList>(),
    Operation::post("domains.create", ABOVE_INBOX, "/domains", || post(create))
        .needs(Permission::DomainCreate)
        .takes::<CreateDomainBody>()
        .answers::<DomainView>(),
    Operation::get("domains.get", ABOVE_INBOX, ONE, || get(show))
        .needs(Permission::DomainRead)
        .answers::<DomainView>(),
    Operation::patch("domains.update", ABOVE_INBOX, ONE, || patch(update))
        .needs(Permission::DomainUpdate)
        .takes::<UpdateDomainBody>()
        .answers::<DomainView>(),
    Operation::delete("domains.delete", ABOVE_INBOX, ONE, || delete(remove)).needs(Permission::DomainDelete),
    Operation::post("domains.verify", ABOVE_INBOX, "/domains/{domain_id}/verify", || {
        post(verify)
    })
    .needs(Permission::DomainUpdate),
    Operation::get(
        "domains.getZoneFile",
        ABOVE_INBOX,
        "/domains/{domain_id}/zone-file",
        || get(zone),
    )
    .needs(Permission::DomainRead)
    .answers_text(),
    Operation::get(
        "domains.getSetupLink",
        ORGANIZATION,
        "/domains/{domain_id}/setup-link",
        || get(setup_link),
    )
    .needs(Permission::DomainRead)
    .answers::<SetupLink>(),
];

/// A record to publish.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VerificationRecord)]
struct RecordView {
    r#type: &'static str,
    name: String,
    value: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// A domain; in lists without its records.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Domain)]
struct DomainView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_id: Option<String>,
    /// The domain itself.
    domain_id: String,
    domain: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    feedback_enabled: bool,
    inbound_enabled: bool,
    subdomains_enabled: bool,
    tracking_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<RecordView>>,
    updated_at: String,
    created_at: String,
}

/// A page of domains.
#[derive(Debug, Serialize, ToSchema)]
struct DomainList {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    domains: Vec<DomainView>,
}

/// Whether a DNS provider can be set up by a click: no.
#[derive(Debug, Serialize, ToSchema)]
struct SetupLink {
    supported: bool,
}

/// A wanted domain.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateDomainRequest)]
struct CreateDomainBody {
    domain: String,
    feedback_enabled: Option<bool>,
    inbound_enabled: Option<bool>,
    subdomains_enabled: Option<bool>,
    tracking_enabled: Option<bool>,
}

/// What to change of a domain; at least one field.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateDomainRequest)]
struct UpdateDomainBody {
    feedback_enabled: Option<bool>,
    inbound_enabled: Option<bool>,
    subdomains_enabled: Option<bool>,
    tracking_enabled: Option<bool>,
}

impl From<CheckedRecord> for RecordView {
    fn from(checked: CheckedRecord) -> Self {
        let (status, reason) = match checked.status {
            RecordStatus::Missing => ("MISSING", None),
            RecordStatus::Valid => ("VALID", None),
            RecordStatus::Mismatch => ("INVALID", Some("value_mismatch")),
            RecordStatus::Duplicate => ("INVALID", Some("duplicate_records")),
        };
        let record = checked.record;
        Self {
            r#type: record.kind,
            name: record.name,
            value: record.value,
            status,
            priority: record.priority,
            reason,
        }
    }
}

impl DomainView {
    fn new(domain: TenantDomain, records: Option<Vec<CheckedRecord>>) -> Self {
        let (status, reason) = match domain.status {
            DomainStatus::NotStarted => ("NOT_STARTED", None),
            DomainStatus::Pending => ("PENDING", Some("records are missing")),
            DomainStatus::Invalid => ("INVALID", Some("records have other values")),
            DomainStatus::Verified => ("VERIFIED", None),
        };
        Self {
            pod_id: domain.pod.map(|pod| pod.to_string()),
            domain_id: domain.domain.to_string(),
            domain: domain.domain.to_string(),
            status,
            reason,
            feedback_enabled: domain.feedback,
            inbound_enabled: domain.inbound,
            subdomains_enabled: domain.subdomains,
            tracking_enabled: false,
            records: records.map(|records| records.into_iter().map(RecordView::from).collect()),
            updated_at: time(domain.updated_at),
            created_at: time(domain.created_at),
        }
    }
}

/// What this server does not do is refused rather than passed over.
fn refuse_tracking(tracking: Option<bool>) -> Answer<()> {
    match tracking {
        Some(true) => Err(Failure::unprocessable("tracking_enabled is not supported")),
        Some(false) | None => Ok(()),
    }
}

/// The domain of the path, if the call sees it.
async fn found(state: &State, call: &Call, path: &Segments) -> Answer<TenantDomain> {
    if call.scope.inbox.is_some() {
        // Its scope is one address, not what others share.
        return Err(Failure::not_found());
    }
    let domain = Domain::parse(path.text("domain_id")?).map_err(|_| Failure::not_found())?;
    let domain = state.identity().domain_of(call.scope.organization, &domain).await?;
    if call.scope.pod.is_some() && call.scope.pod != domain.pod {
        // To the letter what is said of one that is nowhere.
        return Err(IdentityError::NoSuchDomain.into());
    }
    Ok(domain)
}

async fn view(state: &State, call: &Call, domain: TenantDomain) -> Answer<Json<DomainView>> {
    let records = state
        .identity()
        .domain_records(call.scope.organization, &domain.domain)
        .await?;
    Ok(Json(DomainView::new(domain, Some(records))))
}

async fn list(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<DomainList>> {
    let paging = Paging::read(&call, &asked, &[])?;
    let scope = &call.scope;
    let mut domains = match &scope.inbox {
        Some(_) => Vec::new(),
        None => state.identity().domains_of(scope.organization, scope.pod).await?,
    };
    if !paging.ascending {
        domains.reverse();
    }
    // The list has one order, so that the place of the last one shown is known even if it is gone meanwhile.
    let place = |domain: &TenantDomain| {
        let mut place = domain.created_at.to_be_bytes().to_vec();
        place.extend_from_slice(domain.domain.as_str().as_bytes());
        place
    };
    if let Some(after) = &paging.position {
        if after.len() <= size_of::<i64>() {
            return Err(bad_token());
        }
        domains.retain(|domain| match paging.ascending {
            true => place(domain) > *after,
            false => place(domain) < *after,
        });
    }
    let more = domains.len() > paging.limit;
    domains.truncate(paging.limit);
    let last = domains.last().map(place);
    let domains: Vec<_> = domains
        .into_iter()
        .map(|domain| DomainView::new(domain, None))
        .collect();
    Ok(Json(DomainList {
        count: domains.len(),
        limit: paging.asked_limit,
        next_page_token: last.filter(|_| more).map(|last| paging.token(&last)),
        domains,
    }))
}

async fn create(
    Shared(state): Shared<State>,
    call: Call,
    Body(wanted): Body<CreateDomainBody>,
) -> Answer<Json<DomainView>> {
    if call.scope.inbox.is_some() {
        return Err(Failure::forbidden("an inbox key adds no domains"));
    }
    refuse_tracking(wanted.tracking_enabled)?;
    let domain = Domain::parse(&wanted.domain).map_err(|_| Failure::field("domain", "domain is not a domain"))?;
    let wish = DomainWish {
        domain,
        pod: call.scope.pod,
        feedback: wanted.feedback_enabled.unwrap_or(true),
        inbound: wanted.inbound_enabled.unwrap_or(true),
        subdomains: wanted.subdomains_enabled.unwrap_or(false),
    };
    let domain = state.identity().create_domain(call.scope.organization, &wish).await?;
    view(&state, &call, domain).await
}

async fn show(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<Json<DomainView>> {
    let domain = found(&state, &call, &path).await?;
    view(&state, &call, domain).await
}

async fn update(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    Body(wanted): Body<UpdateDomainBody>,
) -> Answer<Json<DomainView>> {
    let domain = found(&state, &call, &path).await?;
    let given = [
        wanted.feedback_enabled,
        wanted.inbound_enabled,
        wanted.subdomains_enabled,
        wanted.tracking_enabled,
    ];
    if given.iter().all(Option::is_none) {
        return Err(Failure::invalid("at least one field is needed"));
    }
    refuse_tracking(wanted.tracking_enabled)?;
    let change = DomainChange {
        feedback: wanted.feedback_enabled,
        inbound: wanted.inbound_enabled,
        subdomains: wanted.subdomains_enabled,
    };
    let domain = state
        .identity()
        .update_domain(call.scope.organization, &domain.domain, &change)
        .await?;
    view(&state, &call, domain).await
}

async fn remove(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<StatusCode> {
    let domain = found(&state, &call, &path).await?;
    state
        .identity()
        .delete_domain(call.scope.organization, &domain.domain)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn verify(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<StatusCode> {
    let domain = found(&state, &call, &path).await?;
    let checked = state
        .identity()
        .verify_domain(call.scope.organization, &domain.domain, state.names())
        .await;
    match checked {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(IdentityError::DomainTaken) => Err(Failure::new(
            StatusCode::CONFLICT,
            "conflict",
            "another organization has this domain",
        )),
        Err(error) => Err(error.into()),
    }
}

async fn zone(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<Response> {
    let domain = found(&state, &call, &path).await?;
    let records = state
        .identity()
        .domain_records(call.scope.organization, &domain.domain)
        .await?;
    let records: Vec<_> = records.into_iter().map(|checked| checked.record).collect();
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, zone_file(&records)).into_response())
}

async fn setup_link(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<Json<SetupLink>> {
    found(&state, &call, &path).await?;
    Ok(Json(SetupLink { supported: false }))
}
