//! The Inkbox dialect: mail going out.

use crate::inkbox_world::{Ink, MESSAGE, MESSAGE_DETAIL, has, letter};
use crate::setup::Answer;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::{EmailId, SpecialUse};
use serde_json::{Value, json};

const GROUP: &str = "From: Ann <ann@example.net>\nTo: scout@example.test, bo@example.net\nCc: cy@example.net, SCOUT+x@example.test\n\
    Subject: plan\nMessage-ID: <plan@example.net>\nReferences: <root@example.net>\n\nWhat now?\n";

impl Ink {
    /// Whom the queue has for a message.
    async fn recipients(&self, message: &Value) -> Vec<String> {
        let id: EmailId = message["id"].as_str().unwrap().parse().unwrap();
        let all = self.api.queue.recipients(id).await.unwrap();
        let mut all: Vec<String> = all.iter().map(|status| status.address.to_string()).collect();
        all.sort_unstable();
        all
    }

    async fn raw(&self, message: &Value) -> String {
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

    async fn lookup(&self, operation: &str, key: &str) -> Answer {
        let path = format!(
            "/api/v1/message-sends/lookup?sender_kind=mailbox&sender_id={}&operation={operation}",
            self.inbox
        );
        let request = Request::get(path)
            .header("x-api-key", &self.key)
            .header("idempotency-key", key);
        self.api.send(request.body(Body::empty()).unwrap()).await
    }
}

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
async fn threading() {
    let ink = Ink::new().await;
    let source = ink.receive(GROUP).await;
    let thread = ink.good(&format!("messages/{source}")).await["thread_id"].clone();
    for named in ["<plan@example.net>", "plan@example.net", &source.to_string()] {
        let mut body = letter("Re: plan");
        body["in_reply_to_message_id"] = json!(named);
        let sent = ink.made("messages", body).await;
        assert_eq!(sent["thread_id"], thread, "{named}");
        assert_eq!(sent["in_reply_to"], "<plan@example.net>");
        assert_eq!(sent["references"], json!(["<root@example.net>", "<plan@example.net>"]));
    }
    let same_subject = ink.made("messages", letter("plan")).await;
    assert_ne!(same_subject["thread_id"], thread);
    let mut unknown = letter("Re: elsewhere");
    unknown["in_reply_to_message_id"] = json!("<elsewhere@example.net>");
    let sent = ink.made("messages", unknown).await;
    assert_eq!(
        (&sent["in_reply_to"], &sent["references"]),
        (&json!("<elsewhere@example.net>"), &json!(["<elsewhere@example.net>"]))
    );
}

#[tokio::test]
async fn replies_to_all() {
    let ink = Ink::new().await;
    let source = ink.receive(GROUP).await;
    let path = format!("messages/{source}/reply-all");
    let reply = ink.made(&path, json!({ "body_text": "Go." })).await;
    assert_eq!(reply["to_addresses"], json!(["ann@example.net"]));
    assert_eq!(reply["cc_addresses"], json!(["bo@example.net", "cy@example.net"]));
    assert_eq!(
        (&reply["subject"], &reply["in_reply_to"]),
        (&json!("Re: plan"), &json!("<plan@example.net>"))
    );
    assert_eq!(
        ink.recipients(&reply).await,
        ["ann@example.net", "bo@example.net", "cy@example.net"]
    );
    let shown = ink.good(&format!("messages/{source}")).await;
    assert_eq!(reply["thread_id"], shown["thread_id"]);
    assert_eq!(
        shown["reply_all_recipients"],
        json!({ "to": ["ann@example.net"], "cc": ["bo@example.net", "cy@example.net"] })
    );
    // Of what one sent oneself: those it went to, and not those it went to unseen.
    let sent = ink
        .made(
            "messages",
            json!({ "recipients": { "to": ["ann@example.net"], "cc": ["bo@example.net", "scout@example.test"],
            "bcc": ["cy@example.net"] }, "subject": "Re: own" }),
        )
        .await;
    let more = ink
        .made(
            &format!("messages/{}/reply-all", sent["id"].as_str().unwrap()),
            json!({ "subject": "more" }),
        )
        .await;
    assert_eq!(
        (&more["to_addresses"], &more["cc_addresses"]),
        (&json!(["ann@example.net"]), &json!(["bo@example.net"]))
    );
    assert_eq!((&more["bcc_addresses"], &more["subject"]), (&json!([]), &json!("more")));
}

#[tokio::test]
async fn forwards() {
    let ink = Ink::new().await;
    let source = ink
        .receive(
            "From: ann@example.net\nSubject: plan\nMessage-ID: <plan@example.net>\nContent-Type: multipart/mixed; boundary=b\n\n\
             --b\nContent-Type: text/plain\n\nWhat now?\n--b\nContent-Type: text/csv\n\
             Content-Disposition: attachment; filename=a.csv\n\n1,2\n--b--\n",
        )
        .await;
    let path = format!("messages/{source}/forward");
    let to = json!({ "bcc": ["bo@example.net"] });
    let inline = ink
        .made(&path, json!({ "recipients": to, "body_text": "See below." }))
        .await;
    let text = inline["body_text"].as_str().unwrap();
    assert!(text.starts_with("See below.") && text.contains("What now?"), "{text}");
    assert_eq!(
        (&inline["subject"], &inline["attachment_metadata"][0]["filename"]),
        (&json!("Fwd: plan"), &json!("a.csv"))
    );
    let thread = ink.good(&format!("messages/{source}")).await["thread_id"].clone();
    assert_ne!(inline["thread_id"], thread);
    let bare = ink
        .made(
            &path,
            json!({ "recipients": to, "include_original_attachments": false, "mode": "inline", "subject": "look" }),
        )
        .await;
    assert_eq!(
        (&bare["attachment_metadata"], &bare["subject"]),
        (&json!([]), &json!("look"))
    );
    let wrapped = ink
        .made(
            &path,
            json!({ "recipients": to, "mode": "wrapped", "body_text": "note" }),
        )
        .await;
    let file = &wrapped["attachment_metadata"][0];
    assert_eq!(
        (&file["content_type"], &file["filename"]),
        (&json!("message/rfc822"), &json!("message.eml"))
    );
    assert_ne!(wrapped["thread_id"], thread);
    assert!(ink.raw(&wrapped).await.contains("What now?"));
    assert_eq!(wrapped["body_text"].as_str().unwrap().trim(), "note");
    let again = ink
        .made(
            &format!("messages/{}/forward", inline["id"].as_str().unwrap()),
            json!({ "recipients": to }),
        )
        .await;
    assert_eq!(again["subject"], "Fwd: plan", "not doubled");
}

#[tokio::test]
async fn who_got_it_unseen_is_not_passed_on() {
    let ink = Ink::new().await;
    let mut body = letter("secret");
    body["recipients"]["bcc"] = json!(["cy@example.net"]);
    let sent = ink.made("messages", body).await;
    for mode in ["inline", "wrapped"] {
        let path = format!("messages/{}/forward", sent["id"].as_str().unwrap());
        let to = json!({ "recipients": { "to": ["bo@example.net"] }, "mode": mode });
        let forwarded = ink.made(&path, to).await;
        assert!(!ink.raw(&forwarded).await.contains("cy@example.net"), "{mode}");
    }
}

#[tokio::test]
async fn the_same_request_is_done_once() {
    let ink = Ink::new().await;
    let source = ink.receive(GROUP).await;
    for (operation, rest, body) in [
        ("mail.send", "messages".to_owned(), letter("once")),
        (
            "mail.reply_all",
            format!("messages/{source}/reply-all"),
            json!({ "body_text": "once" }),
        ),
        (
            "mail.forward",
            format!("messages/{source}/forward"),
            json!({ "recipients": { "to": ["a@example.net"] } }),
        ),
    ] {
        ink.lookup(operation, "k").await.fails(404, "not_found");
        let first = ink.keyed(&rest, "k", &body).await;
        first.expect(StatusCode::CREATED);
        let again = ink.keyed(&rest, "k", &body).await;
        again.expect(StatusCode::CREATED);
        assert_eq!(first.body["id"], again.body["id"], "{operation}");
        assert_eq!(
            ink.lookup(operation, "k").await.body,
            json!({ "message_id": first.body["id"] })
        );
        let mut other = body.clone();
        other["body_text"] = json!("other");
        ink.keyed(&rest, "k", &other).await.fails(409, "idempotency_key_reused");
        // What was done is told, also when it is gone.
        ink.delete(&format!("messages/{}", first.text("id")))
            .await
            .expect(StatusCode::NO_CONTENT);
        let gone = ink.keyed(&rest, "k", &body).await;
        gone.expect(StatusCode::CREATED);
        has(&gone.body, MESSAGE);
        assert_eq!(
            (&gone.body["id"], &gone.body["status"]),
            (&first.body["id"], &json!("deleted"))
        );
    }
    // The source may be gone too.
    ink.delete(&format!("messages/{source}"))
        .await
        .expect(StatusCode::NO_CONTENT);
    let again = ink
        .keyed(
            &format!("messages/{source}/reply-all"),
            "k",
            &json!({ "body_text": "once" }),
        )
        .await;
    again.expect(StatusCode::CREATED);
    assert_eq!(ink.subjects("?direction=outbound").await, Vec::<String>::new());
    for bad in ["mail.other", ""] {
        ink.lookup(bad, "k").await.fails(422, "validation_error");
    }
}

#[tokio::test]
async fn equal_requests_at_once() {
    let ink = Ink::new().await;
    let body = letter("race");
    let answers = futures_util::future::join_all((0..16).map(|_| ink.keyed("messages", "r", &body))).await;
    let mut ids = Vec::new();
    for answer in &answers {
        match answer.status {
            201 => ids.push(answer.text("id")),
            _ => {
                answer.fails(409, "idempotency_in_progress");
                let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=5).contains(&wait));
            }
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(ink.subjects("?direction=outbound").await, ["race"]);
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

#[tokio::test]
async fn signatures_stand_below() {
    let ink = Ink::new().await;
    let change = postroom_identity::SignatureChange {
        html: Some(Some("<i>Scout</i>".into())),
        text: Some(Some("Scout".into())),
        enabled: Some(true),
    };
    ink.api.identity.set_signature(ink.inbox, &change).await.unwrap();
    let mut body = letter("x");
    body["body_html"] = json!("<p>hello</p>");
    let sent = ink.made("messages", body).await;
    assert!(sent["body_text"].as_str().unwrap().trim_end().ends_with("Scout"));
    assert!(sent["body_html"].as_str().unwrap().contains("<i>Scout</i>"));
}

/// What a draft says has it below when it goes, and nowhere twice; what is signed is left alone.
#[tokio::test]
async fn signatures_stand_below_drafts_too() {
    let ink = Ink::new().await;
    let change = postroom_identity::SignatureChange {
        html: Some(Some("<i>Scout</i>".into())),
        text: None,
        enabled: Some(true),
    };
    ink.api.identity.set_signature(ink.inbox, &change).await.unwrap();
    let send = async |draft: &Value| {
        let path = format!("drafts/{}/send", draft["id"].as_str().unwrap());
        ink.made(&path, json!({ "generation": draft["generation"] })).await
    };
    let text = |sent: &Value, form: &str| sent[form].as_str().map(|text| text.trim_end().replace("\r\n", "\n"));
    let mut body = letter("x");
    body["body_text"] = json!("hello");
    body["body_html"] = json!("<p>hello</p>");
    body["attachments"] = json!([{ "filename": "a.txt", "content_type": "text/plain", "content_base64": "Zm9v" }]);
    let draft = ink.made("drafts", body).await;
    assert_eq!(
        text(&draft, "body_text").as_deref(),
        Some("hello"),
        "it is put there when it goes"
    );
    let sent = send(&draft).await;
    assert_eq!(text(&sent, "body_text").as_deref(), Some("hello\n\nScout"));
    assert_eq!(
        text(&sent, "body_html").as_deref(),
        Some("<p>hello</p><br><br>\n<i>Scout</i>")
    );
    assert_eq!(sent["attachment_metadata"][0]["filename"], "a.txt");
    // Passed on: above what is passed on.
    let forward = json!({ "recipients": { "to": ["ann@example.net"] }, "forward_message_id": sent["id"], "forward_note_text": "see" });
    let sent = send(&ink.made("drafts", forward).await).await;
    let passed = text(&sent, "body_text").unwrap();
    assert!(
        passed.starts_with("see\n\nScout\n") && passed.ends_with("hello\n\nScout"),
        "{passed}"
    );
    // What a mail program saved keeps its fields; what it signed keeps its text.
    let by_hand = async |kind: &str, body: &str| {
        let drafts = MailboxRef::Special(SpecialUse::Drafts);
        let content = format!("To: ann@example.net\nSubject: by hand\nX-Mark: 7\n{kind}\n{body}");
        ink.put(&content, Origin::Imported, drafts).await;
        let drafts = ink.good("drafts").await;
        let sent = send(&drafts["items"][0]).await;
        ink.raw(&sent).await
    };
    let plain = by_hand("", "hello\n").await;
    assert!(
        plain.contains("X-Mark: 7\r\n") && plain.contains("hello\r\n\r\nScout\r\n"),
        "{plain}"
    );
    let part = "--b\n\nhello\n--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n";
    let sealed = by_hand("Content-Type: multipart/signed; boundary=b\n", part).await;
    assert!(
        sealed.contains(&part.replace('\n', "\r\n")) && !sealed.contains("Scout"),
        "{sealed}"
    );
}
