//! A mailbox in the Inkbox dialect, with the keys of its organization and of its agent, and calls about it.

use crate::arrival::Arrival;
use crate::setup::{Answer, Api};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::{EmailId, InboxId};
use serde_json::{Value, json};

pub(crate) struct Ink {
    pub(crate) api: Api,
    /// A key of the organization.
    pub(crate) admin: String,
    /// A key of the agent whose mailbox it is.
    pub(crate) key: String,
    pub(crate) inbox: InboxId,
    pub(crate) address: &'static str,
}

impl Ink {
    pub(crate) async fn new() -> Self {
        let api = Api::new().await;
        let admin = api.tenant("A").await.key;
        let made = api.inbox(&admin, "scout").await;
        let (key, inbox) = (made.text("apiKey"), made.text("id").parse().unwrap());
        Self {
            api,
            admin,
            key,
            inbox,
            address: "scout@example.test",
        }
    }

    /// Puts a message into the mailbox as if it came now.
    pub(crate) async fn put(&self, content: &str, origin: Origin, mailbox: MailboxRef) -> EmailId {
        let arrival = Arrival::now(origin, mailbox);
        arrival.put(&self.api, self.inbox, content).await
    }

    pub(crate) async fn receive(&self, content: &str) -> EmailId {
        self.put(content, Origin::Received, MailboxRef::Inbox).await
    }

    /// A path below the mailbox.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/v1/mail/mailboxes/{}/{rest}", self.address)
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

    pub(crate) async fn made(&self, rest: &str, body: Value) -> Value {
        let answer = self.post(rest, body).await;
        answer.expect(StatusCode::CREATED);
        answer.body
    }

    pub(crate) async fn patch(&self, rest: &str, body: Value) -> Answer {
        self.api.patch(&self.path(rest), &self.key, body).await
    }

    pub(crate) async fn delete(&self, rest: &str) -> Answer {
        self.api.delete(&self.path(rest), &self.key).await
    }

