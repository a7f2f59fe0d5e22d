//! Webhook subscriptions in the Inkbox dialect: made, shown, refused.

use crate::endpoint::Endpoint;
use crate::inkbox_hooks::{Agent, HOOKS};
use crate::inkbox_world::{Ink, has};
use axum::http::StatusCode;
use postroom_types::EmailId;
use serde_json::{Value, json};

#[tokio::test]
async fn what_a_subscription_looks_like() {
    let ink = Ink::new().await;
    let own = Agent::new(&ink, "agent-one").await;
    let url = "https://hooks.example.org/in";
    let wish = json!({ "url": url, "event_types": ["message.received"], "mailbox_id": own.inbox.to_string(),
        "auth_token": "secret-token", "context_config": { "email": { "mode": "count", "count": 3 } } });
    let made = ink.api.post(HOOKS, &ink.admin, wish).await;
    made.expect(StatusCode::CREATED);
    has(
        &made.body,
        &[
            ("id", "u"),
            ("organization_id", "s"),
            ("created_at", "t"),
            ("updated_at", "t"),
        ],
    );
    assert!(made.text("signing_key").starts_with("whsec_"));
    assert_eq!(
        (&made.body["agent_identity_id"], &made.body["owner_identity_id"]),
        (&json!(own.id), &json!(own.id))
    );
    assert_eq!(
        (&made.body["mailbox_id"], &made.body["phone_number_id"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&made.body["has_auth_token"], &made.body["auth_token"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(
        (&made.body["status"], &made.body["url"]),
        (&json!("active"), &json!(url))
    );
    let context = json!({ "email": { "mode": "count", "count": 3 }, "texts": null, "calls": null });
    assert_eq!(made.body["context_config"], context);
    assert!(!made.body.to_string().contains("secret-token"));
    let path = format!("{HOOKS}/{}", made.text("id"));
    let shown = ink.api.get(&path, &own.key).await;
    shown.expect(StatusCode::OK);
    assert!(shown.body.get("signing_key").is_none() && !shown.body.to_string().contains("secret-token"));

    let second = own.subscribe(&ink, &Endpoint::start().await, &["message.sent"]).await;
    assert!(second.body["signing_key"].is_null(), "there is one already");
    let listed = async |query: &str| {
        let answer = ink.api.get(&format!("{HOOKS}{query}"), &ink.admin).await;
        answer.expect(StatusCode::OK);
        answer.body["subscriptions"].as_array().unwrap().len()
    };
    for (query, count) in [
        (String::new(), 2),
        ("?scope=identity".into(), 2),
        (format!("?agent_identity_id={}", own.id), 2),
        (format!("?mailbox_id={}", own.inbox), 2),
        (format!("?mailbox_id={}", EmailId::new()), 0),
        (format!("?url={url}"), 1),
        ("?event_type=message.sent".into(), 1),
    ] {
        assert_eq!(listed(&query).await, count, "{query}");
    }
    let change = json!({ "url": "https://hooks.example.org/new", "event_types": ["message.sent", "message.failed"] });
    let changed = ink.api.patch(&format!("{path}?scope=identity"), &own.key, change).await;
    changed.expect(StatusCode::OK);
    assert_eq!(changed.body["url"], "https://hooks.example.org/new");
    assert_eq!(changed.body["event_types"], json!(["message.sent", "message.failed"]));
    assert_eq!(
        (&changed.body["context_config"], &changed.body["has_auth_token"]),
        (&context, &json!(true))
    );
    let cleared = ink
        .api
        .patch(&path, &own.key, json!({ "auth_token": null, "context_config": null }))
        .await;
    assert_eq!(
        (&cleared.body["context_config"], &cleared.body["has_auth_token"]),
        (&Value::Null, &json!(false))
    );
    ink.api.delete(&path, &own.key).await.expect(StatusCode::NO_CONTENT);
    ink.api.get(&path, &own.key).await.fails(404, "not_found");
    ink.api.delete(&path, &own.key).await.fails(404, "not_found");
    let catalog = ink.api.get("/api/v1/webhooks/catalog", &own.key).await;
    assert_eq!(catalog.body["supports_identity_subscriptions"], true);
}

#[tokio::test]
async fn what_is_refused() {
    let ink = Ink::new().await;
    let (own, other) = (Agent::new(&ink, "agent-one").await, Agent::new(&ink, "agent-two").await);
    let foreign = ink.api.tenant("B").await.key;
    let good =
        json!({ "url": "https://hooks.example.org/", "event_types": ["message.sent"], "agent_identity_id": own.id });
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for body in [
        json!({}),
        with("url", json!("http://hooks.example.org/")),
        with("url", json!("https://10.0.0.1/")),
        with("url", json!("https://169.254.169.254/latest/")),
        with("url", json!("https://[fd00::1]/")),
        with("url", json!(null)),
        with("event_types", json!([])),
        with("event_types", json!(["message.sent", "message.sent"])),
        with("event_types", json!(["message.received.spam"])),
        with("event_types", json!(["text.received"])),
        with("event_types", json!(["slack.dm_received"])),
        with("event_types", json!("message.sent")),
        with("mailbox_id", json!(own.inbox.to_string())),
        with("agent_identity_id", json!(null)),
        with("agent_identity_id", json!("agent-one")),
        with("auth_token", json!("a\r\nX-Evil: 1")),
        with("context_config", json!({ "email": { "mode": "count", "count": 51 } })),
        with("surprise", json!(1)),
    ] {
        ink.api
            .post(HOOKS, &ink.admin, body)
            .await
            .fails(422, "validation_error");
    }
    let phone = json!({ "url": "https://x.example.org/", "event_types": ["message.sent"], "phone_number_id": own.id });
    ink.api.post(HOOKS, &ink.admin, phone).await.fails(501, "not_supported");
    ink.api
        .post(HOOKS, &other.key, good.clone())
        .await
        .fails(404, "not_found");
    ink.api
        .post(HOOKS, &foreign, good.clone())
        .await
        .fails(404, "not_found");
    let made = ink.api.post(HOOKS, &own.key, good.clone()).await;
    made.expect(StatusCode::CREATED);
    let path = format!("{HOOKS}/{}", made.text("id"));
    for key in [&other.key, &foreign] {
        ink.api.get(&path, key).await.fails(404, "not_found");
        ink.api
            .patch(&path, key, json!({ "url": "https://evil.example.org/" }))
            .await
            .fails(404, "not_found");
        ink.api.delete(&path, key).await.fails(404, "not_found");
        let listed = ink.api.get(HOOKS, key).await;
        assert_eq!(listed.body["subscriptions"], json!([]));
    }
    for body in [
        json!({ "url": null }),
        json!({ "event_types": [] }),
        json!({ "event_types": null }),
        json!({ "x": 1 }),
    ] {
        let refused = ink.api.patch(&path, &own.key, body).await;
        refused.fails(422, "validation_error");
    }
    for query in ["?scope=all", "?mailbox_id=x", "?event_type=x"] {
        ink.api
            .get(&format!("{HOOKS}{query}"), &ink.admin)
            .await
            .fails(422, "validation_error");
    }
    for _ in 1..20 {
        ink.api
            .post(HOOKS, &own.key, good.clone())
            .await
            .expect(StatusCode::CREATED);
    }
    ink.api
        .post(HOOKS, &own.key, good.clone())
        .await
        .fails(409, "limit_reached");
    // Those of other dialects are neither shown nor touched.
    let organization = ink
        .api
        .identity
        .inbox(own.inbox)
        .await
        .unwrap()
        .organization
        .to_string();
    let agentmail = ink.api.organization_key(&organization).await;
    let theirs = ink.api.get("/v0/webhooks", &agentmail).await;
    assert_eq!(theirs.body["count"], 0);
}
