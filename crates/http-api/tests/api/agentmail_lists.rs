//! Allow and block lists (agentmail.md §13).

use crate::agentmail_mail::{Agents, each};
use crate::setup::Answer;
use axum::http::StatusCode;
use serde_json::{Value, json};

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    let told = (answer.status, answer.body["code"].as_str());
    assert_eq!(told, (status, Some(code)), "{}", answer.body);
}

#[tokio::test]
async fn entries_come_and_go() {
    let agents = Agents::new().await;
    let (api, key) = (&agents.api, &agents.key);
    let path = agents.path("lists/send/block");
    let made = api
        .post(&path, key, json!({ "entry": "Bad@Example.NET", "reason": "rude" }))
        .await;
    made.expect(StatusCode::OK);
    for (field, value) in [
        ("entry", "bad@example.net"),
        ("reason", "rude"),
        ("direction", "send"),
        ("list_type", "block"),
        ("entry_type", "email"),
        ("inbox_id", agents.inbox.as_str()),
    ] {
        assert_eq!(made.text(field), value, "{field}");
    }
    assert!(made.body["pod_id"].is_string() && made.body["created_at"].is_string());
    // As both clients write it; adding twice is adding once.
    for entry in ["bad@example.net", "bad%40example.net", "BAD@example.net"] {
        assert_eq!(
            api.get(&format!("{path}/{entry}"), key).await.body,
            made.body,
            "{entry}"
        );
    }
    let again = api.post(&path, key, json!({ "entry": "bad@example.net" })).await;
    assert_eq!(again.body, made.body);
    let send = json!({ "to": "bad@example.net", "subject": "S", "text": "x" });
    refused(
        &agents.post("messages/send", send.clone()).await,
        403,
        "message_rejected",
    );

    for entry in ["zz.example", "aa.example"] {
        api.post(&path, key, json!({ "entry": entry }))
            .await
            .expect(StatusCode::OK);
    }
    let (mut entries, mut token) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let query = token
            .as_str()
            .map(|token| format!("&page_token={token}"))
            .unwrap_or_default();
        let page = api.get(&format!("{path}?limit=1{query}"), key).await;
        page.expect(StatusCode::OK);
        entries.extend(each(&page.body["entries"], "entry"));
        token = page.body["next_page_token"].clone();
        if let Some(token) = token.as_str() {
            let other = api
                .get(&format!("{}?page_token={token}", agents.path("lists/send/allow")), key)
                .await;
            refused(&other, 400, "validation_error");
        }
    }
    assert_eq!(entries, ["aa.example", "bad@example.net", "zz.example"]);
    assert_eq!(token, Value::Null);

    api.delete(&format!("{path}/bad@example.net"), key)
        .await
        .expect(StatusCode::NO_CONTENT);
    refused(
        &api.delete(&format!("{path}/bad@example.net"), key).await,
        404,
        "not_found",
    );
    agents.post("messages/send", send).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn scopes_are_apart_and_what_is_no_list_is_no_route() {
    let agents = Agents::new().await;
    let (api, key) = (&agents.api, &agents.key);
    let made = api
        .post(
            "/v0/lists/reply/allow",
            key,
            json!({ "entry": "example.net", "reason": "x" }),
        )
        .await;
    made.expect(StatusCode::OK);
    assert_eq!(
        (&made.body["entry_type"], &made.body["reason"], &made.body["inbox_id"]),
        (&json!("domain"), &Value::Null, &Value::Null)
    );
    let inboxes = agents.good("lists/reply/allow").await;
    assert_eq!(inboxes["count"], json!(0));
    for path in ["/v0/lists/up/allow", "/v0/lists/send/maybe"] {
        refused(&api.get(path, key).await, 404, "not_found");
    }
    for body in [json!({}), json!({ "entry": "@example.net" }), json!({ "entry": "" })] {
        refused(
            &api.post("/v0/lists/send/block", key, body).await,
            400,
            "validation_error",
        );
    }
}
