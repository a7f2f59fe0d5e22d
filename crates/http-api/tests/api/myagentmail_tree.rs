//! A tenant with one of everything that the MyAgentMail dialect has, and the paths of its operations.

use crate::mail::put;
use crate::setup::{Answer, Api, Tenant};
use axum::http::StatusCode;
use postroom_http_api::MyAgentMailOperation;
use postroom_mailstore::{MailboxRef, Origin};
use serde_json::{Value, json};

/// What no stranger may read.
pub(crate) const SECRET: &str = "the-red-notebook";
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

/// A tenant with one of everything, all in one workspace of its own.
pub(crate) struct Tree {
    pub(crate) tenant: Tenant,
    pub(crate) workspace: String,
    pub(crate) wk: String,
    pub(crate) inbox: String,
    pub(crate) ak: String,
    /// What a path names: parameter and value. `key` means one of the tenant, unless the path goes on from elsewhere.
    pub(crate) names: Vec<(&'static str, String)>,
    pub(crate) workspace_key: String,
    pub(crate) inbox_key: String,
}

pub(crate) async fn made(api: &Api, path: &str, key: &str, body: Value) -> Answer {
    let made = api.post(path, key, body).await;
    made.expect(StatusCode::CREATED);
    made
}

impl Tree {
    pub(crate) async fn plant(api: &Api, name: &str) -> Self {
        let tenant = api.tenant(name).await;
        let (workspace, wk) = api.workspace(&tenant, name).await;
        let inbox = made(
            api,
            "/v1/inboxes",
            &wk,
            json!({ "username": format!("{name}-{SECRET}") }),
        )
        .await;
        let (id, ak) = (inbox.text("id"), inbox.text("apiKey"));
        let (wk_path, ak_path) = (
            format!("/v1/workspaces/{workspace}/keys"),
            format!("/v1/inboxes/{id}/keys"),
        );
        let workspace_key = made(api, &wk_path, &tenant.key, json!({})).await.text("id");
        let inbox_key = made(api, &ak_path, &wk, json!({})).await.text("id");
        let tenant_key = made(api, "/v1/keys", &tenant.key, json!({})).await.text("id");
        let alias = format!("{name}-alias@example.test");
        let aliases = format!("/v1/inboxes/{id}/addresses");
        made(api, &aliases, &wk, json!({ "email": alias, "primary": false })).await;
        let domain = format!("{name}-{SECRET}.test");
        made(api, "/v1/domains", &wk, json!({ "domain": domain })).await;
        let mut tree = Self {
            names: vec![
                ("tenant", tenant.id.clone()),
                ("workspace", workspace.clone()),
                ("inbox", id.clone()),
                ("key", tenant_key),
                ("address", alias),
                ("domain", domain),
                ("attachment", "1".into()),
                ("*rest", "anything".into()),
            ],
            tenant,
            workspace,
            wk,
            inbox: id,
            ak,
            workspace_key,
            inbox_key,
        };
        tree.write(api).await;
        tree
    }

    /// A message with a file, a draft with one, and a webhook, anew.
    pub(crate) async fn write(&mut self, api: &Api) {
        let content = format!(
            "From: ann@far.test\nTo: team@far.test\nSubject: {SECRET}\nMIME-Version: 1.0\n\
             Content-Type: multipart/mixed; boundary=b\n\n--b\n\n{SECRET}\n\
             --b\nContent-Type: text/csv\nContent-Disposition: attachment; filename={SECRET}.csv\n\n{SECRET}\n--b--\n"
        );
        let inbox = self.inbox.parse().unwrap();
        let message = put(api, inbox, &content, Origin::Received, MailboxRef::Inbox)
            .await
            .to_string();
        let shown = api
            .get(&format!("/v1/inboxes/{}/messages/{message}", self.inbox), &self.ak)
            .await;
        let file = json!({ "filename": "a.csv", "contentType": "text/csv", "content": "AAAA" });
        let draft = json!({ "to": "ann@far.test", "subject": SECRET, "plainBody": SECRET, "attachments": [file] });
        let draft = made(api, &format!("/v1/inboxes/{}/drafts", self.inbox), &self.ak, draft).await;
        let hook = json!({ "url": format!("http://127.0.0.1:9/{SECRET}"), "events": ["message.received"] });
        let hook = made(api, "/v1/webhooks", &self.wk, hook).await;
        self.names
            .retain(|(name, _)| !["message", "thread", "draft", "webhook"].contains(name));
        self.names.extend([
            ("message", message),
            ("thread", shown.text("threadId")),
            ("draft", draft.text("id")),
            ("webhook", hook.text("id")),
        ]);
    }

    /// The path of an operation, with the names of what is here.
    pub(crate) fn path(&self, operation: &MyAgentMailOperation) -> String {
        let name = |part: &str| {
            let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
                return part.to_owned();
            };
            match (name, operation.path) {
                ("key", path) if path.starts_with("/workspaces/") => self.workspace_key.clone(),
                ("key", path) if path.starts_with("/inboxes/") => self.inbox_key.clone(),
                _ => {
                    let found = self.names.iter().find(|(known, _)| *known == name);
                    found.unwrap_or_else(|| panic!("what is a {name}?")).1.clone()
                }
            }
        };
        let parts: Vec<String> = operation.path.split('/').map(name).collect();
        format!("/v1{}", parts.join("/"))
    }

    /// The same for something that is nowhere.
    pub(crate) fn nowhere(operation: &MyAgentMailOperation) -> String {
        let part = |part: &str| match part {
            "{domain}" => "nowhere.test".to_owned(),
            "{address}" => "nobody@example.test".to_owned(),
            part if part.starts_with('{') => NOBODY.to_owned(),
            part => part.to_owned(),
        };
        let parts: Vec<String> = operation.path.split('/').map(part).collect();
        format!("/v1{}", parts.join("/"))
    }

    /// Everything that is seen of it.
    pub(crate) async fn seen(&self, api: &Api) -> Vec<String> {
        let mut seen = Vec::new();
        for path in [
            "/v1/workspaces".to_owned(),
            "/v1/keys".into(),
            format!("/v1/workspaces/{}/keys", self.workspace),
        ] {
            let answer = api.get(&path, &self.tenant.key).await;
            answer.expect(StatusCode::OK);
            seen.push(String::from_utf8(answer.bytes).unwrap());
        }
        seen.extend(self.seen_within(api).await);
        seen
    }

    /// Everything that is seen of its workspace.
    pub(crate) async fn seen_within(&self, api: &Api) -> Vec<String> {
        let mut seen = Vec::new();
        for path in [
            "/v1/inboxes".to_owned(),
            format!("/v1/inboxes/{}", self.inbox),
            format!("/v1/inboxes/{}/keys", self.inbox),
            format!("/v1/inboxes/{}/messages", self.inbox),
            format!("/v1/inboxes/{}/drafts", self.inbox),
            "/v1/domains".into(),
            "/v1/webhooks".into(),
            "/postroom/v1/queue".into(),
        ] {
            let answer = api.get(&path, &self.wk).await;
            answer.expect(StatusCode::OK);
            seen.push(String::from_utf8(answer.bytes).unwrap());
        }
        seen
    }

    pub(crate) fn is_told_in(&self, answer: &Answer) -> bool {
        let text = String::from_utf8_lossy(&answer.bytes);
        let ids = [&self.workspace, &self.inbox, &self.tenant.id];
        text.contains(SECRET) || ids.iter().any(|id| text.contains(id.as_str()))
    }
}
