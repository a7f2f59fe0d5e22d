//! `postroom domain …`

use super::api::Api;
use super::{given, show};
use crate::Outcome;
use crate::cli::{ApiArgs, DomainVerb, Format};
use serde_json::json;

pub(crate) async fn domain(args: &ApiArgs, verb: &DomainVerb) -> Outcome<()> {
    let api = Api::new(args)?;
    let path = |domain: &str| format!("/postroom/v1/domains/{}", Api::segment(domain));
    let answer = match verb {
        DomainVerb::Add { domain, org } => {
            let body = given(&json!({ "domain": domain, "organization": org }));
            api.post("/postroom/v1/domains", &body).await?
        }
        DomainVerb::List => api.get("/postroom/v1/domains").await?,
        DomainVerb::Show { domain } => api.get(&path(domain)).await?,
        DomainVerb::Dns { domain, format } => {
            let format = match format {
                Format::Json => "json",
                Format::Text if args.json => "json",
                Format::Text => "text",
                Format::Zone => "zone",
            };
            return show::copy(&api.octets(&format!("{}/dns?format={format}", path(domain))).await?);
        }
        DomainVerb::RotateDkim { domain, now } => {
            api.post(&format!("{}/rotate-dkim", path(domain)), &json!({ "now": now }))
                .await?
        }
        DomainVerb::Remove { domain } => api.delete(&path(domain)).await?,
        // With `--off` there is no address, and `null` takes away what is set.
        DomainVerb::CatchAll { domain, address, .. } => {
            api.patch(&path(domain), &json!({ "catchAll": address })).await?
        }
    };
    show::print(
        &answer,
        args.json,
        "domains",
        &["domain", "organization", "catchAll", "createdAt"],
    )
}
