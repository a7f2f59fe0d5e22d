//! Deliveries in the Inkbox dialect: logged, signed, posted again, and gone with their identity.

use crate::endpoint::Endpoint;
use crate::inkbox_hooks::{Agent, HOOKS, LOG, log, logged};
use crate::inkbox_world::{Ink, has};
use axum::http::StatusCode;
use postroom_feed::ReceivedAs;
use postroom_types::EmailId;
use serde_json::json;

#[tokio::test]
async fn deliveries_are_logged_and_replayed() {
    let ink = Ink::new().await;
    let endpoint = Endpoint::start().await;
    let (own, other) = (Agent::new(&ink, "agent-one").await, Agent::new(&ink, "agent-two").await);
    let made = own.subscribe(&ink, &endpoint, &["message.received"]).await;
    endpoint.answer(503);
    let long = "für ".repeat(4000);
    own.receive(
        &ink,
        &format!("From: a@far.test\nSubject: a\n\n{long}\n"),
        ReceivedAs::Plain,
    )
    .await;
    endpoint.wait_for(1).await;
    let rows = logged(&ink, &own.key, 1).await;
    let row = &rows[0];
    has(
        row,
        &[
            ("id", "u"),
            ("organization_id", "s"),
            ("webhook_subscription_id", "u"),
            ("phone_number_id", "?u"),
            ("event_id", "s"),
            ("event_type", "s"),
            ("url", "s"),
            ("request_payload", "s"),
            ("response_status", "?n"),
            ("response_body", "?s"),
            ("error_detail", "?s"),
            ("duration_ms", "?n"),
            ("is_replay", "b"),
            ("created_at", "t"),
            ("replayable", "b"),
            ("replay_unavailable_reason", "?s"),
        ],
    );
    let first = endpoint.hits().remove(0);
    assert_eq!(row["request_payload"], json!(first.text));
    assert_eq!(first.body["data"]["message"]["body_state"], "truncated");
    assert_eq!(
        (&row["response_status"], &row["response_body"]),
        (&json!(503), &json!("heard"))
    );
    assert_eq!(
        (&row["event_id"], &row["webhook_subscription_id"]),
        (&first.body["id"], &made.body["id"])
    );
    assert_eq!((&row["replayable"], &row["is_replay"]), (&json!(true), &json!(false)));
    endpoint.answer(200);
    let replay = format!("{LOG}/{}/replay", row["id"].as_str().unwrap());
    ink.api
        .post(&replay, &other.key, json!({}))
        .await
        .fails(404, "not_found");
    assert!(log(&ink, &other.key, "").await.is_empty());
    let again = ink.api.post(&replay, &own.key, json!({})).await;
    again.expect(StatusCode::CREATED);
    assert_eq!(
        (&again.body["is_replay"], &again.body["response_status"]),
        (&json!(true), &json!(200))
    );
    assert_eq!(
        (&again.body["event_id"], &again.body["request_payload"]),
        (&row["event_id"], &row["request_payload"])
    );
    assert_ne!(again.body["id"], row["id"]);
    let hit = endpoint.wait_for(2).await.remove(1);
    hit.is_signed_with(&made.text("signing_key"));
    assert_eq!(hit.text, first.text);
    assert_ne!(hit.header("x-inkbox-request-id"), first.header("x-inkbox-request-id"));
    for (query, count) in [
        ("?success=true", 1),
        ("?success=false&limit=200", 1),
        ("?limit=1", 1),
        ("?limit=1000&offset=1", 1),
        ("?event_type=message.sent", 0),
    ] {
        assert_eq!(log(&ink, &ink.admin, query).await.len(), count, "{query}");
    }
    let of_one = format!("?subscription_id={}", made.text("id"));
    assert_eq!(log(&ink, &own.key, &of_one).await[0]["is_replay"], true, "newest first");
    assert!(log(&ink, &other.key, &of_one).await.is_empty());
    for query in ["?success=maybe", "?limit=x", "?offset=-1", "?subscription_id=x"] {
        ink.api
            .get(&format!("{LOG}{query}"), &own.key)
            .await
            .fails(422, "validation_error");
    }
    let path = format!("{HOOKS}/{}", made.text("id"));
    ink.api.delete(&path, &own.key).await.expect(StatusCode::NO_CONTENT);
    ink.api
        .post(&replay, &own.key, json!({}))
        .await
        .fails(409, "not_replayable");
    assert_eq!(log(&ink, &own.key, "").await[0]["replayable"], false);
    let nothing = format!("{LOG}/{}/replay", EmailId::new());
    ink.api
        .post(&nothing, &own.key, json!({}))
        .await
        .fails(404, "not_found");
}

