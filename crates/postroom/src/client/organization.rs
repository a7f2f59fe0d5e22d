//! The life of organizations, for the operator: suspended, limited, had back, exported; and the operator's own inbox.

use super::Result;
use super::api::Api;
use super::call::{Call, given};
use super::download;
use super::failure::Failure;
use super::place::Place;
use super::show::{self, Shown};
use super::table::DELETED_ORGANIZATIONS;
use crate::cli::client::{Limits, OrgVerb};
use reqwest::Method;
use serde_json::json;
use std::fs::File;
use std::path::Path;

fn place(more: &[&str]) -> Place {
    Place::own(&["organizations"]).then(more)
}

/// What an organization is, and what it uses.
pub(super) fn shown(id: &str) -> Call<'static> {
    Call::get(place(&[id]))
}

/// The operator's own inbox, as it is or with these of its secrets anew.
pub(super) fn postmaster(new_key: bool, new_password: bool) -> Call<'static> {
    let inbox = Place::own(&["postmaster"]);
    match new_key || new_password {
        true => {
            let wanted = json!({ "apiKey": new_key, "password": new_password });
            Call::post(inbox.then(&["rotate-credentials"]), wanted)
        }
        false => Call::get(inbox),
    }
}

/// The call of a verb; of the others it is the list.
pub(super) fn life(verb: &OrgVerb) -> Call<'static> {
    match verb {
        OrgVerb::Suspend { id } => Call::post(place(&[id, "suspend"]), json!({})),
        OrgVerb::Resume { id } => Call::post(place(&[id, "resume"]), json!({})),
        OrgVerb::Restore { id } => Call::post(place(&[id, "restore"]), json!({})),
        OrgVerb::Limits(limits) => Call::patch(place(&[&limits.id]), wanted(limits)),
        _ => Call::get(place(&[]))
            .flag("deleted", true)
            .shown(Shown::Table(&DELETED_ORGANIZATIONS)),
    }
}

/// A limit that is taken away is null, one that is not named is not there.
fn wanted(limits: &Limits) -> serde_json::Value {
    let mut body = given(json!({}));
    let named = [
        ("maxInboxes", limits.inboxes.map(|limit| json!(limit))),
        ("maxOctets", limits.octets.map(|limit| json!(limit))),
        ("dailyMessages", limits.daily.map(|limit| json!(limit))),
    ];
    for (name, limit) in named {
        if let Some(limit) = limit {
            body[name] = limit;
        }
    }
    body
}

/// Saves everything of an organization. A file that is not whole does not stay.
pub(super) async fn export(api: &Api, id: &str, file: &Path) -> Result<()> {
    let named = |error: std::io::Error| Failure::failed(format!("{}: {error}", file.display()));
    let path = place(&[id, "export"]).path()?;
    let saved = File::create_new(file).map_err(named)?;
    let copied = async {
        let response = api.answered(api.request(Method::GET, &path)).await?;
        download::copy(response, &saved).await?;
        saved.sync_all().map_err(named)
    };
    if let Err(failure) = copied.await {
        drop(saved);
        // Whoever cannot be rid of it sees by its end that it is no archive.
        let _ = std::fs::remove_file(file);
        return Err(failure);
    }
    let octets = std::fs::metadata(file).map_err(named)?.len();
    show::print(
        api,
        &json!({ "file": file.display().to_string(), "octets": octets }),
        &Shown::Fields,
    )
}
