//! What is asked: every operation of every dialect and of our own routes, and what stands in queries and bodies.

use crate::permissions::all_routes;
use crate::setup::Api;
use postroom_http_api::{inkbox_operations, myagentmail_operations};
use serde_json::{Value, json};

/// What a path says that is nobody's.
const GENERAL: [&str; 10] = [
    "direction",
    "type",
    "part",
    "filename",
    "*rest",
    "attachment",
    "attachment_id",
    "token",
    "account_id",
    "app_id",
];

/// A method, a path with names in braces, and a body in whose texts such names may stand too.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    body: Option<Value>,
}

impl Asked {
    fn new(method: &str, path: &str, body: Option<Value>) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self { method, path, body }
    }

    /// The names in the path, and of one in the body, that are somebody's.
    pub(crate) fn names(&self) -> Vec<String> {
        let body = self.body.as_ref().map_or_else(String::new, Value::to_string);
        let text = format!("{}{}", self.path, body.replace("{}", ""));
        let parts = text.split('{').skip(1).filter_map(|part| part.split_once('}'));
        let names = parts.map(|(name, _)| name.to_owned());
        names
            .filter(|name| !GENERAL.contains(&name.as_str()) && !name.contains('"'))
            .collect()
    }

    pub(crate) fn filled(&self, named: &dyn Fn(&str) -> String) -> (String, Option<Value>) {
        let mut path = self.path.clone();
        let mut body = self.body.as_ref().map(Value::to_string);
        for name in self.names() {
            let (hole, value) = (format!("{{{name}}}"), named(&name));
            path = path.replace(&hole, &value);
            body = body.map(|body| body.replace(&hole, &value));
        }
        for name in GENERAL {
            let value = match name {
                "direction" => "receive",
                "type" => "block",
                "part" | "attachment" | "attachment_id" => "1",
                _ => "x",
            };
            path = path.replace(&format!("{{{name}}}"), value);
        }
        (path, body.map(|body| serde_json::from_str(&body).unwrap()))
    }
}

/// Every operation, and what stands in queries and bodies.
pub(crate) async fn asked(api: &Api) -> Vec<Asked> {
    let mut all = Vec::new();
    for route in all_routes(api).await {
        let body = matches!(route.method.as_str(), "POST" | "PATCH").then(|| json!({}));
        all.push(Asked::new(&route.method, &route.path, body));
    }
    for operation in myagentmail_operations() {
        for method in operation
            .method
            .map_or_else(|| vec!["GET", "POST"], |method| vec![method])
        {
            let body = matches!(method, "POST" | "PATCH").then(crate::myagentmail_isolation::body);
            all.push(Asked::new(method, &format!("/v1{}", operation.path), body));
        }
    }
    for operation in inkbox_operations() {
        let body = matches!(operation.method, "POST" | "PATCH").then(|| json!({}));
        all.push(Asked::new(operation.method, &format!("/api{}", operation.path), body));
    }
    let hook = |owner: &str| json!({ "url": "https://x.example.org/", "event_types": ["message.sent"], owner: format!("{{{}}}", if owner == "mailbox_id" { "inbox" } else { "identity" }) });
    let hooks = "/api/v1/webhooks/subscriptions";
    let sent = "/api/v1/message-sends/lookup?sender_kind=mailbox&operation=mail.send&sender_id={inbox}";
    let mailbox = "/api/v1/mail/mailboxes/{address}";
    let send = json!({ "recipients": { "to": ["ann@far.test"] }, "subject": "x" });
    let rule = json!({ "action": "block", "match_type": "domain", "match_target": "worse.example" });
    all.extend([
        Asked::new("POST", hooks, Some(hook("mailbox_id"))),
        Asked::new("POST", hooks, Some(hook("agent_identity_id"))),
        Asked::new("GET", &format!("{hooks}?agent_identity_id={{identity}}"), None),
        Asked::new("GET", sent, None),
        Asked::new(
            "POST",
            "/api/v1/api-keys",
            Some(json!({ "label": "x", "scoped_identity_id": "{identity}" })),
        ),
        Asked::new("GET", "/api/v1/mail/contact-rules?agent_identity_id={identity}", None),
        Asked::new("POST", &format!("{mailbox}/messages"), Some(send.clone())),
        Asked::new("POST", &format!("{mailbox}/drafts"), Some(send)),
        Asked::new("POST", &format!("{mailbox}/contact-rules"), Some(rule.clone())),
        Asked::new("POST", "/api/v1/identities/{handle}/mail-contact-rules", Some(rule)),
        Asked::new("PATCH", &format!("{mailbox}/messages/{{message}}"), Some(json!({ "is_read": true }))),
        Asked::new("PATCH", &format!("{mailbox}/threads/{{thread}}"), Some(json!({ "folder": "archive" }))),
        Asked::new(
            "POST",
            "/api/v1/identities/{handle}/access",
            Some(json!({ "viewer_identity_id": "{identity}" })),
        ),
        Asked::new("PATCH", "/api/v1/identities/{handle}", Some(json!({ "display_name": "x" }))),
        Asked::new("GET", "/v1/inboxes?workspace={workspace}", None),
        Asked::new("GET", "/v1/domains?workspace={workspace}", None),
        Asked::new("POST", "/v1/inboxes", Some(json!({ "username": "stolen", "workspaceId": "{workspace}" }))),
        Asked::new("GET", "/postroom/v1/events?inbox_id={inbox}&after=now", None),
        Asked::new("GET", "/postroom/v1/events?inbox_id={inbox_id}&after=now", None),
        Asked::new("GET", "/postroom/v1/events?pod_id={pod_id}&after=now", None),
        Asked::new("GET", "/postroom/v1/queue?inbox={inbox}", None),
        Asked::new("GET", "/postroom/v1/inboxes/{address}/wait?timeout=0", None),
        Asked::new("GET", "/postroom/v1/inboxes/{address}/messages/{queued}/trace", None),
        Asked::new(
            "POST",
            "/v0/webhooks",
            Some(json!({ "url": "https://x.example.org/", "event_types": ["message.sent"], "inbox_ids": ["{inbox_id}"] })),
        ),
    ]);
    all
}