#[tokio::test]
async fn signing_keys_are_shown_once_and_rotate() {
    let ink = Ink::new().await;
    let (own, other) = (Agent::new(&ink, "agent-one").await, Agent::new(&ink, "agent-two").await);
    let path = "/api/v1/identities/agent-one/signing-key";
    let none = ink.api.get(path, &own.key).await;
    assert_eq!(none.body, json!({ "configured": false, "created_at": null }));
    let first = ink.api.post(path, &own.key, json!({})).await;
    first.expect(StatusCode::CREATED);
    has(&first.body, &[("signing_key", "s"), ("created_at", "t")]);
    let second = ink
        .api
        .post("/api/v1/identities/@Agent-One/signing-key", &ink.admin, json!({}))
        .await;
    assert_ne!(first.text("signing_key"), second.text("signing_key"));
    let status = ink.api.get(path, &own.key).await;
    assert_eq!(
        (&status.body["configured"], &status.body["created_at"]),
        (&json!(true), &second.body["created_at"])
    );
    assert!(status.body.get("signing_key").is_none());
    for (method, path) in [("GET", path), ("POST", path)] {
        ink.api.any(method, path, &other.key).await.fails(404, "not_found");
    }
    let old = "/api/v1/signing-keys";
    ink.api
        .post(old, &ink.admin, json!({}))
        .await
        .fails(409, "identity_required");
    assert_eq!(ink.api.get(old, &ink.admin).await.body["configured"], true);
    assert_eq!(ink.api.get(old, &other.key).await.body["configured"], false);
    let theirs = ink.api.post(old, &other.key, json!({})).await;
    theirs.expect(StatusCode::CREATED);
    assert_eq!(
        ink.api.get(old, &other.key).await.body["created_at"],
        theirs.body["created_at"]
    );
}

#[tokio::test]
async fn what_an_identity_had_goes_with_it() {
    let ink = Ink::new().await;
    let endpoint = Endpoint::start().await;
    let own = Agent::new(&ink, "agent-one").await;
    own.subscribe(&ink, &endpoint, &["message.received"]).await;
    own.receive(&ink, "From: a@far.test\nSubject: a\n\nx\n", ReceivedAs::Plain)
        .await;
    logged(&ink, &own.key, 1).await;
    ink.api
        .delete("/api/v1/identities/agent-one", &ink.admin)
        .await
        .expect(StatusCode::NO_CONTENT);
    assert_eq!(ink.api.get(HOOKS, &own.key).await.status, 401);
    let listed = ink.api.get(HOOKS, &ink.admin).await;
    assert_eq!(listed.body["subscriptions"], json!([]));
    assert!(log(&ink, &ink.admin, "").await.is_empty());
}

/// The key that an inbox got in another dialect lives in the inbox, and leaves nothing behind.
#[tokio::test]
async fn the_key_of_an_inbox_without_an_identity_sets_nothing_up() {
    let ink = Ink::new().await;
    let endpoint = Endpoint::start().await;
    let wish = json!({ "url": endpoint.url, "event_types": ["message.received"], "mailbox_id": ink.inbox.to_string() });
    let made = ink.api.post(HOOKS, &ink.admin, wish.clone()).await;
    made.expect(StatusCode::CREATED);
    let one = format!("{HOOKS}/{}", made.text("id"));
    let rule = json!({ "action": "block", "match_type": "domain", "match_target": "x.test" });
    let mailbox = format!("/api/v1/mail/mailboxes/{}", ink.address);
    for refused in [
        ink.api.post(HOOKS, &ink.key, wish).await,
        ink.api.patch(&one, &ink.key, json!({ "auth_token": null })).await,
        ink.api.delete(&one, &ink.key).await,
        ink.api.post("/api/v1/signing-keys", &ink.key, json!({})).await,
        ink.post("contact-rules", rule).await,
        ink.api
            .patch(&mailbox, &ink.key, json!({ "signature_text": "x" }))
            .await,
    ] {
        refused.fails(403, "missing_permission");
    }
    assert_eq!(ink.api.get(&one, &ink.key).await.body["id"], made.body["id"]);
    assert!(ink.api.get(&mailbox, &ink.admin).await.body["signature_text"].is_null());
}
