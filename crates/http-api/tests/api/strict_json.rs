//! What a body has to be, in all dialects: objects are objects and words are words at every level, and no name is there
//! twice. What is refused changes nothing.

use crate::inkbox_identities::agent;
use crate::setup::{Answer, Api};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

async fn text(api: &Api, method: &str, path: &str, key: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("x-api-key", key)
        .header(header::HOST, "mail.example.test")
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(header::CONTENT_TYPE, "application/json");
    api.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn arrays_are_no_objects_and_words_have_nothing_with_them() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let scout = agent(&api, &tenant, "scout").await;
    let mail = format!("/api/v1/mail/mailboxes/{}", scout.address);
    let (hooks, hook) = ("/api/v1/webhooks/subscriptions", |config: Value| {
        json!({ "url": "https://x.example.org/", "event_types": ["message.sent"], "agent_identity_id": scout.id,
                "context_config": config })
    });
    let letter = |name: &str, value: Value| {
        let mut letter = json!({ "recipients": { "to": ["ann@far.test"] }, "subject": "x" });
        letter[name] = value;
        letter
    };
    let identities = "/api/v1/identities/";
    for (method, path, body) in [
        (
            "POST",
            identities.to_owned(),
            json!({ "agent_handle": "other", "mailbox": [] }),
        ),
        (
            "POST",
            identities.to_owned(),
            json!({ "agent_handle": "other", "tunnel": ["edge"] }),
        ),
        ("POST", hooks.to_owned(), hook(json!([null, null, null]))),
        ("POST", hooks.to_owned(), hook(json!({ "email": ["count", 5] }))),
        (
            "POST",
            format!("{mail}/messages"),
            letter("recipients", json!([["ann@far.test"], null, null])),
        ),
        (
            "POST",
            format!("{mail}/messages"),
            letter("attachments", json!([["a.txt", "text/plain", "AAAA", null]])),
        ),
        (
            "POST",
            format!("{mail}/drafts"),
            json!({ "recipients": [["ann@far.test"], null, null] }),
        ),
        ("PATCH", mail.clone(), json!({ "filter_mode": { "whitelist": null } })),
        (
            "PATCH",
            format!("{identities}scout"),
            json!({ "mail_filter_mode": { "whitelist": null } }),
        ),
        (
            "POST",
            format!("{identities}scout/mail-contact-rules"),
            json!({ "action": { "block": null }, "match_type": "domain", "match_target": "x.test" }),
        ),
    ] {
        let refused = text(&api, method, &path, &tenant.key, &body.to_string()).await;
        refused.failed(422, "validation_error");
    }
    let shown = api.get(&mail, &tenant.key).await;
    assert_eq!(shown.text("filter_mode"), "blacklist");
    for empty in ["messages", "drafts"] {
        let list = api.get(&format!("{mail}/{empty}"), &tenant.key).await;
        assert_eq!(list.body["items"], json!([]), "{empty}");
    }
    let listed = api.get(identities, &tenant.key).await;
    assert_eq!(listed.body.as_array().unwrap().len(), 1);

    let am = api.organization_key(&tenant.id).await;
    let inbox = format!("/v0/inboxes/{}", scout.address);
    let file =
        json!({ "to": "ann@far.test", "subject": "x", "attachments": [["a.txt", null, null, null, "AAAA", null]] });
    for path in ["messages/send", "drafts"] {
        let refused = api.post(&format!("{inbox}/{path}"), &am, file.clone()).await;
        assert_eq!(
            (refused.status, refused.text("code").as_str()),
            (400, "validation_error"),
            "{path}"
        );
    }
    let sent = api
        .post(&format!("{inbox}/messages/send"), &am, json!({ "to": "ann@far.test" }))
        .await;
    let answer = format!(
        "{inbox}/messages/{}/reply",
        sent.text("message_id").replace('<', "%3C").replace('>', "%3E")
    );
    for (field, value) in [
        ("attachments", json!([["a.txt", null, null, null, "AAAA", null]])),
        (
            "attachments",
            json!([{ "content": "", "content_disposition": { "inline": null } }]),
        ),
    ] {
        let refused = api.post(&answer, &am, json!({ "text": "x", field: value })).await;
        assert_eq!(
            (refused.status, refused.text("code").as_str()),
            (400, "validation_error"),
            "{field}"
        );
    }
    api.post(&answer, &am, json!({ "text": "x", "reply_all": true }))
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn no_name_is_there_twice() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let scout = agent(&api, &tenant, "scout").await;
    let am = api.organization_key(&tenant.id).await;
    let mail = format!("/api/v1/mail/mailboxes/{}", scout.address);
    for (method, path, key, body, status) in [
        (
            "POST",
            "/api/v1/identities/".to_owned(),
            &tenant.key,
            r#"{"agent_handle":"b","agent_handle":"c"}"#,
            422,
        ),
        (
            "PATCH",
            mail.clone(),
            &tenant.key,
            r#"{"filter_mode":"whitelist","filter_mode":"blacklist"}"#,
            422,
        ),
        (
            "POST",
            format!("{mail}/messages"),
            &tenant.key,
            r#"{"subject":"x","recipients":{"to":["a@far.test"],"to":["b@far.test"]}}"#,
            422,
        ),
        (
            "POST",
            "/v0/inboxes".to_owned(),
            &am,
            r#"{"username":"b","username":"c"}"#,
            400,
        ),
        (
            "POST",
            "/v0/inboxes".to_owned(),
            &am,
            r#"{"metadata":{"a":1,"a":2}}"#,
            400,
        ),
        (
            "POST",
            "/v1/inboxes".to_owned(),
            &tenant.key,
            r#"{"username":"b","username":"c"}"#,
            400,
        ),
        (
            "PATCH",
            format!("/postroom/v1/organizations/{}", tenant.id),
            &api.operator,
            r#"{"maxInboxes":1,"maxInboxes":2}"#,
            400,
        ),
    ] {
        let refused = text(&api, method, &path, key, body).await;
        assert_eq!(refused.status, status, "{method} {path}: {}", refused.body);
    }
    let call = |arguments: &str| {
        let params = format!(r#"{{"name":"create_inbox","arguments":{arguments}}}"#);
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
    };
    let once = call(r#"{"username":"b"}"#);
    for twice in [
        call(r#"{"username":"b","username":"c"}"#),
        call(r#"{"metadata":{"a":1,"a":2}}"#),
        once.replace(r#""id":1"#, r#""id":1,"method":"tools/list""#),
        once.replace(r#""id":1"#, &format!(r#""id":1,"id":"{}""#, "x".repeat(300 << 10))),
    ] {
        let refused = text(&api, "POST", "/mcp", &am, &twice).await;
        assert_eq!(
            (refused.status, refused.text("code").as_str()),
            (400, "validation_error")
        );
        assert!(refused.text("message").contains("twice"), "{}", refused.body);
    }
    let inboxes = async || {
        api.get("/v1/inboxes", &tenant.key).await.body["inboxes"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(inboxes().await, 1);
    let made = text(&api, "POST", "/mcp", &am, &once).await;
    assert_eq!(made.body["result"]["isError"], json!(false), "{}", made.body);
    assert_eq!(inboxes().await, 2);
}

#[tokio::test]
async fn what_takes_nothing_is_given_nothing() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let scout = agent(&api, &tenant, "scout").await;
    let imports = format!("/api/v1/mail/mailboxes/{}/imports", scout.address);
    let made = text(&api, "POST", &imports, &tenant.key, "{}").await;
    made.expect(StatusCode::CREATED);
    let job = format!("{imports}/{}", made.body["job"]["id"].as_str().unwrap());
    let key = "/api/v1/identities/scout/signing-key";
    for path in [
        key.to_owned(),
        "/api/v1/signing-keys".into(),
        format!("{job}/upload-url"),
        format!("{job}/start"),
        format!("{job}/cancel"),
        "/api/v1/webhooks/deliveries/00000000-0000-7000-8000-000000000000/replay".into(),
    ] {
        for body in [r#"{"x":1}"#, "garbage", "[]", "null"] {
            let refused = text(&api, "POST", &path, &scout.key, body).await;
            refused.failed(422, "validation_error");
        }
    }
    let configured = api.get(key, &scout.key).await;
    assert_eq!(configured.body["configured"], json!(false));
    assert_eq!(api.get(&job, &scout.key).await.text("status"), "pending_upload");
    for body in ["", "{}"] {
        let made = text(&api, "POST", key, &scout.key, body).await;
        made.expect(StatusCode::CREATED);
    }
    text(&api, "POST", &format!("{job}/cancel"), &scout.key, "")
        .await
        .expect(StatusCode::OK);
}
