//! Commands that talk to a running server over its HTTP API.

mod api;
mod domain;
mod history;
mod inbox;
mod message;
mod queue;
mod show;

pub(crate) use domain::domain;
pub(crate) use inbox::inbox;
pub(crate) use message::message;
pub(crate) use queue::queue;

use crate::Outcome;
use crate::cli::{ApiArgs, OrgVerb};
use api::Api;
use serde_json::{Value, json};

/// `postroom org …`
pub(crate) async fn org(args: &ApiArgs, verb: &OrgVerb) -> Outcome<()> {
    let api = Api::new(args)?;
    let answer = match verb {
        OrgVerb::Create { name, max_inboxes } => {
            api.post("/v1/tenants", &json!({ "name": name, "maxInboxes": max_inboxes }))
                .await?
        }
        OrgVerb::List => api.get("/v1/tenants").await?,
        OrgVerb::Show { id } => api.get(&format!("/v1/tenants/{id}")).await?,
        OrgVerb::Delete { id } => api.delete(&format!("/v1/tenants/{id}")).await?,
    };
    show::print(
        &answer,
        args.json,
        "tenants",
        &["id", "name", "maxInboxes", "createdAt"],
    )
}

/// A JSON object without the fields that were not given.
fn given(body: &Value) -> Value {
    let fields = body.as_object().into_iter().flatten();
    let kept = fields.filter(|(_, value)| !value.is_null());
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}
