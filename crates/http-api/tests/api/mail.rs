//! An inbox with mail in it, and calls about it.

use crate::arrival::Arrival;
use crate::setup::{Answer, Api};
use axum::http::StatusCode;
use postroom_mailstore::{MailboxRef, Origin};
use postroom_message::{fields, unfold};
use postroom_types::{BlobSpan, EmailId, InboxId};
use serde_json::Value;

pub(crate) struct Mail {
    pub(crate) api: Api,
    pub(crate) key: String,
    pub(crate) inbox: InboxId,
}

impl Mail {
    pub(crate) async fn new() -> Self {
        Self::on(Api::new().await).await
    }

    pub(crate) async fn on(api: Api) -> Self {
        let made = api.inbox(&api.tenant("A").await.key, "scout").await;
        let (key, inbox) = (made.text("apiKey"), made.text("id").parse().unwrap());
        Self { api, key, inbox }
    }

    pub(crate) async fn put(&self, content: &str, origin: Origin, mailbox: MailboxRef) -> EmailId {
        put(&self.api, self.inbox, content, origin, mailbox).await
    }

    pub(crate) async fn receive(&self, content: &str) -> EmailId {
        self.put(content, Origin::Received, MailboxRef::Inbox).await
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1/inboxes/{}/{rest}", self.inbox)
    }

    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.api.get(&self.path(rest), &self.key).await
    }

    pub(crate) async fn post(&self, rest: &str, body: Value) -> Answer {
        self.api.post(&self.path(rest), &self.key, body).await
    }

    /// A message that goes through.
    pub(crate) async fn send(&self, body: Value) -> Answer {
        let sent = self.post("send", body).await;
        sent.expect(StatusCode::OK);
        sent
    }

    /// What the queue has of a message that was answered with its id: its recipients, and it as it would go out.
    pub(crate) async fn queued(&self, answer: &Answer) -> (Vec<String>, String) {
        let id: EmailId = answer.text("id").parse().unwrap();
        let recipients = self.api.queue.recipients(id).await.unwrap();
        let addresses = recipients.iter().map(|status| status.address.to_string()).collect();
        (addresses, self.content(id).await)
    }

    /// A queued message octet by octet. What stands before it in line is put on hold.
    async fn content(&self, id: EmailId) -> String {
        loop {
            let wait = std::time::Duration::from_secs(10);
            let next = tokio::time::timeout(wait, self.api.queue.next_turn()).await;
            let mut turn = next.expect("there is work for this message");
            while let Some(job) = turn.next_job().await.unwrap() {
                if job.message != id {
                    self.api.queue.hold(job.message, None).await.unwrap();
                    continue;
                }
                let span = BlobSpan {
                    id: job.body.blob,
                    offset: 0,
                    octets: job.body.octets,
                };
                let body = self.api.mailstore.read_blob(span).await.unwrap().unwrap();
                return String::from_utf8([&job.prefix[..], &body].concat()).unwrap();
            }
        }
    }

    pub(crate) async fn patch(&self, id: EmailId, body: Value) -> Answer {
        self.api
            .patch(&self.path(&format!("messages/{id}")), &self.key, body)
            .await
    }

    pub(crate) async fn listed(&self, query: &str) -> (Vec<String>, Value) {
        let list = self.get(&format!("messages{query}")).await;
        list.expect(StatusCode::OK);
        let messages = list.body["messages"].as_array().unwrap();
        let subjects = messages
            .iter()
            .map(|message| message["subject"].as_str().unwrap().to_owned())
            .collect();
        (subjects, list.body["pagination"].clone())
    }

    pub(crate) async fn check(&self) {
        assert_eq!(
            self.api.mailstore.check_consistency(self.inbox).await.unwrap(),
            Vec::<String>::new()
        );
    }
}

/// Puts a message into an inbox, long ago.
pub(crate) async fn put(api: &Api, inbox: InboxId, content: &str, origin: Origin, mailbox: MailboxRef) -> EmailId {
    let arrival = Arrival::at(1_700_000_000_000, origin, mailbox);
    arrival.put(api, inbox, content).await
}

/// The values of a message's header field, on one line each.
pub(crate) fn header(content: &str, name: &str) -> Vec<String> {
    let values = fields(content.as_bytes()).filter(|field| field.is(name));
    let text = values.map(|field| String::from_utf8_lossy(&unfold(field.value)).into_owned());
    text.collect()
}
