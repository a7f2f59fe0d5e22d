//! Drafts of the MyAgentMail dialect.

use crate::mail::{Mail, header};
use crate::setup::Answer;
use axum::body::Body;
use axum::http::{Request, StatusCode, header as field};
use postroom_identity::{InboxChange, KeyScope};
use postroom_types::{EmailId, SpecialUse};
use serde_json::{Value, json};

async fn draft(mail: &Mail, body: Value) -> Answer {
    let made = mail.post("drafts", body).await;
    made.expect(StatusCode::CREATED);
    made
}

async fn change(mail: &Mail, id: &str, body: Value) -> Answer {
    mail.api
        .patch(&mail.path(&format!("drafts/{id}")), &mail.key, body)
        .await
}

async fn listed(mail: &Mail) -> Vec<String> {
    let list = mail.get("drafts").await;
    let drafts = list.body["drafts"].as_array().unwrap().clone();
    drafts
        .iter()
        .map(|draft| draft["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_draft_from_its_making_to_its_sending() {
    let mail = Mail::new().await;
    let file = json!({ "filename": "a.csv", "contentType": "text/csv", "content": "YSxi" });
    let made = draft(
        &mail,
        json!({
            "to": ["Zoë <zoe@example.net>", "b@example.net"], "cc": "c@example.org", "bcc": ["d@example.com"],
            "subject": "Grüße", "plainBody": "Heiß\nja", "attachments": [file],
        }),
    )
    .await;
    let id = made.text("id");
    for (name, expected) in [
        ("inboxId", json!(mail.inbox.to_string())),
        ("to", json!(["zoe@example.net", "b@example.net"])),
        ("cc", json!(["c@example.org"])),
        ("bcc", json!(["d@example.com"])),
        ("replyTo", json!([])),
        ("subject", json!("Grüße")),
        ("plainBody", json!("Heiß\nja")),
        ("htmlBody", Value::Null),
        ("replyToMessageId", Value::Null),
        ("sendAt", Value::Null),
    ] {
        assert_eq!(made.body[name], expected, "{name}");
    }
    assert_eq!(made.body["attachments"][0]["filename"], json!("a.csv"));
    let attachment = made.body["attachments"][0]["id"].as_str().unwrap().to_owned();
    let bytes = mail.get(&format!("drafts/{id}/attachments/{attachment}")).await;
    assert_eq!((bytes.status, &bytes.bytes[..]), (200, &b"a,b"[..]));
    assert_eq!(mail.get(&format!("drafts/{id}")).await.body, made.body);

    let changed = change(
        &mail,
        &id,
        json!({ "subject": "New", "cc": null, "htmlBody": "<b>x</b>" }),
    )
    .await;
    changed.expect(StatusCode::OK);
    assert_eq!(changed.text("id"), id);
    assert_eq!(
        (
            &changed.body["subject"],
            &changed.body["cc"],
            &changed.body["htmlBody"],
            &changed.body["plainBody"]
        ),
        (&json!("New"), &json!([]), &json!("<b>x</b>"), &json!("Heiß\nja"))
    );
    assert_eq!(changed.body["attachments"][0]["filename"], json!("a.csv"));
    let other = json!({ "attachments": [{ "filename": "b.txt", "content": "Yg==" }] });
    let changed = change(&mail, &id, other).await;
    assert_eq!(changed.body["attachments"][0]["filename"], json!("b.txt"));
    assert_eq!(changed.body["attachments"].as_array().map(Vec::len), Some(1));
    let without = change(&mail, &id, json!({ "attachments": [], "to": "only@example.net" })).await;
    assert_eq!(
        (&without.body["attachments"], &without.body["to"]),
        (&json!([]), &json!(["only@example.net"]))
    );

    // A draft is no message of the list, and once it is sent it is one, and no draft.
    assert_eq!(listed(&mail).await, std::slice::from_ref(&id));
    assert_eq!(mail.listed("").await.0, Vec::<String>::new());
    let sent = mail.post(&format!("drafts/{id}/send"), json!({})).await;
    sent.expect(StatusCode::OK);
    assert_eq!(
        (sent.text("draftId"), sent.text("status")),
        (id.clone(), "queued".into())
    );
    let shown = mail.get(&format!("messages/{}", sent.text("id"))).await;
    assert_eq!(
        (shown.text("direction"), shown.text("subject"), shown.text("threadId")),
        ("outbound".into(), "New".into(), sent.text("threadId"))
    );
    assert_eq!(shown.body["messageIdHeader"], json!(sent.text("messageId")));
    let (recipients, content) = mail.queued(&sent).await;
    assert_eq!(recipients, ["only@example.net", "d@example.com"]);
    assert!(header(&content, "Bcc").is_empty());
    for (method, path) in [
        ("GET", format!("drafts/{id}")),
        ("PATCH", format!("drafts/{id}")),
        ("DELETE", format!("drafts/{id}")),
        ("POST", format!("drafts/{id}/send")),
    ] {
        mail.api
            .any(method, &mail.path(&path), &mail.key)
            .await
            .refused(404, "NOT_FOUND");
    }
    assert_eq!(listed(&mail).await, Vec::<String>::new());
    mail.check().await;
}

#[tokio::test]
async fn a_reply_takes_over_what_it_answers() {
    let mail = Mail::new().await;
    let id = mail
        .receive("From: ann@far.test\nTo: scout@example.test\nSubject: Question\nMessage-ID: <q@far.test>\n\nwhy?\n")
        .await;
    let made = draft(
        &mail,
        json!({ "replyToMessageId": id.to_string(), "plainBody": "because" }),
    )
    .await;
    let question = mail.get(&format!("messages/{id}")).await;
    assert_eq!(
        (
            &made.body["to"],
            &made.body["subject"],
            &made.body["replyToMessageId"],
            &made.body["threadId"]
        ),
        (
            &json!(["ann@far.test"]),
            &json!("Re: Question"),
            &json!(id.to_string()),
            &question.body["threadId"]
        )
    );
    let id_of_draft = made.text("id");
    let same = json!({ "replyToMessageId": id.to_string(), "subject": "Re: Why" });
    change(&mail, &id_of_draft, same).await.expect(StatusCode::OK);
    let other = json!({ "replyToMessageId": EmailId::new().to_string() });
    change(&mail, &id_of_draft, other)
        .await
        .refused(400, "VALIDATION_ERROR");
    let sent = mail
        .post(&format!("drafts/{id_of_draft}/send"), json!({ "verified": true }))
        .await;
    sent.expect(StatusCode::OK);
    assert_eq!(sent.body["threadId"], question.body["threadId"]);
    let (_, content) = mail.queued(&sent).await;
    assert_eq!(header(&content, "In-Reply-To"), ["<q@far.test>"]);
    assert_eq!(header(&content, "Subject"), ["Re: Why"]);

    let nobody = json!({ "replyToMessageId": EmailId::new().to_string() });
    mail.post("drafts", nobody).await.refused(404, "NOT_FOUND");
    // What the dialect does not show is not answered either.
    let path = mail.path(&format!("messages/{id}"));
    mail.api.delete(&path, &mail.key).await.expect(StatusCode::OK);
    let gone = json!({ "replyToMessageId": id.to_string() });
    mail.post("drafts", gone).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn lists_are_newest_first_and_paged() {
    let mail = Mail::new().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(draft(&mail, json!({ "subject": n.to_string() })).await.text("id"));
    }
    ids.reverse();
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = mail.get(&format!("drafts?limit=2{cursor}")).await;
        page.expect(StatusCode::OK);
        let drafts = page.body["drafts"].as_array().unwrap();
        assert!(drafts.len() <= 2);
        seen.extend(drafts.iter().map(|draft| draft["id"].as_str().unwrap().to_owned()));
        match page.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    for bad in ["limit=0", "limit=x", "cursor=x", "cursor=00", "cursor=zz"] {
        mail.get(&format!("drafts?{bad}"))
            .await
            .refused(400, "VALIDATION_ERROR");
    }
    let path = mail.path(&format!("drafts/{}", ids[0]));
    let deleted = mail.api.delete(&path, &mail.key).await;
    assert_eq!(deleted.body, json!({ "deleted": true, "id": ids[0] }));
    assert_eq!(listed(&mail).await, ids[1..]);
}

#[tokio::test]
async fn one_draft_over_two_dialects_and_imap() {
    let mail = Mail::new().await;
    let record = mail.api.identity.inbox(mail.inbox).await.unwrap();
    let scope = KeyScope::Organization(record.organization);
    let am = mail.api.identity.create_key(&scope, None).await.unwrap();
    let am = am.secret.expose();
    let id = draft(&mail, json!({ "to": "a@far.test", "subject": "one" }))
        .await
        .text("id");
    let path = format!("/v0/inboxes/scout@example.test/drafts/{id}");
    assert_eq!(mail.api.get(&path, am).await.text("subject"), "one");
    mail.api
        .patch(&path, am, json!({ "subject": "two", "text": "hello" }))
        .await
        .expect(StatusCode::OK);
    let shown = mail.get(&format!("drafts/{id}")).await;
    assert_eq!(
        (shown.text("subject"), shown.text("plainBody")),
        ("two".into(), "hello".into())
    );
    let mailboxes = mail.api.mailstore.mailboxes(mail.inbox).await.unwrap();
    let drafts = mailboxes
        .iter()
        .find(|mailbox| mailbox.special_use == Some(SpecialUse::Drafts))
        .unwrap();
    let status = mail.api.mailstore.status(mail.inbox, drafts.id).await.unwrap();
    assert_eq!(status.messages, 1);
    mail.post(&format!("drafts/{id}/send"), json!({}))
        .await
        .expect(StatusCode::OK);
    let status = mail.api.mailstore.status(mail.inbox, drafts.id).await.unwrap();
    assert_eq!(status.messages, 0);
    assert_eq!(mail.api.get(&path, am).await.status, 404);
}

#[tokio::test]
async fn what_is_refused() {
    let mail = Mail::new().await;
    for bad in [
        json!({ "to": 1 }),
        json!({ "to": ["a@b\r\nX: y"] }),
        json!({ "cc": "nobody" }),
        json!({ "subject": "a\r\nBcc: b@c" }),
        json!({ "subject": "x".repeat(2001) }),
        json!({ "plainBody": [] }),
        json!({ "replyTo": "a@b\n" }),
        json!({ "replyToMessageId": "x" }),
        json!({ "attachments": [{ "content": "?" }] }),
        json!({ "attachments": [{ "filename": "a\r\nb", "content": "" }] }),
    ] {
        mail.post("drafts", bad.clone()).await.refused(400, "VALIDATION_ERROR");
    }
    assert_eq!(listed(&mail).await, Vec::<String>::new());
    // To nobody, or to one who is not there: it stays as it was.
    let id = draft(&mail, json!({})).await.text("id");
    let send = format!("drafts/{id}/send");
    mail.post(&send, json!({})).await.refused(400, "VALIDATION_ERROR");
    change(&mail, &id, json!({ "to": "nobody@far.test" }))
        .await
        .expect(StatusCode::OK);
    mail.post(&send, json!([])).await.refused(400, "VALIDATION_ERROR");
    let pause = |paused| InboxChange {
        send_paused: Some(paused),
        ..InboxChange::default()
    };
    let identity = &mail.api.identity;
    identity.update_inbox(mail.inbox, &pause(true)).await.unwrap();
    mail.post(&send, json!({})).await.refused(403, "SENDING_PAUSED");
    identity.update_inbox(mail.inbox, &pause(false)).await.unwrap();
    assert_eq!(listed(&mail).await, std::slice::from_ref(&id));
    mail.post(&send, json!({})).await.expect(StatusCode::OK);
    mail.get("drafts/x").await.refused(404, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_goes_once() {
    let mail = Mail::new().await;
    let id = draft(&mail, json!({ "to": "a@far.test", "subject": "once" }))
        .await
        .text("id");
    let path = mail.path(&format!("drafts/{id}/send"));
    let keyed = async |key: &str| {
        let request = Request::post(&path)
            .header("x-api-key", &mail.key)
            .header("idempotency-key", key)
            .header(field::CONTENT_TYPE, "application/json");
        mail.api.send(request.body(Body::from("{}")).unwrap()).await
    };
    let all = [keyed("k"), keyed("k"), keyed("k"), keyed("k")];
    let [one, two, three, four] = all;
    let (one, two, three, four) = tokio::join!(one, two, three, four);
    let mut ids = Vec::new();
    for answer in [one, two, three, four] {
        assert!([200, 409].contains(&answer.status), "{}", answer.body);
        if answer.status == 200 {
            ids.push(answer.text("id"));
        }
    }
    assert!(!ids.is_empty());
    let again = keyed("k").await;
    again.expect(StatusCode::OK);
    assert_eq!(again.headers["idempotent-replay"], "true");
    assert_eq!((again.text("draftId"), again.text("id")), (id, ids[0].clone()));
    ids.dedup();
    assert_eq!(ids.len(), 1);
    keyed("other").await.refused(404, "NOT_FOUND");
    assert_eq!(mail.listed("").await.0, ["once"]);
}
