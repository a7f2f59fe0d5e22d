//! Messages over AgentMail (agentmail.md §8).

use crate::agentmail_mail::{Agents, SENT, SPAM, each, encoded};
use axum::http::StatusCode;
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::SpecialUse;
use serde_json::{Value, json};

const FULL: &str = "From: Ann Example <ann@example.net>\nTo: scout@example.test, \"Bee, B\" <b@example.net>\nCc: c@example.net\n\
    Reply-To: answers@example.net\nSubject: =?utf-8?q?Caf=C3=A9?=\nMessage-ID: <one@example.net>\nIn-Reply-To: <zero@example.net>\n\
    References: <a@example.net> <zero@example.net>\nX-Custom: yes\nContent-Type: multipart/mixed; boundary=o\n\n--o\n\
    Content-Type: text/plain; charset=utf-8\n\nHello\n\n> quoted\n--o\nContent-Type: text/csv; name=\"data.csv\"\n\
    Content-Disposition: attachment; filename=\"data.csv\"\nContent-Transfer-Encoding: base64\n\nYSxiCjEsMgo=\n--o\n\
    Content-Type: image/png\nContent-Disposition: inline; filename=x.png\nContent-ID: <logo@x>\n\npng\n--o--\n";

#[tokio::test]
async fn a_message_has_all_fields() {
    let agents = Agents::new().await;
    agents.receive(FULL).await;
    let shown = agents.good(&format!("messages/{}", encoded("<one@example.net>"))).await;
    for (field, expected) in [
        ("inbox_id", json!("scout@example.test")),
        ("message_id", json!("<one@example.net>")),
        ("labels", json!(["received", "unread"])),
        ("from", json!("Ann Example <ann@example.net>")),
        ("to", json!(["scout@example.test", "\"Bee, B\" <b@example.net>"])),
        ("cc", json!(["c@example.net"])),
        ("reply_to", json!(["answers@example.net"])),
        ("subject", json!("Café")),
        ("in_reply_to", json!("<zero@example.net>")),
        ("references", json!(["<a@example.net>", "<zero@example.net>"])),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    assert!(shown["text"].as_str().unwrap().starts_with("Hello"));
    assert!(shown["preview"].as_str().unwrap().starts_with("Hello"));
    assert_eq!(shown["headers"]["X-Custom"], "yes");
    assert_eq!(shown["headers"]["Subject"], "Café");
    assert_eq!(shown.get("html"), None);
    assert_eq!(shown.get("bcc"), None);
    assert_eq!(shown["size"].as_u64().unwrap(), FULL.replace('\n', "\r\n").len() as u64);
    for time in ["timestamp", "created_at", "updated_at"] {
        assert!(shown[time].as_str().unwrap().ends_with('Z'), "{time}");
    }
    let [csv, png] = shown["attachments"].as_array().unwrap().as_slice() else {
        panic!("two attachments: {}", shown["attachments"])
    };
    assert_eq!(
        (
            &csv["filename"],
            &csv["size"],
            &csv["content_type"],
            &csv["content_disposition"]
        ),
        (&json!("data.csv"), &json!(8), &json!("text/csv"), &json!("attachment"))
    );
    assert_eq!(
        (&png["content_disposition"], &png["content_id"]),
        (&json!("inline"), &json!("logo@x"))
    );

    let list = agents.good("messages").await;
    assert_eq!(list["count"], 1);
    let item = &list["messages"][0];
    assert_eq!(
        (item.get("text"), item.get("headers")),
        (None, None),
        "items carry no bodies"
    );
    assert_eq!(item["attachments"], shown["attachments"]);
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert!(fields(item).iter().all(|field| fields(&shown).contains(field)));
}

#[tokio::test]
async fn html_alone_has_no_text() {
    let agents = Agents::new().await;
    agents
        .receive("From: a@example.net\nMessage-ID: <h@x>\nContent-Type: text/html\n\n<p>Hi</p>\n")
        .await;
    let shown = agents.good("messages/%3Ch@x%3E").await;
    assert_eq!(
        (shown.get("text"), shown.get("preview"), shown.get("subject")),
        (None, None, None)
    );
    assert!(shown["html"].as_str().unwrap().contains("<p>Hi</p>"));
    assert!(shown["extracted_html"].as_str().unwrap().contains("Hi"));
    assert_eq!(shown["to"], json!([]));
}

#[tokio::test]
async fn ids_of_all_kinds() {
    let agents = Agents::new().await;
    let first = "From: a@example.net\nMessage-ID: <org/repo/pull/1@host>\nSubject: first\n\nx\n";
    agents.receive(first).await;
    agents
        .receive(&first.replace("first", "second").replace("\n\nx", "\n\ny"))
        .await;
    agents.receive("From: a@example.net\nSubject: third\n\nx\n").await;
    let list = agents.good("messages").await;
    let (ids, subjects) = (
        each(&list["messages"], "message_id"),
        each(&list["messages"], "subject"),
    );
    assert_eq!(subjects, ["third", "second", "first"]);
    assert_eq!(ids[2], "<org/repo/pull/1@host>");
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    for (id, subject) in ids.iter().zip(&subjects) {
        // As Node writes it, and as Python's httpx does.
        for path in [encoded(id), id.replace('<', "%3C").replace('>', "%3E")] {
            let shown = agents.good(&format!("messages/{path}")).await;
            assert_eq!((&shown["message_id"], &shown["subject"]), (&json!(id), &json!(subject)));
        }
    }
    // A name stays, also when the one that had it first is gone.
    let gone = agents
        .api
        .delete(&agents.path(&format!("messages/{}", encoded(&ids[2]))), &agents.key)
        .await;
    gone.expect(StatusCode::NO_CONTENT);
    assert_eq!(each(&agents.good("messages").await["messages"], "message_id"), ids[..2]);
    for missing in [
        "%3Cnone@x%3E",
        "none",
        "%3C00000000-0000-7000-8000-000000000000@postroom.invalid%3E",
        "%3Cx@postroom.invalid%3E",
    ] {
        let answer = agents.get(&format!("messages/{missing}")).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (404, Some("not_found")),
            "{missing}"
        );
    }
}