    /// A POST with an idempotency key.
    pub(crate) async fn keyed(&self, rest: &str, key: &str, body: &Value) -> Answer {
        let request = Request::post(self.path(rest))
            .header("x-api-key", &self.key)
            .header("idempotency-key", key)
            .header("prefer", "idempotency-replay")
            .header(header::CONTENT_TYPE, "application/json");
        self.api.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// A GET with a Host, as links need one.
    pub(crate) async fn with_host(&self, path: &str, key: Option<&str>) -> Answer {
        let mut request = Request::get(path).header(header::HOST, "mail.example.test:2080");
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        self.api.send(request.body(Body::empty()).unwrap()).await
    }

    /// What the list of messages shows, by subject.
    pub(crate) async fn subjects(&self, query: &str) -> Vec<String> {
        subjects(&self.good(&format!("messages{query}")).await["items"])
    }

    /// Whom the queue has for a message.
    pub(crate) async fn recipients(&self, message: &Value) -> Vec<String> {
        let id: EmailId = message["id"].as_str().unwrap().parse().unwrap();
        let all = self.api.queue.recipients(id).await.unwrap();
        let mut all: Vec<String> = all.iter().map(|status| status.address.to_string()).collect();
        all.sort_unstable();
        all
    }

    /// A message as it is stored.
    pub(crate) async fn raw(&self, message: &Value) -> String {
        let id: EmailId = message["id"].as_str().unwrap().parse().unwrap();
        let record = self.api.mailstore.message(self.inbox, id).await.unwrap().unwrap();
        let bytes = self
            .api
            .mailstore
            .read(&record.content, 0..u64::MAX)
            .await
            .unwrap()
            .unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    pub(crate) async fn check(&self) {
        let faults = self.api.mailstore.check_consistency(self.inbox).await.unwrap();
        assert_eq!(faults, Vec::<String>::new());
    }
}

pub(crate) fn subjects(list: &Value) -> Vec<String> {
    let items = list.as_array().expect("a list");
    items
        .iter()
        .map(|item| item["subject"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// A message of a longer thread, to several.
pub(crate) const GROUP: &str = "From: Ann <ann@example.net>\nTo: scout@example.test, bo@example.net\nCc: cy@example.net, SCOUT+x@example.test\n\
    Subject: plan\nMessage-ID: <plan@example.net>\nReferences: <root@example.net>\n\nWhat now?\n";

/// A message to be sent.
pub(crate) fn letter(subject: &str) -> Value {
    json!({ "recipients": { "to": ["ann@example.net"] }, "subject": subject, "body_text": "hello" })
}

impl Answer {
    /// An error in the dialect's form.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16, error: &str) {
        let detail = &self.body["detail"];
        assert_eq!(
            (self.status, detail["error"].as_str()),
            (status, Some(error)),
            "{}",
            self.body
        );
        assert!(
            detail["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{}",
            self.body
        );
    }
}

/// That a field of an object is there and of a kind: `s` text, `u` an id, `t` a time, `b` true or false, `n` a number, `a` an
/// array of texts, `o` an object, `l` an array; after `?` it may be null.
#[track_caller]
pub(crate) fn has(object: &Value, fields: &[(&str, &str)]) {
    for (name, kind) in fields {
        let value = object.get(name).unwrap_or_else(|| panic!("no {name} in {object}"));
        let kind = match kind.strip_prefix('?') {
            Some(_) if value.is_null() => continue,
            Some(kind) => kind,
            None => kind,
        };
        let text = value.as_str().unwrap_or_default();
        let is_good = match kind {
            "s" => value.is_string(),
            "u" => text.parse::<EmailId>().is_ok(),
            "t" => text.parse::<jiff::Timestamp>().is_ok(),
            "b" => value.is_boolean(),
            "n" => value.is_u64(),
            "a" => value.as_array().is_some_and(|all| all.iter().all(Value::is_string)),
            "o" => value.is_object(),
            "l" => value.is_array(),
            other => panic!("no kind {other}"),
        };
        assert!(is_good, "{name}: {value}");
    }
}

pub(crate) const MESSAGE: &[(&str, &str)] = &[
    ("id", "u"),
    ("mailbox_id", "u"),
    ("thread_id", "u"),
    ("message_id", "s"),
    ("from_address", "s"),
    ("from_display_name", "?s"),
    ("to_addresses", "a"),
    ("cc_addresses", "a"),
    ("subject", "?s"),
    ("snippet", "?s"),
    ("direction", "s"),
    ("status", "s"),
    ("is_read", "b"),
    ("is_starred", "b"),
    ("has_attachments", "b"),
    ("created_at", "t"),
    ("first_opened_at", "?t"),
    ("open_count", "n"),
    ("import_job_id", "?u"),
];

pub(crate) const MESSAGE_DETAIL: &[(&str, &str)] = &[
    ("body_text", "?s"),
    ("body_html", "?s"),
    ("bcc_addresses", "a"),
    ("in_reply_to", "?s"),
    ("references", "a"),
    ("attachment_metadata", "l"),
    ("ses_message_id", "?s"),
    ("updated_at", "t"),
    ("reply_all_recipients", "o"),
];

pub(crate) const THREAD: &[(&str, &str)] = &[
    ("id", "u"),
    ("mailbox_id", "u"),
    ("subject", "?s"),
    ("folder", "s"),
    ("message_count", "n"),
    ("last_message_at", "t"),
    ("created_at", "t"),
];

pub(crate) const DRAFT: &[(&str, &str)] = &[
    ("id", "u"),
    ("mailbox_id", "u"),
    ("from_address", "s"),
    ("to_addresses", "a"),
    ("cc_addresses", "a"),
    ("bcc_addresses", "a"),
    ("subject", "?s"),
    ("snippet", "?s"),
    ("has_attachments", "b"),
    ("attachment_count", "n"),
    ("generation", "n"),
    ("send_state", "s"),
    ("track_opens", "b"),
    ("created_at", "t"),
    ("updated_at", "t"),
];

pub(crate) const DRAFT_DETAIL: &[(&str, &str)] = &[
    ("body_text", "?s"),
    ("body_html", "?s"),
    ("reply_to", "?s"),
    ("thread_id", "?u"),
    ("message_id", "?s"),
    ("in_reply_to", "?s"),
    ("references", "a"),
    ("forward_source_message_id", "?u"),
    ("forward_mode", "?s"),
    ("forward_note_text", "?s"),
    ("forward_note_html", "?s"),
    ("include_original_attachments", "?b"),
    ("attachment_metadata", "l"),
];

pub(crate) const FILE: &[(&str, &str)] = &[
    ("part_index", "n"),
    ("filename", "s"),
    ("content_type", "s"),
    ("size", "n"),
    ("content_id", "?s"),
    ("is_inline", "b"),
];
