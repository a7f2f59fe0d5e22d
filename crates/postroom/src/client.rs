//! Commands that talk to a running server over its HTTP API.

mod api;
mod show;

use crate::Outcome;
use crate::cli::{ApiArgs, InboxVerb, MessageVerb, OrgVerb};
use api::Api;
use serde_json::json;

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

/// `postroom inbox …`
pub(crate) async fn inbox(args: &ApiArgs, verb: &InboxVerb) -> Outcome<()> {
    let api = Api::new(args)?;
    let answer = match verb {
        InboxVerb::Create {
            name,
            domain,
            display_name,
            strict,
        } => {
            let body = json!({ "username": name, "domain": domain, "displayName": display_name });
            let body = body.as_object().expect("built as an object");
            let given: serde_json::Map<_, _> = body
                .iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            api.post(&format!("/v1/inboxes?strict={strict}"), &given.into()).await?
        }
        InboxVerb::List => api.get("/v1/inboxes").await?,
        InboxVerb::Show { inbox } => api.get(&api.inbox_path(inbox).await?).await?,
        InboxVerb::Delete { inbox } => api.delete(&api.inbox_path(inbox).await?).await?,
        InboxVerb::Rotate { inbox } => {
            api.post(
                &format!("{}/rotate-credentials", api.inbox_path(inbox).await?),
                &json!({}),
            )
            .await?
        }
    };
    show::print(
        &answer,
        args.json,
        "inboxes",
        &["id", "email", "displayName", "createdAt"],
    )
}

/// `postroom message …`
pub(crate) async fn message(args: &ApiArgs, verb: &MessageVerb) -> Outcome<()> {
    let api = Api::new(args)?;
    let answer = match verb {
        MessageVerb::List { inbox, limit, offset } => {
            api.get(&format!(
                "{}/messages?limit={limit}&offset={offset}",
                api.inbox_path(inbox).await?
            ))
            .await?
        }
        MessageVerb::Show { inbox, id } => {
            api.get(&format!("{}/messages/{id}", api.inbox_path(inbox).await?))
                .await?
        }
        MessageVerb::Delete { inbox, id } => {
            api.delete(&format!("{}/messages/{id}", api.inbox_path(inbox).await?))
                .await?
        }
    };
    show::print(&answer, args.json, "messages", &["id", "receivedAt", "from", "subject"])
}
