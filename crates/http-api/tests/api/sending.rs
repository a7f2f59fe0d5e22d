//! Mail going out: what is sent, to whom, and what is refused.

use crate::mail::{Mail, header};
use crate::setup::Api;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use postroom_identity::InboxChange;
use postroom_intake::SendLimits;
use serde_json::{Value, json};

#[tokio::test]
async fn a_message_with_everything() {
    let mail = Mail::new().await;
    let change = InboxChange {
        display_name: Some(Some("Jörg, Scout".into())),
        ..InboxChange::default()
    };
    mail.api.identity.update_inbox(mail.inbox, &change).await.unwrap();
    let sent = mail
        .send(json!({
            "to": ["Zoë <zoe@example.net>", "b@example.net"], "cc": "c@example.org", "bcc": ["d@example.com", "b@example.net"],
            "replyTo": "desk@example.test", "subject": "Grüße", "plainBody": "Heiß\n.\n", "htmlBody": "<b>Heiß</b>",
            "verified": true,
            "attachments": [{ "filename": "ä.bin", "contentType": "application/x-thing", "content": "AAEC/w==" }],
        }))
        .await;
    assert_eq!(sent.text("status"), "queued");
    let (id, message_id) = (sent.text("id"), sent.text("messageId"));
    assert!(
        message_id.starts_with('<') && message_id.ends_with("@example.test>"),
        "{message_id}"
    );

    // The sender sees all of it.
    let shown = mail.get(&format!("messages/{id}")).await;
    shown.expect(StatusCode::OK);
    for (field, expected) in [
        ("threadId", json!(sent.text("threadId"))),
        ("direction", json!("outbound")),
        ("from", json!("scout@example.test")),
        ("fromName", json!("Jörg, Scout")),
        ("toAddresses", json!(["zoe@example.net", "b@example.net"])),
        ("ccAddresses", json!(["c@example.org"])),
        ("bccAddresses", json!(["d@example.com", "b@example.net"])),
        ("subject", json!("Grüße")),
        ("htmlBody", json!("<b>Heiß</b>")),
        ("isRead", json!(true)),
        ("messageIdHeader", json!(message_id)),
        ("inReplyTo", Value::Null),
    ] {
        assert_eq!(shown.body[field], expected, "{field}");
    }
    assert_eq!(shown.text("plainBody").replace("\r\n", "\n").trim_end(), "Heiß\n.");
    let attachment = &shown.body["attachments"][0];
    assert_eq!(
        (
            &attachment["filename"],
            &attachment["contentType"],
            &attachment["sizeBytes"]
        ),
        (&json!("ä.bin"), &json!("application/x-thing"), &json!(4))
    );
    assert_eq!(mail.listed("?direction=outbound").await.0, ["Grüße"]);

    // Each recipient once; the others see nothing of Bcc.
    let (recipients, content) = mail.queued(&sent).await;
    let expected = ["zoe@example.net", "b@example.net", "c@example.org", "d@example.com"];
    assert_eq!(recipients, expected);
    assert!(
        !content.contains("d@example.com") && header(&content, "Bcc").is_empty(),
        "{content}"
    );
    assert!(content.is_ascii() && content.lines().all(|line| line.len() <= 998));
    assert_eq!(header(&content, "Auto-Submitted"), ["auto-generated"]);
    assert_eq!(header(&content, "Reply-To"), ["desk@example.test"]);
    assert_eq!(header(&content, "Message-ID"), [message_id]);
    assert_eq!(header(&content, "DKIM-Signature").len(), 2);
    mail.check().await;
}

#[tokio::test]
async fn little_is_enough() {
    let mail = Mail::new().await;
    for body in [
        json!({ "to": "a@example.net", "subject": "" }),
        json!({ "to": "a@example.net", "subject": "x", "cc": null, "plainBody": null, "attachments": [], "other": 1 }),
        json!({ "bcc": "a@example.net", "subject": "x" }),
    ] {
        mail.send(body).await;
    }
    let by_hand = json!({ "to": "a@example.net", "subject": "x", "plainBody": "x", "automated": false });
    let sent = mail.send(by_hand).await;
    let (_, content) = mail.queued(&sent).await;
    assert_eq!(header(&content, "Auto-Submitted"), Vec::<String>::new());
    assert_eq!(mail.listed("").await.0.len(), 4);
}

#[tokio::test]
async fn every_send_begins_a_thread() {
    let mail = Mail::new().await;
    let body = json!({ "to": "a@example.net", "subject": "same" });
    let (one, two) = (mail.send(body.clone()).await, mail.send(body).await);
    assert_ne!(one.text("threadId"), two.text("threadId"));
    assert_ne!(
        (one.text("id"), one.text("messageId")),
        (two.text("id"), two.text("messageId"))
    );
}

