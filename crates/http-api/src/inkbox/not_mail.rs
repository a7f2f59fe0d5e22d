//! Parts of the vendor's system that are not mail (inkbox.md §11): 501 after the key was looked at, so that clients tell
//! "not here" from "not yours" and from "try again".

use super::call::{Admission, admit};
use super::failure::Failure;
use super::operations::Who;
use crate::State;
use crate::auth::Needs;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::any;

/// What each area is called and said of it, and its paths; whatever is below one belongs to it too.
pub(crate) const AREAS: &[(&str, &str, &[&str])] = &[
    (
        "phone",
        "This server has no phone numbers, calls or text messages.",
        &[
            "/v1/phone",
            "/v1/identities/{handle}/phone_number",
            "/v1/identities/{handle}/phone-contact-rules",
        ],
    ),
    (
        "imessage",
        "This server has no iMessage.",
        &["/v1/imessage", "/v1/identities/{handle}/imessage-contact-rules"],
    ),
    ("tunnels", "This server has no tunnels.", &["/v1/tunnels"]),
    ("vault", "This server has no vault.", &["/v1/vault"]),
    (
        "slack",
        "This server has no Slack.",
        &["/v1/slack", "/v1/identities/{handle}/slack-contact-rules"],
    ),
    (
        "companion",
        "This server has no companion mode.",
        &["/v1/identities/{handle}/companion"],
    ),
    (
        "a2a",
        "This server has no messages between agents but mail.",
        &["/v1/a2a", "/v1/identities/a2a", "/v1/identities/{handle}/a2a"],
    ),
    (
        "contacts",
        "This server keeps no contacts.",
        &[
            "/v1/contacts",
            "/v1/identities/{handle}/contacts",
            "/v1/identities/{handle}/contact-communication-policies",
            "/v1/identities/{handle}/contact-permissions",
        ],
    ),
    ("notes", "This server keeps no notes.", &["/v1/notes"]),
    (
        "organization_domains",
        "This server has no claims of organizations to domains in this API.",
        &["/v1/organization-domains", "/v1/identities/{handle}/domain-affiliation"],
    ),
    (
        "agent_signup",
        "Agents do not sign themselves up over this API.",
        &["/v1/agent-signup"],
    ),
];

pub(super) fn routes(state: &State) -> Router<State> {
    let areas = AREAS
        .iter()
        .flat_map(|(feature, text, paths)| paths.iter().map(move |path| (feature, text, path)));
    areas.fold(Router::new(), |router, (feature, text, path)| {
        router.merge(refused(state, feature, text, path))
    })
}

/// What the vendor has beside its API.
pub(super) fn outside(state: &State) -> Router<State> {
    refused(state, "a2a", "This server has no directory of agents.", "/a2a")
}

/// A path and all below it.
fn refused(state: &State, feature: &'static str, text: &'static str, path: &str) -> Router<State> {
    let admission = Admission {
        state: state.clone(),
        who: Who::Agent,
        needs: Needs::NOTHING,
        id: feature,
    };
    let refuse = any(async move || Failure::not_supported(feature, text));
    let refuse = refuse.layer(from_fn_with_state(admission, admit));
    ["", "/", "/{*rest}"].into_iter().fold(Router::new(), |router, form| {
        router.route(&format!("{path}{form}"), refuse.clone())
    })
}
