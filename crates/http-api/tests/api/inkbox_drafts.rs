//! The Inkbox dialect: drafts.

use crate::inkbox_world::{DRAFT, DRAFT_DETAIL, FILE, Ink, MESSAGE, has, letter, subjects};
use axum::http::StatusCode;
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::{EmailId, SpecialUse};
use serde_json::{Value, json};

const PLAN: &str = "From: ann@example.net\nTo: scout@example.test\nSubject: plan\nMessage-ID: <plan@example.net>\n\
    Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nWhat now?\n--b\nContent-Type: text/csv\n\
    Content-Disposition: attachment; filename=a.csv\n\n1,2\n--b--\n";

fn path(draft: &Value, rest: &str) -> String {
    format!("drafts/{}{rest}", draft["id"].as_str().unwrap())
}

fn version(draft: &Value) -> u64 {
    draft["generation"].as_u64().unwrap()
}

impl Ink {
    async fn draft(&self, body: Value) -> Value {
        self.made("drafts", body).await
    }

    async fn changed(&self, draft: &Value, mut change: Value) -> Value {
        change["generation"] = draft["generation"].clone();
        let changed = self.patch(&path(draft, ""), change).await;
        changed.expect(StatusCode::OK);
        assert!(version(&changed.body) > version(draft));
        assert_eq!(changed.body["id"], draft["id"]);
        changed.body
    }

    async fn sent(&self, draft: &Value) -> Value {
        self.made(&path(draft, "/send"), json!({ "generation": draft["generation"] }))
            .await
    }
}

