//! Somebody who has something of everything, and what names nothing.

use crate::mail::put;
use crate::setup::{Answer, Api, Tenant};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use postroom_mailstore::{MailboxRef, Origin};
use serde_json::json;
use std::collections::BTreeMap;

const NOWHERE: &str = "00000000-0000-7000-8000-000000000000";

/// Something of everything, in a workspace.
pub(crate) struct Owner {
    pub(crate) tenant: Tenant,
    wk: String,
    /// An agent's.
    ak: String,
    pub(crate) names: BTreeMap<String, String>,
}

#[track_caller]
fn text(answer: &Answer, field: &str) -> String {
    assert!(answer.status < 300, "{}: {}", answer.status, answer.body);
    answer.text(field)
}

impl Owner {
    pub(crate) async fn new(api: &Api, name: &str) -> Self {
        let tenant = api.tenant(name).await;
        let keys = format!("/v1/workspaces/{}/keys", tenant.workspace);
        let wk = text(&api.post(&keys, &tenant.key, json!({})).await, "key");
        let mut owner = Self {
            names: BTreeMap::new(),
            ak: String::new(),
            tenant,
            wk,
        };
        owner.agent(api, name).await;
        owner.things(api, name).await;
        owner.hooks(api).await;
        owner
    }

    fn name(&mut self, name: &str, value: String) {
        self.names.insert(name.into(), value);
    }

    async fn agent(&mut self, api: &Api, name: &str) {
        let tk = self.tenant.key.clone();
        let made = api
            .post("/api/v1/identities/", &tk, json!({ "agent_handle": name }))
            .await;
        let (id, address) = (text(&made, "id"), text(&made, "email_address"));
        let inbox = made.body["mailbox"]["id"].as_str().unwrap().to_owned();
        let wish = json!({ "label": "x", "scoped_identity_id": id });
        let key = api.post("/api/v1/api-keys", &tk, wish).await;
        self.ak = text(&key, "api_key");
        let content = format!("From: ann@far.test\nSubject: {name}\nMessage-ID: <{name}@far.test>\n\nx\n");
        let message = put(
            api,
            inbox.parse().unwrap(),
            &content,
            Origin::Received,
            MailboxRef::Inbox,
        )
        .await;
        let shown = api.get(&format!("/v1/inboxes/{inbox}/messages/{message}"), &tk).await;
        let letter = json!({ "to": "ann@far.test", "subject": name, "plainBody": "x" });
        let draft = api
            .post(&format!("/v1/inboxes/{inbox}/drafts"), &tk, letter.clone())
            .await;
        let sent = api.post(&format!("/v1/inboxes/{inbox}/send"), &tk, letter).await;
        for (name, value) in [
            ("identity", id),
            ("handle", name.to_owned()),
            ("address", address.clone()),
            ("inbox_id", address),
            ("inbox", inbox),
            ("key", key.body["record"]["id"].as_str().unwrap().to_owned()),
            ("message", message.to_string()),
            ("message_id", format!("%3C{name}@far.test%3E")),
            ("thread", text(&shown, "threadId")),
            ("draft", text(&draft, "id")),
            ("queued", text(&sent, "id")),
            ("pod_id", self.tenant.workspace.clone()),
            ("workspace", self.tenant.workspace.clone()),
            ("tenant", self.tenant.id.clone()),
            ("organization", self.tenant.id.clone()),
        ] {
            self.name(name, value);
        }
    }

