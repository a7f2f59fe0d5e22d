//! Webhooks over the API, and an event that arrives.

use crate::agentmail_mail::Agents;
use crate::hearing::hello;
use crate::setup::Answer;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const URL: &str = "https://hooks.example.org/in";

/// An error of the AgentMail dialect.
#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.body["code"].as_str()),
        (status, Some(code)),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn a_webhook_is_told_of_mail() {
    let agents = Agents::new().await;
    let (told, mut hears) = mpsc::channel(8);
    let receive = async move |headers: HeaderMap, body: String| {
        told.send((headers, body)).await.unwrap();
        StatusCode::NO_CONTENT
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let app = Router::new().route("/in", post(receive));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let body = json!({ "url": url, "event_types": ["message.received"], "headers": { "X-Token": "abc" } });
    let made = agents.api.post("/v0/webhooks", &agents.key, body).await;
    made.expect(StatusCode::OK);
    hello(&agents, "a").await;
    let (headers, body) = tokio::time::timeout(Duration::from_secs(10), hears.recv())
        .await
        .unwrap()
        .unwrap();
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&event["event_type"], &event["message"]["subject"]),
        (&json!("message.received"), &json!("a"))
    );
    assert_eq!(headers["x-token"], "abc");
    assert_eq!(headers["svix-id"], headers["webhook-id"]);
    assert!(headers["svix-signature"].to_str().unwrap().starts_with("v1,"));
}

#[tokio::test]
async fn what_a_webhook_looks_like() {
    let agents = Agents::new().await;
    let body = json!({ "url": URL, "event_types": ["message.received", "message.bounced"],
        "inbox_ids": [agents.inbox], "client_id": "hook-1" });
    let made = agents.api.post("/v0/webhooks", &agents.key, body.clone()).await;
    made.expect(StatusCode::OK);
    assert!(made.text("webhook_id").starts_with("ep_") && made.text("secret").starts_with("whsec_"));
    assert_eq!((&made.body["url"], &made.body["enabled"]), (&json!(URL), &json!(true)));
    assert_eq!(made.body["event_types"], json!(["message.received", "message.bounced"]));
    assert_eq!(
        (&made.body["inbox_ids"], &made.body["client_id"]),
        (&json!([agents.inbox]), &json!("hook-1"))
    );
    assert!(made.body["pod_ids"].is_null() && made.body["pod_id"].is_null() && made.body["inbox_id"].is_null());
    assert_eq!(
        agents.api.post("/v0/webhooks", &agents.key, body).await.body,
        made.body,
        "one for a client id"
    );
    let path = format!("/v0/webhooks/{}", made.text("webhook_id"));
    assert_eq!(agents.api.get(&path, &agents.key).await.body, made.body);
    // Without the last of its inboxes it would hear of all.
    let change = json!({ "event_types": ["message.sent"], "remove_inbox_ids": [agents.inbox] });
    refused(
        &agents.api.patch(&path, &agents.key, change).await,
        400,
        "validation_error",
    );
    assert_eq!(agents.api.get(&path, &agents.key).await.body, made.body);
    let other = agents.inbox("other").await;
    let change = json!({ "event_types": ["message.sent"], "remove_inbox_ids": [agents.inbox],
        "add_inbox_ids": [other], "enabled": false });
    let changed = agents.api.patch(&path, &agents.key, change).await;
    changed.expect(StatusCode::OK);
    assert_eq!(
        (&changed.body["event_types"], &changed.body["enabled"]),
        (&json!(["message.sent"]), &json!(false))
    );
    assert_eq!(changed.body["inbox_ids"], json!([other]));
    let unchanged = agents.api.patch(&path, &agents.key, json!({ "event_types": [] })).await;
    assert_eq!(unchanged.body["event_types"], json!(["message.sent"]));
    agents
        .api
        .delete(&path, &agents.key)
        .await
        .expect(StatusCode::NO_CONTENT);
    refused(&agents.api.get(&path, &agents.key).await, 404, "not_found");
    refused(&agents.api.delete(&path, &agents.key).await, 404, "not_found");
}

