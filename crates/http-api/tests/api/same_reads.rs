//! How long an answer takes tells nothing of what is somebody else's: whatever a key asks for that it may not see, the same
//! rows are read as for what is nowhere, in the same order, and the answer is the same to the letter. For every operation of
//! every dialect and of our own routes, with keys of another organization, another pod and another inbox.

mod asked;
mod owner;

use crate::setup::{Answer, Api};
use crate::watched::visits;
use asked::{Asked, asked};
use owner::{Owner, narrow, nowhere};
use serde_json::json;
use std::collections::BTreeMap;

async fn ask(api: &Api, asked: &Asked, key: &str, named: &dyn Fn(&str) -> String) -> (Answer, Vec<String>) {
    let (path, body) = asked.filled(named);
    let call = async {
        match (asked.method.as_str(), body) {
            ("POST", Some(body)) => api.post(&path, key, body).await,
            ("PATCH", Some(body)) => api.patch(&path, key, body).await,
            (method, _) => api.any(method, &path, key).await,
        }
    };
    visits(call).await
}

/// What differs between what is somebody else's and what is nowhere.
async fn differences(api: &Api, stranger: &Stranger, victim: &Owner, all: &[Asked]) -> Vec<String> {
    let mut found = Vec::new();
    for asked in all {
        let names = asked.names();
        let Some(first) = names.first() else { continue };
        if stranger.is_in_the_pod && names.iter().any(|name| name == "pod_id" || name == "workspace") {
            continue;
        }
        // Also what is somebody else's below what is one's own.
        let own = stranger.own.get(first).filter(|_| names.len() > 1);
        for own in [None, own].into_iter().take(1 + usize::from(own.is_some())) {
            let pick = |name: &str, other: String| own.filter(|_| name == first).cloned().unwrap_or(other);
            let there = |name: &str| pick(name, victim.named(name, &asked.path));
            let absent = |name: &str| pick(name, nowhere(name));
            // What is kept in memory once it was read is read now.
            ask(api, asked, &stranger.key, &absent).await;
            let (answer, read) = ask(api, asked, &stranger.key, &there).await;
            let (missing, read_then) = ask(api, asked, &stranger.key, &absent).await;
            let what = format!("{}: {} {}", stranger.kind, asked.method, asked.filled(&there).0);
            if (answer.status, &answer.body) != (missing.status, &missing.body) {
                let told = format!(
                    "{} {} for {} {}",
                    answer.status, answer.body, missing.status, missing.body
                );
                found.push(format!("{what} says {told}"));
            }
            if read != read_then {
                found.push(format!("{what} reads {read:?} and not {read_then:?}"));
            }
        }
    }
    found
}

struct Stranger {
    kind: String,
    key: String,
    /// What it may name of its own.
    own: BTreeMap<String, String>,
    /// Whether the pod is no secret to it.
    is_in_the_pod: bool,
}

#[tokio::test]
async fn what_is_anothers_takes_as_long_as_what_is_nowhere() {
    let api = Api::new().await;
    let (victim, foreign) = (Owner::new(&api, "victim").await, Owner::new(&api, "stranger").await);
    let mut strangers = Vec::new();
    for (kind, key) in foreign.keys(&api).await {
        let own = foreign.names.clone();
        let kind = format!("another organization's {kind}");
        strangers.push(Stranger {
            kind,
            key,
            own,
            is_in_the_pod: false,
        });
    }
    let (pod, wk) = api.workspace(&victim.tenant, "other").await;
    let beside = api.inbox(&wk, "beside").await;
    let sibling = api.inbox(&victim.tenant.key, "sibling").await;
    let am = api.organization_key(&victim.tenant.id).await;
    let own = |inbox: &Answer| {
        let (id, address) = (inbox.text("id"), inbox.text("email"));
        let names = [("inbox", id), ("inbox_id", address.clone()), ("address", address)];
        names
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect::<BTreeMap<_, _>>()
    };
    for (kind, key) in narrow(&api, &am, &pod, &sibling.text("email")).await {
        let (whose, own) = match kind {
            "am of a pod" => ("pod", own(&beside)),
            _ => ("inbox", own(&sibling)),
        };
        let kind = format!("another {whose}'s {kind}");
        strangers.push(Stranger {
            kind,
            key,
            own,
            is_in_the_pod: whose == "inbox",
        });
    }
    let wish = json!({ "agent_handle": "brother" });
    let brother = api.post("/api/v1/identities/", &victim.tenant.key, wish).await;
    let wish = json!({ "label": "x", "scoped_identity_id": brother.text("id") });
    let agent = api
        .post("/api/v1/api-keys", &victim.tenant.key, wish)
        .await
        .text("api_key");
    for (kind, key, own) in [
        ("another pod's wk", wk, own(&beside)),
        ("another inbox's ak", sibling.text("apiKey"), own(&sibling)),
        (
            "another agent's ak",
            agent,
            BTreeMap::from([("handle".to_owned(), "brother".to_owned())]),
        ),
    ] {
        strangers.push(Stranger {
            kind: kind.to_owned(),
            key,
            own,
            is_in_the_pod: kind.ends_with("ak"),
        });
    }
    let all = asked(&api).await;
    let mut found = Vec::new();
    for stranger in &strangers {
        found.extend(differences(&api, stranger, &victim, &all).await);
    }
    assert!(found.is_empty(), "{}:\n{}", found.len(), found.join("\n"));
}
