//! Threads over AgentMail (agentmail.md §9), at their three levels.

use crate::agentmail_mail::{Agents, SENT, each, encoded};
use axum::http::StatusCode;
use postroom_mailstore::{MailboxRef, Origin};
use serde_json::{Value, json};

fn mail(number: u32, answers: Option<u32>) -> String {
    let answers = answers
        .map(|answers| format!("In-Reply-To: <m{answers}@x>\n"))
        .unwrap_or_default();
    format!(
        "From: p{number}@example.net\nTo: scout@example.test\nSubject: about {number}\nMessage-ID: <m{number}@x>\n{answers}\nbody {number}\n"
    )
}

async fn good(agents: &Agents, path: &str) -> Value {
    let answer = agents.api.get(path, &agents.key).await;
    answer.expect(StatusCode::OK);
    answer.body
}

#[tokio::test]
async fn a_thread_is_the_sum_of_its_messages() {
    let agents = Agents::new().await;
    agents.receive(&mail(1, None)).await;
    let sent = mail(2, Some(1)).replace("p2@example.net", "scout@example.test");
    agents.put(&agents.inbox, &sent, Origin::Sent, SENT).await;
    agents.receive(&mail(3, Some(2))).await;
    let list = agents.good("threads").await;
    assert_eq!(list["count"], 1);
    let item = &list["threads"][0];
    for (field, expected) in [
        ("inbox_id", json!("scout@example.test")),
        ("labels", json!(["received", "unread", "sent"])),
        (
            "senders",
            json!(["p1@example.net", "scout@example.test", "p3@example.net"]),
        ),
        ("recipients", json!(["scout@example.test"])),
        ("subject", json!("about 1")),
        ("preview", json!("body 3")),
        ("last_message_id", json!("<m3@x>")),
        ("message_count", json!(3)),
    ] {
        assert_eq!(item[field], expected, "{field}");
    }
    assert_eq!(item["timestamp"], item["received_timestamp"]);
    assert!(item["sent_timestamp"].as_str() <= item["timestamp"].as_str());
    let id = item["thread_id"].as_str().unwrap();
    let full = agents.good(&format!("threads/{id}")).await;
    assert_eq!(each(&full["messages"], "message_id"), ["<m1@x>", "<m2@x>", "<m3@x>"]);
    assert_eq!((&full["count"], full.get("next_page_token")), (&json!(3), None));
    assert!(full["messages"][0]["text"].as_str().unwrap().starts_with("body 1"));
    for field in item.as_object().unwrap().keys() {
        assert_eq!(full[field], item[field], "{field}");
    }
    let newest = agents.good(&format!("threads/{id}?limit=2")).await;
    assert_eq!(each(&newest["messages"], "message_id"), ["<m2@x>", "<m3@x>"]);
    let token = newest["next_page_token"].as_str().unwrap();
    let older = agents.good(&format!("threads/{id}?limit=2&page_token={token}")).await;
    assert_eq!(each(&older["messages"], "message_id"), ["<m1@x>"]);
    assert_eq!(older.get("next_page_token"), None);
}

#[tokio::test]
async fn three_levels_one_order() {
    let agents = Agents::new().await;
    let pod = agents
        .api
        .post("/v0/pods", &agents.key, json!({ "name": "P" }))
        .await
        .text("pod_id");
    let in_pod = agents
        .api
        .post(
            &format!("/v0/pods/{pod}/inboxes"),
            &agents.key,
            json!({ "username": "podded" }),
        )
        .await
        .text("inbox_id");
    let other = agents.inbox("other").await;
    let inboxes = [agents.inbox.clone(), in_pod.clone(), other.clone()];
    for number in 0..12 {
        let inbox = &inboxes[number as usize % 3];
        agents
            .put(inbox, &mail(number, None), Origin::Received, MailboxRef::Inbox)
            .await;
    }
    // The first of all is answered, and so comes to the top.
    agents
        .put(&agents.inbox, &mail(100, Some(0)), Origin::Received, MailboxRef::Inbox)
        .await;
    let mut expected: Vec<String> = vec!["about 0".into()];
    expected.extend((1..12).rev().map(|number| format!("about {number}")));
    for limit in [1, 2, 5, 50] {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let page = good(&agents, &format!("/v0/threads?limit={limit}{token}")).await;
            all.extend(each(&page["threads"], "subject"));
            match page["next_page_token"].as_str() {
                Some(next) => token = format!("&page_token={next}"),
                None => break,
            }
        }
        assert_eq!(all, expected, "{limit}");
        let ascending = good(&agents, &format!("/v0/threads?limit={limit}&ascending=true")).await;
        let first: Vec<String> = expected.iter().rev().take(limit).cloned().collect();
        assert_eq!(each(&ascending["threads"], "subject"), first);
    }
    let of_pod = good(&agents, &format!("/v0/pods/{pod}/threads")).await;
    assert_eq!(
        each(&of_pod["threads"], "subject"),
        ["about 10", "about 7", "about 4", "about 1"]
    );
    let filtered = good(&agents, "/v0/threads?senders=p7@").await;
    assert_eq!(each(&filtered["threads"], "subject"), ["about 7"]);
    // A thread by itself is found at each level that sees it.
    let id = of_pod["threads"][0]["thread_id"].as_str().unwrap();
    for path in [
        format!("/v0/threads/{id}"),
        format!("/v0/pods/{pod}/threads/{id}"),
        format!("/v0/inboxes/{in_pod}/threads/{id}"),
    ] {
        assert_eq!(good(&agents, &path).await["inbox_id"], json!(in_pod), "{path}");
    }
    let elsewhere = agents.get(&format!("threads/{id}")).await;
    assert_eq!(elsewhere.status, 404);
    // A key of an inbox sees its own, on the route of the organization.
    let key = agents
        .api
        .post(&format!("/v0/inboxes/{other}/api-keys"), &agents.key, json!({}))
        .await
        .text("api_key");
    let own = agents.api.get("/v0/threads", &key).await;
    assert_eq!(
        each(&own.body["threads"], "subject"),
        ["about 11", "about 8", "about 5", "about 2"]
    );
    assert_eq!(agents.api.get(&format!("/v0/threads/{id}"), &key).await.status, 404);
    let found = good(&agents, "/v0/threads/search?q=about").await;
    assert_eq!(found["count"], 12);
    assert_eq!(
        found["threads"][0]["highlights"]["subject"].as_array().unwrap().len(),
        1
    );
    let found = good(&agents, &format!("/v0/pods/{pod}/threads/search?q=about&limit=3")).await;
    assert_eq!(found["count"], 3);
    let token = found["next_page_token"].as_str().unwrap();
    let rest = good(
        &agents,
        &format!("/v0/pods/{pod}/threads/search?q=about&limit=3&page_token={token}"),
    )
    .await;
    assert_eq!((&rest["count"], rest.get("next_page_token")), (&json!(1), None));
}

