//! The Inkbox dialect: mail going out.

use crate::inkbox_world::{GROUP, Ink, MESSAGE, MESSAGE_DETAIL, has, letter};
use axum::body::Body;
use axum::http::Request;
use postroom_types::EmailId;
use serde_json::{Value, json};

#[tokio::test]
async fn sending() {
    let ink = Ink::new().await;
    let sent = ink
        .made(
            "messages",
            json!({
                "recipients": { "to": ["Ann <ann@example.net>"], "cc": ["bo@example.net"], "bcc": ["cy@example.net"] },
                "subject": "Grüße", "body_text": "hello", "body_html": "<p>hello</p><img src=\"cid:pic\">",
                "reply_to": "desk@example.net",
                "attachments": [
                    { "filename": "pic.png", "content_type": "image/png", "content_base64": "aGk=", "content_id": "pic" },
                ],
            }),
        )
        .await;
    has(&sent, MESSAGE);
    has(&sent, MESSAGE_DETAIL);
    assert_eq!(
        (&sent["direction"], &sent["status"]),
        (&json!("outbound"), &json!("queued"))
    );
    assert_eq!(
        (&sent["is_read"], &sent["has_attachments"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (&sent["subject"], &sent["from_address"]),
        (&json!("Grüße"), &json!("scout@example.test"))
    );
    assert_eq!(sent["bcc_addresses"], json!(["cy@example.net"]));
    assert_eq!(
        (
            &sent["attachment_metadata"][0]["content_id"],
            &sent["attachment_metadata"][0]["is_inline"]
        ),
        (&json!("pic"), &json!(true))
    );
    assert_eq!(
        ink.recipients(&sent).await,
        ["ann@example.net", "bo@example.net", "cy@example.net"]
    );
    let again = ink.good(&format!("messages/{}", sent["id"].as_str().unwrap())).await;
    assert_eq!(again["id"], sent["id"]);
    let file = json!([{ "filename": "a.txt", "content_type": "text/plain", "content_base64": "aGk=" }]);
    let mut with_file = letter("file");
    with_file["attachments"] = file;
    assert_eq!(ink.made("messages", with_file).await["has_attachments"], json!(true));
}

#[tokio::test]
async fn a_full_mailbox_says_how_much_it_holds() {
    let ink = Ink::new().await;
    ink.receive(GROUP).await;
    ink.api.mailstore.set_quota(ink.inbox, 10).await.unwrap();
    for rest in ["messages", "drafts"] {
        let full = ink.post(rest, letter("s")).await;
        full.fails(402, "storage_limit_exceeded");
        let detail = &full.body["detail"];
        assert_eq!(
            (&detail["limit_bytes"], &detail["upgrade_url"], &detail["message"]),
            (&json!(10), &json!(""), &json!("the mailbox is full"))
        );
    }
}

#[tokio::test]
async fn what_is_refused_is_not_sent() {
    let ink = Ink::new().await;
    let source = ink.receive(GROUP).await;
    let with = |name: &str, value: Value| {
        let mut body = letter("s");
        body[name] = value;
        body
    };
    let injected = "x\r\nBcc: spy@example.net";
    let mut bad: Vec<(String, Value)> = vec![
        ("messages".into(), json!({})),
        ("messages".into(), with("recipients", json!({}))),
        ("messages".into(), with("subject", json!(null))),
        ("messages".into(), with("track_opens", json!(true))),
        ("messages".into(), with("unknown", json!(1))),
        (
            "messages".into(),
            with("in_reply_to_message_id", json!(EmailId::new().to_string())),
        ),
        (format!("messages/{source}/forward"), json!({ "recipients": {} })),
        (
            format!("messages/{source}/forward"),
            json!({ "recipients": { "to": ["a@b.test"] }, "mode": "folded" }),
        ),
        (
            format!("messages/{source}/reply-all"),
            json!({ "recipients": { "to": ["a@b.test"] } }),
        ),
    ];
    for name in ["subject", "reply_to", "in_reply_to_message_id"] {
        bad.push(("messages".into(), with(name, json!(injected))));
    }
    for list in ["to", "cc", "bcc"] {
        let mut body = letter("s");
        body["recipients"][list] = json!([format!("a@example.net{injected}")]);
        bad.push(("messages".into(), body));
    }
    for field in ["filename", "content_type", "content_id"] {
        let mut file = json!({ "filename": "a", "content_type": "image/png", "content_base64": "" });
        file[field] = json!(injected);
        let mut body = with("attachments", json!([file]));
        body["body_html"] = json!("x");
        bad.push(("messages".into(), body));
        let mut forward = json!({ "recipients": { "to": ["a@b.test"] } });
        let mut file = json!({ "filename": "a", "content_type": "image/png", "content_base64": "" });
        file[field] = json!(injected);
        forward["additional_attachments"] = json!([file]);
        bad.push((format!("messages/{source}/forward"), forward));
    }
    for (operation, name) in [
        ("reply-all", "subject"),
        ("reply-all", "reply_to"),
        ("forward", "subject"),
        ("forward", "reply_to"),
    ] {
        let mut body = match operation {
            "forward" => json!({ "recipients": { "to": ["a@b.test"] } }),
            _ => json!({ "body_text": "x" }),
        };
        body[name] = json!(injected);
        bad.push((format!("messages/{source}/{operation}"), body));
    }
    for (rest, body) in bad {
        ink.post(&rest, body.clone()).await.fails(422, "validation_error");
    }
    let unknown = format!("messages/{}/reply-all", EmailId::new());
    ink.post(&unknown, json!({ "body_text": "x" }))
        .await
        .fails(404, "not_found");
    let mut tracked = letter("s");
    (tracked["body_html"], tracked["track_opens"]) = (json!("<p>x</p>"), json!(true));
    ink.post("messages", tracked).await.fails(501, "not_supported");
    let request = Request::post(ink.path("messages")).header("x-api-key", &ink.key);
    let request = request
        .header("content-type", "application/json")
        .header("idempotency-key", "x".repeat(256));
    let answer = ink
        .api
        .send(request.body(Body::from(letter("s").to_string())).unwrap())
        .await;
    answer.fails(422, "validation_error");
    assert_eq!(ink.subjects("?direction=outbound").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_paused_mailbox_sends_nothing() {
    let ink = Ink::new().await;
    let change = postroom_identity::InboxChange {
        send_paused: Some(true),
        ..postroom_identity::InboxChange::default()
    };
    ink.api.identity.update_inbox(ink.inbox, &change).await.unwrap();
    ink.post("messages", letter("x")).await.fails(403, "identity_paused");
    assert_eq!(ink.subjects("").await, Vec::<String>::new());
}
