//! One message over AgentMail (agentmail.md §8): its fields, its id, what became of it.

use crate::agentmail_mail::{Agents, SENT, each, encoded};
use axum::http::StatusCode;
use postroom_mailstore::Origin;
use serde_json::{Value, json};

/// A message that has all fields.
pub(crate) const FULL: &str = "From: Ann Example <ann@example.net>\nTo: scout@example.test, \"Bee, B\" <b@example.net>\nCc: c@example.net\n\
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
