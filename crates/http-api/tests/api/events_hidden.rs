//! Mail that was hidden after it came in: who may not see it by then is not told of it, and goes on all the same.

use crate::agentmail_mail::Agents;
use crate::endpoint::Endpoint;
use crate::hearing::{gist, hello, listen, send};
use crate::websocket::Socket;
use axum::http::StatusCode;
use postroom_mailstore::LabelChange;
use postroom_types::EmailId;
use serde_json::{Value, json};

const EVENTS: &str = "/postroom/v1/events";

async fn label(agents: &Agents, id: EmailId, label: &str) {
    let inbox = agents.id_of(&agents.inbox).await;
    let change = LabelChange::new(&[label], &[]).unwrap();
    let changed = agents.api.mailstore.update_labels(inbox, &[id], &change).await.unwrap();
    assert_eq!(changed.len(), 1);
}

async fn told(agents: &Agents, key: &str) -> Vec<(String, String)> {
    let answer = agents.api.get(EVENTS, key).await;
    answer.expect(StatusCode::OK);
    answer.body["events"].as_array().unwrap().iter().map(gist).collect()
}

fn received(subject: &str) -> (String, String) {
    ("message.received".into(), subject.into())
}

#[tokio::test]
async fn events_of_what_is_hidden_by_now_are_for_those_who_may_see_it() {
    let agents = Agents::new().await;
    let narrow = agents.key_with(json!({ "message_read": true })).await;
    let sees_spam = agents
        .key_with(json!({ "message_read": true, "label_spam_read": true }))
        .await;
    for (subject, place) in [
        ("a", None),
        ("b", Some("spam")),
        ("c", Some("trash")),
        ("d", Some("blocked")),
        ("e", None),
    ] {
        let id = hello(&agents, subject).await;
        if let Some(place) = place {
            label(&agents, id, place).await;
        }
    }
    let all = ["a", "b", "c", "d", "e"].map(received);
    assert_eq!(told(&agents, &agents.key).await, all);
    assert_eq!(told(&agents, &narrow).await, [received("a"), received("e")]);
    assert_eq!(
        told(&agents, &sees_spam).await,
        [received("a"), received("b"), received("e")]
    );
    // The cursor moves on, also where there was nothing to tell.
    let page = agents.api.get(&format!("{EVENTS}?limit=2"), &narrow).await;
    let next = page.text("next");
    let page = agents.api.get(&format!("{EVENTS}?after={next}"), &narrow).await;
    assert!(page.body["events"].as_array().unwrap().is_empty() && page.body["more"] == false);
}

#[tokio::test]
async fn the_thread_of_an_event_shows_no_more_than_its_message() {
    let agents = Agents::new().await;
    let first = hello(&agents, "a").await;
    label(&agents, first, "spam").await;
    let content = agents.good("messages?include_spam=true").await;
    let message_id = content["messages"][0]["message_id"].as_str().unwrap().to_owned();
    let reply = format!(
        "From: Ann <ann@far.test>\r\nTo: {}\r\nSubject: Re: a\r\nIn-Reply-To: {message_id}\r\n\r\nsecond\r\n",
        agents.inbox
    );
    crate::hearing::receive_text(&agents, &agents.inbox, &reply, postroom_feed::ReceivedAs::Plain).await;
    let events = agents.api.get(EVENTS, &agents.key).await;
    let events = events.body["events"].as_array().unwrap().clone();
    let thread = &events[1]["thread"];
    assert_eq!(events[1]["message"]["subject"], "Re: a");
    assert_eq!(thread["message_count"], 1, "{thread}");
    assert!(
        !thread["labels"].as_array().unwrap().contains(&json!("spam")),
        "{thread}"
    );
}

#[tokio::test]
async fn what_was_sent_and_thrown_away_is_not_told_of_either() {
    let agents = Agents::new().await;
    let narrow = agents.key_with(json!({ "message_read": true })).await;
    send(&agents, "x").await;
    let kept = told(&agents, &narrow).await;
    assert_eq!(kept, [("message.sent".to_owned(), "bob@far.test".to_owned())]);
    let inbox = agents.id_of(&agents.inbox).await;
    let sent = agents
        .api
        .mailstore
        .list(inbox, &Default::default(), None, 10)
        .await
        .unwrap();
    label(&agents, sent.messages[0].record.email_id, "trash").await;
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert!(told(&agents, &narrow).await.is_empty(), "also if it was told before");
    assert_eq!(told(&agents, &agents.key).await, kept);
}

#[tokio::test]
async fn a_socket_that_catches_up_is_told_what_its_key_may_see_now() {
    let agents = Agents::new().await;
    let narrow = agents.key_with(json!({ "message_read": true })).await;
    let start = agents
        .api
        .get(&format!("{EVENTS}?after=now"), &agents.key)
        .await
        .text("next");
    let hidden = hello(&agents, "a").await;
    hello(&agents, "b").await;
    label(&agents, hidden, "spam").await;
    let at = listen(&agents).await;
    for (key, expected) in [(&narrow, &["b"][..]), (&agents.key, &["a", "b"])] {
        let mut socket = Socket::try_open(at, "/v0", Some(key)).await.unwrap();
        socket
            .say(json!({ "type": "subscribe", "last_event_id": format!("evt_{start}") }))
            .await;
        assert_eq!(socket.hear().await["type"], "subscribed");
        for subject in expected {
            assert_eq!(gist(&socket.hear().await), received(subject));
        }
    }
}

#[tokio::test]
async fn a_webhook_tells_what_its_maker_may_see_now() {
    let agents = Agents::new().await;
    let narrow = agents
        .key_with(json!({ "message_read": true, "webhook_create": true, "webhook_read": true }))
        .await;
    let (mine, theirs) = (Endpoint::start().await, Endpoint::start().await);
    for (endpoint, key) in [(&mine, &narrow), (&theirs, &agents.key)] {
        endpoint.answer(500);
        let made = agents
            .api
            .post("/v0/webhooks", key, json!({ "url": endpoint.url }))
            .await;
        made.expect(StatusCode::OK);
    }
    let id = hello(&agents, "a").await;
    for endpoint in [&mine, &theirs] {
        endpoint.wait_for(1).await;
        endpoint.answer(200);
    }
    label(&agents, id, "blocked").await;
    // Five seconds later it is tried again.
    let again = theirs.wait_for(2).await;
    assert_eq!(again[1].body["message"]["subject"], "a");
    mine.stays_at(1).await;
    hello(&agents, "b").await;
    let next: Vec<Value> = mine.wait_for(2).await.into_iter().map(|hit| hit.body).collect();
    assert_eq!(gist(&next[1]), received("b"));
}

#[tokio::test]
async fn a_foreign_inbox_is_as_unknown_as_one_that_is_not() {
    let agents = Agents::new().await;
    let stranger = agents.api.tenant("B").await;
    let foreign = agents.api.inbox(&stranger.key, "foreign").await;
    let unknown = postroom_types::InboxId::new().to_string();
    let mut told = Vec::new();
    for id in [
        &foreign.text("id"),
        &foreign.text("email"),
        &unknown,
        "nobody@example.test",
    ] {
        let answer = agents.api.get(&format!("{EVENTS}?inbox_id={id}"), &agents.key).await;
        answer.expect(StatusCode::NOT_FOUND);
        told.push(answer.body);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
}
