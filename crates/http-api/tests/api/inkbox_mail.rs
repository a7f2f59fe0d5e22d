//! The Inkbox dialect: messages, attachments and search, and what holds for every route.

use crate::inkbox_world::{FILE, Ink, MESSAGE, MESSAGE_DETAIL, has, subjects};
use crate::setup::names;
use axum::http::StatusCode;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::{EmailId, Flag, SpecialUse};
use serde_json::json;

const HELLO: &str = "From: Zo\u{eb} <zoe@example.net>\nTo: scout@example.test, Bo <bo@example.net>\nCc: cy@example.net\n\
    Subject: hello\nMessage-ID: <hello@example.net>\n\ngood day\n";

#[tokio::test]
async fn keys_first_and_json_always() {
    let ink = Ink::new().await;
    let messages = ink.path("messages");
    for (key, status, error) in [
        ("", 401, "unauthorized"),
        ("ak_nobody", 401, "unauthorized"),
        (ink.api.operator.as_str(), 403, "forbidden"),
    ] {
        for path in [
            messages.as_str(),
            "/api/v1/vault/info",
            "/api/v1/mail/mailboxes/nobody@example.test/messages",
        ] {
            ink.api.get(path, key).await.fails(status, error);
        }
    }
    ink.api.get("/api/v1/nothing", &ink.key).await.fails(404, "not_found");
    ink.api.get("/api/nothing", &ink.key).await.fails(404, "not_found");
    ink.api
        .any("PUT", &messages, &ink.key)
        .await
        .fails(405, "method_not_allowed");
    let slashed = ink.api.get(&format!("{messages}/"), &ink.key).await;
    slashed.expect(StatusCode::OK);
    let same = ink
        .api
        .get(&ink.path("messages").replace("scout", "SCOUT"), &ink.key)
        .await;
    same.expect(StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_mail_says_so() {
    let ink = Ink::new().await;
    for (path, feature) in [
        ("/api/v1/phone/numbers", "phone"),
        ("/api/v1/identities/scout/phone_number", "phone"),
        ("/api/v1/identities/scout/phone-contact-rules", "phone"),
        ("/api/v1/imessage/conversations/1", "imessage"),
        ("/api/v1/identities/scout/imessage-contact-rules/1", "imessage"),
        ("/api/v1/tunnels/", "tunnels"),
        ("/api/v1/vault/info", "vault"),
        ("/api/v1/slack/installations", "slack"),
        ("/api/v1/identities/scout/companion/links", "companion"),
        ("/api/v1/identities/a2a/directory", "a2a"),
        ("/api/v1/identities/scout/a2a/messages", "a2a"),
        ("/api/v1/a2a/threads", "a2a"),
        ("/api/v1/contacts", "contacts"),
        ("/api/v1/contacts/1.vcf", "contacts"),
        ("/api/v1/identities/scout/contacts/1", "contacts"),
        ("/api/v1/identities/scout/contact-permissions", "contacts"),
        ("/api/v1/identities/scout/slack-contact-rules/1", "slack"),
        ("/a2a/directory", "a2a"),
        ("/api/v1/notes/1", "notes"),
        ("/api/v1/organization-domains", "organization_domains"),
        ("/api/v1/identities/scout/domain-affiliation", "organization_domains"),
        ("/api/v1/agent-signup/verify", "agent_signup"),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let answer = ink.api.any(method, path, &ink.key).await;
            answer.fails(501, "not_supported");
            assert_eq!(answer.body["detail"]["feature"], feature, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn everything_a_message_shows() {
    let ink = Ink::new().await;
    let id = ink.receive(HELLO).await;
    let list = ink.good("messages").await;
    has(&list, &[("items", "l"), ("has_more", "b"), ("next_cursor", "?s")]);
    let item = &list["items"][0];
    has(item, MESSAGE);
    assert_eq!(item["id"], id.to_string());
    assert_eq!(
        (&item["direction"], &item["status"]),
        (&json!("inbound"), &json!("received"))
    );
    assert_eq!((&item["is_read"], &item["is_starred"]), (&json!(false), &json!(false)));
    assert_eq!(
        (&item["from_address"], &item["from_display_name"]),
        (&json!("zoe@example.net"), &json!("Zoë"))
    );
    assert_eq!(
        (&item["message_id"], &item["snippet"]),
        (&json!("<hello@example.net>"), &json!("good day"))
    );
    assert!(!names(item).contains(&"body_text".to_owned()));
    let shown = ink.good(&format!("messages/{id}")).await;
    has(&shown, MESSAGE);
    has(&shown, MESSAGE_DETAIL);
    assert_eq!(shown["body_text"].as_str().unwrap().trim(), "good day");
    let all = json!({ "to": ["zoe@example.net"], "cc": ["bo@example.net", "cy@example.net"] });
    assert_eq!(shown["reply_all_recipients"], all);
}

#[tokio::test]
async fn bare_messages_do_not_hurt_the_client() {
    let ink = Ink::new().await;
    let id = ink.receive("\n\n").await;
    let shown = ink.good(&format!("messages/{id}")).await;
    has(&shown, MESSAGE);
    has(&shown, MESSAGE_DETAIL);
    assert_eq!((&shown["subject"], &shown["from_address"]), (&json!(null), &json!("")));
    assert!(shown["message_id"].as_str().unwrap().starts_with('<'));
}

#[tokio::test]
async fn nobody_is_answered_twice() {
    let ink = Ink::new().await;
    let content = "From: Ann@example.net\nTo: scout@example.test, ANN@example.net, Bob@example.net\n\
                   Cc: bob@EXAMPLE.net, ann@example.net\nSubject: s\n\nx\n";
    let id = ink.receive(content).await;
    let shown = ink.good(&format!("messages/{id}")).await;
    let expected = json!({ "to": ["Ann@example.net"], "cc": ["Bob@example.net"] });
    assert_eq!(shown["reply_all_recipients"], expected);
}

#[tokio::test]
async fn reading_and_marking() {
    let ink = Ink::new().await;
    let id = ink.receive(HELLO).await;
    let path = format!("messages/{id}");
    let is_read = async || ink.good("messages").await["items"][0]["is_read"].clone();
    ink.good("threads").await;
    ink.good("search?q=hello").await;
    assert_eq!(is_read().await, json!(false));
    assert_eq!(ink.good(&path).await["is_read"], json!(true));
    assert_eq!(is_read().await, json!(true));
    let unread = ink.patch(&path, json!({ "is_read": false, "is_starred": true })).await;
    unread.expect(StatusCode::OK);
    assert_eq!(
        (&unread.body["is_read"], &unread.body["is_starred"]),
        (&json!(false), &json!(true))
    );
    let same = ink.patch(&path, json!({})).await;
    assert_eq!(
        (&same.body["is_read"], &same.body["is_starred"]),
        (&json!(false), &json!(true))
    );
    let flags = ink
        .api
        .mailstore
        .message(ink.inbox, id)
        .await
        .unwrap()
        .unwrap()
        .placements;
    let rows = ink
        .api
        .mailstore
        .flags(ink.inbox, flags[0].0, &[flags[0].1])
        .await
        .unwrap();
    assert!(rows[0].1.system.contains(Flag::Flagged), "over IMAP too");
    let plain = ink.patch(&path, json!({ "is_starred": false })).await;
    assert_eq!(
        (&plain.body["is_read"], &plain.body["is_starred"]),
        (&json!(false), &json!(false))
    );
    for bad in [json!({ "is_read": 1 }), json!({ "labels": [] }), json!([])] {
        ink.patch(&path, bad).await.fails(422, "validation_error");
    }
    ink.check().await;
}

#[tokio::test]
async fn deleting() {
    let ink = Ink::new().await;
    let id = ink.receive(HELLO).await;
    let path = format!("messages/{id}");
    ink.delete(&path).await.expect(StatusCode::NO_CONTENT);
    ink.delete(&path).await.fails(404, "not_found");
    ink.get(&path).await.fails(404, "not_found");
    ink.patch(&path, json!({ "is_read": true }))
        .await
        .fails(404, "not_found");
    for nobody in [EmailId::new().to_string(), "x".into()] {
        ink.get(&format!("messages/{nobody}")).await.fails(404, "not_found");
    }
    ink.check().await;
}

#[tokio::test]
async fn what_lists_hold() {
    let ink = Ink::new().await;
    let subject = |subject: &str| format!("From: a@example.net\nSubject: {subject}\n\nx\n");
    let place = |special| MailboxRef::Special(special);
    ink.receive(&subject("in")).await;
    ink.put(&subject("out"), Origin::Sent, place(SpecialUse::Sent)).await;
    ink.put(&subject("spam"), Origin::Received, place(SpecialUse::Junk))
        .await;
    ink.put(&subject("trash"), Origin::Received, place(SpecialUse::Trash))
        .await;
    ink.put(&subject("draft"), Origin::Draft, place(SpecialUse::Drafts))
        .await;
    let blocked = ink
        .put(&subject("blocked"), Origin::Received, MailboxRef::Blocked)
        .await;
    assert_eq!(ink.subjects("").await, ["spam", "out", "in"]);
    assert_eq!(ink.subjects("?direction=inbound").await, ["spam", "in"]);
    assert_eq!(ink.subjects("?direction=outbound").await, ["out"]);
    let all = ink.api.get(&ink.path("messages"), &ink.admin).await;
    assert_eq!(subjects(&all.body["items"]), ["blocked", "spam", "out", "in"]);
    assert_eq!(ink.good(&format!("messages/{blocked}")).await["subject"], "blocked");
    let items = ink.good("messages").await["items"].clone();
    let at = |index: usize| -> Timestamp { items[index]["created_at"].as_str().unwrap().parse().unwrap() };
    let (oldest, newest) = (at(2), at(0));
    let day = |moment: Timestamp, zone: &str| moment.in_tz(zone).unwrap().date().to_string();
    // Of all places the day is over first in one of these, and last in the other: they are never on the same date.
    let (first, last) = ("Pacific/Kiritimati", "Pacific/Pago_Pago");
    for (query, expected) in [
        (
            format!(
                "?start_datetime={}&end_datetime={}",
                day(oldest, "UTC"),
                day(newest, "UTC")
            ),
            3,
        ),
        (format!("?start_datetime={}", day(newest + 24.hours(), "UTC")), 0),
        (format!("?end_datetime={}", day(oldest - 24.hours(), "UTC")), 0),
        (format!("?start_datetime={}&tz={first}", day(oldest, first)), 3),
        (format!("?start_datetime={}&tz={last}", day(oldest, first)), 0),
        (format!("?end_datetime={}&tz={last}", day(newest, last)), 3),
        (format!("?end_datetime={}&tz={first}", day(newest, last)), 0),
        (format!("?start_datetime={oldest}"), 3),
        (format!("?start_datetime={}", newest + 1.millisecond()), 0),
        (format!("?end_datetime={newest}"), 3),
        (format!("?end_datetime={}", oldest - 1.millisecond()), 0),
        (
            format!("?start_datetime={}", oldest.to_zoned(TimeZone::UTC).datetime()),
            3,
        ),
    ] {
        assert_eq!(ink.subjects(&query).await.len(), expected, "{query}");
    }
    for bad in [
        "?direction=sideways",
        "?start_datetime=yesterday",
        "?end_datetime=2023-02-30",
        "?tz=Mars/Phobos",
        "?limit=0",
        "?limit=101",
        "?limit=x",
        "?cursor=x",
        "?cursor=00",
        "?direction=inbound&direction=outbound",
    ] {
        ink.get(&format!("messages{bad}")).await.fails(422, "validation_error");
    }
}

#[tokio::test]
async fn pages_stand_still_while_mail_arrives() {
    let ink = Ink::new().await;
    for number in 0..7 {
        ink.receive(&format!("Subject: m{number}\n\nx\n")).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ink.good(&format!("messages?limit=3{cursor}")).await;
        seen.extend(subjects(&page["items"]));
        ink.receive("Subject: new\n\nx\n").await;
        if page["has_more"] == json!(false) {
            assert_eq!(page["next_cursor"], json!(null));
            break;
        }
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
    }
    assert_eq!(seen, ["m6", "m5", "m4", "m3", "m2", "m1", "m0"]);
    // A cursor belongs to its list.
    ink.get(&format!("messages?direction=inbound{cursor}"))
        .await
        .fails(422, "validation_error");
    ink.get(&format!("threads?limit=3{cursor}"))
        .await
        .fails(422, "validation_error");
}

#[tokio::test]
async fn attachments_by_their_names() {
    let ink = Ink::new().await;
    let part = |head: &str, body: &str| format!("--b\nContent-Type: application/pdf\n{head}\n{body}\n");
    let content = format!(
        "Subject: files\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\ntext\n{}{}{}{}--b--\n",
        part(
            "Content-Disposition: attachment; filename*=UTF-8''a%2Fb%3Fc%23d%25e.pdf\n",
            "one"
        ),
        part("Content-Disposition: attachment; filename=\"r e.pdf\"\n", "two"),
        part(
            "Content-Disposition: attachment; filename=\"r e.pdf\"\nContent-Transfer-Encoding: base64\n",
            "dGhyZWU="
        ),
        part("Content-Disposition: attachment\n", "four"),
    );
    let id = ink.receive(&content).await;
    let shown = ink.good(&format!("messages/{id}")).await;
    assert_eq!(shown["has_attachments"], json!(true));
    let files = shown["attachment_metadata"].as_array().unwrap();
    files.iter().for_each(|file| has(file, FILE));
    let called: Vec<&str> = files.iter().map(|file| file["filename"].as_str().unwrap()).collect();
    assert_eq!(called, ["a_b_c_d_e.pdf", "r e.pdf", "r e (2).pdf", "attachment.pdf"]);
    for (name, expected) in called.iter().zip(["one", "two", "three", "four"]) {
        let path = ink.path(&format!("messages/{id}/attachments/{}", name.replace(' ', "%20")));
        let link = ink.with_host(&path, Some(&ink.key)).await;
        link.expect(StatusCode::OK);
        has(&link.body, &[("url", "s"), ("filename", "s"), ("expires_in", "n")]);
        assert_eq!(link.body["filename"], *name);
        let url = link.text("url");
        assert!(url.starts_with("http://mail.example.test:2080/"), "{url}");
        let file = ink.with_host(&url, None).await;
        file.expect(StatusCode::OK);
        assert_eq!(file.bytes, expected.as_bytes());
        let field = |name: &str| file.headers[name].to_str().unwrap().to_owned();
        let disposition = field("content-disposition");
        assert!(
            disposition.starts_with(&format!("attachment; filename=\"{name}\";")),
            "{disposition}"
        );
        assert_eq!(field("x-content-type-options"), "nosniff");
        let redirect = ink.with_host(&format!("{path}?redirect=true"), Some(&ink.key)).await;
        assert_eq!(redirect.status, 302);
        assert_eq!(redirect.headers["location"].to_str().unwrap(), redirect.text("url"));
        // One digit of the token is another one.
        let last = if url.ends_with('0') { "1" } else { "0" };
        ink.with_host(&format!("{}{last}", &url[..url.len() - 1]), None)
            .await
            .fails(403, "forbidden");
    }
    ink.with_host("/api/v1/mail/attachments/x", None)
        .await
        .fails(403, "forbidden");
    let nothing = ink.path(&format!("messages/{id}/attachments/r.pdf"));
    ink.with_host(&nothing, Some(&ink.key)).await.fails(404, "not_found");
    let listed = ink.good("messages").await;
    assert_eq!(listed["items"][0]["is_read"], json!(true));
}

#[tokio::test]
async fn searching() {
    let ink = Ink::new().await;
    ink.receive("Subject: an invoice\n\nplease pay\n").await;
    ink.receive("Subject: other\n\nthe invoice is attached\n").await;
    let found = async |query: &str| subjects(&ink.good(&format!("search?q={query}")).await["items"]);
    assert_eq!(found("invoice").await, ["an invoice", "other"]);
    assert_eq!(found("invoice%20pay").await, ["an invoice"]);
    assert_eq!(found("nothing").await, Vec::<String>::new());
    let one = ink.good("search?q=invoice&limit=1").await;
    has(&one["items"][0], MESSAGE);
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    for odd in [
        "%22",
        "(((",
        "*",
        "a%20OR",
        "%22a",
        "%5B%5D",
        "invoice%00",
        "-",
        "NEAR/3",
        "%F0%9F%98%80",
        "%27%3B--",
    ] {
        ink.get(&format!("search?q={odd}")).await.expect(StatusCode::OK);
    }
    for bad in ["search", "search?q=", "search?q=x&limit=0", "search?q=x&limit=101"] {
        ink.get(bad).await.fails(422, "validation_error");
    }
}

#[tokio::test]
async fn the_mail_of_others_is_not_there() {
    let ink = Ink::new().await;
    let id = ink.receive(HELLO).await;
    let thread = ink.good(&format!("messages/{id}")).await["thread_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let second = ink.api.inbox(&ink.admin, "ranger").await.text("apiKey");
    let stranger = ink.api.tenant("B").await.key;
    let foreign = ink.api.inbox(&stranger, "spy").await.text("apiKey");
    for key in [&second, &stranger, &foreign] {
        for rest in [
            "messages".to_owned(),
            format!("messages/{id}"),
            format!("messages/{id}/attachments/x"),
            "threads".to_owned(),
            "threads/folders".to_owned(),
            format!("threads/{thread}"),
            "drafts".to_owned(),
            "search?q=hello".to_owned(),
        ] {
            ink.api.get(&ink.path(&rest), key).await.fails(404, "not_found");
        }
        for rest in [
            "messages".to_owned(),
            format!("messages/{id}/reply-all"),
            "drafts".to_owned(),
        ] {
            let body = json!({ "recipients": { "to": ["a@example.net"] }, "subject": "s" });
            ink.api.post(&ink.path(&rest), key, body).await.fails(404, "not_found");
        }
        ink.api
            .delete(&ink.path(&format!("messages/{id}")), key)
            .await
            .fails(404, "not_found");
        ink.api
            .delete(&ink.path(&format!("threads/{thread}")), key)
            .await
            .fails(404, "not_found");
        let lookup = format!(
            "/api/v1/message-sends/lookup?sender_kind=mailbox&sender_id={}&operation=mail.send",
            ink.inbox
        );
        let request = axum::http::Request::get(lookup)
            .header("x-api-key", key)
            .header("idempotency-key", "k");
        let answer = ink.api.send(request.body(axum::body::Body::empty()).unwrap()).await;
        answer.fails(404, "not_found");
    }
    // A message of one's own is not found in the mailbox of another.
    let own = ink
        .api
        .get(
            &format!("/api/v1/mail/mailboxes/ranger@example.test/messages/{id}"),
            &ink.admin,
        )
        .await;
    own.fails(404, "not_found");
    assert_eq!(ink.subjects("").await, ["hello"]);
}
