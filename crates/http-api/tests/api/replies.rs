//! Mail that answers, and mail that is passed on.

use crate::mail::{Mail, header};
use crate::setup::Api;
use axum::http::StatusCode;
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::SpecialUse;
use serde_json::{Value, json};

const ASKED: &str = "From: Zoe <zoe@example.net>\nTo: Scout <scout@example.test>, b@example.net\n\
    Cc: scout+x@example.test, c@example.net\nSubject: Lunch\nMessage-ID: <2@example.net>\n\
    References: <0@example.net> <1@example.net>\nIn-Reply-To: <1@example.net>\n\nAt noon?\n";

#[tokio::test]
async fn a_reply_goes_to_the_author_in_the_same_thread() {
    let mail = Mail::new().await;
    let asked = mail.receive(ASKED).await;
    let thread = mail.get(&format!("messages/{asked}")).await.text("threadId");
    let body =
        json!({ "plainBody": "Yes", "htmlBody": "<p>Yes</p>", "to": "ignored@example.net", "subject": "ignored" });
    let sent = mail.post(&format!("reply/{asked}"), body).await;
    sent.expect(StatusCode::OK);
    assert_eq!(sent.text("threadId"), thread);
    let (recipients, content) = mail.queued(&sent).await;
    assert_eq!(recipients, ["zoe@example.net"]);
    for (name, expected) in [
        ("To", &["Zoe <zoe@example.net>"][..]),
        ("Cc", &[]),
        ("Subject", &["Re: Lunch"]),
        ("In-Reply-To", &["<2@example.net>"]),
        ("References", &["<0@example.net> <1@example.net> <2@example.net>"]),
        ("Auto-Submitted", &["auto-replied"]),
    ] {
        let found: Vec<_> = header(&content, name)
            .iter()
            .map(|value| value.replace('"', ""))
            .collect();
        assert_eq!(found, expected, "{name}");
    }
    let shown = mail.get(&format!("threads/{thread}")).await;
    assert_eq!(shown.body["messageCount"], 2);
    assert_eq!(shown.body["messages"][1]["inReplyTo"], "<2@example.net>");
    // An answer to the answer finds the thread, and is `Re:` once.
    let back = format!(
        "From: zoe@example.net\nTo: scout@example.test\nSubject: RE: Lunch\nMessage-ID: <3@example.net>\n\
         In-Reply-To: {}\n\nFine\n",
        sent.text("messageId")
    );
    let back = mail.receive(&back).await;
    let again = mail.post(&format!("reply/{back}"), json!({})).await;
    assert_eq!(again.text("threadId"), thread);
    let shown = mail.get(&format!("messages/{}", again.text("id"))).await;
    assert_eq!(shown.text("subject").to_lowercase(), "re: lunch");
    mail.check().await;
}

#[tokio::test]
async fn who_gets_an_answer() {
    let mail = Mail::new().await;
    let check = async |content: &str, origin, route: &str, to: Value, cc: Value| {
        let mailbox = match origin {
            Origin::Sent => MailboxRef::Special(SpecialUse::Sent),
            _ => MailboxRef::Inbox,
        };
        let id = mail.put(content, origin, mailbox).await;
        let sent = mail.post(&format!("{route}/{id}"), json!({ "plainBody": "x" })).await;
        sent.expect(StatusCode::OK);
        let shown = mail.get(&format!("messages/{}", sent.text("id"))).await;
        let found = (shown.body["toAddresses"].clone(), shown.body["ccAddresses"].clone());
        assert_eq!(found, (to, cc), "{route} {content}");
    };
    let (zoe, none) = (json!(["zoe@example.net"]), json!([]));
    check(ASKED, Origin::Received, "reply", zoe, none.clone()).await;
    let (to, cc) = (json!(["zoe@example.net", "b@example.net"]), json!(["c@example.net"]));
    check(ASKED, Origin::Received, "reply-all", to, cc).await;
    let list = "From: a@example.net\nReply-To: list@example.net\nTo: scout@example.test\nMessage-ID: <l@x>\n\nx\n";
    check(
        list,
        Origin::Received,
        "reply",
        json!(["list@example.net"]),
        none.clone(),
    )
    .await;
    check(
        list,
        Origin::Received,
        "reply-all",
        json!(["list@example.net"]),
        none.clone(),
    )
    .await;
    // One's own goes to whom it went.
    let own = "From: scout@example.test\nTo: a@example.net\nCc: b@example.net\nMessage-ID: <o@x>\n\nx\n";
    check(own, Origin::Sent, "reply", json!(["a@example.net"]), none.clone()).await;
    let (to, cc) = (json!(["a@example.net"]), json!(["b@example.net"]));
    check(own, Origin::Sent, "reply-all", to, cc).await;
    let note = "From: scout@example.test\nTo: scout@example.test\nMessage-ID: <n@x>\n\nx\n";
    check(note, Origin::Received, "reply-all", json!(["scout@example.test"]), none).await;

    for nobody in ["Subject: x\n\nx\n", "From: undisclosed:;\n\nx\n", "From: <@>\n\nx\n"] {
        let id = mail.receive(nobody).await;
        for route in ["reply", "reply-all"] {
            let answer = mail.post(&format!("{route}/{id}"), json!({})).await;
            answer.refused(400, "VALIDATION_ERROR");
        }
    }
    mail.check().await;
}

