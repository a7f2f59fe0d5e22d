//! The tools as a client of the Model Context Protocol sees them.

use crate::agentmail_mail::Agents;
use crate::hearing::receive_text;
use axum::body::Body;
use axum::http::{Request, header};
use postroom_feed::ReceivedAs;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const TOOLS: [&str; 25] = [
    "agent_verify",
    "create_draft",
    "create_inbox",
    "delete_draft",
    "delete_inbox",
    "delete_thread",
    "forward_message",
    "get_attachment",
    "get_draft",
    "get_inbox",
    "get_thread",
    "list_drafts",
    "list_inboxes",
    "list_messages",
    "list_threads",
    "reply_to_message",
    "search_messages",
    "search_threads",
    "send_draft",
    "send_message",
    "update_draft",
    "update_inbox",
    "update_message",
    "update_thread",
    "wait_for_message",
];

const MAIL: &str = "From: Example <no-reply@example.com>\r\nTo: scout@example.test\r\nSubject: Sign in\r\n\
    Message-ID: <a/b@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain\r\n\r\nYour verification code is 482913. It expires in 10 minutes.\r\n\
    --b\r\nContent-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment\r\n\r\n1,2\r\n--b--\r\n";

struct Client {
    agents: Agents,
    tools: Vec<Value>,
}

async fn rpc(agents: &Agents, key: Option<&str>, method: &str, params: Value) -> (u16, Value) {
    rpc_of(agents, key, method, params, true).await
}

/// Whether the request says how long it is, is up to the caller.
async fn rpc_of(agents: &Agents, key: Option<&str>, method: &str, params: Value, says_length: bool) -> (u16, Value) {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let mut request = Request::builder()
        .method("POST")
        .uri("/mcp")
        .header(header::HOST, "mail.example.test")
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(header::CONTENT_TYPE, "application/json")
        .header("mcp-protocol-version", "2025-06-18");
    if says_length {
        request = request.header(header::CONTENT_LENGTH, body.len());
    }
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let answer = agents.api.send(request.body(Body::from(body)).unwrap()).await;
    (answer.status, answer.body)
}

impl Client {
    async fn new() -> Self {
        let agents = Agents::new().await;
        let (status, listed) = rpc(&agents, Some(&agents.key), "tools/list", json!({})).await;
        assert_eq!(status, 200, "{listed}");
        let tools = listed["result"]["tools"].as_array().expect("tools").clone();
        Self { agents, tools }
    }

    fn tool(&self, name: &str) -> &Value {
        self.tools.iter().find(|tool| tool["name"] == name).expect("a tool")
    }

    async fn raw(&self, key: &str, name: &str, arguments: Value) -> Value {
        let params = json!({ "name": name, "arguments": arguments });
        let (status, answer) = rpc(&self.agents, Some(key), "tools/call", params).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// A call that goes through; its result has the form that was announced.
    async fn call(&self, name: &str, mut arguments: Value) -> Value {
        let inbox = self.tool(name)["inputSchema"]["properties"].get("inboxId");
        if inbox.is_some() && arguments.get("inboxId").is_none() {
            arguments["inboxId"] = self.agents.inbox.as_str().into();
        }
        let answer = self.raw(&self.agents.key, name, arguments).await;
        let result = &answer["result"];
        assert_eq!(result["isError"], false, "{name}: {answer}");
        let found = result["structuredContent"].clone();
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, found, "{name}");
        let schema = &self.tool(name)["outputSchema"];
        assert!(fits(&found, schema, schema), "{name}: {found} is not {schema}");
        found
    }
}

/// Whether a value is what a schema says: the part of JSON Schema that ours use.
fn fits(value: &Value, schema: &Value, root: &Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").expect("a reference within");
        return fits(value, &root["$defs"][name], root) && root["$defs"][name].is_object();
    }
    let all = |name: &str| schema[name].as_array().cloned().unwrap_or_default();
    for name in ["anyOf", "oneOf"] {
        if schema.get(name).is_some() && !all(name).iter().any(|schema| fits(value, schema, root)) {
            return false;
        }
    }
    if !all("allOf").iter().all(|schema| fits(value, schema, root)) {
        return false;
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    };
    let is = |name: &String| match name.as_str() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    let chosen = schema.get("enum").is_none() || all("enum").contains(value);
    let whole = all("required")
        .iter()
        .all(|name| value.get(name.as_str().unwrap()).is_some());
    let mut parts = schema["properties"].as_object().into_iter().flatten();
    let items = value.as_array().into_iter().flatten();
    (types.is_empty() || types.iter().any(is))
        && chosen
        && (!value.is_object() || whole)
        && parts.all(|(name, schema)| value.get(name).is_none_or(|part| fits(part, schema, root)))
        && (schema["items"].is_null() || items.clone().all(|item| fits(item, &schema["items"], root)))
}

