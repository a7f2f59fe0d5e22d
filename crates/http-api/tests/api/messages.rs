//! Mail over HTTP: what came in is listed, shown, marked, archived and moved to the trash.

use crate::mail::Mail;
use axum::http::StatusCode;
use postroom_mailstore::{FlagMode, MailboxRef, Origin};
use postroom_types::{EmailId, Flag, Flags, MailboxId, MessageFlags, SpecialUse};
use serde_json::{Value, json};

fn simple(n: usize) -> String {
    format!("From: a@example.net\nTo: scout@example.test\nSubject: s{n}\nMessage-ID: <{n}@example.net>\n\ntext {n}\n")
}

#[tokio::test]
async fn a_message_with_everything() {
    let mail = Mail::new().await;
    let id = mail
        .receive(
            "From: =?utf-8?q?J=C3=B6rg?= <jorg@example.net>\nTo: scout@example.test, Team: b@example.net;\n\
             Cc: c@example.net\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <1@example.net>\n\
             In-Reply-To: <0@example.net>\nDate: Tue, 14 Nov 2023 22:13:00 +0000\nMIME-Version: 1.0\n\
             Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/alternative; boundary=y\n\n\
             --y\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nHei=DF\n\
             --y\nContent-Type: text/html\n\n<b>Hot</b>\n--y--\n\
             --x\nContent-Type: application/pdf; name=a.pdf\nContent-Disposition: attachment; filename=a.pdf\n\
             Content-Transfer-Encoding: base64\n\nAAEC\n--x--\n",
        )
        .await;
    let shown = mail.get(&format!("messages/{id}")).await;
    shown.expect(StatusCode::OK);
    for (field, expected) in [
        ("id", json!(id.to_string())),
        ("direction", json!("inbound")),
        ("from", json!("jorg@example.net")),
        ("fromAddress", json!("jorg@example.net")),
        ("fromName", json!("Jörg")),
        ("to", json!("scout@example.test, b@example.net")),
        ("toAddresses", json!(["scout@example.test", "b@example.net"])),
        ("ccAddresses", json!(["c@example.net"])),
        ("subject", json!("Grüße")),
        ("plainBody", json!("Heiß")),
        ("htmlBody", json!("<b>Hot</b>")),
        ("isRead", json!(false)),
        ("isStarred", json!(false)),
        ("isArchived", json!(false)),
        ("isSpam", json!(false)),
        ("messageIdHeader", json!("<1@example.net>")),
        ("inReplyTo", json!("<0@example.net>")),
        ("receivedAt", json!("2023-11-14T22:13:20.000Z")),
        ("sentAt", json!("2023-11-14T22:13:00.000Z")),
    ] {
        assert_eq!(shown.body[field], expected, "{field}");
    }
    let attachment = &shown.body["attachments"][0];
    assert_eq!(
        (&attachment["filename"], &attachment["contentType"]),
        (&json!("a.pdf"), &json!("application/pdf"))
    );
    assert_eq!(mail.get("messages").await.body["messages"][0], shown.body);
}

