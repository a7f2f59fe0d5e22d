//! Tenants, workspaces, keys and inboxes from their making to their end.

use crate::setup::{Api, names};
use axum::http::StatusCode;
use postroom_identity::Purpose;
use postroom_types::Secret;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};

async fn logs_in(api: &Api, user: &str, password: &str) -> bool {
    let password = Secret::new(password.to_owned());
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    api.identity.login(user, &password, source, Purpose::Imap).await.is_ok()
}

#[tokio::test]
async fn tenants() {
    let api = Api::new().await;
    for bad in [
        json!({}),
        json!({ "name": "" }),
        json!({ "name": 1 }),
        json!({ "name": "a\nb" }),
        json!({ "name": "a", "maxInboxes": -1 }),
    ] {
        api.post("/v1/tenants", &api.operator, bad)
            .await
            .refused(400, "VALIDATION_ERROR");
    }
    let made = api
        .post("/v1/tenants", &api.operator, json!({ "name": "Acme", "maxInboxes": 3 }))
        .await;
    made.expect(StatusCode::CREATED);
    assert!(made.text("apiKey").starts_with("tk_"));
    let (id, key) = (made.text("id"), made.text("apiKey"));
    let mut shown = made.body.clone();
    shown.as_object_mut().unwrap().remove("apiKey");
    assert_eq!(
        api.get("/v1/tenants", &api.operator).await.body,
        json!({ "tenants": [shown] })
    );
    let path = format!("/v1/tenants/{id}");
    let changed = api.patch(&path, &api.operator, json!({ "name": "Acme 2" })).await;
    assert_eq!(
        (changed.text("name"), &changed.body["maxInboxes"]),
        ("Acme 2".into(), &json!(3))
    );

    let inbox = api.inbox(&key, "scout").await;
    assert_eq!(api.get(&path, &api.operator).await.body["inboxCount"], json!(1));
    assert_eq!(
        api.delete(&path, &api.operator).await.body,
        json!({ "deleted": true, "id": id })
    );
    for key in [&key, &inbox.text("apiKey")] {
        api.get("/v1/me", key).await.refused(401, "UNAUTHORIZED");
    }
    assert!(!logs_in(&api, "scout@example.test", &inbox.text("imapPassword")).await);
    api.get(&path, &api.operator).await.refused(404, "NOT_FOUND");
    api.delete(&path, &api.operator).await.refused(404, "NOT_FOUND");
    // Its address is nobody else's.
    let other = api.tenant("Other").await;
    assert_eq!(api.inbox(&other.key, "scout").await.text("username"), "scout1");
}

