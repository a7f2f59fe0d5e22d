//! An organization with AgentMail keys, mail put into its inboxes, and calls about it.

use crate::arrival::Arrival;
use crate::setup::{Answer, Api};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::{EmailAddress, EmailId, InboxId, SpecialUse};
use serde_json::{Value, json};

pub(crate) const SPAM: MailboxRef = MailboxRef::Special(SpecialUse::Junk);
pub(crate) const SENT: MailboxRef = MailboxRef::Special(SpecialUse::Sent);

pub(crate) struct Agents {
    pub(crate) api: Api,
    pub(crate) key: String,
    /// The first inbox: its address.
    pub(crate) inbox: String,
}

impl Agents {
    pub(crate) async fn new() -> Self {
        let api = Api::new().await;
        let tenant = api.tenant("A").await;
        let key = api.organization_key(&tenant.id).await;
        let inbox = Self::make_inbox(&api, &key, "scout").await;
        Self { api, key, inbox }
    }

    async fn make_inbox(api: &Api, key: &str, username: &str) -> String {
        let made = api.post("/v0/inboxes", key, json!({ "username": username })).await;
        made.expect(StatusCode::OK);
        made.text("inbox_id")
    }

    pub(crate) async fn inbox(&self, username: &str) -> String {
        Self::make_inbox(&self.api, &self.key, username).await
    }

    /// A key of the organization with these permissions alone.
    pub(crate) async fn key_with(&self, permissions: Value) -> String {
        let body = json!({ "name": "narrow", "permissions": permissions });
        let made = self.api.post("/v0/api-keys", &self.key, body).await;
        made.expect(StatusCode::OK);
        made.text("api_key")
    }

    pub(crate) async fn id_of(&self, inbox: &str) -> InboxId {
        let address = EmailAddress::parse(inbox).unwrap();
        self.api.identity.inbox_at_address(&address).await.unwrap().unwrap().id
    }

    pub(crate) async fn put(&self, inbox: &str, content: &str, origin: Origin, mailbox: MailboxRef) -> EmailId {
        let arrival = Arrival::now(origin, mailbox);
        arrival.put(&self.api, self.id_of(inbox).await, content).await
    }

    pub(crate) async fn receive(&self, content: &str) -> EmailId {
        self.put(&self.inbox, content, Origin::Received, MailboxRef::Inbox)
            .await
    }

    /// A path below the first inbox.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v0/inboxes/{}/{rest}", self.inbox)
    }

    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.api.get(&self.path(rest), &self.key).await
    }

    pub(crate) async fn good(&self, rest: &str) -> Value {
        let answer = self.get(rest).await;
        answer.expect(StatusCode::OK);
        answer.body
    }

    pub(crate) async fn post(&self, rest: &str, body: Value) -> Answer {
        self.api.post(&self.path(rest), &self.key, body).await
    }

    pub(crate) async fn patch(&self, rest: &str, body: Value) -> Answer {
        self.api.patch(&self.path(rest), &self.key, body).await
    }

    /// As a client of a browser asks: with a Host, and without a key.
    pub(crate) async fn with_host(&self, path: &str, key: Option<&str>) -> Answer {
        let mut request = Request::builder()
            .uri(path)
            .header(header::HOST, "mail.example.test:2080");
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        self.api.send(request.body(Body::empty()).unwrap()).await
    }
}

/// Texts of a field of each item of a list.
pub(crate) fn each(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_array().expect("a list");
    items
        .iter()
        .map(|item| item[field].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// A path segment as Node's client writes it.
pub(crate) fn encoded(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
