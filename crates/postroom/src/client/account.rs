//! `postroom org …`, `pod …`, `key …`, `agent …` and `whoami`.

use super::Result;
use super::api::Api;
use super::call::{Call, given};
use super::organization;
use super::place::Place;
use super::show::{self, Shown};
use super::table::{KEYS, ORGANIZATIONS, PODS};
use crate::cli::client::{AgentVerb, KeyVerb, OrgVerb, PodVerb};
use serde_json::{Map, Value, json};

pub(super) async fn org(api: &Api, verb: &OrgVerb) -> Result<()> {
    let tenants = |more: &[&str]| Place::v1(&["tenants"]).then(more);
    let call = match verb {
        OrgVerb::Create { name, max_inboxes } => {
            Call::post(tenants(&[]), json!({ "name": name, "maxInboxes": max_inboxes }))
        }
        OrgVerb::Ls { deleted: false } => Call::get(tenants(&[])).shown(Shown::Table(&ORGANIZATIONS)),
        OrgVerb::Show { id: Some(id) } => organization::shown(id),
        OrgVerb::Show { id: None } => Call::get(Place::v0(&["organizations"])),
        OrgVerb::Rm { id } => Call::delete(tenants(&[id])),
        OrgVerb::Postmaster { new_key, new_password } => organization::postmaster(*new_key, *new_password),
        OrgVerb::Export { id, file } => return organization::export(api, id, file).await,
        OrgVerb::Ls { deleted: true }
        | OrgVerb::Suspend { .. }
        | OrgVerb::Resume { .. }
        | OrgVerb::Limits(_)
        | OrgVerb::Restore { .. } => organization::life(verb),
    };
    call.run(api).await
}

pub(super) async fn pod(api: &Api, verb: &PodVerb) -> Result<()> {
    let pods = |more: &[&str]| Place::v0(&["pods"]).then(more);
    let call = match verb {
        PodVerb::Create { name, client_id } => {
            Call::post(pods(&[]), given(json!({ "name": name, "client_id": client_id })))
        }
        PodVerb::Ls(paging) => Call::list(pods(&[]), paging, &PODS),
        PodVerb::Show { pod } => Call::get(pods(&[pod])),
        PodVerb::Rm { pod } => Call::delete(pods(&[pod])),
    };
    call.run(api).await
}

pub(super) async fn key(api: &Api, verb: &KeyVerb) -> Result<()> {
    let one = |id: &str| Place::v0(&["api-keys", id]);
    let call = match verb {
        KeyVerb::Create {
            name,
            within,
            allow,
            expires_at,
        } => {
            let permissions = permissions(&allow.allow);
            let body = given(json!({ "name": name, "permissions": permissions, "expires_at": expires_at }));
            Call::post(api.within(within).await?.then(&["api-keys"]), body)
        }
        KeyVerb::Ls { within, paging } => Call::list(api.within(within).await?.then(&["api-keys"]), paging, &KEYS),
        KeyVerb::Show { id } => Call::get(one(id)),
        KeyVerb::Update {
            id,
            name,
            allow,
            unrestricted,
        } => {
            let mut body = given(json!({ "name": name, "permissions": permissions(&allow.allow) }));
            if *unrestricted {
                // Without a whitelist a key may do everything.
                body["permissions"] = Value::Null;
            }
            Call::patch(one(id), body)
        }
        KeyVerb::Rm { id } => Call::delete(one(id)),
    };
    call.run(api).await
}

fn permissions(allowed: &[String]) -> Map<String, Value> {
    allowed.iter().map(|name| (name.clone(), true.into())).collect()
}

pub(super) async fn agent(api: &Api, verb: &AgentVerb) -> Result<()> {
    let agent = |what| Place::v0(&["agent", what]);
    let call = match verb {
        AgentVerb::SignUp { username, human } => Call::post(
            agent("sign-up"),
            given(json!({ "username": username, "human_email": human })),
        ),
        AgentVerb::Verify { code } => Call::post(agent("verify"), json!({ "otp_code": code })),
        AgentVerb::Human { address } => Call::post(agent("human"), json!({ "human_email": address })),
    };
    call.run(api).await
}

pub(super) async fn whoami(api: &Api) -> Result<()> {
    if !api.is_operator() {
        return Call::get(Place::v0(&["auth", "me"])).run(api).await;
    }
    // The operator is of no organization; that the key opens what is the operator's alone tells who it is.
    api.get(&Place::own(&["domains"])).await?;
    show::print(api, &json!({ "scope_type": "operator" }), &Shown::Fields)
}
