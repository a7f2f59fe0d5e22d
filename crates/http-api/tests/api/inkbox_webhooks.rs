//! Webhook subscriptions in the Inkbox dialect: made, posted to, logged, posted to again.

use crate::endpoint::{Endpoint, Hit};
use crate::inkbox_world::{Ink, has, letter};
use crate::setup::Answer;
use axum::http::StatusCode;
use postroom_feed::ReceivedAs;
use postroom_mailstore::{Announce, MailboxRef, NewMessage, Origin, Placing, ThreadChoice};
use postroom_message::summarize;
use postroom_queue::{Contact, Outcome, Reason};
use postroom_types::{EmailId, InboxId, InternalDate, MessageFlags, SpecialUse};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const HOOKS: &str = "/api/v1/webhooks/subscriptions";
const LOG: &str = "/api/v1/webhooks/deliveries";
const ALL: [&str; 6] = [
    "message.received",
    "message.sent",
    "message.forwarded",
    "message.delivered",
    "message.bounced",
    "message.failed",
];

/// An identity, its mailbox, and a key for it.
struct Agent {
    id: String,
    inbox: InboxId,
    address: String,
    key: String,
}

impl Agent {
    async fn new(ink: &Ink, handle: &str) -> Self {
        let made = ink
            .api
            .post("/api/v1/identities", &ink.admin, json!({ "agent_handle": handle }))
            .await;
        made.expect(StatusCode::CREATED);
        let id = made.text("id");
        let wish = json!({ "label": "x", "scoped_identity_id": id });
        let key = ink.api.post("/api/v1/api-keys", &ink.admin, wish).await;
        key.expect(StatusCode::CREATED);
        Self {
            inbox: made.body["mailbox"]["id"].as_str().unwrap().parse().unwrap(),
            address: made.text("email_address"),
            key: key.text("api_key"),
            id,
        }
    }

    async fn subscribe(&self, ink: &Ink, endpoint: &Endpoint, types: &[&str]) -> Answer {
        let wish = json!({ "url": endpoint.url, "event_types": types, "agent_identity_id": self.id });
        let made = ink.api.post(HOOKS, &self.key, wish).await;
        made.expect(StatusCode::CREATED);
        made
    }

    async fn receive(&self, ink: &Ink, content: &str, received_as: ReceivedAs) -> EmailId {
        let record = ink.api.identity.inbox(self.inbox).await.unwrap();
        let content = content.replace('\n', "\r\n");
        let message = NewMessage {
            summary: Arc::new(summarize(content.as_bytes())),
            body: content.into(),
            prefix: Vec::new(),
            origin: Origin::Received,
            received_at: 1_790_000_000_000,
            verdict: Vec::new(),
            shared_body: None,
        };
        let placing = Placing {
            inbox: self.inbox,
            mailbox: match received_as {
                ReceivedAs::Plain | ReceivedAs::Unauthenticated => MailboxRef::Inbox,
                ReceivedAs::Spam | ReceivedAs::Blocked => MailboxRef::Special(SpecialUse::Junk),
            },
            email_id: EmailId::new(),
            flags: MessageFlags::default(),
            internal_date: InternalDate::utc(1_790_000_000),
            thread: ThreadChoice::Find,
            announce: Some(Announce {
                organization: record.organization,
                received_as,
            }),
        };
        ink.api.mailstore.deliver(&message, vec![placing]).await.unwrap()[0].email_id
    }

    async fn post(&self, ink: &Ink, rest: &str, body: Value) -> Answer {
        let path = format!("/api/v1/mail/mailboxes/{}/{rest}", self.address);
        let answer = ink.api.post(&path, &self.key, body).await;
        answer.expect(StatusCode::CREATED);
        answer
    }
}

/// Works the next job of the queue off.
async fn work(ink: &Ink, outcome: Outcome) {
    let queue = &ink.api.queue;
    let mut turn = queue.next_turn().await;
    let job = turn.next_job().await.unwrap().unwrap();
    let attempt = queue.open_attempt(&job, &Contact::default()).await.unwrap();
    let outcomes: Vec<_> = job.items.iter().map(|item| (item.id, outcome.clone())).collect();
    queue
        .close_attempt(attempt, &Contact::default(), &outcomes)
        .await
        .unwrap();
}

fn types(hits: &[Hit]) -> Vec<&str> {
    hits.iter()
        .map(|hit| hit.body["event_type"].as_str().unwrap())
        .collect()
}

async fn log(ink: &Ink, key: &str, query: &str) -> Vec<Value> {
    let answer = ink.api.get(&format!("{LOG}{query}"), key).await;
    answer.expect(StatusCode::OK);
    answer.body["deliveries"].as_array().unwrap().clone()
}

async fn logged(ink: &Ink, key: &str, count: usize) -> Vec<Value> {
    for _ in 0..500 {
        let rows = log(ink, key, "").await;
        if rows.len() >= count {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("fewer than {count} deliveries");
}

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
        refused.fails(403, "admin_key_required");
    }
    assert_eq!(ink.api.get(&one, &ink.key).await.body["id"], made.body["id"]);
    assert!(ink.api.get(&mailbox, &ink.admin).await.body["signature_text"].is_null());
}