#[tokio::test]
async fn threads_are_labelled_and_deleted_as_a_whole() {
    let agents = Agents::new().await;
    agents.receive(&mail(1, None)).await;
    agents.receive(&mail(2, Some(1))).await;
    agents.receive(&mail(3, None)).await;
    let list = agents.good("threads").await;
    assert_eq!(each(&list["threads"], "last_message_id"), ["<m3@x>", "<m2@x>"]);
    let id = list["threads"][1]["thread_id"].as_str().unwrap().to_owned();
    let changed = agents
        .patch(
            &format!("threads/{id}"),
            json!({ "add_labels": ["Seen", "x"], "remove_labels": ["unread", "x"] }),
        )
        .await;
    changed.expect(StatusCode::OK);
    assert_eq!(changed.body, json!({ "thread_id": id, "labels": ["received", "seen"] }));
    assert_eq!(agents.good("threads?labels=seen").await["count"], 1);
    assert_eq!(
        agents
            .patch(&format!("threads/{id}"), json!({ "add_labels": ["sent"] }))
            .await
            .status,
        400
    );
    assert_eq!(agents.patch(&format!("threads/{id}"), json!({})).await.status, 400);
    agents
        .patch(&format!("threads/{id}"), json!({ "add_labels": ["trash"] }))
        .await
        .expect(StatusCode::OK);
    assert_eq!(agents.good("threads").await["count"], 1);
    assert_eq!(agents.good("threads?include_trash=true").await["count"], 2);
    let narrow = agents
        .key_with(json!({ "message_read": true, "message_delete": true }))
        .await;
    let path = agents.path(&format!("threads/{id}"));
    assert_eq!(
        agents.api.get(&path, &narrow).await.status,
        404,
        "all of it is in the trash"
    );
    assert_eq!(agents.api.delete(&path, &narrow).await.status, 404);
    let gone = agents
        .api
        .delete(&format!("/v0/threads/{id}?permanent=true"), &agents.key)
        .await;
    gone.expect(StatusCode::NO_CONTENT);
    assert_eq!(agents.api.delete(&path, &agents.key).await.status, 404);
    assert_eq!(agents.good("messages?include_trash=true").await["count"], 1);
}

#[tokio::test]
async fn a_long_thread_is_labelled_message_by_message() {
    let agents = Agents::new().await;
    agents.receive(&mail(0, None)).await;
    for number in 1..100 {
        agents.receive(&mail(number, Some(0))).await;
    }
    let list = agents.good("threads").await;
    assert_eq!(list["threads"][0]["message_count"], 100);
    let id = list["threads"][0]["thread_id"].as_str().unwrap();
    let refused = agents
        .patch(&format!("threads/{id}"), json!({ "add_labels": ["x"] }))
        .await;
    assert_eq!(
        (refused.status, refused.body["code"].as_str()),
        (422, Some("unprocessable"))
    );
    let full = agents.good(&format!("threads/{id}")).await;
    assert_eq!((&full["count"], full.get("next_page_token")), (&json!(100), None));
}

#[tokio::test]
async fn attachments_of_a_thread() {
    let agents = Agents::new().await;
    agents
        .receive("From: a@example.net\nMessage-ID: <a@x>\nContent-Type: text/plain; name=notes.txt\n\nhello\n")
        .await;
    let list = agents.good("threads").await;
    let thread = &list["threads"][0];
    let (id, attachment) = (thread["thread_id"].as_str().unwrap(), &thread["attachments"][0]);
    assert_eq!(attachment["filename"], "notes.txt");
    let name = encoded(attachment["attachment_id"].as_str().unwrap());
    let path = format!("/v0/threads/{id}/attachments/{name}");
    let shown = agents.with_host(&path, Some(&agents.key)).await;
    shown.expect(StatusCode::OK);
    let url = shown.text("download_url");
    let bytes = agents
        .with_host(url.strip_prefix("http://mail.example.test:2080").unwrap(), None)
        .await;
    assert_eq!(bytes.bytes, b"hello\r\n");
    let other = format!("/v0/threads/{id}/attachments/00000000-0000-7000-8000-000000000000.0");
    assert_eq!(agents.with_host(&other, Some(&agents.key)).await.status, 404);
}