#[tokio::test]
async fn the_catalogue() {
    let client = Client::new().await;
    let names: BTreeSet<&str> = client.tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(TOOLS));
    for tool in &client.tools {
        let name = tool["name"].as_str().unwrap();
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{name} {hint}");
        }
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{name}");
        let answer = &tool["outputSchema"];
        assert!(answer["properties"].is_object() || answer["allOf"].is_array(), "{name}");
        let text = tool.to_string();
        assert!(!text.contains("components/schemas"), "{name}");
    }
    assert_eq!(client.tool("send_message")["annotations"]["openWorldHint"], true);
    assert_eq!(client.tool("delete_thread")["annotations"]["destructiveHint"], true);
    assert_eq!(client.tool("list_threads")["annotations"]["readOnlyHint"], true);
    assert_eq!(
        client.tool("send_message")["inputSchema"]["required"],
        json!(["inboxId", "to"])
    );
}

#[tokio::test]
async fn a_client_begins() {
    let agents = Agents::new().await;
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
    });
    let (status, answer) = rpc(&agents, Some(&agents.key), "initialize", hello.clone()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["result"]["serverInfo"]["name"], "postroom");
    assert!(answer["result"]["capabilities"]["tools"].is_object());
    for key in [None, Some("am_x"), Some(agents.api.operator.as_str())] {
        let (status, answer) = rpc(&agents, key, "initialize", hello.clone()).await;
        assert_eq!((status, answer["name"].as_str()), (401, Some("UnauthorizedError")));
    }
}

#[tokio::test]
async fn inboxes() {
    let client = Client::new().await;
    let made = json!({ "username": "tools", "displayName": "Tools", "metadata": { "my_key": 5 }, "clientId": "one" });
    let made = client.call("create_inbox", made).await;
    assert_eq!(
        (made["inboxId"].as_str(), made["displayName"].as_str()),
        (Some("tools@example.test"), Some("Tools"))
    );
    assert_eq!(made["metadata"], json!({ "my_key": 5 }));
    let listed = client.call("list_inboxes", json!({ "limit": 1 })).await;
    assert_eq!(listed["inboxes"].as_array().map(Vec::len), Some(1));
    let next = listed["nextPageToken"].as_str().expect("another page");
    let listed = client.call("list_inboxes", json!({ "pageToken": next })).await;
    assert_eq!(listed["inboxes"].as_array().map(Vec::len), Some(1));
    let of = json!({ "inboxId": "tools@example.test", "displayName": "Other" });
    assert_eq!(client.call("update_inbox", of).await["displayName"], "Other");
    let of = json!({ "inboxId": "tools@example.test" });
    assert_eq!(client.call("get_inbox", of.clone()).await["displayName"], "Other");
    assert_eq!(
        client.call("delete_inbox", of.clone()).await,
        json!({ "success": true })
    );
    assert_eq!(
        client.raw(&client.agents.key, "get_inbox", of).await["result"]["isError"],
        true
    );
}

#[tokio::test]
async fn reading() {
    let client = Client::new().await;
    receive_text(&client.agents, &client.agents.inbox, MAIL, ReceivedAs::Plain).await;
    let messages = client
        .call(
            "list_messages",
            json!({ "from": ["example.com"], "labels": ["received"] }),
        )
        .await;
    assert_eq!(messages["messages"][0]["messageId"], "<a/b@example.com>");
    let thread = messages["messages"][0]["threadId"].as_str().unwrap();
    assert_eq!(
        client.call("list_messages", json!({ "subject": ["other"] })).await["count"],
        0
    );
    assert_eq!(
        client.call("search_messages", json!({ "q": "verification" })).await["count"],
        1
    );
    assert_eq!(
        client.call("search_threads", json!({ "q": "verification" })).await["count"],
        1
    );
    assert_eq!(
        client.call("list_threads", json!({})).await["threads"][0]["threadId"],
        thread
    );
    let whole = client.call("get_thread", json!({ "threadId": thread })).await;
    let attachment = &whole["messages"][0]["attachments"][0];
    assert_eq!(attachment["filename"], "a.csv");
    let of = json!({ "threadId": thread, "attachmentId": attachment["attachmentId"] });
    assert!(client.call("get_attachment", of).await["downloadUrl"].is_string());
    let label = json!({ "messageId": "<a/b@example.com>", "addLabels": ["seen_it"], "removeLabels": ["unread"] });
    let labels = client.call("update_message", label).await["labels"].to_string();
    assert!(labels.contains("seen_it") && !labels.contains("unread"), "{labels}");
    client
        .call("update_thread", json!({ "threadId": thread, "addLabels": ["done"] }))
        .await;
    client.call("delete_thread", json!({ "threadId": thread })).await;
    assert_eq!(
        client.call("list_messages", json!({ "includeTrash": false })).await["count"],
        0
    );
}

