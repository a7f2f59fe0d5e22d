//! `postroom inbox …`

use super::Result;
use super::api::Api;
use super::call::{Call, given, pairs};
use super::place::Place;
use super::table::{INBOXES, LABEL_EVENTS};
use crate::cli::client::{AliasVerb, InboxVerb, NewInbox, Switch};
use serde_json::{Value, json};

pub(super) async fn inbox(api: &Api, verb: &InboxVerb) -> Result<()> {
    let call = match verb {
        InboxVerb::Create(wanted) => create(api, wanted)?,
        InboxVerb::Ls { pod, paging } => Call::list(inboxes(pod.as_deref()), paging, &INBOXES),
        InboxVerb::Search { query, pod, paging } => {
            Call::list(inboxes(pod.as_deref()).then(&["search"]), paging, &INBOXES).asks("q", [query])
        }
        // Only the one tells its further addresses, and only the other is open to such a key.
        InboxVerb::Show { inbox } if api.is_agentmail() => Call::get(api.inbox(inbox).await?),
        InboxVerb::Show { inbox } => Call::get(provisioned(api, inbox).await?),
        InboxVerb::Update {
            inbox,
            display_name,
            metadata,
        } => {
            let mut metadata = pairs(metadata, '=')?;
            for value in metadata.values_mut().filter(|value| *value == "") {
                *value = Value::Null;
            }
            let body = given(json!({ "display_name": display_name, "metadata": metadata }));
            Call::patch(api.inbox(inbox).await?, body)
        }
        InboxVerb::Rm { inbox } => Call::delete(api.inbox(inbox).await?),
        InboxVerb::Events { inbox, paging } => {
            Call::list(api.inbox(inbox).await?.then(&["events"]), paging, &LABEL_EVENTS)
        }
        InboxVerb::Rotate { inbox } => {
            Call::post(provisioned(api, inbox).await?.then(&["rotate-credentials"]), json!({}))
        }
        // With `--off` there is no address, and `null` takes away what is set.
        InboxVerb::Forward { inbox, address, .. } => {
            Call::patch(own(api, inbox).await?, json!({ "forwardTo": address }))
        }
        InboxVerb::Alias { verb } => alias(api, verb).await?,
        InboxVerb::Pause(switch) => pause(api, switch, true).await?,
        InboxVerb::Resume(switch) => pause(api, switch, false).await?,
    };
    call.run(api).await
}

fn inboxes(pod: Option<&str>) -> Place {
    let scope = pod.map_or_else(|| Place::v0(&[]), |pod| Place::v0(&["pods", pod]));
    scope.then(&["inboxes"])
}

/// The inbox where passwords and further addresses are.
async fn provisioned(api: &Api, inbox: &str) -> Result<Place> {
    Ok(Place::v1(&["inboxes", &api.inbox_id(inbox).await?]))
}

/// The inbox among our own routes.
async fn own(api: &Api, inbox: &str) -> Result<Place> {
    Ok(Place::own(&["inboxes", &api.inbox_id(inbox).await?]))
}

/// With a key that provisions an inbox comes with its password; where the AgentMail API is asked for what only it knows,
/// or by a key of its own, it comes without.
fn create<'a>(api: &Api, wanted: &NewInbox) -> Result<Call<'a>> {
    let (name, domain, display_name) = (&wanted.name, &wanted.domain, &wanted.display_name);
    if api.provisions() && wanted.client_id.is_none() && wanted.metadata.is_empty() {
        let body =
            json!({ "username": name, "domain": domain, "displayName": display_name, "workspaceId": wanted.pod });
        return Ok(Call::post(Place::v1(&["inboxes"]), given(body)).asks("strict", [wanted.strict]));
    }
    let body = given(json!({
        "username": name,
        "domain": domain,
        "display_name": display_name,
        "client_id": wanted.client_id,
        "metadata": pairs(&wanted.metadata, '=')?,
    }));
    Ok(Call::post(inboxes(wanted.pod.as_deref()), body))
}

async fn alias<'a>(api: &Api, verb: &AliasVerb) -> Result<Call<'a>> {
    Ok(match verb {
        AliasVerb::Add {
            inbox,
            address,
            primary,
        } => {
            let addresses = provisioned(api, inbox).await?.then(&["addresses"]);
            Call::post(addresses, json!({ "email": address, "primary": primary }))
        }
        AliasVerb::Rm { inbox, address } => Call::delete(provisioned(api, inbox).await?.then(&["addresses", address])),
    })
}

async fn pause<'a>(api: &Api, switch: &Switch, paused: bool) -> Result<Call<'a>> {
    if api.is_agentmail() && !switch.sending && !switch.receiving {
        let status = if paused { "paused" } else { "active" };
        return Ok(Call::patch(
            api.inbox(&switch.inbox).await?,
            json!({ "status": status }),
        ));
    }
    let wanted = |other: bool| (!other).then_some(paused);
    let body = json!({ "sendPaused": wanted(switch.receiving), "receivePaused": wanted(switch.sending) });
    Ok(Call::patch(own(api, &switch.inbox).await?, given(body)))
}
