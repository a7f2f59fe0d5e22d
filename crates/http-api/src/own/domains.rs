//! Mail domains, their DKIM keys and DNS records: for the operator.

use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, invalid};
use crate::model::time;
use crate::request::{Asked, Fields, Segments};
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use postroom_identity::{DkimKeySummary, DnsRecord, DomainRecord, IdentityError, zone_file};
use postroom_message::DkimAlgorithm;
use postroom_types::{Domain, EmailAddress, OrganizationId};
use serde_json::{Value, json};
use std::fmt::Write;

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/domains", get(list).post(add))
        .route("/domains/{domain}", get(show).patch(update).delete(remove))
        .route("/domains/{domain}/dns", get(dns))
        .route("/domains/{domain}/rotate-dkim", post(rotate))
}

/// The domain of the path; what is none names nothing.
fn named(path: &Segments) -> Result<Domain, ApiError> {
    Domain::parse(path.text("domain")?).map_err(|_| ApiError::NotFound)
}

fn view(record: &DomainRecord) -> Value {
    json!({
        "domain": record.domain.to_string(),
        "organization": record.organization.map(|id| id.to_string()),
        "catchAll": record.catch_all.as_ref().map(ToString::to_string),
        "configured": record.configured,
        // One that is only in the configuration was never made.
        "createdAt": Some(record.created_at).filter(|at| *at != 0).map(time),
        "dkimKeys": record.keys.iter().map(key).collect::<Vec<_>>(),
    })
}

fn key(key: &DkimKeySummary) -> Value {
    json!({
        "selector": key.selector,
        "algorithm": match key.algorithm {
            DkimAlgorithm::RsaSha256 => "rsa-sha256",
            DkimAlgorithm::Ed25519Sha256 => "ed25519-sha256",
        },
        "stage": key.stage.as_str(),
        "publishedAt": time(key.published_at),
        "signsFrom": time(key.signs_from),
        "supersededAt": key.superseded_at.map(time),
    })
}

async fn list(Shared(state): Shared<State>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let domains = state.identity().domains().await?;
    Ok(Json(json!({ "domains": domains.iter().map(view).collect::<Vec<_>>() })))
}

async fn add(
    Shared(state): Shared<State>,
    caller: Caller,
    fields: Result<Fields, ApiError>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    caller.operator()?;
    let mut fields = fields?;
    let domain = Domain::parse(&fields.required_text("domain")?).map_err(|_| invalid("domain is not a domain"))?;
    let organization = fields.text("organization")?.map(|id| {
        let id: Result<OrganizationId, _> = id.parse();
        id.map_err(|_| IdentityError::NoSuchOrganization)
    });
    fields.finish()?;
    let added = state.identity().add_domain(&domain, organization.transpose()?).await?;
    Ok((StatusCode::CREATED, Json(view(&added))))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    Ok(Json(view(&state.identity().domain(&named(&path)?).await?)))
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let (domain, mut fields) = (named(&path)?, fields?);
    let catch_all = fields.change("catchAll", Fields::text)?;
    fields.finish()?;
    let record = match catch_all {
        None => state.identity().domain(&domain).await?,
        Some(text) => {
            let address = text.map(|text| EmailAddress::parse(&text)).transpose();
            let address = address.map_err(|_| invalid("catchAll must be an address or null"))?;
            let set = state.identity().set_catch_all(&domain, address.as_ref()).await;
            set.map_err(|error| match error {
                // The route is there; it is what was sent that names nobody.
                IdentityError::NoSuchInbox => invalid("catchAll must be an address of an inbox that may have it"),
                error => error.into(),
            })?
        }
    };
    Ok(Json(view(&record)))
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let domain = named(&path)?;
    state.identity().remove_domain(&domain).await?;
    Ok(Json(json!({ "deleted": true, "domain": domain.to_string() })))
}

async fn rotate(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    let (domain, mut fields) = (named(&path)?, fields?);
    let now = fields.flag("now")?.unwrap_or(false);
    fields.finish()?;
    let keys = state.identity().rotate_dkim(&domain, now).await?;
    let keys: Vec<Value> = keys.iter().map(key).collect();
    Ok(Json(json!({ "domain": domain.to_string(), "dkimKeys": keys })))
}

async fn dns(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    asked: Result<Asked, ApiError>,
) -> Result<Response, ApiError> {
    caller.operator()?;
    let (domain, asked) = (named(&path)?, asked?);
    let format = asked.text("format")?.unwrap_or("json");
    let shown: fn(&[DnsRecord]) -> String = match format {
        "json" => {
            let records = state.identity().dns_records(&domain).await?;
            let records: Vec<Value> = records.iter().map(record).collect();
            let answer = json!({ "domain": domain.to_string(), "records": records });
            return Ok(Json(answer).into_response());
        }
        "text" => text,
        "zone" => zone_file,
        _ => return Err(invalid("format is json, text or zone")),
    };
    let records = state.identity().dns_records(&domain).await?;
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, shown(&records)).into_response())
}

fn record(record: &DnsRecord) -> Value {
    json!({
        "type": record.kind,
        "name": record.name,
        "value": record.value,
        "priority": record.priority,
        "purpose": record.purpose,
    })
}

/// For people who type records into a form: what it is for, then each field on a line of its own.
fn text(records: &[DnsRecord]) -> String {
    let mut text = String::new();
    for record in records {
        let priority = record.priority.map(|priority| format!("\n  priority  {priority}"));
        writeln!(
            text,
            "{}\n  type      {}\n  name      {}{}\n  value     {}\n",
            record.purpose,
            record.kind,
            record.name,
            priority.unwrap_or_default(),
            record.value
        )
        .expect("writing to a String does not fail");
    }
    text
}
