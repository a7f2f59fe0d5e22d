//! What the MyAgentMail contract says beside creating inboxes: keys, files, lists, and the names of all fields.

use crate::mail::Mail;
use crate::setup::{Api, Wish, names};
use axum::http::StatusCode;
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::SpecialUse;
use serde_json::{Value, json};

#[tokio::test]
async fn keys_of_an_inbox_are_made_and_revoked() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let (_, wk) = api.workspace(&tenant, "W").await;
    let inbox = api.inbox(&wk, "scout").await;
    let (id, first) = (inbox.text("id"), inbox.text("apiKey"));
    let keys = format!("/v1/inboxes/{id}/keys");
    let made = api.post(&keys, &wk, json!({ "name": "second" })).await;
    made.expect(StatusCode::CREATED);
    let second = made.text("key");
    assert!(second.starts_with("ak_") && second.starts_with(&made.text("prefix")));
    assert_eq!((made.text("name"), made.text("inboxId")), ("second".into(), id.clone()));
    for key in [&first, &second] {
        assert_eq!(api.get("/v1/me", key).await.text("inboxId"), id);
    }
    let listed = api.get(&keys, &tenant.key).await;
    let all = listed.body["keys"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    assert!(!names(&listed.body).contains(&"key".to_owned()));
    assert!(!listed.body.to_string().contains(&second));
    let one = format!("{keys}/{}", made.text("id"));
    assert_eq!(
        api.delete(&one, &wk).await.body,
        json!({ "deleted": true, "id": made.text("id") })
    );
    api.delete(&one, &wk).await.refused(404, "NOT_FOUND");
    api.get("/v1/me", &second).await.refused(401, "UNAUTHORIZED");
    api.get("/v1/me", &first).await.expect(StatusCode::OK);
    // A rotation takes all of them.
    let third = api.post(&keys, &wk, json!({})).await.text("key");
    api.post(&format!("/v1/inboxes/{id}/rotate-credentials"), &wk, json!({}))
        .await
        .expect(StatusCode::OK);
    for key in [&first, &third] {
        api.get("/v1/me", key).await.refused(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn a_tenant_renews_its_own_key() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let made = api.post("/v1/keys", &tenant.key, json!({ "name": "new" })).await;
    made.expect(StatusCode::CREATED);
    let new = made.text("key");
    assert!(new.starts_with("tk_"));
    let listed = api.get("/v1/keys", &new).await;
    let ids: Vec<_> = listed.body["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
    // Nobody shuts the last door from inside.
    for id in &ids {
        let answer = api.delete(&format!("/v1/keys/{id}"), &new).await;
        match *id == made.text("id") {
            true => answer.refused(409, "CONFLICT"),
            false => answer.expect(StatusCode::OK),
        }
    }
    api.get("/v1/me", &tenant.key).await.refused(401, "UNAUTHORIZED");
    assert_eq!(api.get("/v1/me", &new).await.text("tenantId"), tenant.id);
    for bad in [json!({ "name": 1 }), json!({ "name": "a\nb" }), json!([])] {
        api.post("/v1/keys", &new, bad).await.refused(400, "VALIDATION_ERROR");
    }
}

const WITH_FILES: &str = "From: Ann <ann@far.test>\nTo: scout@example.test\nCc: c@far.test\nSubject: files\nMIME-Version: 1.0\n\
    Date: Tue, 14 Nov 2023 22:13:00 +0000\nMessage-ID: <files@far.test>\nContent-Type: multipart/mixed; boundary=b\n\n\
    --b\n\ntext\n\
    --b\nContent-Type: text/html; name=\"../p.html\"\nContent-Disposition: attachment; filename=\"../p.html\"\n\n<script>x</script>\n\
    --b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=b.bin\n\
    Content-Transfer-Encoding: base64\n\nAAEC/w==\n--b--\n";

#[tokio::test]
async fn files_are_given_as_they_are_and_run_nowhere() {
    let mail = Mail::new().await;
    let id = mail.receive(WITH_FILES).await;
    let shown = mail.get(&format!("messages/{id}")).await;
    let files = shown.body["attachments"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    for (file, content, content_type) in [
        (&files[0], &b"<script>x</script>"[..], "text/html"),
        (&files[1], &[0, 1, 2, 255], "application/octet-stream"),
    ] {
        let path = format!("messages/{id}/attachments/{}", file["id"].as_str().unwrap());
        let answer = mail.get(&path).await;
        answer.expect(StatusCode::OK);
        assert_eq!(answer.bytes, content);
        assert_eq!(answer.headers["content-type"], content_type);
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        let disposition = answer.headers["content-disposition"].to_str().unwrap();
        assert!(
            disposition.starts_with("attachment") && !disposition.contains('/'),
            "{disposition}"
        );
    }
    for missing in ["0", "9", "x", "-1", "18446744073709551616"] {
        mail.get(&format!("messages/{id}/attachments/{missing}"))
            .await
            .refused(404, "NOT_FOUND");
    }
    let path = mail.path(&format!("messages/{id}"));
    mail.api.delete(&path, &mail.key).await.expect(StatusCode::OK);
    let file = files[1]["id"].as_str().unwrap();
    mail.get(&format!("messages/{id}/attachments/{file}"))
        .await
        .refused(404, "NOT_FOUND");
}

/// The schema's fields and those of the sample application, all there, each of its type.
#[tokio::test]
async fn a_message_has_every_field() {
    let mail = Mail::new().await;
    let received = mail.receive(WITH_FILES).await;
    let bare = mail.receive("\nnothing\n").await;
    let sent = mail
        .send(json!({ "to": "a@far.test", "subject": "out", "plainBody": "x" }))
        .await;
    let is_text = |value: &Value| value.is_string();
    let is_text_or_null = |value: &Value| value.is_string() || value.is_null();
    let is_texts = |value: &Value| value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
    let is_flag = |value: &Value| value.is_boolean();
    let is_time = |value: &Value| {
        value
            .as_str()
            .is_some_and(|time| time.len() == 24 && time.ends_with('Z'))
    };
    for id in [received.to_string(), bare.to_string(), sent.text("id")] {
        let shown = mail.get(&format!("messages/{id}")).await;
        shown.expect(StatusCode::OK);
        let check = |names: &[&str], is_good: &dyn Fn(&Value) -> bool| {
            for name in names {
                let value = shown.body.get(name).unwrap_or_else(|| panic!("no {name}"));
                assert!(is_good(value), "{name}: {value}");
            }
        };
        check(&["id", "threadId", "direction", "to", "subject"], &is_text);
        check(
            &["from", "fromAddress", "fromName", "plainBody", "htmlBody"],
            &is_text_or_null,
        );
        check(&["messageIdHeader", "inReplyTo"], &is_text_or_null);
        check(&["isRead", "isStarred", "isArchived"], &is_flag);
        check(&["toAddresses", "ccAddresses", "bccAddresses"], &is_texts);
        check(&["receivedAt", "createdAt"], &is_time);
        check(&["sentAt"], &|value| value.is_null() || is_time(value));
        for file in shown.body["attachments"].as_array().unwrap() {
            assert!(
                is_text(&file["id"]) && is_text(&file["filename"]) && is_text(&file["contentType"]),
                "{file}"
            );
            assert!(file["sizeBytes"].is_u64(), "{file}");
        }
    }
}

#[tokio::test]
async fn archiving_moves_and_unarchiving_brings_back() {
    let mail = Mail::new().await;
    let received = mail.receive("Subject: in\n\nx\n").await;
    let sent = mail
        .put(
            "Subject: out\n\nx\n",
            Origin::Sent,
            MailboxRef::Special(SpecialUse::Sent),
        )
        .await;
    let mailboxes = mail.api.mailstore.mailboxes(mail.inbox).await.unwrap();
    let counts = async || {
        let mut counts = Vec::new();
        for name in ["INBOX", "Sent", "Archive"] {
            let mailbox = mailboxes.iter().find(|mailbox| mailbox.name == name).unwrap();
            counts.push(
                mail.api
                    .mailstore
                    .status(mail.inbox, mailbox.id)
                    .await
                    .unwrap()
                    .messages,
            );
        }
        counts
    };
    assert_eq!(counts().await, [1, 1, 0]);
    for id in [received, sent] {
        let changed = mail.patch(id, json!({ "isArchived": true })).await;
        assert_eq!(changed.body["isArchived"], json!(true));
    }
    assert_eq!(counts().await, [0, 0, 2]);
    // Once more changes nothing.
    mail.patch(received, json!({ "isArchived": true }))
        .await
        .expect(StatusCode::OK);
    assert_eq!(counts().await, [0, 0, 2]);
    for id in [received, sent] {
        mail.patch(id, json!({ "isArchived": false }))
            .await
            .expect(StatusCode::OK);
    }
    assert_eq!(counts().await, [1, 1, 0]);
    mail.check().await;
}

#[tokio::test]
async fn an_alias_belongs_to_whom_it_belonged() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let path = |id: &str| format!("/v1/inboxes/{id}/addresses");
    let (one, two) = (
        api.inbox(&a.key, "one").await.text("id"),
        api.inbox(&a.key, "two").await.text("id"),
    );
    let other = api.inbox(&b.key, "other").await.text("id");
    let wanted = json!({ "email": "sales@example.test" });
    api.post(&path(&one), &a.key, wanted.clone())
        .await
        .expect(StatusCode::CREATED);
    // Setting it again is no second address.
    let again = json!({ "email": "SALES@example.test", "primary": true });
    api.post(&path(&one), &a.key, again).await.expect(StatusCode::CREATED);
    api.post(&path(&two), &a.key, wanted.clone())
        .await
        .refused(409, "ADDRESS_TAKEN");
    let shown = api.get(&format!("/v1/inboxes/{one}"), &a.key).await;
    assert_eq!(shown.body["addresses"].as_array().map(Vec::len), Some(2));
    api.delete(&format!("{}/sales@example.test", path(&one)), &a.key)
        .await
        .expect(StatusCode::OK);
    // Mail for its last owner would follow: another tenant does not get it, the same one does.
    api.post(&path(&other), &b.key, wanted.clone())
        .await
        .refused(409, "ADDRESS_TAKEN");
    api.post("/v1/inboxes?strict=true", &b.key, json!({ "username": "sales" }))
        .await
        .refused(409, "USERNAME_TAKEN");
    api.post(&path(&two), &a.key, wanted).await.expect(StatusCode::CREATED);
    for (body, code) in [
        (json!({ "email": "noreply@example.test" }), "USERNAME_RESERVED"),
        (json!({ "email": "x@elsewhere.test" }), "DOMAIN_NOT_AVAILABLE"),
        (json!({ "email": ".x@example.test" }), "VALIDATION_ERROR"),
        (json!({ "email": "x@example.test", "primary": 1 }), "VALIDATION_ERROR"),
        (json!({ "email": ["x@example.test"] }), "VALIDATION_ERROR"),
        (json!({}), "VALIDATION_ERROR"),
    ] {
        api.post(&path(&one), &a.key, body).await.refused(400, code);
    }
}

#[tokio::test]
async fn strangers_are_written_to_only_when_that_is_meant_if_the_operator_says_so() {
    let wish = Wish {
        verified_sends: true,
        ..Wish::default()
    };
    let mail = Mail::on(Api::wished(wish).await).await;
    let known = mail
        .receive("From: Ann <Ann@far.test>\nTo: scout@example.test\nCc: joe@far.test\nSubject: s\nMessage-ID: <1@far.test>\n\nx\n")
        .await;
    let body = |to: Value| json!({ "to": to, "subject": "x", "plainBody": "x" });
    mail.send(body(json!("ann@far.test"))).await;
    // Part of a known address is another address, and so is who was only written about.
    for to in [
        json!("nn@far.test"),
        json!(["ann@far.test", "joe@far.test"]),
        json!("new@far.test"),
    ] {
        mail.post("send", body(to.clone()))
            .await
            .refused(403, "RECIPIENT_NOT_VERIFIED");
        let mut meant = body(to);
        meant["verified"] = true.into();
        mail.send(meant).await;
    }
    let plain = json!({ "plainBody": "x" });
    for all in ["reply", "reply-all"] {
        mail.post(&format!("{all}/{known}"), plain.clone())
            .await
            .expect(StatusCode::OK);
    }
    let more = json!({ "plainBody": "x", "cc": "new@far.test" });
    mail.post(&format!("reply/{known}"), more)
        .await
        .refused(403, "RECIPIENT_NOT_VERIFIED");
    mail.post(&format!("forward/{known}"), json!({ "to": "new@far.test" }))
        .await
        .refused(403, "RECIPIENT_NOT_VERIFIED");
    let draft = mail.post("drafts", body(json!("new@far.test"))).await.text("id");
    let send = format!("drafts/{draft}/send");
    mail.post(&send, json!({})).await.refused(403, "RECIPIENT_NOT_VERIFIED");
    mail.post(&send, json!({ "verified": true }))
        .await
        .expect(StatusCode::OK);
    // By default nobody asks.
    let mail = Mail::new().await;
    mail.send(body(json!("new@far.test"))).await;
}

#[tokio::test]
async fn long_lists_of_inboxes_come_in_pages() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    for name in ["a", "b", "c", "d", "e"] {
        api.inbox(&tenant.key, name).await;
    }
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = api.get(&format!("/v1/inboxes?limit=2{cursor}"), &tenant.key).await;
        page.expect(StatusCode::OK);
        let inboxes = page.body["inboxes"].as_array().unwrap();
        assert!(inboxes.len() <= 2);
        seen.extend(
            inboxes
                .iter()
                .map(|inbox| inbox["username"].as_str().unwrap().to_owned()),
        );
        match page.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    for bad in ["limit=0", "limit=x", "cursor=x"] {
        api.get(&format!("/v1/inboxes?{bad}"), &tenant.key)
            .await
            .refused(400, "VALIDATION_ERROR");
    }
}
