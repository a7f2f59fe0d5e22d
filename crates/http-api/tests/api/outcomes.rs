//! `POST /v1/inboxes`: every row of the contract's table, and races.

use crate::setup::{Api, names};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

#[tokio::test]
async fn a_new_inbox_has_all_fields_and_its_secrets() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let body = json!({ "username": "Scout", "displayName": "The Scout", "workspaceId": tenant.workspace });
    let made = api.post("/v1/inboxes", &tenant.key, body).await;
    made.expect(StatusCode::CREATED);
    let password = made.text("imapPassword");
    assert!(password.len() >= 26 && password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(made.text("apiKey").starts_with("ak_"));
    let (id, created_at, api_key) = (made.text("id"), made.text("createdAt"), made.text("apiKey"));
    let login = "scout@example.test";
    let expected = json!({
        "id": id, "email": login, "canonicalEmail": login, "username": "scout", "domain": "example.test",
        "displayName": "The Scout", "workspaceId": tenant.workspace,
        "addresses": [{ "address": login, "isPrimary": true }],
        "imap": { "host": "imap.example.test", "port": 993, "tls": true, "username": login, "password": password },
        "smtp": { "host": "smtp.example.test", "port": 587, "starttls": true, "username": login, "password": password },
        "createdAt": created_at, "apiKey": api_key, "imapPassword": password,
    });
    assert_eq!(made.body, expected);

    // Again: nothing is changed, nothing is told.
    let body = json!({ "username": "sCOUT", "displayName": "Another" });
    for path in ["/v1/inboxes", "/v1/inboxes?strict=true", "/v1/inboxes?strict=false"] {
        let again = api.post(path, &tenant.key, body.clone()).await;
        again.expect(StatusCode::OK);
        assert_eq!(
            (again.text("id"), again.text("displayName")),
            (id.clone(), "The Scout".into())
        );
        assert_eq!(again.body["existed"], json!(true));
        let names = names(&again.body);
        assert!(
            !names
                .iter()
                .any(|name| ["apiKey", "imapPassword", "password"].contains(&name.as_str())),
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn taken_names_fall_back_or_are_refused() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    api.inbox(&a.key, "scout").await;
    let strict = "/v1/inboxes?strict=true";
    let refused = api.post(strict, &b.key, json!({ "username": "Scout" })).await;
    refused.refused(409, "USERNAME_TAKEN");
    let fields = ["requestedUsername", "attemptedUsername", "domain"].map(|field| refused.text(field));
    assert_eq!(fields, ["scout", "scout", "example.test"]);

    let fallback = api.inbox(&b.key, "scout").await;
    assert_eq!(fallback.text("email"), "scout1@example.test");
    for name in ["scout", "SCOUT", "scout1"] {
        let again = api.post("/v1/inboxes", &b.key, json!({ "username": name })).await;
        again.expect(StatusCode::OK);
        assert_eq!(again.text("id"), fallback.text("id"));
    }
    api.post(strict, &b.key, json!({ "username": "scout" }))
        .await
        .refused(409, "USERNAME_TAKEN");
}

#[tokio::test]
async fn a_hundred_taken_names_are_a_conflict() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let mut names = (0..100).map(|n| {
        if n == 0 {
            "x@example.test".into()
        } else {
            format!("x{n}@example.test")
        }
    });
    for holder in 0..13 {
        let path = format!(
            "/v1/inboxes/{}/addresses",
            api.inbox(&a.key, &format!("holder{holder}")).await.text("id")
        );
        for email in names.by_ref().take(8) {
            api.post(&path, &a.key, json!({ "email": email }))
                .await
                .expect(StatusCode::CREATED);
        }
    }
    let refused = api.post("/v1/inboxes", &b.key, json!({ "username": "x" })).await;
    refused.refused(409, "USERNAME_TAKEN");
    assert_eq!(
        (refused.text("requestedUsername"), refused.text("attemptedUsername")),
        ("x".into(), "x99".into())
    );
}

#[tokio::test]
async fn bad_requests() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let foreign = api.tenant("B").await.workspace;
    let long = "x".repeat(65);
    for (body, code) in [
        (json!({ "username": "" }), "VALIDATION_ERROR"),
        (json!({ "username": "a b" }), "VALIDATION_ERROR"),
        (json!({ "username": "a+b" }), "VALIDATION_ERROR"),
        (json!({ "username": ".a" }), "VALIDATION_ERROR"),
        (json!({ "username": "a-" }), "VALIDATION_ERROR"),
        (json!({ "username": "ä" }), "VALIDATION_ERROR"),
        (json!({ "username": long }), "VALIDATION_ERROR"),
        (json!({ "username": 7 }), "VALIDATION_ERROR"),
        (json!({ "username": ["a"] }), "VALIDATION_ERROR"),
        (json!({ "displayName": "a\r\nBcc: x" }), "VALIDATION_ERROR"),
        (json!({ "displayName": "x".repeat(256) }), "VALIDATION_ERROR"),
        (json!({ "displayName": true }), "VALIDATION_ERROR"),
        (json!({ "domain": 1 }), "VALIDATION_ERROR"),
        (json!({ "domain": "" }), "DOMAIN_NOT_AVAILABLE"),
        (json!({ "domain": "gmail.com" }), "DOMAIN_NOT_AVAILABLE"),
        (json!({ "workspaceId": "no-uuid" }), "VALIDATION_ERROR"),
        (json!({ "workspaceId": 1 }), "VALIDATION_ERROR"),
        (json!({ "username": "PostMaster" }), "USERNAME_RESERVED"),
        (json!({ "username": "support" }), "USERNAME_RESERVED"),
    ] {
        for path in ["/v1/inboxes", "/v1/inboxes?strict=true"] {
            api.post(path, &a.key, body.clone()).await.refused(400, code);
        }
    }
    for workspace in [foreign.as_str(), "00000000-0000-0000-0000-000000000000"] {
        let refused = api
            .post("/v1/inboxes", &a.key, json!({ "workspaceId": workspace }))
            .await;
        refused.refused(404, "WORKSPACE_NOT_FOUND");
    }
    for query in [
        "strict=yes",
        "strict=",
        "strict=1",
        "strict=TRUE",
        "strict=true&strict=true",
        "strict=%ff",
    ] {
        let refused = api.post(&format!("/v1/inboxes?{query}"), &a.key, json!({})).await;
        refused.refused(400, "VALIDATION_ERROR");
    }
    // None of them made anything.
    assert_eq!(api.get("/v1/inboxes", &a.key).await.body, json!({ "inboxes": [] }));
}