    async fn things(&mut self, api: &Api, name: &str) {
        let (tk, inbox, address) = (
            self.tenant.key.clone(),
            self.names["inbox"].clone(),
            self.names["address"].clone(),
        );
        let domain = format!("{name}.test");
        let made = api.post("/v1/domains", &self.wk, json!({ "domain": domain })).await;
        self.name("domain", text(&made, "domain"));
        let alias = json!({ "email": format!("{name}-alias@example.test"), "primary": false });
        let made = api.post(&format!("/v1/inboxes/{inbox}/addresses"), &tk, alias).await;
        self.name("alias", text(&made, "address"));
        let rule = json!({ "action": "block", "match_type": "domain", "match_target": "bad.example" });
        let path = format!("/api/v1/identities/{name}/mail-contact-rules");
        let made = api.post(&path, &tk, rule).await;
        self.name("rule", text(&made, "id"));
        let drafts = api.get(&format!("/v0/inboxes/{address}/drafts"), &tk).await;
        let draft = drafts.body["drafts"][0]["draft_id"].as_str().unwrap().to_owned();
        self.name("draft_id", draft);
        let threads = api.get(&format!("/v0/inboxes/{address}/threads"), &tk).await;
        let thread = threads.body["threads"][0]["thread_id"].as_str().unwrap().to_owned();
        self.name("thread_id", thread);
        let key = api
            .post(&format!("/v0/inboxes/{address}/api-keys"), &tk, json!({}))
            .await;
        self.name("api_key_id", text(&key, "api_key_id"));
        let path = format!("/v0/inboxes/{address}/lists/receive/block");
        let entry = api
            .post(&path, &tk, json!({ "entry": format!("{name}@bad.example") }))
            .await;
        self.name("entry", text(&entry, "entry"));
        let job = Request::post(format!("/api/v1/mail/mailboxes/{address}/imports"))
            .header("x-api-key", &tk)
            .header(header::HOST, "mail.example.test")
            .header(header::CONTENT_TYPE, "application/json");
        let job = api.send(job.body(Body::from("{}")).unwrap()).await;
        job.expect(StatusCode::CREATED);
        self.name("job", job.body["job"]["id"].as_str().unwrap().to_owned());
        let viewer = json!({ "agent_handle": format!("{name}-viewer") });
        let viewer = text(&api.post("/api/v1/identities/", &tk, viewer).await, "id");
        let path = format!("/api/v1/identities/{name}/access");
        let seen = api.post(&path, &tk, json!({ "viewer_identity_id": viewer })).await;
        seen.expect(StatusCode::CREATED);
        self.name("viewer", viewer);
    }

    async fn hooks(&mut self, api: &Api) {
        let tk = self.tenant.key.clone();
        let url = "http://127.0.0.1:9/x";
        let path = format!("/v0/inboxes/{}/webhooks", self.names["address"]);
        let wish = json!({ "url": url, "event_types": ["message.sent"] });
        let made = text(&api.post(&path, &tk, wish).await, "webhook_id");
        self.name("webhook_id", made);
        let wish = json!({ "url": url, "events": ["message.sent"] });
        let made = text(&api.post("/v1/webhooks", &self.wk, wish).await, "id");
        self.name("webhook", made);
        let wish = json!({ "url": url, "event_types": ["message.sent"], "agent_identity_id": self.names["identity"] });
        let made = api.post("/api/v1/webhooks/subscriptions", &tk, wish).await;
        self.name("subscription", text(&made, "id"));
    }

    /// What a name means at a path.
    pub(crate) fn named(&self, name: &str, path: &str) -> String {
        let name = match name {
            "address" if path.starts_with("/v1/") => "alias",
            "message" if path.starts_with("/postroom/v1/queue") => "queued",
            "domain_id" | "name" => "domain",
            other => other,
        };
        let found = self.names.get(name).cloned();
        // Of what there is nothing: the server's own, and what takes a peer.
        found.unwrap_or_else(|| nowhere(name))
    }

    /// Its keys of all kinds, by the dialect that they are for.
    pub(crate) async fn keys(&self, api: &Api) -> Vec<(&'static str, String)> {
        let (tk, workspace) = (&self.tenant.key, &self.tenant.workspace);
        let am = api.organization_key(&self.tenant.id).await;
        let mut keys = vec![
            ("tk", tk.clone()),
            ("wk", self.wk.clone()),
            ("ak of an agent", self.ak.clone()),
            ("am", am.clone()),
        ];
        keys.extend(narrow(api, &am, workspace, &self.names["address"]).await);
        keys
    }
}

/// `am_` keys of a pod and of an inbox.
pub(crate) async fn narrow(api: &Api, am: &str, pod: &str, inbox: &str) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    for (kind, path) in [
        ("am of a pod", format!("/v0/pods/{pod}/api-keys")),
        ("am of an inbox", format!("/v0/inboxes/{inbox}/api-keys")),
    ] {
        keys.push((kind, text(&api.post(&path, am, json!({})).await, "api_key")));
    }
    keys
}

pub(crate) fn nowhere(name: &str) -> String {
    match name {
        "address" | "inbox_id" | "alias" | "entry" => "nobody@example.test".into(),
        "handle" => "nobody".into(),
        "message_id" => "%3Cnone@far.test%3E".into(),
        "webhook_id" => format!("ep_{}", NOWHERE.replace('-', "")),
        "domain" | "domain_id" | "name" => "nowhere.test".into(),
        _ => NOWHERE.into(),
    }
}
