//! Keys with permissions in the Inkbox and MyAgentMail dialects: each operation takes what its table says, and nothing else,
//! so that a key may do the same there as over `/v0`. The operations come from the tables that the routes are made from.

use crate::inkbox_world::{Ink, letter};
use crate::myagentmail_tree::Tree;
use crate::setup::{Answer, Api};
use axum::http::StatusCode;
use postroom_http_api::{InkboxOperation, inkbox_operations, myagentmail_operations};
use postroom_identity::{KeyKind, KeyScope, KeyWish, Permission, Permissions};
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::{OrganizationId, SpecialUse};
use serde_json::json;

async fn key(api: &Api, scope: &KeyScope, permissions: Permissions) -> String {
    let wish = KeyWish {
        permissions: Some(permissions),
        ..KeyWish::default()
    };
    let key = api.identity.create_wished_key(scope, &wish).await.unwrap();
    key.secret.expose().clone()
}

/// A key for each permission, with all others.
async fn without_each(api: &Api, scope: &KeyScope) -> Vec<(Permission, String)> {
    let mut keys = Vec::new();
    for permission in Permission::ALL {
        keys.push((
            *permission,
            key(api, scope, Permissions::ALL.without(*permission)).await,
        ));
    }
    keys
}

/// What a path names is nowhere, so that nothing is done.
fn nowhere(path: &str) -> String {
    let part = |part: &str| match part {
        "{address}" => "nobody@example.test".to_owned(),
        "{handle}" => "nobody".to_owned(),
        "{name}" => "nowhere.test".to_owned(),
        "{part}" => "1".to_owned(),
        part if part.starts_with('{') => "00000000-0000-7000-8000-000000000000".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// The permission that an answer says is missing, in either dialect.
fn missing(answer: &Answer) -> Option<Permission> {
    let (detail, error) = (&answer.body["detail"], answer.body["error"].as_str());
    let of_inkbox = (detail["error"] == "missing_permission").then(|| detail["permission"].as_str());
    let of_myagentmail = error.and_then(|text| text.strip_prefix("this key needs the permission "));
    let name = of_inkbox.flatten().or(of_myagentmail)?;
    assert_eq!(answer.status, 403, "{}", answer.body);
    Some(name.parse().unwrap())
}

/// Whether it is refused since nothing is handed out that could do more than the key itself.
fn is_too_narrow_to_give(answer: &Answer) -> bool {
    answer.status == 403 && answer.body.to_string().contains("needs a key without restrictions")
}

fn of_inkbox() -> impl Iterator<Item = InkboxOperation> {
    inkbox_operations().filter(|operation| !operation.open)
}

/// With all others a key lacks the one; with what is needed alone it lacks none.
async fn each_takes_what_it_says(api: &Api, scope: &KeyScope, operations: &[(&str, String, Vec<Permission>)]) {
    let without = without_each(api, scope).await;
    for (method, path, needs) in operations {
        for (permission, key) in &without {
            let answer = api.any(method, path, key).await;
            let expected = needs.contains(permission).then_some(*permission);
            assert_eq!(missing(&answer), expected, "{method} {path}: {}", answer.body);
        }
        let scarce = key(api, scope, needs.iter().copied().collect()).await;
        let answer = api.any(method, path, &scarce).await;
        assert_eq!(missing(&answer), None, "{method} {path}: {}", answer.body);
        assert!(
            answer.status != 401 && (answer.status < 500 || answer.status == 501),
            "{method} {path}: {}",
            answer.body
        );
        let keys = api.identity.keys(scope).await.unwrap();
        api.identity.revoke_key(scope, keys.last().unwrap().id).await.unwrap();
    }
}

#[tokio::test]
async fn each_single_permission_in_inkbox() {
    let api = Api::new().await;
    let organization: OrganizationId = api.tenant("A").await.id.parse().unwrap();
    let operations: Vec<_> = of_inkbox()
        .map(|operation| {
            (
                operation.method,
                format!("/api{}", nowhere(operation.path)),
                operation.needs,
            )
        })
        .collect();
    assert!(operations.len() > 60, "{}", operations.len());
    assert!(operations.iter().filter(|(_, _, needs)| needs.is_empty()).count() < 5);
    each_takes_what_it_says(&api, &KeyScope::Tenant(organization), &operations).await;
}

#[tokio::test]
async fn each_single_permission_in_myagentmail() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let (organization, pod) = (tenant.id.parse().unwrap(), tenant.workspace.parse().unwrap());
    for (kind, scope) in [
        (KeyKind::Tenant, KeyScope::Tenant(organization)),
        (KeyKind::Pod, KeyScope::Pod(organization, pod)),
    ] {
        let operations: Vec<_> = myagentmail_operations()
            .filter(|operation| operation.who.contains(&kind))
            .map(|operation| {
                let method = operation.method.unwrap_or("GET");
                (method, Tree::nowhere(&operation), operation.needs)
            })
            .collect();
        assert!(operations.len() > 30, "{}", operations.len());
        each_takes_what_it_says(&api, &scope, &operations).await;
    }
}

/// What an agent's key may do over one of the dialects it may do over the others.
#[tokio::test]
async fn keys_of_inboxes_and_of_agents() {
    let ink = Ink::new().await;
    let api = &ink.api;
    let made = json!({ "agent_handle": "rover" });
    let made = api.post("/api/v1/identities/", &ink.admin, made).await;
    let wish = json!({ "label": "x", "scoped_identity_id": made.text("id") });
    let agent = api.post("/api/v1/api-keys", &ink.admin, wish).await.text("api_key");
    let rover = made.text("email_address");
    let hook = json!({ "url": "https://hooks.example.org/in", "event_types": ["message.received"] });
    for (inbox, key, is_agent) in [(ink.address, &ink.key, false), (&*rover, &agent, true)] {
        let path = format!("/v0/inboxes/{inbox}");
        let told = |answer: Answer| (answer.status, answer.body["code"].as_str().map(str::to_owned));
        let refused = (403, Some("missing_permission".to_owned()));
        let one_of = |ok: u16| if is_agent { (ok, None) } else { refused.clone() };
        let named = api.patch(&path, key, json!({ "display_name": "Me" })).await;
        assert_eq!(told(named), one_of(200), "{inbox}");
        let paused = api.patch(&path, key, json!({ "status": "paused" })).await;
        assert_eq!(paused.status, 403, "{inbox}");
        let hooked = api.post(&format!("{path}/webhooks"), key, hook.clone()).await;
        assert_eq!(told(hooked), one_of(200), "{inbox}");
        let entries = format!("{path}/lists/receive/block");
        let entry = json!({ "entry": "enemy@example.net" });
        assert_eq!(told(api.post(&entries, key, entry).await), one_of(200), "{inbox}");
        for (method, path) in [
            ("DELETE", format!("{entries}/enemy@example.net")),
            ("POST", format!("{path}/api-keys")),
            ("DELETE", format!("/v0/inboxes/{inbox}")),
        ] {
            assert_eq!(told(api.any(method, &path, key).await), refused, "{method} {path}");
        }
    }
    let inbox = api.get(&format!("/v0/inboxes/{rover}"), &agent).await;
    assert_eq!(inbox.text("display_name"), "Me");
}

/// A key that was narrowed when it was made stays so, whatever its kind may.
#[tokio::test]
async fn narrow_keys_of_inboxes() {
    let ink = Ink::new().await;
    let record = ink.api.identity.inbox(ink.inbox).await.unwrap();
    let scope = KeyScope::Inbox(record.organization, record.id);
    let only = |permissions: &[Permission]| permissions.iter().copied().collect::<Permissions>();
    let reader = key(&ink.api, &scope, only(&[Permission::MessageRead])).await;
    let id = ink.receive("Subject: x\nMessage-ID: <x@example.net>\n\nx\n").await;
    let (list, one) = (ink.path("messages"), ink.path(&format!("messages/{id}")));
    let get = async |path: &str, key: &str| {
        let answer = ink.api.get(path, key).await;
        answer.expect(StatusCode::OK);
        answer.body
    };
    // It reads without a mark, since it may not mark.
    assert_eq!(get(&one, &reader).await["is_read"], json!(false));
    assert_eq!(get(&list, &reader).await["items"][0]["is_read"], json!(false));
    for (method, path) in [("PATCH", &one), ("DELETE", &one), ("POST", &list)] {
        let refused = ink.api.any(method, path, &reader).await;
        assert!(missing(&refused).is_some(), "{method} {path}: {}", refused.body);
    }
    let over_v1 = format!("/v1/inboxes/{}/messages/{id}", ink.inbox);
    assert_eq!(ink.api.any("DELETE", &over_v1, &reader).await.status, 403);
    assert_eq!(get(&one, &ink.key).await["is_read"], json!(true));

    // Who may write but not read learns nothing of what it answers or passes on.
    let writer = key(
        &ink.api,
        &scope,
        only(&[
            Permission::MessageSend,
            Permission::DraftCreate,
            Permission::DraftUpdate,
        ]),
    )
    .await;
    let (drafts, id) = (ink.path("drafts"), id.to_string());
    let mut answer = letter("s");
    answer["in_reply_to_message_id"] = id.as_str().into();
    let over_v1 = format!("/v1/inboxes/{}/drafts", ink.inbox);
    for refused in [
        ink.api.post(&list, &writer, answer.clone()).await,
        ink.api.post(&drafts, &writer, answer).await,
        ink.api
            .post(&drafts, &writer, json!({ "forward_message_id": id }))
            .await,
        ink.api.post(&drafts, &writer, json!({ "thread_id": id })).await,
        ink.api.post(&over_v1, &writer, json!({ "replyToMessageId": id })).await,
    ] {
        assert_eq!(missing(&refused), Some(Permission::MessageRead), "{}", refused.body);
    }
    ink.api
        .post(&drafts, &writer, letter("d"))
        .await
        .expect(StatusCode::CREATED);
}

/// What a label hides from a key over `/v0` is hidden in the other dialects too.
#[tokio::test]
async fn labels_hide_alike() {
    let ink = Ink::new().await;
    let record = ink.api.identity.inbox(ink.inbox).await.unwrap();
    let scope = KeyScope::Inbox(record.organization, record.id);
    let spam = ink
        .put(
            "Subject: junk\n\nx\n",
            Origin::Received,
            MailboxRef::Special(SpecialUse::Junk),
        )
        .await;
    let blind = key(&ink.api, &scope, Permissions::ALL.without(Permission::LabelSpamRead)).await;
    let (inbox, address) = (ink.inbox, ink.address);
    for (list, one) in [
        (
            format!("/v1/inboxes/{inbox}/messages"),
            format!("/v1/inboxes/{inbox}/messages/{spam}"),
        ),
        (ink.path("messages"), ink.path(&format!("messages/{spam}"))),
        (
            format!("/v0/inboxes/{address}/messages?include_spam=true"),
            format!("/postroom/v1/inboxes/{inbox}/messages/{spam}/trace"),
        ),
        (
            format!("/v0/inboxes/{address}/messages?include_spam=true"),
            format!("/postroom/v1/inboxes/{inbox}/messages/{spam}/raw"),
        ),
    ] {
        for (key, sees) in [(&ink.key, true), (&blind, false)] {
            let listed = ink.api.get(&list, key).await;
            listed.expect(StatusCode::OK);
            assert_eq!(listed.body.to_string().contains("junk"), sees, "{list}");
            let status = if sees { 200 } else { 404 };
            assert_eq!(ink.api.get(&one, key).await.status, status, "{one}");
        }
    }
}

/// A key with restrictions hands out none without: neither a key nor the credentials of a new inbox.
#[tokio::test]
async fn no_key_gives_more_than_it_has() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let scope = KeyScope::Tenant(tenant.id.parse().unwrap());
    let made = json!({ "agent_handle": "rover" });
    let made = api.post("/api/v1/identities/", &tenant.key, made).await;
    let inbox = made.body["mailbox"]["id"].as_str().unwrap().to_owned();
    let narrow = key(&api, &scope, Permissions::ALL.without(Permission::MetricsRead)).await;
    let (keys, inboxes) = (
        api.identity.keys(&scope).await.unwrap().len(),
        inboxes(&api, &tenant.key).await,
    );
    for (path, body) in [
        ("/v1/keys".to_owned(), json!({})),
        (format!("/v1/workspaces/{}/keys", tenant.workspace), json!({})),
        (format!("/v1/inboxes/{inbox}/keys"), json!({})),
        (format!("/v1/inboxes/{inbox}/rotate-credentials"), json!({})),
        ("/v1/inboxes".into(), json!({ "username": "fresh" })),
        (
            "/api/v1/api-keys".into(),
            json!({ "label": "x", "scoped_identity_id": made.text("id") }),
        ),
    ] {
        let refused = api.post(&path, &narrow, body).await;
        assert!(
            is_too_narrow_to_give(&refused),
            "{path}: {} {}",
            refused.status,
            refused.body
        );
    }
    assert_eq!(api.identity.keys(&scope).await.unwrap().len(), keys);
    assert_eq!(self::inboxes(&api, &tenant.key).await, inboxes);
}

async fn inboxes(api: &Api, key: &str) -> usize {
    api.get("/v1/inboxes", key).await.body["inboxes"]
        .as_array()
        .unwrap()
        .len()
}
