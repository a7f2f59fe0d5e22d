//! Agents with webhooks in the Inkbox dialect, and what is logged of them.

use crate::arrival::Arrival;
use crate::endpoint::{Endpoint, Hit};
use crate::inkbox_world::Ink;
use crate::setup::Answer;
use axum::http::StatusCode;
use postroom_feed::ReceivedAs;
use postroom_mailstore::{MailboxRef, Origin};
use postroom_queue::{Contact, Outcome};
use postroom_types::{EmailId, InboxId, SpecialUse};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const HOOKS: &str = "/api/v1/webhooks/subscriptions";
pub(crate) const LOG: &str = "/api/v1/webhooks/deliveries";
pub(crate) const ALL: [&str; 6] = [
    "message.received",
    "message.sent",
    "message.forwarded",
    "message.delivered",
    "message.bounced",
    "message.failed",
];

/// An identity, its mailbox, and a key for it.
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) inbox: InboxId,
    pub(crate) address: String,
    pub(crate) key: String,
}

impl Agent {
    pub(crate) async fn new(ink: &Ink, handle: &str) -> Self {
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

    pub(crate) async fn subscribe(&self, ink: &Ink, endpoint: &Endpoint, types: &[&str]) -> Answer {
        let wish = json!({ "url": endpoint.url, "event_types": types, "agent_identity_id": self.id });
        let made = ink.api.post(HOOKS, &self.key, wish).await;
        made.expect(StatusCode::CREATED);
        made
    }

    pub(crate) async fn receive(&self, ink: &Ink, content: &str, received_as: ReceivedAs) -> EmailId {
        let mailbox = match received_as {
            ReceivedAs::Plain | ReceivedAs::Unauthenticated => MailboxRef::Inbox,
            ReceivedAs::Spam | ReceivedAs::Blocked => MailboxRef::Special(SpecialUse::Junk),
        };
        let arrival = Arrival {
            received_as: Some(received_as),
            ..Arrival::at(1_790_000_000_000, Origin::Received, mailbox)
        };
        arrival.put(&ink.api, self.inbox, content).await
    }

    pub(crate) async fn post(&self, ink: &Ink, rest: &str, body: Value) -> Answer {
        let path = format!("/api/v1/mail/mailboxes/{}/{rest}", self.address);
        let answer = ink.api.post(&path, &self.key, body).await;
        answer.expect(StatusCode::CREATED);
        answer
    }
}

/// Works the next job of the queue off.
pub(crate) async fn work(ink: &Ink, outcome: Outcome) {
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

pub(crate) fn types(hits: &[Hit]) -> Vec<&str> {
    hits.iter()
        .map(|hit| hit.body["event_type"].as_str().unwrap())
        .collect()
}

pub(crate) async fn log(ink: &Ink, key: &str, query: &str) -> Vec<Value> {
    let answer = ink.api.get(&format!("{LOG}{query}"), key).await;
    answer.expect(StatusCode::OK);
    answer.body["deliveries"].as_array().unwrap().clone()
}

pub(crate) async fn logged(ink: &Ink, key: &str, count: usize) -> Vec<Value> {
    for _ in 0..500 {
        let rows = log(ink, key, "").await;
        if rows.len() >= count {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("fewer than {count} deliveries");
}
