//! Every operation of the MyAgentMail dialect with every kind of key, dead keys, and keys of others. The operations come
//! from the table that the routes are made from, so that none can be left out.

use crate::myagentmail_tree::{SECRET, Tree, made};
use crate::setup::{Answer, Api};
use axum::http::StatusCode;
use postroom_http_api::{MyAgentMailOperation, myagentmail_operations};
use postroom_identity::{KeyKind, KeyScope};
use serde_json::{Value, json};

/// What would do something to whoever's it is, whichever operation it is sent to.
pub(crate) fn body() -> Value {
    json!({
        "name": "stolen", "username": "stolen", "displayName": "stolen", "email": "stolen-too@example.test",
        "domain": "stolen.test", "to": "stolen@far.test", "subject": "stolen", "plainBody": "stolen", "isRead": true,
        "isStarred": true, "isArchived": true, "url": "http://127.0.0.1:9/stolen", "events": ["message.sent"],
        "isActive": false,
    })
}

async fn call(api: &Api, method: &str, path: &str, key: &str) -> Answer {
    match method {
        "GET" => api.get(path, key).await,
        "POST" => api.post(path, key, body()).await,
        "PATCH" => api.patch(path, key, body()).await,
        "DELETE" => api.delete(path, key).await,
        other => panic!("{other}"),
    }
}

fn methods(operation: &MyAgentMailOperation) -> Vec<&'static str> {
    operation
        .method
        .map_or_else(|| vec!["GET", "POST", "DELETE"], |method| vec![method])
}

#[test]
fn the_table_has_the_contract() {
    let all: Vec<_> = myagentmail_operations().collect();
    assert!(all.len() > 45, "{}", all.len());
    for wanted in [
        "/me",
        "/ws",
        "/domains/{domain}/verify",
        "/inboxes/{inbox}/drafts/{draft}/send",
    ] {
        assert!(all.iter().any(|operation| operation.path == wanted), "{wanted}");
    }
}

#[tokio::test]
async fn keys_of_the_wrong_kind_and_dead_keys() {
    let api = Api::new().await;
    let tree = Tree::plant(&api, "own").await;
    let organization = tree.tenant.id.parse().unwrap();
    let (pod, inbox) = (tree.workspace.parse().unwrap(), tree.inbox.parse().unwrap());
    let am = async |scope| {
        let key = api.identity.create_key(&scope, None).await.unwrap();
        key.secret.expose().clone()
    };
    let keys = [
        (KeyKind::Operator, api.operator.clone()),
        (KeyKind::Tenant, tree.tenant.key.clone()),
        (KeyKind::Pod, tree.wk.clone()),
        (KeyKind::Inbox, tree.ak.clone()),
        (KeyKind::Organization, am(KeyScope::Organization(organization)).await),
        (KeyKind::AgentPod, am(KeyScope::AgentPod(organization, pod)).await),
        (
            KeyKind::AgentInbox,
            am(KeyScope::AgentInbox(organization, pod, inbox)).await,
        ),
    ];
    let gone = Tree::plant(&api, "gone").await;
    api.delete(&format!("/v1/tenants/{}", gone.tenant.id), &api.operator)
        .await
        .expect(StatusCode::OK);
    let before = tree.seen(&api).await;
    for operation in myagentmail_operations() {
        for method in methods(&operation) {
            let path = tree.path(&operation);
            for (kind, key) in &keys {
                if !operation.who.contains(kind) {
                    call(&api, method, &path, key).await.refused(403, "FORBIDDEN");
                } else if method == "GET" && !operation.path.ends_with("/verify") {
                    // The door is open, and what the path names is there.
                    let answer = api.get(&path, key).await;
                    let expected = match operation.path {
                        "/ws" => 426,
                        path if path.contains("/linkedin") || path.contains("/lists") => 501,
                        _ => 200,
                    };
                    assert_eq!(answer.status, expected, "{kind:?} {path}: {}", answer.body);
                }
            }
            for dead in ["", "nonsense", "tk_unknown", &gone.tenant.key, &gone.wk, &gone.ak] {
                call(&api, method, &path, dead).await.refused(401, "UNAUTHORIZED");
            }
        }
    }
    assert_eq!(tree.seen(&api).await, before);
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let api = Api::new().await;
    let tree = Tree::plant(&api, "own").await;
    let foreign = Tree::plant(&api, "foreign").await;
    let (_, other_wk) = api.workspace(&tree.tenant, "V").await;
    let other_ak = api.inbox(&other_wk, "other").await.text("apiKey");
    let sibling = api.inbox(&tree.wk, "sibling").await.text("apiKey");
    let strangers = [
        (KeyKind::Tenant, &foreign.tenant.key),
        (KeyKind::Pod, &foreign.wk),
        (KeyKind::Inbox, &foreign.ak),
        (KeyKind::Pod, &other_wk),
        (KeyKind::Inbox, &other_ak),
        (KeyKind::Inbox, &sibling),
    ];
    let mut before = tree.seen(&api).await;
    for operation in myagentmail_operations() {
        if !operation.path.contains('{') || operation.path.contains("{*rest}") || operation.path.ends_with("/lists") {
            continue;
        }
        for method in methods(&operation) {
            let (path, nowhere) = (tree.path(&operation), Tree::nowhere(&operation));
            for (kind, key) in strangers {
                if operation.who.contains(&kind) {
                    let answer = call(&api, method, &path, key).await;
                    let unknown = call(&api, method, &nowhere, key).await;
                    assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
                    // As if there were no such thing, to the letter.
                    assert_eq!(
                        (answer.status, &answer.body),
                        (unknown.status, &unknown.body),
                        "{method} {path}"
                    );
                }
            }
            let after = tree.seen(&api).await;
            assert_eq!(after, before, "{method} {path} had an effect");
            before = after;
        }
    }
}