#[tokio::test]
async fn answers_of_programs_are_marked_and_come_to_rest() {
    let options = postroom_intake::Options {
        max_automated_turns: 1,
        ..postroom_intake::Options::default()
    };
    let mail = Mail::on(Api::with(options).await).await;
    let automatic = ASKED.replace("Subject:", "Auto-Submitted: auto-replied\nSubject:");
    let asked = mail.receive(&automatic).await;
    let first = mail.post(&format!("reply/{asked}"), json!({ "plainBody": "1" })).await;
    assert_eq!(first.text("status"), "queued");
    let (_, content) = mail.queued(&first).await;
    assert_eq!(header(&content, "Auto-Submitted"), ["auto-replied"]);
    let second = mail.post(&format!("reply/{asked}"), json!({ "plainBody": "2" })).await;
    second.expect(StatusCode::OK);
    assert_eq!(second.text("status"), "on-hold");
    let path = format!("/postroom/v1/queue/{}", second.text("id"));
    let held = mail.api.get(&path, &mail.key).await;
    assert_eq!(held.body["recipients"][0]["state"], "on-hold");
    // The agent cannot let itself go on; who runs it can.
    let retry = format!("{path}/retry");
    mail.api
        .post(&retry, &mail.key, json!({}))
        .await
        .refused(403, "FORBIDDEN");
    let let_go = mail.api.post(&retry, &mail.api.operator, json!({})).await;
    assert_eq!(let_go.body["changed"], 1);
    assert_eq!(
        mail.api.get(&path, &mail.key).await.body["recipients"][0]["state"],
        "queued"
    );
}