#[tokio::test]
async fn what_is_refused() {
    let mail = Mail::new().await;
    let with = |field: &str, value: Value| {
        let mut body = json!({ "to": "a@example.net", "subject": "x", "plainBody": "x" });
        body[field] = value;
        body
    };
    let many: Vec<_> = (0..101).map(|n| format!("a{n}@example.net")).collect();
    let file = |field: &str, value: &str| {
        let mut file = json!({ "filename": "a", "contentType": "text/plain", "content": "" });
        file[field] = value.into();
        with("attachments", json!([file]))
    };
    for (bad, code) in [
        (json!({}), "VALIDATION_ERROR"),
        (json!({ "subject": "x" }), "VALIDATION_ERROR"),
        (json!({ "to": [], "subject": "x" }), "VALIDATION_ERROR"),
        (with("subject", Value::Null), "VALIDATION_ERROR"),
        (
            with("to", json!("a@example.net\r\nBcc: b@example.net")),
            "VALIDATION_ERROR",
        ),
        (with("to", json!(["a@example.net\n"])), "VALIDATION_ERROR"),
        (with("to", json!("a\u{0}@example.net")), "VALIDATION_ERROR"),
        (with("to", json!("nobody")), "VALIDATION_ERROR"),
        (with("to", json!(many)), "VALIDATION_ERROR"),
        (with("to", json!(7)), "VALIDATION_ERROR"),
        (with("cc", json!("N\r\nX: y <a@example.net>")), "VALIDATION_ERROR"),
        (with("bcc", json!([{}])), "VALIDATION_ERROR"),
        (with("replyTo", json!("a@example.net\r")), "VALIDATION_ERROR"),
        (with("subject", json!("x\r\nBcc: b@example.net")), "VALIDATION_ERROR"),
        (with("subject", json!("x\ny")), "VALIDATION_ERROR"),
        (with("subject", json!("x\u{0}")), "VALIDATION_ERROR"),
        (with("plainBody", json!(["x"])), "VALIDATION_ERROR"),
        (file("filename", "a\r\nX: y"), "VALIDATION_ERROR"),
        (file("contentType", "text/plain\r\nX: y"), "VALIDATION_ERROR"),
        (file("contentId", "x>\r\nX: y"), "VALIDATION_ERROR"),
        (file("content", "?"), "VALIDATION_ERROR"),
        (with("to", json!("nobody@example.test")), "NO_SUCH_RECIPIENT"),
    ] {
        mail.post("send", bad.clone()).await.refused(400, code);
    }
    assert_eq!(mail.listed("").await.0, Vec::<String>::new());
    assert!(
        mail.api.get("/postroom/v1/queue", &mail.key).await.body["queue"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn an_inbox_that_may_not_send() {
    let limits = postroom_intake::Options {
        send_limits: Some(SendLimits {
            messages: 2,
            new_recipients: 100,
        }),
        ..postroom_intake::Options::default()
    };
    let mail = Mail::on(Api::with(limits).await).await;
    let body = json!({ "to": "a@example.net", "subject": "x" });
    let path = format!("/postroom/v1/inboxes/{}", mail.inbox);
    for (paused, expected) in [(true, 403), (false, 200), (false, 200)] {
        let set = mail
            .api
            .patch(&path, &mail.api.operator, json!({ "sendPaused": paused }))
            .await;
        assert_eq!(set.body["sendPaused"], paused);
        let answer = mail.post("send", body.clone()).await;
        assert_eq!(answer.status, expected, "{}", answer.body);
        if paused {
            answer.refused(403, "SENDING_PAUSED");
        }
    }
    let over = mail.post("send", body.clone()).await;
    over.refused(403, "PLAN_LIMIT_REACHED");
    let seconds: u64 = over.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&seconds), "{seconds}");
    // The operator may allow one inbox more.
    mail.api
        .patch(&path, &mail.api.operator, json!({ "dailyMessages": 3 }))
        .await
        .expect(StatusCode::OK);
    mail.send(body).await;
}

#[tokio::test]
async fn large_mail_has_an_end() {
    let options = postroom_intake::Options {
        max_message_octets: 900 << 10,
        ..postroom_intake::Options::default()
    };
    let mail = Mail::on(Api::with(options).await).await;
    let body = |octets: usize| {
        let content = "AAAA".repeat(octets / 3);
        json!({ "to": "a@example.net", "subject": "x", "attachments": [{ "content": content }] })
    };
    let sent = mail.send(body(600 << 10)).await;
    let shown = mail.get(&format!("messages/{}", sent.text("id"))).await;
    assert_eq!(shown.body["attachments"][0]["sizeBytes"], (600 << 10) / 3 * 3);
    // Fits as it comes, but not as a message, where base64 stays.
    mail.post("send", body(800 << 10))
        .await
        .refused(413, "PAYLOAD_TOO_LARGE");
    mail.post("send", body(1200 << 10))
        .await
        .refused(413, "PAYLOAD_TOO_LARGE");
    // A body that does not say how long it is, and does not end.
    let endless = tokio_stream(1 << 16, 40);
    let request = Request::builder()
        .method("POST")
        .uri(mail.path("send"))
        .header("x-api-key", &mail.key)
        .body(endless)
        .unwrap();
    mail.api.send(request).await.refused(413, "PAYLOAD_TOO_LARGE");
}

/// A body in so many pieces, without a length.
fn tokio_stream(octets: usize, pieces: usize) -> Body {
    let (reader, mut writer) = tokio::io::simplex(octets);
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        for _ in 0..pieces {
            // The reader stops listening when it has had enough.
            if writer.write_all(&vec![b' '; octets]).await.is_err() {
                return;
            }
        }
    });
    Body::from_stream(tokio_util::io::ReaderStream::new(reader))
}

#[tokio::test]
async fn who_may_send_for_whom() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let (_, wk) = api.workspace(&a, "W").await;
    let own = api.inbox(&wk, "own").await;
    let sibling = api.inbox(&a.key, "sibling").await;
    let path = format!("/v1/inboxes/{}/send", own.text("id"));
    let body = json!({ "to": "a@example.net", "subject": "x" });
    for key in [&a.key, &wk, &own.text("apiKey")] {
        api.post(&path, key, body.clone()).await.expect(StatusCode::OK);
    }
    for key in [&b.key, &sibling.text("apiKey")] {
        // Not even what is wrong with the request is told.
        api.post(&path, key, json!({})).await.refused(404, "NOT_FOUND");
    }
    api.post(&path, &api.operator, body.clone())
        .await
        .refused(403, "FORBIDDEN");
    api.post(&path, "ak_dead", body).await.refused(401, "UNAUTHORIZED");
    api.any("GET", &path, &a.key).await.refused(405, "METHOD_NOT_ALLOWED");
}