#[tokio::test]
async fn writing() {
    let client = Client::new().await;
    receive_text(&client.agents, &client.agents.inbox, MAIL, ReceivedAs::Plain).await;
    let attachments = json!([{ "filename": "x.txt", "contentType": "text/plain", "content": "aGVsbG8=" }]);
    let letter = json!({ "to": "bob@far.test", "subject": "Hello", "text": "hi", "attachments": attachments });
    let sent = client.call("send_message", letter).await;
    assert!(sent["messageId"].is_string() && sent["threadId"].is_string());
    let answer = json!({ "messageId": "<a/b@example.com>", "text": "thanks", "replyAll": true });
    let replied = client.call("reply_to_message", answer).await;
    let forward = json!({ "messageId": "<a/b@example.com>", "to": ["carl@far.test"], "text": "see below" });
    let forwarded = client.call("forward_message", forward).await;
    assert_eq!(replied["threadId"], forwarded["threadId"]);
    let draft = json!({ "to": ["bob@far.test"], "subject": "Later", "text": "a", "clientId": "d" });
    let draft = client.call("create_draft", draft).await;
    let id = draft["draftId"].as_str().unwrap();
    assert_eq!(client.call("list_drafts", json!({})).await["count"], 1);
    let change = json!({ "draftId": id, "text": "b" });
    assert_eq!(client.call("update_draft", change).await["text"], "b");
    assert_eq!(
        client.call("get_draft", json!({ "draftId": id })).await["subject"],
        "Later"
    );
    assert!(client.call("send_draft", json!({ "draftId": id })).await["messageId"].is_string());
    let draft = client.call("create_draft", json!({ "subject": "Never" })).await;
    client
        .call("delete_draft", json!({ "draftId": draft["draftId"] }))
        .await;
    assert_eq!(client.call("list_drafts", json!({})).await["count"], 0);
}

#[tokio::test]
async fn waiting() {
    let client = Client::new().await;
    let none = client.call("wait_for_message", json!({ "timeout": 0 })).await;
    assert!(none["message"].is_null());
    receive_text(&client.agents, &client.agents.inbox, MAIL, ReceivedAs::Plain).await;
    let wanted =
        json!({ "timeout": 5, "since": none["next"], "from": "example.com", "extract": "code", "consume": true });
    let found = client.call("wait_for_message", wanted.clone()).await;
    assert_eq!(found["extraction"]["code"], "482913");
    assert_eq!(found["extraction"]["sender"]["dmarc"], "none");
    assert!(found["extraction"]["expiresAt"].is_string());
    assert_eq!(found["message"]["messageId"], "<a/b@example.com>");
    let mut again = wanted;
    again["timeout"] = 0.into();
    assert!(client.call("wait_for_message", again).await["message"].is_null());
}

