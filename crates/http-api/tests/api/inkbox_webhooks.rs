//! What webhooks are told in the Inkbox dialect.

use crate::endpoint::Endpoint;
use crate::inkbox_hooks::{ALL, Agent, types, work};
use crate::inkbox_world::{Ink, has, letter};
use axum::http::StatusCode;
use postroom_feed::ReceivedAs;
use postroom_queue::{Outcome, Reason};
use serde_json::json;

const MESSAGE: &[(&str, &str)] = &[
    ("id", "u"),
    ("mailbox_id", "u"),
    ("thread_id", "u"),
    ("message_id", "s"),
    ("from_address", "s"),
    ("to_addresses", "a"),
    ("cc_addresses", "a"),
    ("bcc_addresses", "?a"),
    ("subject", "?s"),
    ("snippet", "?s"),
    ("email_address", "s"),
    ("body", "?s"),
    ("body_state", "?s"),
    ("body_truncated", "?b"),
    ("body_total_chars", "?n"),
    ("body_included_chars", "?n"),
    ("direction", "s"),
    ("status", "s"),
    ("has_attachments", "b"),
    ("created_at", "t"),
];

#[tokio::test]
async fn a_life_of_mail_is_told_signed() {
    let ink = Ink::new().await;
    let endpoint = Endpoint::start().await;
    let (own, peer) = (Agent::new(&ink, "agent-one").await, Agent::new(&ink, "agent-two").await);
    let made = own.subscribe(&ink, &endpoint, &ALL).await;
    let secret = made.text("signing_key");
    let content = format!(
        "From: Peer <{}>\nTo: {}\nSubject: Hi\nMessage-ID: <a@x>\n\nhello für dich\n",
        peer.address, own.address
    );
    let id = own.receive(&ink, &content, ReceivedAs::Plain).await;
    let hits = endpoint.wait_for(1).await;
    hits[0].is_signed_with(&secret);
    has(
        &hits[0].body,
        &[("id", "s"), ("event_type", "s"), ("timestamp", "t"), ("data", "o")],
    );
    let data = &hits[0].body["data"];
    assert!(hits[0].body["id"].as_str().unwrap().starts_with("evt_"));
    has(data, &[("message", "o"), ("contacts", "l"), ("agent_identities", "l")]);
    let message = &data["message"];
    has(message, MESSAGE);
    for flag in ["is_read", "is_starred", "open_count", "first_opened_at"] {
        assert!(message.get(flag).is_none(), "{flag}");
    }
    assert_eq!(
        (&message["id"], &message["subject"]),
        (&json!(id.to_string()), &json!("Hi"))
    );
    assert_eq!(
        (&message["direction"], &message["status"]),
        (&json!("inbound"), &json!("received"))
    );
    let chars = message["body"].as_str().unwrap().chars().count();
    for (field, expected) in [
        ("body_state", json!("complete")),
        ("body_truncated", json!(false)),
        ("body_total_chars", json!(chars)),
        ("body_included_chars", json!(chars)),
    ] {
        assert_eq!(message[field], expected, "{field}");
    }
    assert!(message["body"].as_str().unwrap().starts_with("hello für dich") && message["bcc_addresses"].is_null());
    assert_eq!(message["email_address"], json!(own.address));
    let expected = json!([{ "bucket": "from", "address": peer.address, "id": peer.id, "agent_handle": "agent-two",
        "display_name": "agent-two" }]);
    assert_eq!(data["agent_identities"], expected);

    own.post(&ink, "messages", letter("out")).await;
    work(&ink, Outcome::Delivered(Reason::default())).await;
    let forward = json!({ "recipients": { "to": ["bob@example.net"] }, "mode": "inline" });
    own.post(&ink, &format!("messages/{id}/forward"), forward).await;
    let refused = Reason {
        code: 550,
        status: "5.1.1".into(),
        text: "no".into(),
    };
    work(&ink, Outcome::Bounced(refused)).await;
    let hits = endpoint.wait_for(5).await;
    let mut told = types(&hits);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "message.bounced",
            "message.delivered",
            "message.forwarded",
            "message.received",
            "message.sent"
        ]
    );
    for hit in &hits[1..] {
        hit.is_signed_with(&secret);
        let message = &hit.body["data"]["message"];
        has(message, MESSAGE);
        assert_eq!(message["direction"], "outbound");
        assert!(message["body"].is_null() && message["body_state"].is_null() && message["bcc_addresses"].is_array());
    }
    endpoint.stays_at(5).await;
}

#[tokio::test]
async fn whatever_passes_a_message_on_fires_forwarded() {
    let ink = Ink::new().await;
    let endpoint = Endpoint::start().await;
    let own = Agent::new(&ink, "agent-one").await;
    own.subscribe(&ink, &endpoint, &["message.sent", "message.forwarded"])
        .await;
    let content = "From: a@far.test\nSubject: Hi\nMessage-ID: <a@x>\n\nhello\n";
    let id = own.receive(&ink, content, ReceivedAs::Plain).await;
    let draft = json!({ "recipients": { "to": ["bob@example.net"] }, "forward_message_id": id.to_string(),
        "forward_mode": "inline" });
    let draft = own.post(&ink, "drafts", draft).await;
    let send = format!(
        "/api/v1/mail/mailboxes/{}/drafts/{}/send",
        own.address,
        draft.text("id")
    );
    let sent = ink
        .api
        .post(&send, &own.key, json!({ "generation": draft.body["generation"] }))
        .await;
    assert!((200..300).contains(&sent.status), "{}", sent.body);
    endpoint.wait_for(1).await;
    let path = format!("/v1/inboxes/{}/forward/{id}", own.inbox);
    let sent = ink
        .api
        .post(
            &path,
            &ink.admin,
            json!({ "to": "bob@example.net", "plainBody": "see" }),
        )
        .await;
    sent.expect(StatusCode::OK);
    endpoint.wait_for(2).await;
    let organization = ink
        .api
        .identity
        .inbox(own.inbox)
        .await
        .unwrap()
        .organization
        .to_string();
    let agentmail = ink.api.organization_key(&organization).await;
    let path = format!("/v0/inboxes/{}/messages/%3Ca@x%3E/forward", own.address);
    let sent = ink
        .api
        .post(&path, &agentmail, json!({ "to": ["bob@example.net"] }))
        .await;
    sent.expect(StatusCode::OK);
    endpoint.wait_for(3).await;
    let path = format!("/v0/inboxes/{}/messages/%3Ca@x%3E/reply", own.address);
    let sent = ink.api.post(&path, &agentmail, json!({ "text": "thanks" })).await;
    sent.expect(StatusCode::OK);
    let hits = endpoint.wait_for(4).await;
    let expected = [
        "message.forwarded",
        "message.forwarded",
        "message.forwarded",
        "message.sent",
    ];
    assert_eq!(types(&hits), expected);
}

#[tokio::test]
async fn hidden_mail_fires_nothing() {
    let ink = Ink::new().await;
    let endpoint = Endpoint::start().await;
    let own = Agent::new(&ink, "agent-one").await;
    own.subscribe(&ink, &endpoint, &ALL).await;
    for received_as in [ReceivedAs::Blocked, ReceivedAs::Spam] {
        own.receive(&ink, "From: a@far.test\nSubject: no\n\nx\n", received_as)
            .await;
    }
    own.receive(
        &ink,
        "From: a@far.test\nSubject: yes\n\nx\n",
        ReceivedAs::Unauthenticated,
    )
    .await;
    let hits = endpoint.wait_for(1).await;
    assert_eq!(hits[0].body["data"]["message"]["subject"], "yes");
    endpoint.stays_at(1).await;
}