#[tokio::test]
async fn the_operators_own_organization_is_out_of_reach() {
    let api = Api::new().await;
    let own = api.identity.bootstrap().await.unwrap().organization;
    assert_eq!(
        api.get("/v1/tenants", &api.operator).await.body,
        json!({ "tenants": [] })
    );
    api.delete(&format!("/v1/tenants/{own}"), &api.operator)
        .await
        .refused(404, "NOT_FOUND");
    api.patch(&format!("/v1/tenants/{own}"), &api.operator, json!({ "maxInboxes": 0 }))
        .await
        .refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn workspaces_and_their_keys() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let made = api
        .post("/v1/workspaces", &a.key, json!({ "name": "Research & Co" }))
        .await;
    made.expect(StatusCode::CREATED);
    let (id, created) = (made.text("id"), made.text("createdAt"));
    let expected = json!({
        "id": id, "name": "Research & Co", "slug": "research-co", "isDefault": false,
        "inboxCount": 0, "domainCount": 0, "createdAt": created,
    });
    assert_eq!(made.body, expected);
    api.post("/v1/workspaces", &a.key, json!({ "name": "x", "slug": "research-co" }))
        .await
        .refused(409, "SLUG_TAKEN");
    for bad in [
        json!({}),
        json!({ "name": "x", "slug": "A" }),
        json!({ "name": "x", "slug": "" }),
    ] {
        api.post("/v1/workspaces", &a.key, bad)
            .await
            .refused(400, "VALIDATION_ERROR");
    }
    let list = api.get("/v1/workspaces", &a.key).await;
    let defaults: Vec<bool> = list.body["workspaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["isDefault"] == true)
        .collect();
    assert_eq!(defaults, [true, false]);

    let keys = format!("/v1/workspaces/{id}/keys");
    let new = api.post(&keys, &a.key, json!({ "name": "CI" })).await;
    new.expect(StatusCode::CREATED);
    assert_eq!((new.text("workspaceId"), new.text("name")), (id.clone(), "CI".into()));
    let wk = new.text("key");
    assert!(wk.starts_with("wk_") && wk.starts_with(&new.text("prefix")) && wk.len() > new.text("prefix").len() + 20);
    api.inbox(&wk, "scout").await;
    assert_eq!(
        api.get(&format!("/v1/workspaces/{id}"), &a.key).await.body["inboxCount"],
        json!(1)
    );
    let listed = api.get(&keys, &a.key).await;
    assert_eq!(listed.body["keys"][0]["id"], json!(new.text("id")));
    assert!(!names(&listed.body).contains(&"key".to_owned()));
    let one = format!("{keys}/{}", new.text("id"));
    api.delete(&one, &a.key).await.expect(StatusCode::OK);
    api.delete(&one, &a.key).await.refused(404, "NOT_FOUND");
    api.get("/v1/me", &wk).await.refused(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn changing_an_inbox() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let id = api.inbox(&a.key, "scout").await.text("id");
    let path = format!("/v1/inboxes/{id}");
    let body = json!({ "displayName": "S", "metadata": { "team": [1, null] }, "username": "x", "canonicalEmail": "y", "domain": 1 });
    assert_eq!(
        api.patch(&path, &a.key, body).await.body,
        json!({ "updated": true, "id": id })
    );
    let shown = api.get(&path, &a.key).await;
    assert_eq!(
        (shown.text("displayName"), shown.text("username")),
        ("S".into(), "scout".into())
    );
    assert_eq!(shown.body["metadata"], json!({ "team": [1, null] }));
    api.patch(&path, &a.key, json!({})).await.expect(StatusCode::OK);
    assert_eq!(api.get(&path, &a.key).await.body, shown.body);
    api.patch(&path, &a.key, json!({ "displayName": null, "metadata": null }))
        .await
        .expect(StatusCode::OK);
    let shown = api.get(&path, &a.key).await.body;
    assert!(shown["displayName"].is_null() && shown.get("metadata").is_none());
    for bad in [
        json!({ "displayName": 1 }),
        json!({ "displayName": "a\0" }),
        json!({ "metadata": "x" }),
        json!({ "metadata": { "x": "y".repeat(4000) } }),
    ] {
        api.patch(&path, &a.key, bad).await.refused(400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn rotating_credentials() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let made = api.inbox(&a.key, "scout").await;
    let path = format!("/v1/inboxes/{}/rotate-credentials", made.text("id"));
    let user = "scout@example.test";
    let (mut key, mut password) = (made.text("apiKey"), made.text("imapPassword"));
    for (body, new_key, new_password) in [
        (json!({}), true, true),
        (json!({ "apiKey": true }), true, false),
        (json!({ "imapPassword": true }), false, true),
        (json!({ "apiKey": false }), false, true),
        (json!({ "apiKey": true, "imapPassword": false }), true, false),
    ] {
        let rotated = api.post(&path, &a.key, body.clone()).await;
        rotated.expect(StatusCode::OK);
        assert_eq!(rotated.body.get("apiKey").is_some(), new_key, "{body}");
        assert_eq!(
            rotated.body["imap"].get("password"),
            rotated.body.get("imapPassword"),
            "{body}"
        );
        assert_eq!(rotated.body.get("imapPassword").is_some(), new_password, "{body}");
        if new_key {
            api.get("/v1/me", &key).await.refused(401, "UNAUTHORIZED");
            key = rotated.text("apiKey");
        }
        if new_password {
            assert!(!logs_in(&api, user, &password).await, "{body}");
            password = rotated.text("imapPassword");
        }
        api.get("/v1/me", &key).await.expect(StatusCode::OK);
        assert!(logs_in(&api, user, &password).await, "{body}");
    }
    let nothing = json!({ "apiKey": false, "imapPassword": false });
    api.post(&path, &a.key, nothing).await.refused(400, "VALIDATION_ERROR");
    api.post(&path, &a.key, json!({ "apiKey": "yes" }))
        .await
        .refused(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn further_addresses() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let made = api.inbox(&a.key, "scout").await;
    let other = api.inbox(&b.key, "other").await;
    let path = format!("/v1/inboxes/{}/addresses", made.text("id"));
    let added = api.post(&path, &a.key, json!({ "email": "Sales@Example.test" })).await;
    added.expect(StatusCode::CREATED);
    assert_eq!(
        added.body,
        json!({ "ok": true, "address": "sales@example.test", "isPrimary": true })
    );
    let second = api
        .post(&path, &a.key, json!({ "email": "info@example.test", "primary": false }))
        .await;
    assert_eq!(second.body["isPrimary"], json!(false));
    let shown = api.get(&format!("/v1/inboxes/{}", made.text("id")), &a.key).await;
    assert_eq!(
        (shown.text("email"), shown.text("canonicalEmail")),
        ("sales@example.test".into(), "scout@example.test".into())
    );
    assert_eq!(shown.body["imap"]["username"], json!("scout@example.test"));
    let primaries: Vec<_> = shown.body["addresses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["isPrimary"] == true)
        .collect();
    assert_eq!(primaries, [false, true, false]);

    let foreign = format!("/v1/inboxes/{}/addresses", other.text("id"));
    for taken in ["sales@example.test", "SCOUT@example.test"] {
        api.post(&foreign, &b.key, json!({ "email": taken }))
            .await
            .refused(409, "ADDRESS_TAKEN");
    }
    for (email, code) in [
        ("abuse@example.test", "USERNAME_RESERVED"),
        ("x@gmail.com", "DOMAIN_NOT_AVAILABLE"),
        ("x", "VALIDATION_ERROR"),
        ("a+b@example.test", "VALIDATION_ERROR"),
    ] {
        api.post(&foreign, &b.key, json!({ "email": email }))
            .await
            .refused(400, code);
    }
    api.post(&foreign, &b.key, json!({}))
        .await
        .refused(400, "VALIDATION_ERROR");
    // An alias is a taken name for creates.
    assert_eq!(api.inbox(&b.key, "sales").await.text("username"), "sales1");

    api.delete(&format!("{path}/scout@example.test"), &a.key)
        .await
        .refused(409, "CANONICAL_ADDRESS");
    let removed = api.delete(&format!("{path}/SALES%40example.test"), &a.key).await;
    assert_eq!(
        removed.body,
        json!({ "deleted": true, "address": "sales@example.test" })
    );
    let shown = api.get(&format!("/v1/inboxes/{}", made.text("id")), &a.key).await;
    assert_eq!(shown.text("email"), "scout@example.test");
    for missing in ["sales@example.test", "other@example.test", "nonsense"] {
        api.delete(&format!("{path}/{missing}"), &a.key)
            .await
            .refused(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn deleting_an_inbox() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let made = api.inbox(&a.key, "scout").await;
    let path = format!("/v1/inboxes/{}", made.text("id"));
    assert_eq!(
        api.delete(&path, &a.key).await.body,
        json!({ "deleted": true, "id": made.text("id") })
    );
    for method in ["GET", "DELETE", "PATCH"] {
        api.any(method, &path, &a.key).await.refused(404, "NOT_FOUND");
    }
    api.get(&format!("{path}/messages"), &a.key)
        .await
        .refused(404, "NOT_FOUND");
    api.get(&path, &made.text("apiKey")).await.refused(401, "UNAUTHORIZED");
    assert!(!logs_in(&api, "scout@example.test", &made.text("imapPassword")).await);
    assert_eq!(api.get("/v1/inboxes", &a.key).await.body, json!({ "inboxes": [] }));
    assert_eq!(api.inbox(&b.key, "scout").await.text("username"), "scout1");
    let again = api.inbox(&a.key, "scout").await;
    assert_eq!(again.text("username"), "scout");
    assert_ne!(again.text("id"), made.text("id"));
}
