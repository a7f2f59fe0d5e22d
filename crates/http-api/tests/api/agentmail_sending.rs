//! Mail going out over AgentMail (agentmail.md §8 "Sending", §3 "Idempotency of sends").

use crate::agentmail_mail::{Agents, SPAM, encoded};
use crate::mail::header;
use crate::setup::Answer;
use axum::body::Body;
use axum::http::{Request, StatusCode, header as fields};
use postroom_mailstore::Origin;
use postroom_message::{extract_html, extract_text};
use postroom_types::InboxId;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const QUESTION: &str = "From: Ann <ann@example.net>\nReply-To: answers@example.net\nTo: scout@example.test, bob@example.net\n\
    Cc: cy@example.net\nMessage-ID: <q@example.net>\nReferences: <p@example.net>\nSubject: Question\nMIME-Version: 1.0\n\
    Content-Type: multipart/mixed; boundary=b\n\n--b\n\nWhat now?\n--b\nContent-Type: text/plain; name=a.txt\n\
    Content-Disposition: attachment; filename=a.txt\n\nattached\n--b--\n";

fn ann(text: &str) -> Value {
    json!({ "to": "ann@example.net", "subject": "S", "text": text })
}

impl Agents {
    /// A call with an idempotency key.
    pub(crate) async fn keyed(&self, path: &str, api_key: &str, key: &str, body: &Value) -> Answer {
        let request = Request::post(path)
            .header(fields::AUTHORIZATION, format!("Bearer {api_key}"))
            .header(fields::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key);
        self.api.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// A message that was sent, as its copy is stored.
    pub(crate) async fn copy(&self, answer: &Answer) -> String {
        answer.expect(StatusCode::OK);
        let inbox = self.id_of(&self.inbox).await;
        let id = answer.text("message_id");
        let ids = self
            .api
            .mailstore
            .find_message_ids(inbox, id.trim_matches(['<', '>']))
            .await
            .unwrap();
        let content = self.api.mailstore.content(inbox, ids[0]).await.unwrap().unwrap();
        let bytes = self.api.mailstore.read(&content, 0..u64::MAX).await.unwrap().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// It as the API shows it.
    pub(crate) async fn shown(&self, answer: &Answer) -> Value {
        answer.expect(StatusCode::OK);
        self.good(&format!("messages/{}", encoded(&answer.text("message_id"))))
            .await
    }

    pub(crate) async fn sent_count(&self, inbox: InboxId) -> usize {
        let messages = self.api.mailstore.messages(inbox, None, 100).await.unwrap();
        messages.iter().filter(|message| message.origin == Origin::Sent).count()
    }

    async fn answer(&self, verb: &str, body: Value) -> Answer {
        self.post(&format!("messages/{}/{verb}", encoded("<q@example.net>")), body)
            .await
    }
}

#[tokio::test]
async fn a_message_goes_out_as_asked() {
    let agents = Agents::new().await;
    agents.patch("", json!({})).await;
    let named = json!({ "display_name": "The Scout" });
    let path = format!("/v0/inboxes/{}", agents.inbox);
    agents.api.patch(&path, &agents.key, named).await.expect(StatusCode::OK);
    let sent = agents
        .post(
            "messages/send",
            json!({
                "to": ["Ann <ann@example.net>"], "cc": "c@example.net", "bcc": ["b@example.net"],
                "reply_to": "r@example.net", "subject": "Grüße", "text": "Hallo", "html": "<p>Hallo</p>",
                "labels": ["Launch"], "headers": { "X-Campaign": "7" },
                "attachments": [{ "filename": "a.txt", "content": "aGVsbG8=", "content_type": "text/plain" }],
            }),
        )
        .await;
    let shown = agents.shown(&sent).await;
    for (field, expected) in [
        ("from", json!("The Scout <scout@example.test>")),
        ("to", json!(["Ann <ann@example.net>"])),
        ("cc", json!(["c@example.net"])),
        ("bcc", json!(["b@example.net"])),
        ("reply_to", json!(["r@example.net"])),
        ("subject", json!("Grüße")),
        ("labels", json!(["sent", "launch"])),
        ("thread_id", sent.body["thread_id"].clone()),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    assert_eq!(shown["attachments"][0]["filename"], "a.txt");
    let copy = agents.copy(&sent).await;
    assert_eq!(header(&copy, "X-Campaign"), ["7"]);
    assert_eq!(header(&copy, "Auto-Submitted"), ["auto-generated"]);
    let only_html = agents
        .post("messages/send", json!({ "to": "ann@example.net", "html": "<p>x</p>" }))
        .await;
    assert_eq!(agents.shown(&only_html).await.get("text"), None);
}

#[tokio::test]
async fn what_is_refused() {
    let agents = Agents::new().await;
    let with = |field: &str, value: Value| {
        let mut body = ann("x");
        body[field] = value;
        body
    };
    let many: Vec<String> = (0..51).map(|number| format!("a{number}@example.net")).collect();
    for (body, status, code) in [
        (json!({}), 422, "unprocessable"),
        (json!({ "subject": "x", "to": [] }), 422, "unprocessable"),
        (json!({ "to": many }), 400, "validation_error"),
        (json!({ "to": "nobody" }), 400, "validation_error"),
        (with("track_opens", json!(true)), 400, "validation_error"),
        (
            with("headers", json!({ "From": "x@example.net" })),
            400,
            "validation_error",
        ),
        (
            with("headers", json!({ "Content-Type": "text/html" })),
            400,
            "validation_error",
        ),
        (
            with("headers", json!({ "DKIM-Signature": "x" })),
            400,
            "validation_error",
        ),
        (
            with("headers", json!({ "Auto-Submitted": "no" })),
            400,
            "validation_error",
        ),
        (
            with("headers", json!({ "X-A": "x\r\nBcc: b@c" })),
            400,
            "validation_error",
        ),
        (with("headers", json!({ "X A": "x" })), 400, "validation_error"),
        (with("labels", json!(["received"])), 400, "validation_error"),
        (
            with("attachments", json!([{ "content": "", "url": "http://example.net/" }])),
            400,
            "validation_error",
        ),
        (
            with("attachments", json!([{ "url": "ftp://example.net/" }])),
            400,
            "validation_error",
        ),
        (with("text", json!(1)), 400, "validation_error"),
    ] {
        let refused = agents.post("messages/send", body.clone()).await;
        let got = (refused.status, refused.body["code"].as_str().unwrap_or_default());
        assert_eq!(got, (status, code), "{body} {}", refused.body);
    }
    let inbox = agents.id_of(&agents.inbox).await;
    assert_eq!(agents.sent_count(inbox).await, 0);
    let path = format!("/v0/inboxes/{}", agents.inbox);
    agents
        .api
        .patch(&path, &agents.key, json!({ "status": "paused" }))
        .await
        .expect(StatusCode::OK);
    let paused = agents.post("messages/send", ann("x")).await;
    assert_eq!((paused.status, &paused.body["code"]), (403, &json!("inbox_paused")));
    assert_eq!(paused.body["name"], "MessageRejectedError");
}

#[tokio::test]
async fn replies_quote_what_they_answer() {
    let agents = Agents::new().await;
    agents.receive(QUESTION).await;
    let thread = agents.good("messages").await["messages"][0]["thread_id"].clone();
    let reply = agents
        .answer(
            "reply",
            json!({ "text": "Wait.", "html": "<p>Wait.</p>", "labels": ["answered"] }),
        )
        .await;
    assert_eq!(reply.body["thread_id"], thread);
    let shown = agents.shown(&reply).await;
    for (field, expected) in [
        ("to", json!(["answers@example.net"])),
        ("subject", json!("Re: Question")),
        ("in_reply_to", json!("<q@example.net>")),
        ("references", json!(["<p@example.net>", "<q@example.net>"])),
        ("labels", json!(["sent", "answered"])),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    assert_eq!(shown.get("cc"), None);
    let (text, html) = (shown["text"].as_str().unwrap(), shown["html"].as_str().unwrap());
    assert!(
        text.starts_with("Wait.") && text.contains("> What now?") && html.contains("What now?"),
        "{text} {html}"
    );
    assert_eq!(extract_text(text).trim(), "Wait.");
    assert_eq!(shown["extracted_text"].as_str().unwrap().trim(), "Wait.");
    assert!(!extract_html(html).contains("What now?"));
    // Its files stay where they are.
    assert_eq!(shown.get("attachments"), None);

    let plain = agents.answer("reply", json!({ "text": "Wait." })).await;
    assert_eq!(agents.shown(&plain).await.get("html"), None);
    let elsewhere = agents
        .answer(
            "reply",
            json!({ "text": "x", "to": "boss@example.net", "bcc": "b@example.net" }),
        )
        .await;
    let elsewhere = agents.shown(&elsewhere).await;
    assert_eq!(
        (&elsewhere["to"], &elsewhere["bcc"]),
        (&json!(["boss@example.net"]), &json!(["b@example.net"]))
    );
    for all in [
        agents.answer("reply-all", json!({ "text": "x" })).await,
        agents.answer("reply", json!({ "text": "x", "reply_all": true })).await,
    ] {
        let all = agents.shown(&all).await;
        assert_eq!(all["to"], json!(["answers@example.net", "bob@example.net"]));
        assert_eq!(all["cc"], json!(["cy@example.net"]));
    }
    let both = agents
        .answer("reply", json!({ "reply_all": true, "to": "x@example.net" }))
        .await;
    assert_eq!(both.status, 400, "{}", both.body);
    let nowhere = agents
        .post(
            &format!("messages/{}/reply", encoded("<none@x>")),
            json!({ "text": "x" }),
        )
        .await;
    assert_eq!(nowhere.status, 404);
}

#[tokio::test]
async fn what_is_passed_on_stands_below() {
    let agents = Agents::new().await;
    agents.receive(QUESTION).await;
    let thread = agents.good("messages").await["messages"][0]["thread_id"].clone();
    let forward = agents
        .answer("forward", json!({ "to": ["dee@example.net"], "text": "Look:" }))
        .await;
    assert_eq!(forward.body["thread_id"], thread);
    let shown = agents.shown(&forward).await;
    assert_eq!(
        (&shown["subject"], &shown["to"]),
        (&json!("Fwd: Question"), &json!(["dee@example.net"]))
    );
    let text = shown["text"].as_str().unwrap();
    assert!(text.find("Look:").unwrap() < text.find("What now?").unwrap(), "{text}");
    assert_eq!(shown["attachments"][0]["filename"], "a.txt");
    assert_eq!(shown["attachments"].as_array().unwrap().len(), 1);
    let named = agents
        .answer("forward", json!({ "to": "dee@example.net", "subject": "Mine" }))
        .await;
    assert_eq!(agents.shown(&named).await["subject"], "Mine");
    let nobody = agents.answer("forward", json!({ "text": "Look:" })).await;
    assert_eq!((nobody.status, &nobody.body["code"]), (422, &json!("unprocessable")));
}

#[tokio::test]
async fn what_a_key_may_not_read_it_does_not_answer() {
    let agents = Agents::new().await;
    agents.receive(QUESTION).await;
    agents
        .put(
            &agents.inbox,
            "From: a@example.net\nMessage-ID: <spam@x>\n\nspam\n",
            Origin::Received,
            SPAM,
        )
        .await;
    let sender = agents.key_with(json!({ "message_send": true })).await;
    let sent = agents.api.post(&agents.path("messages/send"), &sender, ann("x")).await;
    sent.expect(StatusCode::OK);
    let path = agents.path(&format!("messages/{}/reply", encoded("<q@example.net>")));
    let refused = agents.api.post(&path, &sender, json!({ "text": "x" })).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (403, &json!("missing_permission"))
    );
    let reader = agents
        .key_with(json!({ "message_send": true, "message_read": true }))
        .await;
    agents
        .api
        .post(&path, &reader, json!({ "text": "x" }))
        .await
        .expect(StatusCode::OK);
    let spam = agents.path(&format!("messages/{}/forward", encoded("<spam@x>")));
    let hidden = agents.api.post(&spam, &reader, json!({ "to": "a@example.net" })).await;
    assert_eq!(hidden.status, 404, "{}", hidden.body);
}

#[tokio::test]
async fn a_repeated_request_is_done_once() {
    let agents = Agents::new().await;
    let path = agents.path("messages/send");
    let first = agents.keyed(&path, &agents.key, "k-1", &ann("x")).await;
    first.expect(StatusCode::OK);
    let again = agents.keyed(&path, &agents.key, "k-1", &ann("x")).await;
    again.expect(StatusCode::OK);
    assert_eq!(again.body, first.body);
    let inbox = agents.id_of(&agents.inbox).await;
    assert_eq!(agents.sent_count(inbox).await, 1);
    let other = agents.keyed(&path, &agents.key, "k-1", &ann("y")).await;
    assert_eq!((other.status, &other.body["code"]), (409, &json!("conflict")));
    // The key is the organization's.
    let ranger = agents.inbox("ranger").await;
    let elsewhere = agents
        .keyed(
            &format!("/v0/inboxes/{ranger}/messages/send"),
            &agents.key,
            "k-1",
            &ann("x"),
        )
        .await;
    assert_eq!(elsewhere.status, 409);
    let tenant = agents.api.tenant("B").await;
    let foreign = agents.api.organization_key(&tenant.id).await;
    let made = agents
        .api
        .post("/v0/inboxes", &foreign, json!({ "username": "other" }))
        .await;
    let theirs = format!("/v0/inboxes/{}/messages/send", made.text("inbox_id"));
    agents
        .keyed(&theirs, &foreign, "k-1", &ann("x"))
        .await
        .expect(StatusCode::OK);
    for bad in ["", "a b", "ä", "a/b", &"x".repeat(257)] {
        let refused = agents.keyed(&path, &agents.key, bad, &ann("x")).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (400, &json!("validation_error")),
            "{bad:?}"
        );
    }
    // What failed frees the key.
    let failed = agents.keyed(&path, &agents.key, "k-2", &json!({})).await;
    assert_eq!(failed.status, 422);
    agents
        .keyed(&path, &agents.key, "k-2", &ann("z"))
        .await
        .expect(StatusCode::OK);

    agents.receive(QUESTION).await;
    let reply = agents.path(&format!("messages/{}/reply", encoded("<q@example.net>")));
    let body = json!({ "text": "x" });
    let first = agents.keyed(&reply, &agents.key, "k-3", &body).await;
    first.expect(StatusCode::OK);
    // Known still when what it answered is gone.
    let gone = agents.path(&format!("messages/{}", encoded("<q@example.net>")));
    agents
        .api
        .delete(&gone, &agents.key)
        .await
        .expect(StatusCode::NO_CONTENT);
    let again = agents.keyed(&reply, &agents.key, "k-3", &body).await;
    assert_eq!((again.status, again.body), (200, first.body));
}

/// A server that answers by path, one request a connection; `/slow` takes its time.
async fn files() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = vec![0; 2048];
                let octets = socket.read(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request[..octets]).into_owned();
                let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                let found =
                    |location: &str| format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
                let answer = match path.as_str() {
                    "/a/report.csv" | "/slow" => {
                        if path == "/slow" {
                            tokio::time::sleep(Duration::from_millis(400)).await;
                        }
                        "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 3\r\n\r\na,b".to_owned()
                    }
                    "/moved" => found("/a/report.csv"),
                    "/loop" => found("/loop"),
                    "/inside" => found("http://10.0.0.1/"),
                    "/file" => found("file:///etc/passwd"),
                    _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
                };
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    base
}

#[tokio::test]
async fn attachments_by_their_url() {
    let agents = Agents::new().await;
    let base = files().await;
    let with = |file: Value| {
        let mut body = ann("x");
        body["attachments"] = json!([file]);
        body
    };
    for path in ["/a/report.csv", "/moved"] {
        let sent = agents
            .post("messages/send", with(json!({ "url": format!("{base}{path}") })))
            .await;
        let file = &agents.shown(&sent).await["attachments"][0];
        let shown = (&file["filename"], &file["content_type"], &file["size"]);
        assert_eq!(shown, (&json!("report.csv"), &json!("text/csv"), &json!(3)), "{path}");
    }
    let named = json!({ "url": format!("{base}/moved"), "filename": "n.txt", "content_type": "text/plain" });
    let sent = agents.post("messages/send", with(named)).await;
    let file = &agents.shown(&sent).await["attachments"][0];
    assert_eq!(
        (&file["filename"], &file["content_type"]),
        (&json!("n.txt"), &json!("text/plain"))
    );
    let local = |path: &str| format!("{base}{path}");
    for url in [
        local("/missing"),
        local("/loop"),
        local("/inside"),
        local("/file"),
        "http://10.0.0.1/".into(),
        "http://169.254.169.254/latest/meta-data".into(),
        "http://[::ffff:10.0.0.1]/".into(),
        "http://user:secret@127.0.0.1/".into(),
        "file:///etc/passwd".into(),
        "/a".into(),
    ] {
        let refused = agents.post("messages/send", with(json!({ "url": url }))).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (400, &json!("validation_error")),
            "{url}"
        );
        assert!(!refused.body.to_string().contains("10.0.0.1"), "{}", refused.body);
    }
    let inbox = agents.id_of(&agents.inbox).await;
    assert_eq!(agents.sent_count(inbox).await, 3);
}

#[tokio::test]
async fn a_request_under_way_holds_its_key() {
    let agents = Agents::new().await;
    let mut slow = ann("x");
    slow["attachments"] = json!([{ "url": format!("{}/slow", files().await) }]);
    let path = agents.path("messages/send");
    let second = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        agents.keyed(&path, &agents.key, "k", &slow).await
    };
    let (first, second) = tokio::join!(agents.keyed(&path, &agents.key, "k", &slow), second);
    first.expect(StatusCode::OK);
    assert_eq!((second.status, &second.body["code"]), (409, &json!("conflict")));
    let third = agents.keyed(&path, &agents.key, "k", &slow).await;
    assert_eq!((third.status, third.body), (200, first.body));
}