#[tokio::test]
async fn a_message_is_passed_on_with_its_files() {
    let mail = Mail::new().await;
    let original = mail
        .receive(
            "From: Zoe <zoe@example.net>\nTo: scout@example.test\nSubject: Plans\nMessage-ID: <p@example.net>\n\
             MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\nSee below\n\
             --x\nContent-Type: application/pdf; name=plan.pdf\nContent-Disposition: attachment; filename=plan.pdf\n\
             Content-Transfer-Encoding: base64\n\nAAEC\n--x--\n",
        )
        .await;
    let body = json!({
        "to": "b@example.net", "bcc": "hidden@example.org", "plainBody": "For you", "htmlBody": "<p>For you</p>",
        "attachments": [{ "filename": "note.txt", "contentType": "text/plain", "content": "Zm9v" }],
    });
    let sent = mail.post(&format!("forward/{original}"), body).await;
    sent.expect(StatusCode::OK);
    assert_ne!(
        sent.text("threadId"),
        mail.get(&format!("messages/{original}")).await.text("threadId")
    );
    let shown = mail.get(&format!("messages/{}", sent.text("id"))).await;
    assert_eq!(shown.text("subject"), "Fwd: Plans");
    for text in ["For you", "zoe@example.net", "See below"] {
        assert!(shown.text("plainBody").contains(text), "{text} in {}", shown.body);
        assert!(shown.text("htmlBody").contains(text), "{text} in {}", shown.body);
    }
    let files: Vec<_> = shown.body["attachments"].as_array().unwrap().iter().collect();
    let file = |name: &str| files.iter().find(|file| file["filename"] == name);
    assert_eq!(file("plan.pdf").unwrap()["sizeBytes"], 3);
    assert!(file("note.txt").is_some() && files.len() == 2, "{files:?}");
    let (recipients, content) = mail.queued(&sent).await;
    assert_eq!(recipients, ["b@example.net", "hidden@example.org"]);
    assert!(!content.contains("hidden@example.org"));
    assert_eq!(header(&content, "In-Reply-To"), Vec::<String>::new());

    let renamed = json!({ "to": "b@example.net", "subject": "Other" });
    let sent = mail.post(&format!("forward/{original}"), renamed).await;
    assert_eq!(
        mail.get(&format!("messages/{}", sent.text("id"))).await.text("subject"),
        "Other"
    );
    mail.post(&format!("forward/{original}"), json!({}))
        .await
        .refused(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn only_what_is_there_is_answered() {
    let mail = Mail::new().await;
    let trashed = mail.receive(ASKED).await;
    mail.api
        .delete(&mail.path(&format!("messages/{trashed}")), &mail.key)
        .await
        .expect(StatusCode::OK);
    let foreign = mail.api.inbox(&mail.api.tenant("B").await.key, "other").await;
    let sent = json!({ "to": "a@example.net", "subject": "x" });
    let foreign_path = format!("/v1/inboxes/{}/send", foreign.text("id"));
    let foreign = mail
        .api
        .post(&foreign_path, &foreign.text("apiKey"), sent)
        .await
        .text("id");
    let none = "00000000-0000-0000-0000-000000000000".to_owned();
    for id in [trashed.to_string(), foreign, none, "nonsense".into()] {
        for route in ["reply", "reply-all", "forward"] {
            // Before anything is said about the body.
            let answer = mail.post(&format!("{route}/{id}"), json!({ "plainBody": 1 })).await;
            answer.refused(404, "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn hostile_mail_is_answered_without_harm() {
    let mail = Mail::new().await;
    let hostile = mail
        .receive(
            "From: =?utf-8?q?N=0D=0ABcc=3A_victim=40example.org?= <a@example.net>\nTo: scout@example.test\n\
             Subject: =?utf-8?q?S=0D=0ABcc=3A_victim=40example.org=00?=\nMessage-ID: <h@example.net>\n\
             References: <a\tb> < > <x@y>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n\
             --x\nContent-Type: text/html\n\n<script>1</script><p>Hello</p>\n\
             --x\nContent-Type: application/x; name*=utf-8''a%0D%0ABcc%3A%20victim%40example.org\n\
             Content-ID: <c\n d>\nContent-Disposition: attachment\n\nx\n\
             --x\nContent-Type: message/rfc822\n\nSubject: inner\n\nx\n--x--\n",
        )
        .await;
    for (route, body) in [
        ("reply", json!({ "plainBody": "x" })),
        ("reply-all", json!({ "htmlBody": "x" })),
        (
            "forward",
            json!({ "to": "b@example.net", "plainBody": "x", "htmlBody": "x" }),
        ),
        ("forward", json!({ "to": "b@example.net" })),
    ] {
        let sent = mail.post(&format!("{route}/{hostile}"), body).await;
        sent.expect(StatusCode::OK);
        let (recipients, content) = mail.queued(&sent).await;
        assert_eq!(recipients.len(), 1, "{route}: {recipients:?}");
        assert!(
            header(&content, "Bcc").is_empty() && !content.contains("\nBcc:"),
            "{content}"
        );
        assert_eq!(header(&content, "Subject").len(), 1);
        if route == "forward" {
            let shown = mail.get(&format!("messages/{}", sent.text("id"))).await;
            assert_eq!(shown.body["attachments"].as_array().unwrap().len(), 2, "{}", shown.body);
            assert!(shown.text("plainBody").contains("Hello"), "{}", shown.body);
        }
    }
}
