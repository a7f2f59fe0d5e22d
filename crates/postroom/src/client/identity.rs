//! `postroom identity …`

use super::Result;
use super::api::Api;
use super::call::{Call, given};
use super::failure::Failure;
use super::place::Place;
use super::show::{self, Shown, items};
use super::table::{ACCESS, AGENT_KEYS, ALL_RULES, IDENTITIES, RULES};
use crate::cli::client::{AgentKeyVerb, ChangedIdentity, IdentityVerb, NewIdentity, RuleVerb, SignatureChange};
use postroom_types::IdentityId;
use serde_json::{Map, Value, json};

/// What an identity is, without the channels that this server does not have.
const IDENTITY: Shown = Shown::Chosen(&[
    "id",
    "agent_handle",
    "email_address",
    "display_name",
    "description",
    "status",
    "mail_inbound_filter_mode",
    "mail_outbound_filter_mode",
    "signing_key_configured",
    "created_at",
    "updated_at",
]);

const SIGNATURE: Shown = Shown::Chosen(&["email_address", "signature_enabled", "signature_text", "signature_html"]);

fn identities(more: &[&str]) -> Place {
    Place::inkbox(&["identities"]).then(more)
}

pub(super) async fn identity(api: &Api, verb: &IdentityVerb) -> Result<()> {
    // The one of them that is the operator's too.
    if !matches!(verb, IdentityVerb::Give { .. }) {
        api.for_agents()?;
    }
    let call = match verb {
        IdentityVerb::Create(wanted) => create(wanted),
        IdentityVerb::Give {
            inbox,
            handle,
            description,
        } => {
            let body = given(json!({ "handle": handle, "description": description }));
            Call::post(Place::own(&["inboxes", inbox, "identity"]), body)
        }
        IdentityVerb::Ls => Call::bare_list(identities(&[]), &IDENTITIES),
        IdentityVerb::Show { handle } => Call::get(identities(&[handle])).shown(IDENTITY),
        IdentityVerb::Update(changed) => update(changed)?,
        IdentityVerb::Pause { handle } => status(handle, "paused"),
        IdentityVerb::Resume { handle } => status(handle, "active"),
        IdentityVerb::Rm { handle } => Call::delete(identities(&[handle])),
        IdentityVerb::Access { handle } => return access(api, handle).await,
        IdentityVerb::Grant { handle, viewer, .. } => {
            // Nobody in particular is everybody.
            let viewer = match viewer {
                Some(viewer) => Some(id_of(api, viewer).await?),
                None => None,
            };
            Call::post(identities(&[handle, "access"]), json!({ "viewer_identity_id": viewer }))
        }
        IdentityVerb::Revoke { handle, viewer } => {
            Call::delete(identities(&[handle, "access", &id_of(api, viewer).await?]))
        }
        IdentityVerb::Rule { verb } => rule(verb),
        IdentityVerb::Signature(changed) => signature(api, changed).await?,
        IdentityVerb::Key { verb } => key(api, verb).await?,
        IdentityVerb::SigningKey { handle, rotate: true } => {
            Call::post(identities(&[handle, "signing-key"]), json!({}))
        }
        IdentityVerb::SigningKey { handle, rotate: false } => Call::get(identities(&[handle, "signing-key"])),
    };
    call.run(api).await
}

fn create(wanted: &NewIdentity) -> Call<'static> {
    let mut mailbox = given(json!({ "email_local_part": wanted.local_part, "sending_domain": wanted.domain }));
    if wanted.server_domain {
        mailbox["sending_domain"] = Value::Null;
    }
    let mut body = given(json!({
        "agent_handle": wanted.handle,
        "display_name": wanted.display_name,
        "description": wanted.description,
    }));
    body["mailbox"] = mailbox;
    Call::post(identities(&[]), body).shown(IDENTITY)
}

fn update<'a>(changed: &ChangedIdentity) -> Result<Call<'a>> {
    let mut body = Map::new();
    for (name, value) in [
        ("agent_handle", &changed.rename),
        ("mail_inbound_filter_mode", &changed.inbound),
        ("mail_outbound_filter_mode", &changed.outbound),
    ] {
        body.extend(value.as_deref().map(|value| (name.to_owned(), value.into())));
    }
    body.extend(taken_away_if_empty("display_name", changed.display_name.as_deref()));
    body.extend(taken_away_if_empty("description", changed.description.as_deref()));
    match body.is_empty() {
        true => Err(Failure::usage("say what to change")),
        false => Ok(Call::patch(identities(&[&changed.handle]), body.into()).shown(IDENTITY)),
    }
}

/// A field of a change; `null` takes away what is there.
fn taken_away_if_empty(name: &str, value: Option<&str>) -> Option<(String, Value)> {
    let value = value.map(|value| if value.is_empty() { Value::Null } else { value.into() });
    value.map(|value| (name.to_owned(), value))
}

