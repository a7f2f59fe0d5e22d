//! Lists of messages over AgentMail (agentmail.md §8): pages, filters, labels, searches, and what is hidden.

use crate::agentmail_mail::{Agents, SPAM, each};
use axum::http::StatusCode;
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::SpecialUse;
use serde_json::json;

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