#[tokio::test]
async fn lists_and_references_reach_no_further_than_the_key() {
    let api = Api::new().await;
    let tree = Tree::plant(&api, "own").await;
    let foreign = api.tenant("B").await;
    let (_, foreign_wk) = api.workspace(&foreign, "B").await;
    let foreign_ak = api.inbox(&foreign_wk, "stranger").await.text("apiKey");
    let (_, other_wk) = api.workspace(&tree.tenant, "V").await;
    let sibling = api.inbox(&tree.wk, "sibling").await.text("apiKey");
    let strangers = [
        (KeyKind::Tenant, &foreign.key),
        (KeyKind::Pod, &foreign_wk),
        (KeyKind::Inbox, &foreign_ak),
        (KeyKind::Pod, &other_wk),
    ];
    let before = tree.seen_within(&api).await;
    for operation in myagentmail_operations().filter(|operation| !operation.path.contains('{')) {
        for (kind, key) in strangers {
            if operation.who.contains(&kind) && operation.path != "/me" {
                let answer = call(&api, operation.method.unwrap_or("GET"), &tree.path(&operation), key).await;
                // A workspace key knows whose it is.
                assert!(!tree.is_told_in(&answer), "{} {}", operation.path, answer.body);
            }
        }
    }
    let shown = api.get("/v1/inboxes", &sibling).await;
    assert_eq!(shown.body["inboxes"].as_array().map(Vec::len), Some(1));
    assert!(!shown.body.to_string().contains(SECRET));
    for (kind, key) in strangers.into_iter().filter(|(kind, _)| *kind != KeyKind::Inbox) {
        let within = &tree.workspace;
        for path in ["/v1/inboxes", "/v1/domains"] {
            let listed = api.get(&format!("{path}?workspace={within}"), key).await;
            listed.refused(404, "WORKSPACE_NOT_FOUND");
            let mut wanted = body();
            wanted["workspaceId"] = within.as_str().into();
            if path == "/v1/inboxes" {
                wanted.as_object_mut().unwrap().remove("domain");
            }
            let made = api.post(path, key, wanted).await;
            assert_eq!(made.status, 404, "{kind:?} {path}: {}", made.body);
        }
    }
    // A message of another inbox is none to answer, whatever the body says.
    let (_, message) = tree.names.iter().find(|(name, _)| *name == "message").unwrap();
    let own = api.get("/v1/inboxes", &sibling).await.body["inboxes"][0]["id"].clone();
    let draft = json!({ "replyToMessageId": message, "plainBody": "x" });
    let path = format!("/v1/inboxes/{}/drafts", own.as_str().unwrap());
    api.post(&path, &sibling, draft).await.refused(404, "NOT_FOUND");
    assert_eq!(tree.seen_within(&api).await, before);
}

/// Whoever may do something can: the paths of the other tests lead somewhere.
#[tokio::test]
async fn owners_can() {
    let api = Api::new().await;
    let mut tree = Tree::plant(&api, "own").await;
    let mut all: Vec<_> = myagentmail_operations()
        .filter(|operation| operation.method.is_some())
        .collect();
    // What takes something away comes last, the smallest first.
    let depth = |operation: &MyAgentMailOperation| {
        let is_removal = operation.method == Some("DELETE");
        let segments = operation.path.split('/').count();
        // With the inbox goes what is of it.
        let is_last = operation.path == "/inboxes/{inbox}";
        (
            is_removal,
            is_removal && is_last,
            if is_removal { usize::MAX - segments } else { segments },
        )
    };
    all.sort_by_key(depth);
    for operation in all.iter().filter(|operation| operation.method != Some("GET")) {
        if operation.path == "/tenants/{tenant}" && operation.method == Some("DELETE") {
            continue;
        }
        let has_inbox = api.get(&format!("/v1/inboxes/{}", tree.inbox), &tree.tenant.key).await;
        if has_inbox.status == 200 {
            // The last operation may have sent, changed or removed it, or its key.
            let rotate = format!("/v1/inboxes/{}/rotate-credentials", tree.inbox);
            let rotated = api.post(&rotate, &tree.tenant.key, json!({ "apiKey": true })).await;
            tree.ak = rotated.text("apiKey");
            let keys = format!("/v1/inboxes/{}/keys", tree.inbox);
            tree.inbox_key = made(&api, &keys, &tree.tenant.key, json!({})).await.text("id");
            tree.write(&api).await;
        }
        let key = if operation.who.contains(&KeyKind::Tenant) {
            &tree.tenant.key
        } else {
            &api.operator
        };
        let path = tree.path(operation);
        let mut wanted = body();
        // Of the two, an inbox is made in the default one.
        if operation.path == "/inboxes" {
            wanted.as_object_mut().unwrap().remove("domain");
        }
        let answer = match operation.method {
            Some("POST") => api.post(&path, key, wanted).await,
            Some("PATCH") => api.patch(&path, key, wanted).await,
            _ => api.delete(&path, key).await,
        };
        assert!(
            answer.status < 300,
            "{:?} {path}: {} {}",
            operation.method,
            answer.status,
            answer.body
        );
    }
    assert_eq!(api.get("/v1/inboxes", &tree.wk).await.status, 200);
}