/// The signature is its mailbox's, which is called by its address.
async fn signature(api: &Api, changed: &SignatureChange) -> Result<Call<'static>> {
    let found = api.get(&identities(&[&changed.handle])).await?;
    let address = found["email_address"].as_str();
    let address = address.ok_or_else(|| Failure::failed("the answer has no email_address"))?;
    let mailbox = Place::inkbox(&["mail", "mailboxes", address]);
    let mut body = Map::new();
    body.extend(taken_away_if_empty("signature_text", changed.text.as_deref()));
    body.extend(taken_away_if_empty("signature_html", changed.html.as_deref()));
    if changed.enable || changed.disable {
        body.insert("signature_enabled".to_owned(), changed.enable.into());
    }
    let call = match body.is_empty() {
        true => Call::get(mailbox),
        false => Call::patch(mailbox, body.into()),
    };
    Ok(call.shown(SIGNATURE))
}

fn status(handle: &str, status: &str) -> Call<'static> {
    Call::patch(identities(&[handle]), json!({ "status": status })).shown(IDENTITY)
}

/// The id of an identity that is called by it or by its handle.
async fn id_of(api: &Api, name: &str) -> Result<String> {
    if name.parse::<IdentityId>().is_ok() {
        return Ok(name.to_owned());
    }
    let found = api.get(&identities(&[name])).await?;
    let id = found["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| Failure::failed("the answer has no id"))
}

/// Who may find an identity: for people by their handles, which the answer does not have.
async fn access(api: &Api, handle: &str) -> Result<()> {
    let mut answer = Call::bare_list(identities(&[handle, "access"]), &ACCESS)
        .answer(api)
        .await?;
    if !api.json {
        let all = Call::bare_list(identities(&[]), &IDENTITIES).answer(api).await?;
        for row in answer["access"].as_array_mut().into_iter().flatten() {
            let viewer = row["viewer_identity_id"].clone();
            let known = items(&all["identities"]).iter().find(|one| one["id"] == viewer);
            row["viewer"] = match (&viewer, known) {
                (Value::Null, _) => "everybody".into(),
                (_, Some(known)) => known["agent_handle"].clone(),
                (_, None) => Value::Null,
            };
        }
    }
    show::print(api, &answer, &Shown::Table(&ACCESS))
}

fn rule(verb: &RuleVerb) -> Call<'static> {
    let rules = |handle: &str| identities(&[handle, "mail-contact-rules"]);
    match verb {
        RuleVerb::Add {
            handle,
            action,
            target,
            direction,
            paused,
        } => {
            let match_type = if target.contains('@') { "exact_email" } else { "domain" };
            let body = json!({
                "action": action,
                "match_type": match_type,
                "match_target": target,
                "direction": direction,
                "status": if *paused { "paused" } else { "active" },
            });
            Call::post(rules(handle), body)
        }
        RuleVerb::Ls {
            handle,
            action,
            direction,
            limit,
            offset,
            page,
        } => {
            let call = match handle {
                Some(handle) => Call::bare_list(rules(handle), &RULES),
                None => Call::bare_list(Place::inkbox(&["mail", "contact-rules"]), &ALL_RULES),
            };
            call.asks("action", action)
                .asks("direction", direction)
                .asks("limit", [limit])
                .asks("offset", offset)
                .asks("cursor", page)
        }
        RuleVerb::Show { handle, id } => Call::get(rules(handle).then(&[id])),
        RuleVerb::Update {
            handle,
            id,
            action,
            direction,
            pause,
            resume,
        } => {
            let status = (*pause || *resume).then_some(if *pause { "paused" } else { "active" });
            let body = given(json!({ "action": action, "direction": direction, "status": status }));
            Call::patch(rules(handle).then(&[id]), body)
        }
        RuleVerb::Rm { handle, id } => Call::delete(rules(handle).then(&[id])),
    }
}

async fn key<'a>(api: &Api, verb: &'a AgentKeyVerb) -> Result<Call<'a>> {
    let keys = || Place::inkbox(&["api-keys"]);
    Ok(match verb {
        AgentKeyVerb::Create {
            handle,
            label,
            description,
        } => {
            let body = json!({
                "label": label,
                "description": description,
                "scoped_identity_id": id_of(api, handle).await?,
            });
            Call::post(keys(), given(body))
        }
        AgentKeyVerb::Ls(paging) => Call::cursor_list(keys(), paging, &AGENT_KEYS),
        AgentKeyVerb::Rm { id } => Call::delete(keys().then(&[id])),
    })
}

#[cfg(test)]
mod tests {
    use super::super::stub::{Stub, whole};
    use super::*;

    #[tokio::test]
    async fn a_viewer_has_a_handle_or_an_id() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let stub = Stub::new(vec![(
            "get /api/v1/identities/ranger",
            200,
            whole(format!(r#"{{"id":"{id}"}}"#)),
        )])
        .await;
        for name in ["ranger", id] {
            assert_eq!(id_of(&stub.api, name).await.ok().as_deref(), Some(id));
        }
        assert!(id_of(&stub.api, "nobody").await.is_err());
        assert_eq!(stub.asked().len(), 2);
    }
}