#[tokio::test]
async fn what_is_refused() {
    let agents = Agents::new().await;
    for body in [
        json!({}),
        json!({ "url": 1 }),
        json!({ "url": "ftp://example.org/" }),
        json!({ "url": "http://10.0.0.1/" }),
        json!({ "url": "http://169.254.169.254/latest/meta-data/" }),
        json!({ "url": "http://[fe80::1]/" }),
        json!({ "url": "https://user:pw@example.org/" }),
        json!({ "url": URL, "event_types": ["message.eaten"] }),
        json!({ "url": URL, "event_types": ["message.forwarded"] }),
        json!({ "url": URL, "client_id": "a@b" }),
        json!({ "url": URL, "headers": { "svix-id": "1" } }),
        json!({ "url": URL, "headers": { "X-A": "1\r\nX-B: 2" } }),
        json!({ "url": URL, "headers": { "Host": "other" } }),
    ] {
        refused(
            &agents.api.post("/v0/webhooks", &agents.key, body).await,
            400,
            "validation_error",
        );
    }
    let foreign = json!({ "url": URL, "inbox_ids": ["nobody@example.test"] });
    refused(
        &agents.api.post("/v0/webhooks", &agents.key, foreign).await,
        404,
        "not_found",
    );
    let narrow = agents
        .key_with(
            json!({ "webhook_create": true, "webhook_update": true, "message_read": true, "label_spam_read": true }),
        )
        .await;
    let hidden = |name: &str| json!({ "url": URL, "event_types": [name] });
    let answer = agents
        .api
        .post("/v0/webhooks", &narrow, hidden("message.received.blocked"))
        .await;
    refused(&answer, 403, "missing_permission");
    assert_eq!(answer.body["message"], "label_blocked_read is forbidden");
    let made = agents
        .api
        .post("/v0/webhooks", &narrow, hidden("message.received.spam"))
        .await;
    made.expect(StatusCode::OK);
    let path = format!("/v0/webhooks/{}", made.text("webhook_id"));
    let change = json!({ "event_types": ["message.received.unauthenticated"] });
    refused(
        &agents.api.patch(&path, &narrow, change).await,
        403,
        "missing_permission",
    );
    for (method, path) in [
        ("GET", "/v0/webhooks/polling".to_owned()),
        ("POST", "/v0/webhooks/polling".to_owned()),
        ("GET", "/v0/webhooks/polling/ep_x".to_owned()),
        ("GET", "/v0/webhooks/ep_x".to_owned()),
    ] {
        assert_eq!(
            agents.api.any(method, &path, &agents.key).await.status,
            404,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn each_level_has_its_own() {
    let agents = Agents::new().await;
    let pod = agents
        .api
        .post("/v0/pods", &agents.key, json!({ "name": "pod" }))
        .await
        .text("pod_id");
    let inbox = agents
        .api
        .post(
            &format!("/v0/pods/{pod}/inboxes"),
            &agents.key,
            json!({ "username": "inner" }),
        )
        .await;
    let inbox = inbox.text("inbox_id");
    let mut made = Vec::new();
    for level in [String::new(), format!("/pods/{pod}"), format!("/inboxes/{inbox}")] {
        let answer = agents
            .api
            .post(&format!("/v0{level}/webhooks"), &agents.key, json!({ "url": URL }))
            .await;
        answer.expect(StatusCode::OK);
        made.push(answer);
    }
    assert_eq!(
        (&made[1].body["pod_id"], &made[1].body["inbox_id"]),
        (&json!(pod), &Value::Null)
    );
    assert_eq!(
        (&made[2].body["pod_id"], &made[2].body["inbox_id"]),
        (&json!(pod), &json!(inbox))
    );
    let listed = async |path: String, key: &str| {
        let list = agents.api.get(&path, key).await;
        list.expect(StatusCode::OK);
        let webhooks = list.body["webhooks"].as_array().unwrap();
        let ids: Vec<_> = webhooks
            .iter()
            .map(|webhook| webhook["webhook_id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(list.body["count"], ids.len());
        ids
    };
    let [whole, in_pod, in_inbox] = [0, 1, 2].map(|at| made[at].text("webhook_id"));
    let newest_first = [&in_inbox, &in_pod, &whole].map(Clone::clone);
    assert_eq!(listed("/v0/webhooks".into(), &agents.key).await, newest_first);
    assert_eq!(
        listed(format!("/v0/pods/{pod}/webhooks"), &agents.key).await,
        newest_first[..2]
    );
    assert_eq!(
        listed(format!("/v0/inboxes/{inbox}/webhooks"), &agents.key).await,
        newest_first[..1]
    );
    let key = agents
        .api
        .post(&format!("/v0/pods/{pod}/api-keys"), &agents.key, json!({}))
        .await
        .text("api_key");
    assert_eq!(listed("/v0/webhooks".into(), &key).await, newest_first[..2]);
    refused(
        &agents.api.get(&format!("/v0/webhooks/{whole}"), &key).await,
        404,
        "not_found",
    );
    let own = agents.api.post("/v0/webhooks", &key, json!({ "url": URL })).await;
    assert_eq!(own.body["pod_id"], json!(pod));
    let outside = json!({ "url": URL, "inbox_ids": [agents.inbox] });
    refused(&agents.api.post("/v0/webhooks", &key, outside).await, 404, "not_found");
    let path = format!("/v0/inboxes/{inbox}/webhooks/{in_inbox}");
    agents.api.get(&path, &key).await.expect(StatusCode::OK);
    let first = agents.api.get("/v0/webhooks?limit=3&ascending=true", &agents.key).await;
    assert_eq!(first.body["webhooks"][0]["webhook_id"], json!(whole));
    let token = first.text("next_page_token");
    let rest = agents
        .api
        .get(
            &format!("/v0/webhooks?limit=3&ascending=true&page_token={token}"),
            &agents.key,
        )
        .await;
    assert_eq!(rest.body["webhooks"][0]["webhook_id"], own.body["webhook_id"]);
    assert!(rest.body["next_page_token"].is_null());
    let stale = agents
        .api
        .get(&format!("/v0/webhooks?page_token={token}"), &agents.key)
        .await;
    refused(&stale, 400, "validation_error");
}

#[tokio::test]
async fn header_fields_are_named_but_not_shown() {
    let agents = Agents::new().await;
    let body = json!({ "url": URL, "headers": { "X-One": "secret-1" } });
    let made = agents.api.post("/v0/webhooks", &agents.key, body).await;
    assert!(!made.body.to_string().contains("secret-1"));
    let path = format!("/v0/webhooks/{}/headers", made.text("webhook_id"));
    let names = async || agents.api.get(&path, &agents.key).await.body["header_names"].clone();
    assert_eq!(names().await, json!(["X-One"]));
    let change = json!({ "headers": { "X-Two": "2" }, "remove_headers": ["x-one"] });
    agents
        .api
        .patch(&path, &agents.key, change)
        .await
        .expect(StatusCode::NO_CONTENT);
    assert_eq!(names().await, json!(["X-Two"]));
    for body in [
        json!({}),
        json!({ "headers": { "X-A": "1" }, "remove_headers": ["x-a"] }),
        json!({ "headers": { "content-type": "text/plain" } }),
        json!({ "headers": { "X-A": 1 } }),
    ] {
        refused(
            &agents.api.patch(&path, &agents.key, body).await,
            400,
            "validation_error",
        );
    }
    assert_eq!(names().await, json!(["X-Two"]));
}