#[tokio::test]
async fn everything_a_draft_shows() {
    let ink = Ink::new().await;
    // What a mail program saved is a draft too.
    let drafts = MailboxRef::Special(SpecialUse::Drafts);
    ink.put("Subject: by hand\n\nx\n", Origin::Imported, drafts).await;
    for body in [json!({ "recipients": {} }), letter("s")] {
        let draft = ink.draft(body).await;
        has(&draft, DRAFT);
        has(&draft, DRAFT_DETAIL);
        assert_eq!(draft["send_state"], "draft");
        let shown = ink.good(&path(&draft, "")).await;
        assert_eq!(shown, draft);
    }
    let list = ink.good("drafts").await;
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .for_each(|item| has(item, DRAFT));
    assert_eq!(subjects(&list["items"]), ["s", "", "by hand"]);
    has(&ink.good(&path(&list["items"][2], "")).await, DRAFT_DETAIL);
    let page = ink.good("drafts?limit=2").await;
    let next = ink
        .good(&format!(
            "drafts?limit=2&cursor={}",
            page["next_cursor"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        (next["items"].as_array().unwrap().len(), &next["has_more"]),
        (1, &json!(false))
    );
    ink.get("drafts?cursor=x").await.fails(422, "validation_error");
    ink.get(&format!("drafts/{}", EmailId::new()))
        .await
        .fails(404, "not_found");
}

#[tokio::test]
async fn changing() {
    let ink = Ink::new().await;
    let draft = ink
        .draft(json!({ "recipients": { "to": ["a@example.net"], "cc": ["c@example.net"] }, "subject": "s", "body_text": "t",
            "body_html": "<p>h</p>", "reply_to": "r@example.net" }))
        .await;
    assert_eq!(
        (&draft["reply_to"], &draft["body_text"]),
        (&json!("r@example.net"), &json!("t"))
    );
    let draft = ink.changed(&draft, json!({ "subject": "new" })).await;
    assert_eq!(
        (&draft["subject"], &draft["body_text"], &draft["cc_addresses"]),
        (&json!("new"), &json!("t"), &json!(["c@example.net"]))
    );
    let draft = ink
        .changed(
            &draft,
            json!({ "subject": null, "body_html": null, "reply_to": null, "recipients": { "cc": null } }),
        )
        .await;
    assert_eq!(
        (&draft["subject"], &draft["body_html"], &draft["reply_to"]),
        (&json!(null), &json!(null), &json!(null))
    );
    assert_eq!(
        (&draft["to_addresses"], &draft["cc_addresses"]),
        (&json!(["a@example.net"]), &json!([]))
    );
    let draft = ink.changed(&draft, json!({ "recipients": null })).await;
    assert_eq!(draft["to_addresses"], json!([]));
    for bad in [
        json!({}),
        json!({ "generation": version(&draft), "unknown": 1 }),
        json!({ "generation": version(&draft), "subject": "x\r\nBcc: a@b" }),
        json!({ "generation": version(&draft), "recipients": { "to": ["a@b\r\nX: y"] } }),
        json!({ "generation": version(&draft), "reply_to": "a@b\nX: y" }),
        json!({ "generation": version(&draft), "in_reply_to_message_id": "<a b>" }),
        json!({ "generation": version(&draft), "references": ["x\r\nX: y"] }),
        json!({ "generation": version(&draft), "thread_id": EmailId::new().to_string() }),
    ] {
        ink.patch(&path(&draft, ""), bad).await.fails(422, "validation_error");
    }
    assert_eq!(ink.good(&path(&draft, "")).await, draft);
    ink.check().await;
}

#[tokio::test]
async fn stale_versions_change_nothing() {
    let ink = Ink::new().await;
    let old = ink.draft(letter("s")).await;
    let draft = ink.changed(&old, json!({ "subject": "new" })).await;
    let stale = json!({ "generation": old["generation"] });
    let mut change = stale.clone();
    change["subject"] = json!("late");
    let conflict = "draft_generation_conflict";
    ink.patch(&path(&old, ""), change).await.fails(409, conflict);
    let mut files = stale.clone();
    files["attachments"] = json!([{ "filename": "a", "content_type": "text/plain", "content_base64": "" }]);
    ink.post(&path(&old, "/attachments"), files).await.fails(409, conflict);
    ink.post(&path(&old, "/send"), stale.clone()).await.fails(409, conflict);
    ink.post(&path(&old, "/duplicate"), stale).await.fails(409, conflict);
    let query = format!("?generation={}", version(&old));
    ink.delete(&path(&old, &query)).await.fails(409, conflict);
    ink.get(&path(&old, &format!("/attachments/1{query}")))
        .await
        .fails(409, conflict);
    ink.delete(&path(&old, &format!("/attachments/1{query}")))
        .await
        .fails(409, conflict);
    ink.delete(&path(&old, "")).await.fails(422, "validation_error");
    ink.delete(&path(&old, "?generation=0")).await.fails(409, conflict);
    assert_eq!(ink.good(&path(&draft, "")).await, draft);
    let changes = (0..8).map(|number| {
        let change = json!({ "generation": draft["generation"], "subject": format!("n{number}") });
        let path = path(&draft, "");
        let ink = &ink;
        async move { ink.patch(&path, change).await }
    });
    let answers = futures_util::future::join_all(changes).await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(done, 1, "of those at once, one");
    answers
        .iter()
        .filter(|answer| answer.status != 200)
        .for_each(|answer| answer.fails(409, conflict));
    let now = ink.good(&path(&draft, "")).await;
    ink.delete(&path(&now, &format!("?generation={}", version(&now))))
        .await
        .expect(StatusCode::NO_CONTENT);
    ink.get(&path(&now, "")).await.fails(404, "not_found");
    ink.check().await;
}

#[tokio::test]
async fn files() {
    let ink = Ink::new().await;
    let file =
        |name: &str, content: &str| json!({ "filename": name, "content_type": "text/csv", "content_base64": content });
    let mut body = letter("s");
    body["attachments"] = json!([file("a.csv", "MSwy")]);
    let draft = ink.draft(body).await;
    assert_eq!(
        (&draft["attachment_count"], &draft["has_attachments"]),
        (&json!(1), &json!(true))
    );
    let more = json!({ "generation": draft["generation"], "attachments": [file("b.csv", "Mw==")] });
    let added = ink.post(&path(&draft, "/attachments"), more).await;
    added.expect(StatusCode::OK);
    let draft = added.body;
    let all = draft["attachment_metadata"].as_array().unwrap().clone();
    all.iter().for_each(|file| has(file, FILE));
    assert_eq!(
        all.iter()
            .map(|file| file["filename"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["a.csv", "b.csv"]
    );
    let of = |file: &Value, draft: &Value| {
        path(
            draft,
            &format!("/attachments/{}?generation={}", file["part_index"], version(draft)),
        )
    };
    let bytes = ink.get(&of(&all[0], &draft)).await;
    bytes.expect(StatusCode::OK);
    assert_eq!(
        (&bytes.bytes[..], bytes.headers["content-type"].to_str().unwrap()),
        (&b"1,2"[..], "text/csv")
    );
    assert!(bytes.headers["content-disposition"].to_str().unwrap().contains("a.csv"));
    let removed = ink.delete(&of(&all[0], &draft)).await;
    removed.expect(StatusCode::OK);
    assert_eq!(removed.body["attachment_metadata"][0]["filename"], "b.csv");
    assert_eq!(removed.body["attachment_count"], json!(1));
    ink.delete(&path(
        &draft,
        &format!("/attachments/99?generation={}", version(&removed.body)),
    ))
    .await
    .fails(404, "not_found");
    let shown = json!({ "filename": "p", "content_type": "image/png", "content_base64": "", "content_id": "p" });
    let body = json!({ "generation": version(&removed.body), "attachments": [shown] });
    ink.post(&path(&draft, "/attachments"), body)
        .await
        .fails(422, "validation_error");
    ink.check().await;
}

#[tokio::test]
async fn sending() {
    let ink = Ink::new().await;
    let draft = ink.draft(letter("s")).await;
    let sent = ink.sent(&draft).await;
    has(&sent, MESSAGE);
    assert_eq!(
        (&sent["direction"], &sent["subject"]),
        (&json!("outbound"), &json!("s"))
    );
    ink.get(&path(&draft, "")).await.fails(404, "not_found");
    // Asked for again, it is the message that went out.
    assert_eq!(ink.sent(&draft).await["id"], sent["id"]);
    let other = json!({ "generation": draft["generation"].as_u64().unwrap() + 1 });
    ink.post(&path(&draft, "/send"), other)
        .await
        .fails(409, "draft_generation_conflict");
    let draft = ink.draft(letter("race")).await;
    let body = json!({ "generation": draft["generation"] });
    let requests = (0..8).map(|_| {
        let (path, body, ink) = (path(&draft, "/send"), body.clone(), &ink);
        async move { ink.post(&path, body).await }
    });
    for answer in futures_util::future::join_all(requests).await {
        match answer.status {
            201 => assert_eq!(answer.body["subject"], "race"),
            _ => answer.fails(409, "draft_send_in_progress"),
        }
    }
    assert_eq!(ink.subjects("?direction=outbound").await, ["race", "s"]);
    let empty = ink.draft(json!({ "recipients": {} })).await;
    ink.post(&path(&empty, "/send"), json!({ "generation": empty["generation"] }))
        .await
        .fails(422, "validation_error");
    assert_eq!(ink.good(&path(&empty, "")).await["send_state"], "draft");
    ink.check().await;
}

#[tokio::test]
async fn answers_and_threads() {
    let ink = Ink::new().await;
    let source = ink.receive(PLAN).await;
    let thread = ink.good(&format!("messages/{source}")).await["thread_id"].clone();
    for named in ["<plan@example.net>".to_owned(), source.to_string()] {
        let mut body = letter("Re: plan");
        body["in_reply_to_message_id"] = json!(named);
        let draft = ink.draft(body).await;
        assert_eq!(
            (&draft["thread_id"], &draft["in_reply_to"]),
            (&thread, &json!("<plan@example.net>"))
        );
        let sent = ink.sent(&draft).await;
        assert_eq!(
            (&sent["thread_id"], &sent["in_reply_to"]),
            (&thread, &json!("<plan@example.net>"))
        );
    }
    let draft = ink.draft(letter("later")).await;
    assert_eq!(
        (&draft["thread_id"], &draft["in_reply_to"]),
        (&json!(null), &json!(null))
    );
    let draft = ink
        .changed(&draft, json!({ "in_reply_to_message_id": source.to_string() }))
        .await;
    assert_eq!(draft["thread_id"], thread);
    let draft = ink.changed(&draft, json!({ "in_reply_to_message_id": null })).await;
    assert_eq!((&draft["thread_id"], &draft["references"]), (&json!(null), &json!([])));
    let draft = ink
        .changed(
            &draft,
            json!({ "thread_id": thread, "references": ["<x@example.net>"] }),
        )
        .await;
    assert_eq!(
        (&draft["thread_id"], &draft["references"]),
        (&thread, &json!(["<x@example.net>"]))
    );
    assert_eq!(ink.sent(&draft).await["thread_id"], thread);
    ink.check().await;
}

#[tokio::test]
async fn forwards() {
    let ink = Ink::new().await;
    let source = ink.receive(PLAN).await;
    let thread = ink.good(&format!("messages/{source}")).await["thread_id"].clone();
    let body = |more: Value| {
        let mut body = json!({ "recipients": { "to": ["bo@example.net"] }, "forward_message_id": source.to_string() });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let draft = ink.draft(body(json!({ "forward_note_text": "See below." }))).await;
    assert_eq!(
        (&draft["forward_source_message_id"], &draft["forward_mode"]),
        (&json!(source.to_string()), &json!("inline"))
    );
    assert_eq!(
        (&draft["subject"], &draft["forward_note_text"]),
        (&json!("Fwd: plan"), &json!("See below."))
    );
    let draft = ink.changed(&draft, json!({ "forward_note_text": "Look." })).await;
    let sent = ink.sent(&draft).await;
    let text = sent["body_text"].as_str().unwrap();
    assert!(text.starts_with("Look.") && text.contains("What now?"), "{text}");
    assert_eq!(sent["attachment_metadata"][0]["filename"], "a.csv");
    assert_ne!(sent["thread_id"], thread);
    let bare = ink.draft(body(json!({ "include_original_attachments": false }))).await;
    assert_eq!(bare["include_original_attachments"], json!(false));
    assert_eq!(ink.sent(&bare).await["attachment_metadata"], json!([]));
    let wrapped = ink
        .draft(body(json!({ "forward_mode": "wrapped", "forward_note_text": "n" })))
        .await;
    let copy = ink
        .made(
            &path(&wrapped, "/duplicate"),
            json!({ "generation": wrapped["generation"] }),
        )
        .await;
    assert_eq!(
        (&copy["forward_mode"], &copy["forward_source_message_id"]),
        (&json!("wrapped"), &json!(source.to_string()))
    );
    for draft in [wrapped, copy] {
        let sent = ink.sent(&draft).await;
        assert_eq!(sent["attachment_metadata"][0]["content_type"], "message/rfc822");
        assert_ne!(sent["thread_id"], thread);
    }
    for bad in [
        json!({ "recipients": {}, "forward_message_id": EmailId::new().to_string() }),
        json!({ "recipients": {}, "forward_mode": "inline" }),
        json!({ "recipients": {}, "forward_message_id": source.to_string(), "forward_mode": "x" }),
    ] {
        ink.post("drafts", bad).await.fails(422, "validation_error");
    }
    ink.check().await;
}

#[tokio::test]
async fn copies_and_repeated_requests() {
    let ink = Ink::new().await;
    let mut body = letter("s");
    body["attachments"] = json!([{ "filename": "a.csv", "content_type": "text/csv", "content_base64": "MSwy" }]);
    let draft = ink.draft(body.clone()).await;
    let copy = ink
        .made(
            &path(&draft, "/duplicate"),
            json!({ "generation": draft["generation"] }),
        )
        .await;
    assert_ne!(copy["id"], draft["id"]);
    for field in ["to_addresses", "subject", "body_text", "attachment_count"] {
        assert_eq!(copy[field], draft[field], "{field}");
    }
    let changed = ink.changed(&copy, json!({ "subject": "copy" })).await;
    assert_eq!(
        (
            ink.good(&path(&draft, "")).await["subject"].clone(),
            &changed["subject"]
        ),
        (json!("s"), &json!("copy"))
    );
    let first = ink.keyed("drafts", "k", &body).await;
    first.expect(StatusCode::CREATED);
    let again = ink.keyed("drafts", "k", &body).await;
    again.expect(StatusCode::CREATED);
    assert_eq!(first.body["id"], again.body["id"]);
    ink.keyed("drafts", "k", &letter("other"))
        .await
        .fails(409, "idempotency_key_reused");
    let draft = ink.draft(letter("keyed")).await;
    let send = json!({ "generation": draft["generation"] });
    let sent = ink.keyed(&path(&draft, "/send"), "k", &send).await;
    assert_eq!(
        ink.keyed(&path(&draft, "/send"), "k", &send).await.body["id"],
        sent.body["id"]
    );
    ink.check().await;
}