#[tokio::test]
async fn what_is_refused() {
    let client = Client::new().await;
    let inbox = client.agents.inbox.clone();
    // As the routes refuse it, with their words.
    let narrow = client.agents.key_with(json!({ "inbox_read": true })).await;
    let refused = client.raw(&narrow, "list_messages", json!({ "inboxId": inbox })).await;
    assert_eq!(refused["result"]["isError"], true);
    let text = refused["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("missing_permission") && text.contains("message_read"),
        "{text}"
    );
    let refused = client
        .raw(&narrow, "wait_for_message", json!({ "inboxId": inbox, "timeout": 0 }))
        .await;
    assert_eq!(refused["result"]["isError"], true);
    let other = client.agents.api.tenant("B").await;
    let foreign = client.agents.api.organization_key(&other.id).await;
    let refused = client.raw(&foreign, "get_inbox", json!({ "inboxId": inbox })).await;
    assert!(
        refused["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("not_found")
    );
    let unsent = client
        .raw(
            &client.agents.key,
            "send_message",
            json!({ "inboxId": inbox, "to": [] }),
        )
        .await;
    assert_eq!(unsent["result"]["isError"], true);
    let verified = client
        .raw(&client.agents.key, "agent_verify", json!({ "otpCode": "000000" }))
        .await;
    assert_eq!(verified["result"]["isError"], true);
    // Before any route is asked.
    for (name, arguments) in [
        ("no_such_tool", json!({})),
        ("get_inbox", json!({})),
        ("get_inbox", json!({ "inboxId": "" })),
        ("get_inbox", json!({ "inboxId": 5 })),
        ("get_inbox", json!({ "inboxId": inbox, "inbox_id": inbox })),
    ] {
        let refused = client.raw(&client.agents.key, name, arguments).await;
        assert_eq!(refused["error"]["code"], -32602, "{name} {refused}");
    }
}

/// What is sent with a name of its own is sent once, and answered alike; without, each call is one.
#[tokio::test]
async fn repeated_calls() {
    let client = Client::new().await;
    for name in [
        "send_message",
        "reply_to_message",
        "forward_message",
        "send_draft",
        "wait_for_message",
    ] {
        let key = &client.tool(name)["inputSchema"]["properties"]["idempotencyKey"];
        assert_eq!(key["type"], "string", "{name}");
    }
    let letter = |key: Value| json!({ "to": "bob@far.test", "subject": "Hello", "text": "hi", "idempotencyKey": key });
    let first = client.call("send_message", letter("one".into())).await;
    assert_eq!(client.call("send_message", letter("one".into())).await, first);
    assert!(client.call("send_message", letter(Value::Null)).await != first);
    let sent = client.call("list_messages", json!({ "labels": ["sent"] })).await;
    assert_eq!(sent["count"], 2);
    for bad in [json!(""), json!(7), json!("two\r\nlines")] {
        let mut arguments = letter(bad);
        arguments["inboxId"] = client.agents.inbox.as_str().into();
        let refused = client.raw(&client.agents.key, "send_message", arguments).await;
        assert!(refused["error"]["message"].is_string(), "{refused}");
    }
    // A code that is used up is given again to who asks the same again.
    receive_text(&client.agents, &client.agents.inbox, MAIL, ReceivedAs::Plain).await;
    let since = "2020-01-01T00:00:00Z";
    let wanted =
        |key: &str| json!({ "timeout": 0, "since": since, "extract": "code", "consume": true, "idempotencyKey": key });
    for (key, code) in [("mine", "482913"), ("mine", "482913"), ("other", "")] {
        let found = client.call("wait_for_message", wanted(key)).await;
        assert_eq!(found["extraction"]["code"].as_str().unwrap_or_default(), code, "{key}");
    }
}

/// Calls that do not say how long they are wait for mail, as many as there are, and hold up nobody.
#[tokio::test]
async fn calls_of_unknown_length() {
    let client = Arc::new(Client::new().await);
    let arguments = json!({ "inboxId": client.agents.inbox, "timeout": 30 });
    let params = json!({ "name": "wait_for_message", "arguments": arguments });
    let waiting = (0..20).map(|_| {
        let (client, params) = (Arc::clone(&client), params.clone());
        tokio::spawn(async move { rpc_of(&client.agents, Some(&client.agents.key), "tools/call", params, false).await })
    });
    let waiting: Vec<_> = waiting.collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let listing = rpc_of(&client.agents, Some(&client.agents.key), "tools/list", json!({}), false);
    let (status, _) = tokio::time::timeout(Duration::from_secs(5), listing)
        .await
        .expect("in time");
    assert_eq!(status, 200);
    receive_text(&client.agents, &client.agents.inbox, MAIL, ReceivedAs::Plain).await;
    for task in waiting {
        let (status, answer) = task.await.unwrap();
        assert_eq!((status, &answer["result"]["isError"]), (200, &json!(false)), "{answer}");
    }
    // A large one is taken too, and one that is too large is not.
    let (status, _) = rpc_of(
        &client.agents,
        Some(&client.agents.key),
        "x".repeat(1 << 20).as_str(),
        json!({}),
        false,
    )
    .await;
    assert!(status < 500, "{status}");
    let (status, _) = rpc_of(
        &client.agents,
        Some(&client.agents.key),
        "x".repeat(11 << 20).as_str(),
        json!({}),
        false,
    )
    .await;
    assert!((400..500).contains(&status), "{status}");
}