#[tokio::test]
async fn null_is_the_same_as_nothing() {
    let api = Api::new().await;
    let a = api.tenant("Acme, Inc.").await;
    let nulls = json!({ "username": null, "displayName": null, "domain": null, "workspaceId": null, "more": 1 });
    for (body, username) in [
        (nulls, "acme-inc"),
        (json!({}), "acme-inc1"),
        (json!({ "domain": "EXAMPLE.test" }), "acme-inc2"),
    ] {
        let made = api.post("/v1/inboxes", &a.key, body).await;
        made.expect(StatusCode::CREATED);
        assert_eq!(
            (made.text("username").as_str(), &made.body["displayName"]),
            (username, &Value::Null)
        );
    }
}

#[tokio::test]
async fn the_plan_limit_counts_only_what_would_be_made() {
    let api = Api::new().await;
    let made = api
        .post("/v1/tenants", &api.operator, json!({ "name": "A", "maxInboxes": 1 }))
        .await;
    let key = made.text("apiKey");
    api.inbox(&key, "one").await;
    api.post("/v1/inboxes", &key, json!({ "username": "one" }))
        .await
        .expect(StatusCode::OK);
    api.post("/v1/inboxes", &key, json!({ "username": "two" }))
        .await
        .refused(403, "PLAN_LIMIT_REACHED");
    let path = format!("/v1/tenants/{}", made.text("id"));
    api.patch(&path, &api.operator, json!({ "maxInboxes": null }))
        .await
        .expect(StatusCode::OK);
    api.inbox(&key, "two").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_creates_of_one_name_from_twenty_tenants() {
    let api = Arc::new(Api::new().await);
    let mut keys = Vec::new();
    for n in 0..20 {
        keys.push(api.tenant(&format!("T{n}")).await.key);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200 {
        let (api, key) = (Arc::clone(&api), keys[n % keys.len()].clone());
        tasks.spawn(async move {
            let answer = api.post("/v1/inboxes", &key, json!({ "username": "scout" })).await;
            (n % 20, answer)
        });
    }
    let (mut made, mut ids) = (HashSet::new(), HashMap::new());
    for (tenant, answer) in tasks.join_all().await {
        let id = answer.text("id");
        assert_eq!(*ids.entry(tenant).or_insert_with(|| id.clone()), id);
        match answer.status {
            201 => assert!(made.insert(answer.text("username")), "an address twice"),
            200 => assert_eq!(answer.body["existed"], json!(true)),
            status => panic!("{status}: {}", answer.body),
        }
    }
    let expected = (0..20).map(|n| {
        if n == 0 {
            "scout".to_owned()
        } else {
            format!("scout{n}")
        }
    });
    assert_eq!(made, expected.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_equal_creates_make_one() {
    let api = Arc::new(Api::new().await);
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    api.inbox(&a.key, "taken").await;
    for name in ["free", "taken"] {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (api, key) = (Arc::clone(&api), b.key.clone());
            tasks.spawn(async move { api.post("/v1/inboxes", &key, json!({ "username": name })).await });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        assert_eq!(
            answers
                .iter()
                .map(|answer| answer.text("id"))
                .collect::<HashSet<_>>()
                .len(),
            1
        );
        assert_eq!(
            answers
                .iter()
                .filter(|answer| answer.body.get("imapPassword").is_some())
                .count(),
            1
        );
    }
}
