//! Webhooks in the MyAgentMail dialect.

use crate::agentmail_mail::Agents;
use crate::endpoint::{Endpoint, signature};
use crate::hearing::{receive, send};
use crate::setup::Answer;
use axum::http::StatusCode;
use postroom_feed::ReceivedAs;
use postroom_identity::KeyScope;
use serde_json::{Value, json};

const HOOKS: &str = "/v1/webhooks";

/// Keys for all of an organization, a workspace, and an inbox.
struct Keys {
    tk: String,
    wk: String,
    ak: String,
}

async fn keys(agents: &Agents) -> Keys {
    let record = agents
        .api
        .identity
        .inbox(agents.id_of(&agents.inbox).await)
        .await
        .unwrap();
    let key = async |scope| {
        let key = agents.api.identity.create_key(&scope, None).await.unwrap();
        key.secret.expose().clone()
    };
    Keys {
        tk: key(KeyScope::Tenant(record.organization)).await,
        wk: key(KeyScope::Pod(record.organization, record.pod)).await,
        ak: key(KeyScope::Inbox(record.organization, record.id)).await,
    }
}

async fn create(agents: &Agents, key: &str, url: &str, events: &[&str]) -> Answer {
    let made = agents
        .api
        .post(HOOKS, key, json!({ "url": url, "events": events }))
        .await;
    made.expect(StatusCode::CREATED);
    made
}

#[tokio::test]
async fn mail_is_told_signed_both_ways() {
    let agents = Agents::new().await;
    let keys = keys(&agents).await;
    let endpoint = Endpoint::start().await;
    let made = create(&agents, &keys.wk, &endpoint.url, &["message.received", "message.sent"]).await;
    let secret = made.text("secret");
    for received_as in [ReceivedAs::Spam, ReceivedAs::Blocked] {
        receive(&agents, &agents.inbox, "no", received_as).await;
    }
    receive(&agents, &agents.inbox, "plain", ReceivedAs::Plain).await;
    receive(&agents, &agents.inbox, "unproven", ReceivedAs::Unauthenticated).await;
    send(&agents, "out").await;
    let other = agents.inbox("other").await;
    receive(&agents, &other, "elsewhere", ReceivedAs::Plain).await;
    let hits = endpoint.wait_for(4).await;
    endpoint.stays_at(4).await;
    let mut told: Vec<(String, String)> = Vec::new();
    for hit in &hits {
        hit.is_signed_with(&secret);
        assert_eq!(hit.header("x-myagentmail-signature"), signature(&secret, &hit.text));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        told.push((text(&hit.body["event_type"]), text(&hit.body["message"]["subject"])));
        assert!(hit.body["event_id"].as_str().unwrap().starts_with("evt_"));
        assert!(hit.body["thread"]["thread_id"].is_string());
    }
    told.sort();
    let expected = [
        ("message.received", "elsewhere"),
        ("message.received", "plain"),
        ("message.received", "unproven"),
        ("message.sent", "out"),
    ];
    assert_eq!(told, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[tokio::test]
async fn what_a_webhook_looks_like() {
    let agents = Agents::new().await;
    let keys = keys(&agents).await;
    let url = "https://hooks.example.org/in";
    let made = create(&agents, &keys.wk, url, &["message.received", "message.bounced"]).await;
    let mut expected = made.body.clone();
    assert_eq!((&expected["url"], &expected["isActive"]), (&json!(url), &json!(true)));
    assert_eq!(expected["events"], json!(["message.received", "message.bounced"]));
    assert!(made.text("secret").len() >= 32 && made.body["createdAt"].is_string());
    expected.as_object_mut().unwrap().remove("secret");
    let path = format!("{HOOKS}/{}", made.text("id"));
    assert_eq!(
        agents.api.get(&path, &keys.wk).await.body,
        expected,
        "the secret is told once"
    );
    let listed = agents.api.get(HOOKS, &keys.tk).await;
    assert_eq!(listed.body, json!({ "webhooks": [expected] }));
    let changed = agents
        .api
        .patch(
            &path,
            &keys.wk,
            json!({ "isActive": false, "events": ["message.sent"] }),
        )
        .await;
    changed.expect(StatusCode::OK);
    assert_eq!(
        (&changed.body["isActive"], &changed.body["events"]),
        (&json!(false), &json!(["message.sent"]))
    );
    let gone = agents.api.delete(&path, &keys.wk).await;
    gone.expect(StatusCode::OK);
    assert_eq!(gone.body, json!({ "deleted": true, "id": made.text("id") }));
    agents.api.get(&path, &keys.wk).await.refused(404, "NOT_FOUND");
    agents.api.delete(&path, &keys.wk).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn keys_see_their_own_part() {
    let agents = Agents::new().await;
    let keys = keys(&agents).await;
    let url = "https://hooks.example.org/in";
    let whole = create(&agents, &keys.tk, url, &["message.sent"]).await.text("id");
    let pod = create(&agents, &keys.wk, url, &["message.sent"]).await.text("id");
    let stranger = agents.api.tenant("B").await.key;
    let all = [&whole, &pod];
    for (key, seen) in [(&keys.tk, &all[..]), (&keys.wk, &all[1..]), (&stranger, &[])] {
        let listed = agents.api.get(HOOKS, key).await;
        let ids: Vec<&str> = listed.body["webhooks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hook| hook["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, seen.iter().map(|id| id.as_str()).collect::<Vec<_>>());
        for id in all.iter().filter(|id| !seen.contains(id)) {
            let path = format!("{HOOKS}/{id}");
            agents.api.get(&path, key).await.refused(404, "NOT_FOUND");
            agents
                .api
                .patch(&path, key, json!({ "isActive": false }))
                .await
                .refused(404, "NOT_FOUND");
            agents.api.delete(&path, key).await.refused(404, "NOT_FOUND");
        }
    }
    // What an inbox's key made would outlive it.
    let one = format!("{HOOKS}/{pod}");
    for key in [&agents.api.operator, &keys.ak] {
        for (method, path) in [("GET", HOOKS), ("POST", HOOKS), ("PATCH", &one), ("DELETE", &one)] {
            agents.api.any(method, path, key).await.refused(403, "FORBIDDEN");
        }
    }
}

#[tokio::test]
async fn bad_requests() {
    let agents = Agents::new().await;
    let keys = keys(&agents).await;
    let good = json!({ "url": "https://hooks.example.org/", "events": ["message.sent"] });
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for body in [
        json!({}),
        with("url", json!("http://hooks.example.org/")),
        with("url", json!("https://192.168.0.1/")),
        with("url", json!("https://user:pw@example.org/")),
        with("url", json!(5)),
        with("events", json!([])),
        with("events", json!(["message.delivered"])),
        with("events", json!(["message.forwarded"])),
        with("events", json!("message.sent")),
        with("events", json!(null)),
    ] {
        agents
            .api
            .post(HOOKS, &keys.tk, body)
            .await
            .refused(400, "VALIDATION_ERROR");
    }
    let path = format!(
        "{HOOKS}/{}",
        create(&agents, &keys.tk, "https://a.example.org/", &["message.sent"])
            .await
            .text("id")
    );
    for body in [
        json!({ "events": [] }),
        json!({ "url": "ftp://x/" }),
        json!({ "isActive": "no" }),
    ] {
        agents
            .api
            .patch(&path, &keys.tk, body)
            .await
            .refused(400, "VALIDATION_ERROR");
    }
    agents
        .api
        .get(&format!("{HOOKS}/x"), &keys.tk)
        .await
        .refused(404, "NOT_FOUND");
}
