//! `postroom domain …`: with an operator key the domains of the server, else those that the organization brought.

use super::Result;
use super::api::Api;
use super::call::{Call, given};
use super::download;
use super::place::Place;
use super::show::{self, Shown};
use super::table::{DOMAINS, RECORDS, SERVED_DOMAINS};
use crate::cli::client::{DomainVerb, Format};
use serde_json::json;

pub(super) async fn domain(api: &Api, verb: &DomainVerb) -> Result<()> {
    let served = |more: &[&str]| Place::own(&["domains"]).then(more);
    let brought = |more: &[&str]| Place::v0(&["domains"]).then(more);
    let domains = |more: &[&str]| if api.is_operator() { served(more) } else { brought(more) };
    let call = match verb {
        DomainVerb::Add { domain, org, .. } if api.is_operator() => {
            Call::post(served(&[]), given(json!({ "domain": domain, "organization": org })))
        }
        DomainVerb::Add {
            domain,
            pod,
            subdomains,
            ..
        } => {
            let body = given(json!({ "domain": domain, "subdomains_enabled": subdomains.then_some(true) }));
            Call::post(within(pod.as_deref()), body)
        }
        DomainVerb::Ls { .. } if api.is_operator() => Call::get(served(&[])).shown(Shown::Table(&SERVED_DOMAINS)),
        DomainVerb::Ls { pod, paging } => Call::list(within(pod.as_deref()), paging, &DOMAINS),
        DomainVerb::Show { domain } => Call::get(domains(&[domain])),
        DomainVerb::Dns { domain, format } => return records(api, domain, *format).await,
        DomainVerb::Verify { domain } => {
            Call::post(brought(&[domain, "verify"]), json!({})).answer(api).await?;
            Call::get(brought(&[domain]))
        }
        DomainVerb::Update {
            domain,
            subdomains,
            inbound,
            feedback,
        } => {
            let body = given(json!({
                "subdomains_enabled": subdomains,
                "inbound_enabled": inbound,
                "feedback_enabled": feedback,
            }));
            Call::patch(brought(&[domain]), body)
        }
        DomainVerb::RotateDkim { domain, now } => Call::post(served(&[domain, "rotate-dkim"]), json!({ "now": now })),
        DomainVerb::Rm { domain } => Call::delete(domains(&[domain])),
        // With `--off` there is no address, and `null` takes away what is set.
        DomainVerb::CatchAll { domain, address, .. } => Call::patch(served(&[domain]), json!({ "catchAll": address })),
    };
    call.run(api).await
}

fn within(pod: Option<&str>) -> Place {
    let scope = pod.map_or_else(|| Place::v0(&[]), |pod| Place::v0(&["pods", pod]));
    scope.then(&["domains"])
}

/// The DNS records of a domain. To an organization the server also tells which of them it has seen.
async fn records(api: &Api, domain: &str, format: Format) -> Result<()> {
    let json = api.json || matches!(format, Format::Json);
    if api.is_operator() {
        let format = match format {
            _ if json => "json",
            Format::Zone => "zone",
            Format::Text | Format::Json => "text",
        };
        let path = Place::own(&["domains", domain, "dns"]).path()?;
        return download::print_path(api, &format!("{path}?format={format}")).await;
    }
    let brought = Place::v0(&["domains", domain]);
    if matches!(format, Format::Zone) && !json {
        return download::print(api, &brought.then(&["zone-file"])).await;
    }
    let shown = api.get(&brought).await?;
    match json {
        true => show::copy(format!("{shown}\n").as_bytes()),
        false => show::print(api, &shown, &Shown::Table(&RECORDS)),
    }
}
