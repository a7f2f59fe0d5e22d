//! `postroom inbox …`

use super::api::Api;
use super::{given, show};
use crate::Outcome;
use crate::cli::{AliasVerb, ApiArgs, InboxVerb, Switch};
use serde_json::{Value, json};

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
            api.post(&format!("/v1/inboxes?strict={strict}"), &given(&body)).await?
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
        // With `--off` there is no address, and `null` takes away what is set.
        InboxVerb::Forward { inbox, address, .. } => {
            let path = api.own_inbox_path(inbox).await?;
            api.patch(&path, &json!({ "forwardTo": address })).await?
        }
        InboxVerb::Alias { verb } => alias(&api, verb).await?,
        InboxVerb::Pause(switch) => pause(&api, switch, true).await?,
        InboxVerb::Resume(switch) => pause(&api, switch, false).await?,
    };
    show::print(
        &answer,
        args.json,
        "inboxes",
        &["id", "email", "displayName", "createdAt"],
    )
}

async fn alias(api: &Api, verb: &AliasVerb) -> Outcome<Value> {
    match verb {
        AliasVerb::Add {
            inbox,
            address,
            primary,
        } => {
            let path = format!("{}/addresses", api.inbox_path(inbox).await?);
            api.post(&path, &json!({ "email": address, "primary": primary })).await
        }
        AliasVerb::Remove { inbox, address } => {
            let path = api.inbox_path(inbox).await?;
            api.delete(&format!("{path}/addresses/{}", Api::segment(address))).await
        }
    }
}

async fn pause(api: &Api, switch: &Switch, paused: bool) -> Outcome<Value> {
    let path = api.own_inbox_path(&switch.inbox).await?;
    let wanted = |other: bool| (!other).then_some(paused);
    let body = json!({ "sendPaused": wanted(switch.receiving), "receivePaused": wanted(switch.sending) });
    api.patch(&path, &given(&body)).await
}