#[tokio::test]
async fn lists_are_newest_first_and_paged() {
    let mail = Mail::new().await;
    for n in 0..7 {
        mail.receive(&simple(n)).await;
    }
    mail.put(&simple(7), Origin::Sent, MailboxRef::Special(SpecialUse::Sent))
        .await;
    mail.put(&simple(8), Origin::Draft, MailboxRef::Special(SpecialUse::Drafts))
        .await;
    for (query, subjects, pagination) in [
        ("?limit=3", "s7 s6 s5", json!({ "total": 8, "limit": 3, "offset": 0 })),
        (
            "?limit=3&offset=6",
            "s1 s0",
            json!({ "total": 8, "limit": 3, "offset": 6 }),
        ),
        ("?offset=9", "", json!({ "total": 8, "limit": 50, "offset": 9 })),
        (
            "?limit=1000&direction=outbound",
            "s7",
            json!({ "total": 1, "limit": 100, "offset": 0 }),
        ),
        (
            "?direction=inbound&limit=1&offset=1",
            "s5",
            json!({ "total": 7, "limit": 1, "offset": 1 }),
        ),
    ] {
        let (listed, paged) = mail.listed(query).await;
        assert_eq!((listed.join(" ").as_str(), paged), (subjects, pagination), "{query}");
    }
    for bad in [
        "limit=0",
        "limit=x",
        "limit=-1",
        "offset=-1",
        "offset=1.5",
        "direction=up",
        "limit=1&limit=2",
    ] {
        mail.get(&format!("messages?{bad}"))
            .await
            .refused(400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn marking_archiving_and_deleting() {
    let mail = Mail::new().await;
    let (one, two) = (mail.receive(&simple(1)).await, mail.receive(&simple(2)).await);
    let changed = mail
        .patch(one, json!({ "isRead": true, "isStarred": true, "isArchived": true }))
        .await;
    changed.expect(StatusCode::OK);
    let state = |body: &Value| ["isRead", "isStarred", "isArchived"].map(|field| body[field] == true);
    assert_eq!(state(&changed.body), [true, true, true]);
    assert_eq!(state(&mail.patch(one, json!({})).await.body), [true, true, true]);
    let back = mail
        .patch(one, json!({ "isRead": false, "isStarred": false, "isArchived": false }))
        .await;
    assert_eq!(state(&back.body), [false, false, false]);
    assert_eq!(mail.listed("").await.0, ["s2", "s1"]);
    mail.patch(one, json!({ "isRead": 1 }))
        .await
        .refused(400, "VALIDATION_ERROR");

    let path = mail.path(&format!("messages/{two}"));
    let deleted = mail.api.delete(&path, &mail.key).await;
    assert_eq!(deleted.body, json!({ "deleted": true, "id": two.to_string() }));
    for method in ["GET", "PATCH", "DELETE"] {
        mail.api.any(method, &path, &mail.key).await.refused(404, "NOT_FOUND");
    }
    assert_eq!(
        mail.listed("").await,
        (vec!["s1".to_owned()], json!({ "total": 1, "limit": 50, "offset": 0 }))
    );
    // It is in the trash, for IMAP.
    let mailboxes = mail.api.mailstore.mailboxes(mail.inbox).await.unwrap();
    let trash = mailboxes
        .iter()
        .find(|mailbox| mailbox.special_use == Some(SpecialUse::Trash))
        .unwrap();
    assert_eq!(
        mail.api.mailstore.status(mail.inbox, trash.id).await.unwrap().messages,
        1
    );
    mail.check().await;
}

/// The names of the mailboxes that a message is in.
async fn places(mail: &Mail, id: EmailId) -> Vec<String> {
    let record = mail.api.mailstore.message(mail.inbox, id).await.unwrap().unwrap();
    let all = mail.api.mailstore.mailboxes(mail.inbox).await.unwrap();
    let name = |id: &MailboxId| all.iter().find(|mailbox| mailbox.id == *id).unwrap().name.clone();
    let mut names: Vec<String> = record.placements.iter().map(|(mailbox, _)| name(mailbox)).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_note_to_oneself_is_in_two_places() {
    let mail = Mail::new().await;
    let id = mail
        .put(&simple(1), Origin::Sent, MailboxRef::Special(SpecialUse::Sent))
        .await;
    mail.receive(&simple(1)).await;
    assert_eq!(places(&mail, id).await, ["INBOX", "Sent"]);
    let archived = mail.patch(id, json!({ "isArchived": true })).await;
    assert_eq!(
        (&archived.body["isArchived"], &archived.body["direction"]),
        (&json!(true), &json!("outbound"))
    );
    assert_eq!(places(&mail, id).await, ["Archive", "Sent"]);
    let back = mail.patch(id, json!({ "isArchived": false })).await;
    assert_eq!(back.body["isArchived"], false);
    assert_eq!(places(&mail, id).await, ["INBOX", "Sent"]);
    let path = mail.path(&format!("messages/{id}"));
    mail.api.delete(&path, &mail.key).await.expect(StatusCode::OK);
    assert_eq!(places(&mail, id).await, ["Trash"]);
    mail.check().await;
}

#[tokio::test]
async fn labels_say_what_is_shown_and_which_way_it_went() {
    let mail = Mail::new().await;
    let [one, two] = [mail.receive(&simple(1)).await, mail.receive(&simple(2)).await];
    let mailstore = &mail.api.mailstore;
    let record = async |id| mailstore.message(mail.inbox, id).await.unwrap().unwrap();
    let [sent, trash] = [SpecialUse::Sent, SpecialUse::Trash].map(|wanted| async move {
        let all = mailstore.mailboxes(mail.inbox).await.unwrap();
        all.iter()
            .find(|mailbox| mailbox.special_use == Some(wanted))
            .unwrap()
            .id
    });
    let (sent, trash) = (sent.await, trash.await);
    // Put into Sent by a mail program: it was received all the same.
    let (from, uid) = record(one).await.placements[0];
    mailstore.move_messages(mail.inbox, from, &[uid], sent).await.unwrap();
    assert_eq!(mail.get(&format!("messages/{one}")).await.body["direction"], "inbound");
    assert_eq!(mail.listed("?direction=outbound").await.0.len(), 0);
    // Thrown away by a mail program that copies and then expunges.
    let (from, uid) = record(two).await.placements[0];
    mailstore.copy(mail.inbox, from, &[uid], trash).await.unwrap();
    let deleted = MessageFlags::system(Flags::NONE.with(Flag::Deleted));
    mailstore
        .store_flags(mail.inbox, from, &[uid], FlagMode::Add, &deleted, None)
        .await
        .unwrap();
    mail.get(&format!("messages/{two}")).await.refused(404, "NOT_FOUND");
    assert_eq!(
        mail.listed("").await,
        (vec!["s1".to_owned()], json!({ "total": 1, "limit": 50, "offset": 0 }))
    );
    mail.get("messages?offset=100001")
        .await
        .refused(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn texts_come_back_as_they_were_given() {
    let mail = Mail::new().await;
    let long = "ä line that is not short at all\n".repeat(200_000);
    for (body, expected) in [
        (json!({ "plainBody": "hi" }), json!("hi")),
        (json!({ "plainBody": "a\nb" }), json!("a\nb")),
        (json!({ "plainBody": "a\n", "htmlBody": "<p>a</p>" }), json!("a\n")),
        (json!({ "plainBody": "a", "htmlBody": "<p>a</p>" }), json!("a")),
        (json!({ "plainBody": long }), json!(long.trim_end())),
    ] {
        let mut letter = json!({ "to": "b@example.net", "subject": "s" });
        letter
            .as_object_mut()
            .unwrap()
            .extend(body.as_object().unwrap().clone());
        let id = mail.send(letter).await.text("id");
        let shown = mail.get(&format!("messages/{id}")).await;
        assert!(shown.body["plainBody"] == expected, "{:.80}", shown.body["plainBody"]);
    }
}

#[tokio::test]
async fn blocked_mail_is_not_there() {
    let mail = Mail::new().await;
    mail.receive(&simple(1)).await;
    let blocked = mail.put(&simple(2), Origin::Received, MailboxRef::Blocked).await;
    let expected = (vec!["s1".to_owned()], json!({ "total": 1, "limit": 50, "offset": 0 }));
    assert_eq!(mail.listed("").await, expected);
    assert_eq!(mail.listed("?direction=inbound").await, expected);
    let path = mail.path(&format!("messages/{blocked}"));
    for method in ["GET", "PATCH", "DELETE"] {
        mail.api.any(method, &path, &mail.key).await.refused(404, "NOT_FOUND");
    }
    let body = json!({ "plainBody": "hello", "verified": true });
    mail.post(&format!("reply/{blocked}"), body)
        .await
        .refused(404, "NOT_FOUND");
    mail.check().await;
}

#[tokio::test]
async fn threads_are_oldest_first() {
    let mail = Mail::new().await;
    let first = mail.receive(&simple(1)).await;
    let reply = "From: b@example.net\nTo: scout@example.test\nSubject: Re: s1\nMessage-ID: <2@example.net>\n\
        In-Reply-To: <1@example.net>\n\nyes\n";
    mail.receive(reply).await;
    mail.receive(&simple(3)).await;
    let thread = mail.get(&format!("messages/{first}")).await.text("threadId");
    let shown = mail.get(&format!("threads/{thread}")).await;
    shown.expect(StatusCode::OK);
    assert_eq!(
        (shown.text("threadId"), &shown.body["messageCount"]),
        (thread, &json!(2))
    );
    let subjects: Vec<_> = shown.body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["subject"].clone())
        .collect();
    assert_eq!(subjects, ["s1", "Re: s1"]);
    mail.get("threads/00000000-0000-0000-0000-000000000000")
        .await
        .refused(404, "NOT_FOUND");
    mail.get("messages/nonsense").await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn the_source_is_byte_exact() {
    let mail = Mail::new().await;
    let content = format!("Subject: big\n\n{}\n", "0123456789\n".repeat(30_000));
    let id = mail.receive(&content).await;
    let path = format!("/postroom/v1/inboxes/{}/messages/{id}/raw", mail.inbox);
    let raw = mail.api.get(&path, &mail.key).await;
    raw.expect(StatusCode::OK);
    assert_eq!(raw.headers["content-type"], "message/rfc822");
    assert!(raw.bytes == content.replace('\n', "\r\n").into_bytes());
    assert_eq!(raw.headers["content-length"], raw.bytes.len().to_string().as_str());
}

#[tokio::test]
async fn broken_mail_is_shown_all_the_same() {
    let mail = Mail::new().await;
    for content in [
        "",
        "\n",
        "no header at all",
        "Content-Type: multipart/mixed\n\n--\n",
        "From: <<>>\nTo: ,,;\nSubject: =?x?y?z?=\n\n\u{0}",
    ] {
        let id = mail.receive(content).await;
        mail.get(&format!("messages/{id}")).await.expect(StatusCode::OK);
    }
    assert_eq!(mail.listed("").await.0.len(), 5);
}