#[tokio::test]
async fn lists_in_pages_with_filters() {
    let agents = Agents::new().await;
    for number in 0..7 {
        let from = if number % 2 == 0 {
            "Ann <ann@example.net>"
        } else {
            "bob@example.net"
        };
        agents
            .receive(&format!("From: {from}\nTo: scout@example.test\nSubject: number {number}\nMessage-ID: <n{number}@x>\n\nx{number}\n"))
            .await;
    }
    let (mut all, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = agents.good(&format!("messages?limit=3{token}")).await;
        assert_eq!(page["limit"], 3);
        assert_eq!(
            page["count"].as_u64().unwrap(),
            page["messages"].as_array().unwrap().len() as u64
        );
        all.extend(each(&page["messages"], "message_id"));
        pages += 1;
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => break,
        }
    }
    assert_eq!((pages, all.len()), (3, 7));
    assert_eq!(all[0], "<n6@x>");
    let ascending = agents.good("messages?ascending=true&limit=2").await;
    assert_eq!(each(&ascending["messages"], "message_id"), ["<n0@x>", "<n1@x>"]);
    // A token of another list, or of other filters.
    let other = agents.get(&format!("messages?limit=3&ascending=true{token}")).await;
    assert_eq!(other.status, 400);
    let ids = async |query: &str| {
        each(
            &agents.good(&format!("messages?{query}")).await["messages"],
            "message_id",
        )
    };
    assert_eq!(ids("from=ANN&limit=2").await, ["<n6@x>", "<n4@x>"]);
    assert_eq!(ids("subject=%5B%22number%205%22%5D").await, ["<n5@x>"]);
    assert_eq!(ids("to=scout").await.len(), 7);
    assert!(ids("labels=%5B%22sent%22%5D").await.is_empty());
    assert_eq!(ids("labels=received,unread").await.len(), 7);
    assert_eq!(ids("after=2020-01-01T00:00:00Z").await.len(), 7);
    assert!(ids("before=2020-01-01T00:00:00%2B02:00").await.is_empty());
    let times = agents.good("messages?limit=2").await;
    let second = times["messages"][1]["timestamp"].as_str().unwrap();
    let until = ids(&format!("before={second}")).await;
    assert!(until.iter().all(|id| id != "<n6@x>" && id != "<n5@x>"), "{until:?}");
    let since = ids(&format!("after={second}")).await;
    assert!(since.contains(&"<n5@x>".into()), "{since:?}");
    for bad in [
        "before=yesterday",
        "limit=0",
        "include_spam=maybe",
        "page_token=zz",
        "labels=%5B1%5D",
    ] {
        assert_eq!(agents.get(&format!("messages?{bad}")).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn hidden_mail_and_the_permission_to_see_it() {
    let agents = Agents::new().await;
    agents.receive("From: a@example.net\nMessage-ID: <good@x>\n\nx\n").await;
    let spam = "From: a@example.net\nMessage-ID: <spam@x>\n\nx\n";
    agents.put(&agents.inbox, spam, Origin::Received, SPAM).await;
    let draft = "From: a@example.net\nMessage-ID: <draft@x>\n\nx\n";
    agents
        .put(
            &agents.inbox,
            draft,
            Origin::Draft,
            MailboxRef::Special(SpecialUse::Drafts),
        )
        .await;
    let ids = async |query: &str, key: &str| {
        let answer = agents.api.get(&agents.path(&format!("messages{query}")), key).await;
        answer.expect(StatusCode::OK);
        each(&answer.body["messages"], "message_id")
    };
    assert_eq!(ids("", &agents.key).await, ["<good@x>"]);
    assert_eq!(ids("?include_spam=true", &agents.key).await, ["<spam@x>", "<good@x>"]);
    assert_eq!(ids("?labels=spam", &agents.key).await, ["<spam@x>"]);
    assert_eq!(agents.get("messages/%3Cspam@x%3E").await.status, 200);
    assert_eq!(agents.get("messages/%3Cdraft@x%3E").await.status, 404);
    let narrow = agents
        .key_with(json!({ "message_read": true, "message_update": true }))
        .await;
    assert_eq!(ids("?include_spam=true", &narrow).await, ["<good@x>"]);
    for path in ["messages/%3Cspam@x%3E", "messages/%3Cspam@x%3E/raw"] {
        assert_eq!(agents.api.get(&agents.path(path), &narrow).await.status, 404, "{path}");
    }
    let body = json!({ "remove_labels": "spam" });
    assert_eq!(
        agents
            .api
            .patch(&agents.path("messages/%3Cspam@x%3E"), &narrow, body)
            .await
            .status,
        404
    );
    let wider = agents
        .key_with(json!({ "message_read": true, "label_spam_read": true }))
        .await;
    assert_eq!(ids("?include_spam=true", &wider).await.len(), 2);
}

#[tokio::test]
async fn labels_are_changed_alone_and_together() {
    let agents = Agents::new().await;
    for number in 0..3 {
        agents
            .receive(&format!(
                "From: a@example.net\nMessage-ID: <n{number}@x>\n\nx{number}\n"
            ))
            .await;
    }
    let changed = agents
        .patch(
            "messages/%3Cn0@x%3E",
            json!({ "add_labels": "To Do", "remove_labels": ["unread"] }),
        )
        .await;
    changed.expect(StatusCode::OK);
    assert_eq!(
        changed.body,
        json!({ "message_id": "<n0@x>", "labels": ["received", "to do"] })
    );
    assert_eq!(
        agents.good("messages/%3Cn0@x%3E").await["labels"],
        json!(["received", "to do"])
    );
    let body = json!({ "message_ids": ["<n2@x>", "<none@x>", "<n1@x>"], "add_labels": ["trash"] });
    let changed = agents.post("messages/batch-update", body).await;
    changed.expect(StatusCode::OK);
    assert_eq!(
        changed.body,
        json!({ "limit": 3, "count": 2, "updates": [
            { "message_id": "<n2@x>", "labels": ["received", "unread", "trash"] },
            { "message_id": "<n1@x>", "labels": ["received", "unread", "trash"] },
        ]})
    );
    assert_eq!(
        each(&agents.good("messages").await["messages"], "message_id"),
        ["<n0@x>"]
    );
    for bad in [
        json!({}),
        json!({ "add_labels": [] }),
        json!({ "add_labels": ["sent"] }),
        json!({ "remove_labels": "received" }),
        json!({ "add_labels": [""] }),
        json!({ "add_labels": 5 }),
    ] {
        let answer = agents.patch("messages/%3Cn0@x%3E", bad.clone()).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (400, Some("validation_error")),
            "{bad}"
        );
    }
    let ids: Vec<String> = (0..51).map(|number| format!("<{number}@y>")).collect();
    for bad in [json!(ids), json!([]), json!(["<n0@x>", "<n0@x>"])] {
        let answer = agents
            .post(
                "messages/batch-update",
                json!({ "message_ids": bad, "add_labels": ["x"] }),
            )
            .await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    assert_eq!(
        agents
            .patch("messages/%3Cnone@x%3E", json!({ "add_labels": "x" }))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn several_are_read_together() {
    let agents = Agents::new().await;
    agents.receive(FULL).await;
    agents.receive("From: a@example.net\nMessage-ID: <two@x>\n\nx\n").await;
    let ids = ["<two@x>", "<none@x>", "<one@example.net>"];
    let found = agents.post("messages/batch-get", json!({ "message_ids": ids })).await;
    found.expect(StatusCode::OK);
    assert_eq!((&found.body["limit"], &found.body["count"]), (&json!(3), &json!(2)));
    assert_eq!(
        each(&found.body["messages"], "message_id"),
        ["<two@x>", "<one@example.net>"]
    );
    assert_eq!(found.body["messages"][1].get("text"), None);
    assert_eq!(found.body["messages"][1]["headers"]["X-Custom"], "yes");
    for bad in [json!([]), json!(["<a@x>", "<a@x>"]), json!("<a@x>"), json!(null)] {
        let answer = agents.post("messages/batch-get", json!({ "message_ids": bad })).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn sent_mail_says_what_became_of_it() {
    let agents = Agents::new().await;
    let content = "From: scout@example.test\nTo: x@example.net\nBcc: hidden@example.net\nMessage-ID: <s@x>\n\nx\n";
    agents.put(&agents.inbox, content, Origin::Sent, SENT).await;
    let shown = agents.good("messages/%3Cs@x%3E").await;
    assert_eq!(shown["labels"][0], "sent");
    assert_eq!(shown["bcc"], json!(["hidden@example.net"]));
    assert!(
        agents.good("messages?labels=delivered").await["messages"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(agents.good("messages?labels=sent").await["count"], 1);
}

/// The path of a link to this server.
fn path_of(url: &Value) -> String {
    let url = url.as_str().expect("a link");
    url.strip_prefix("http://mail.example.test:2080").expect(url).to_owned()
}

#[tokio::test]
async fn links_to_what_is_attached() {
    let agents = Agents::new().await;
    agents.receive(FULL).await;
    let attachments = agents.good("messages/%3Cone@example.net%3E").await["attachments"].clone();
    let id = attachments[0]["attachment_id"].as_str().unwrap();
    let path = agents.path(&format!("messages/%3Cone@example.net%3E/attachments/{}", encoded(id)));
    let shown = agents.with_host(&path, Some(&agents.key)).await;
    shown.expect(StatusCode::OK);
    assert_eq!(shown.body["attachment_id"], json!(id));
    assert!(shown.body["expires_at"].as_str().unwrap().ends_with('Z'));
    let bytes = agents.with_host(&path_of(&shown.body["download_url"]), None).await;
    bytes.expect(StatusCode::OK);
    assert_eq!(bytes.bytes, b"a,b\n1,2\n");
    let field = |name: &str| bytes.headers[name].to_str().unwrap();
    assert_eq!(field("content-type"), "text/csv");
    assert_eq!(field("x-content-type-options"), "nosniff");
    assert!(field("content-disposition").starts_with("attachment; filename=\"data.csv\""));
    let text = agents.with_host(&path_of(&shown.body["text_url"]), None).await;
    assert_eq!((text.status, text.bytes.as_slice()), (200, &b"a,b\n1,2\n"[..]));
    let png = attachments[1]["attachment_id"].as_str().unwrap();
    let path = agents.path(&format!("messages/%3Cone@example.net%3E/attachments/{}", encoded(png)));
    let shown = agents.with_host(&path, Some(&agents.key)).await;
    assert_eq!(shown.body.get("text_url"), None);
    let bytes = agents.with_host(&path_of(&shown.body["download_url"]), None).await;
    assert_eq!(bytes.bytes, b"png");

    let raw = agents
        .with_host(&agents.path("messages/%3Cone@example.net%3E/raw"), Some(&agents.key))
        .await;
    raw.expect(StatusCode::OK);
    assert_eq!(
        (&raw.body["message_id"], &raw.body["size"]),
        (&json!("<one@example.net>"), &json!(FULL.replace('\n', "\r\n").len()))
    );
    let link = path_of(&raw.body["download_url"]);
    let bytes = agents.with_host(&link, None).await;
    assert_eq!(bytes.bytes, FULL.replace('\n', "\r\n").as_bytes());
    assert_eq!(
        bytes.headers["content-length"].to_str().unwrap(),
        bytes.bytes.len().to_string()
    );

    for bad in [
        "messages/%3Cone@example.net%3E/attachments/0",
        "messages/%3Cone@example.net%3E/attachments/x.1",
    ] {
        assert_eq!(
            agents.with_host(&agents.path(bad), Some(&agents.key)).await.status,
            404,
            "{bad}"
        );
    }
    let forged = format!("{}0", &link[..link.len() - 1]);
    let other = format!("{}1", &link[..link.len() - 1]);
    assert!([forged, other].iter().any(|path| *path != link));
    for path in ["/postroom/v1/download/00", "/postroom/v1/download/x"] {
        assert_eq!(agents.with_host(path, None).await.status, 404, "{path}");
    }
    // It opens nothing any more when the message is gone.
    let gone = agents
        .api
        .delete(&agents.path("messages/%3Cone@example.net%3E"), &agents.key)
        .await;
    gone.expect(StatusCode::NO_CONTENT);
    assert_eq!(agents.with_host(&link, None).await.status, 404);
}

#[tokio::test]
async fn large_attachments_arrive_whole() {
    use std::fmt::Write;
    let agents = Agents::new().await;
    let bytes: Vec<u8> = (0..600_000_u32).map(|number| (number % 251) as u8).collect();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut base64 = String::new();
    for chunk in bytes.chunks(57) {
        for three in chunk.chunks(3) {
            let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            for shift in [18, 12, 6, 0] {
                base64.push(char::from(alphabet[(bits >> shift) as usize & 63]));
            }
        }
        writeln!(base64).unwrap();
    }
    let content = format!(
        "Message-ID: <b@x>\nContent-Type: application/pdf; name=x.pdf\nContent-Transfer-Encoding: base64\n\n{base64}"
    );
    agents.receive(&content).await;
    let shown = agents.good("messages/%3Cb@x%3E").await;
    assert_eq!(shown["attachments"][0]["size"], 600_000);
    let id = shown["attachments"][0]["attachment_id"].as_str().unwrap();
    let path = agents.path(&format!("messages/%3Cb@x%3E/attachments/{id}"));
    let link = path_of(&agents.with_host(&path, Some(&agents.key)).await.body["download_url"]);
    assert!(agents.with_host(&link, None).await.bytes == bytes);
}

#[tokio::test]
async fn words_are_found_and_marked() {
    let agents = Agents::new().await;
    agents
        .receive("From: Ann <ann@example.net>\nSubject: Invoice 42\nMessage-ID: <1@x>\n\nPlease pay.\n")
        .await;
    agents
        .receive("From: b@example.net\nSubject: hello\nMessage-ID: <2@x>\n\nThe invoice, and the Invoice again.\n")
        .await;
    agents
        .receive("From: b@example.net\nSubject: no\nMessage-ID: <3@x>\n\nReinvoiced.\n")
        .await;
    let spam = "From: b@example.net\nSubject: invoice\nMessage-ID: <4@x>\n\nx\n";
    agents.put(&agents.inbox, spam, Origin::Received, SPAM).await;
    let found = agents.good("messages/search?q=invoice").await;
    assert_eq!(each(&found["messages"], "message_id"), ["<1@x>", "<2@x>"]);
    assert_eq!(
        found["messages"][0]["highlights"],
        json!({ "subject": ["**Invoice** 42"] })
    );
    assert_eq!(
        found["messages"][1]["highlights"],
        json!({ "text": ["The **invoice**, and the **Invoice** again."] })
    );
    let first = agents.good("messages/search?q=invoice&limit=1").await;
    let token = first["next_page_token"].as_str().unwrap();
    let second = agents
        .good(&format!("messages/search?q=invoice&limit=1&page_token={token}"))
        .await;
    assert_eq!(each(&second["messages"], "message_id"), ["<2@x>"]);
    let found = agents.good("messages/search?q=ANN+pay").await;
    assert_eq!(
        found["messages"][0]["highlights"]["from"],
        json!(["**Ann** <**ann**@example.net>"])
    );
    assert_eq!(
        agents
            .good("messages/search?q=invoice&before=2020-01-01T00:00:00Z")
            .await["count"],
        0
    );
    for bad in ["", "?q=", "?q=%20", "?q=%22"] {
        assert_eq!(agents.get(&format!("messages/search{bad}")).await.status, 400, "{bad}");
    }
}
