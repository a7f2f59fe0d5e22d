//! The WebSocket at `/v1/ws`.

use crate::agentmail_mail::Agents;
use crate::hearing::{listen, receive, receive_text, send};
use crate::websocket::Socket;
use axum::http::StatusCode;
use postroom_feed::ReceivedAs;
use postroom_identity::KeyScope;
use postroom_mailstore::LabelChange;
use postroom_queue::{Contact, Outcome, Reason};
use postroom_types::{EmailId, InboxId, OrganizationId, PodId};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Error;

/// An inbox, what it lies in, and a key for each.
struct Own {
    organization: OrganizationId,
    pod: PodId,
    inbox: InboxId,
    tk: String,
    wk: String,
    ak: String,
}

impl Own {
    async fn of(agents: &Agents, address: &str) -> Self {
        let record = agents.api.identity.inbox(agents.id_of(address).await).await.unwrap();
        let key = async |scope| {
            let key = agents.api.identity.create_key(&scope, None).await.unwrap();
            key.secret.expose().clone()
        };
        Self {
            organization: record.organization,
            pod: record.pod,
            inbox: record.id,
            tk: key(KeyScope::Tenant(record.organization)).await,
            wk: key(KeyScope::Pod(record.organization, record.pod)).await,
            ak: key(KeyScope::Inbox(record.organization, record.id)).await,
        }
    }
}

/// A connection, and what it was greeted with.
async fn open(at: SocketAddr, key: &str) -> (Socket, Value) {
    let mut socket = Socket::try_open(at, "/v1/ws", Some(key)).await.unwrap();
    let greeting = socket.hear().await;
    (socket, greeting)
}

async fn subscribed(socket: &mut Socket, frame: Value) -> Value {
    socket.say(frame).await;
    let answer = socket.hear().await;
    assert_eq!(answer["type"], "subscribed", "{answer}");
    answer
}

async fn subject(socket: &mut Socket) -> String {
    let event = socket.hear().await;
    event["message"]["subject"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_handshake_asks_for_a_key_of_the_dialect() {
    let agents = Agents::new().await;
    let own = Own::of(&agents, &agents.inbox).await;
    let at = listen(&agents).await;
    let status = async |path: &str, key: Option<&str>| match Socket::try_open(at, path, key).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
        Ok(_) => 101,
    };
    for (path, key, expected) in [
        ("/v1/ws".to_owned(), None, 401),
        ("/v1/ws".into(), Some("tk_nobody"), 401),
        ("/v1/ws?api_key=tk_nobody".into(), None, 401),
        (format!("/v1/ws?api_key={}", own.ak), None, 101),
        (format!("/v1/ws?api_key={}", own.ak), Some("ak_nobody"), 401),
        ("/v1/ws".into(), Some(own.tk.as_str()), 101),
        ("/v1/ws".into(), Some(&own.wk), 101),
        ("/v1/ws".into(), Some(&own.ak), 101),
        ("/v1/ws".into(), Some(&agents.key), 403),
        ("/v1/ws".into(), Some(&agents.api.operator), 403),
        // Nowhere else does the query open anything.
        (format!("/v1/me?api_key={}", own.ak), None, 401),
    ] {
        assert_eq!(status(&path, key).await, expected, "{path} {key:?}");
    }
    let plain = agents.api.get("/v1/ws", &own.ak).await;
    plain.refused(426, "UPGRADE_REQUIRED");
}

#[tokio::test]
async fn an_event_has_the_fields_of_the_contract() {
    let agents = Agents::new().await;
    let own = Own::of(&agents, &agents.inbox).await;
    let at = listen(&agents).await;
    let (mut socket, greeting) = open(at, &own.ak).await;
    let inbox = own.inbox.to_string();
    assert_eq!(
        greeting,
        json!({ "type": "connected", "inboxId": inbox, "email": "scout@example.test" })
    );
    let answer = subscribed(&mut socket, json!({ "type": "subscribe" })).await;
    let all = ["message.received", "message.sent", "message.bounced"];
    assert_eq!(
        answer,
        json!({ "type": "subscribed", "event_types": all, "inbox_ids": [], "workspace_ids": [] })
    );
    let id: EmailId = receive(&agents, &agents.inbox, "hello", ReceivedAs::Plain).await;
    let event = socket.hear().await;
    let message = agents.api.mailstore.message(own.inbox, id).await.unwrap().unwrap();
    let thread = message.thread_id.to_string();
    assert_eq!(
        (&event["type"], &event["event_type"]),
        (&json!("event"), &json!("message.received"))
    );
    assert!(event["event_id"].as_str().unwrap().starts_with("evt_"));
    for (field, expected) in [
        ("message_id", json!(id.to_string())),
        ("inbox_id", json!(inbox)),
        ("thread_id", json!(thread)),
        ("from", json!("ann@far.test")),
        ("to", json!(["scout@example.test"])),
        ("subject", json!("hello")),
        ("plain_body", json!("hello hello")),
        ("html_body", Value::Null),
    ] {
        assert_eq!(event["message"][field], expected, "{field}");
    }
    assert!(event["message"]["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(event["thread"], json!({ "thread_id": thread, "subject": "hello" }));
    send(&agents, "out").await;
    let event = socket.hear().await;
    assert_eq!(
        (&event["event_type"], &event["message"]["to"], &event["message"]["from"]),
        (
            &json!("message.sent"),
            &json!(["bob@far.test"]),
            &json!("scout@example.test")
        )
    );
    // The other keys are of more than one inbox.
    let (_, greeting) = open(at, &own.tk).await;
    assert_eq!(greeting, json!({ "type": "connected", "inboxId": null, "email": null }));
}

#[tokio::test]
async fn subscriptions_narrow_and_keys_bind() {
    let agents = Agents::new().await;
    let other = agents.inbox("other").await;
    let own = Own::of(&agents, &agents.inbox).await;
    let far_pod = agents
        .api
        .identity
        .create_pod(own.organization, "far", None)
        .await
        .unwrap();
    let body = json!({ "username": "far" });
    let path = format!("/v0/pods/{}/inboxes", far_pod.id);
    let far = agents.api.post(&path, &agents.key, body).await.text("inbox_id");
    let at = listen(&agents).await;
    let (mut tk, _) = open(at, &own.tk).await;
    let (mut wk, _) = open(at, &own.wk).await;
    let (mut ak, _) = open(at, &own.ak).await;
    let (mut narrow, _) = open(at, &own.tk).await;
    let (mut of_workspace, _) = open(at, &own.tk).await;
    for socket in [&mut tk, &mut wk, &mut ak] {
        subscribed(
            socket,
            json!({ "type": "subscribe", "event_types": ["message.received"] }),
        )
        .await;
    }
    let other_id = agents.id_of(&other).await.to_string();
    let frame = json!({ "type": "subscribe", "inbox_ids": [other_id], "event_types": [], "workspace_ids": [] });
    assert_eq!(subscribed(&mut narrow, frame).await["inbox_ids"], json!([other_id]));
    let frame = json!({ "type": "subscribe", "pod_ids": [far_pod.id.to_string()] });
    let answer = subscribed(&mut of_workspace, frame).await;
    assert_eq!(answer["workspace_ids"], json!([far_pod.id.to_string()]));
    for (inbox, subject) in [(&agents.inbox, "a"), (&other, "b"), (&far, "c"), (&agents.inbox, "d")] {
        receive(&agents, inbox, subject, ReceivedAs::Plain).await;
    }
    // Mail without proof of its sender is mail like any other; spam and blocked mail is not told of.
    receive(&agents, &other, "spam", ReceivedAs::Spam).await;
    receive(&agents, &other, "blocked", ReceivedAs::Blocked).await;
    for inbox in [&agents.inbox, &other, &far] {
        receive(&agents, inbox, "end", ReceivedAs::Unauthenticated).await;
    }
    for (socket, expected) in [
        (&mut tk, "a b c d end end end"),
        (&mut wk, "a b d end end"),
        (&mut ak, "a d end"),
        (&mut narrow, "b end"),
        (&mut of_workspace, "c end"),
    ] {
        let mut heard = Vec::new();
        for _ in expected.split(' ') {
            heard.push(subject(socket).await);
        }
        assert_eq!(heard.join(" "), expected);
    }
}

#[tokio::test]
async fn a_thread_is_called_after_its_first_message_that_is_shown() {
    let agents = Agents::new().await;
    let own = Own::of(&agents, &agents.inbox).await;
    let (mut socket, _) = open(listen(&agents).await, &own.ak).await;
    let frame = json!({ "type": "subscribe", "event_types": ["message.received"] });
    subscribed(&mut socket, frame).await;
    let text = |subject: &str, n: usize, before: usize| {
        format!(
            "From: ann@far.test\r\nTo: {}\r\nSubject: {subject}\r\nMessage-ID: <{n}@far.test>\r\n\
             In-Reply-To: <{before}@far.test>\r\n\r\nhello\r\n",
            agents.inbox
        )
    };
    let hear = async |socket: &mut Socket, text: &str| {
        let id = receive_text(&agents, &agents.inbox, text, ReceivedAs::Plain).await;
        (id, socket.hear().await["thread"]["subject"].clone())
    };
    let (first, subject) = hear(&mut socket, &text("one", 1, 0)).await;
    assert_eq!(subject, "one");
    assert_eq!(hear(&mut socket, &text("Re: one", 2, 1)).await.1, "one");
    for (n, label) in [(3, "trash"), (4, "spam"), (5, "blocked")] {
        let change = LabelChange::new(&[label], &[]).unwrap();
        agents
            .api
            .mailstore
            .update_labels(own.inbox, &[first], &change)
            .await
            .unwrap();
        let subject = hear(&mut socket, &text("Re: Re: one", n, 1)).await.1;
        assert_eq!(subject, "Re: one", "{label}");
        let change = LabelChange::new(&[], &[label]).unwrap();
        agents
            .api
            .mailstore
            .update_labels(own.inbox, &[first], &change)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn what_lies_outside_the_key_is_an_error_frame() {
    let agents = Agents::new().await;
    let own = Own::of(&agents, &agents.inbox).await;
    let neighbour = agents.inbox("neighbour").await;
    let neighbour = agents.id_of(&neighbour).await.to_string();
    let stranger = agents.api.tenant("B").await;
    let foreign = agents.api.inbox(&stranger.key, "foreign").await.text("id");
    let far_pod = agents
        .api
        .identity
        .create_pod(own.organization, "far", None)
        .await
        .unwrap();
    let at = listen(&agents).await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    for (key, frames) in [
        (
            &own.ak,
            vec![
                json!({ "inbox_ids": [neighbour] }),
                json!({ "inbox_ids": [own.inbox.to_string(), foreign] }),
                json!({ "workspace_ids": [far_pod.id.to_string()] }),
            ],
        ),
        (
            &own.wk,
            vec![
                json!({ "inbox_ids": [foreign] }),
                json!({ "workspace_ids": [far_pod.id.to_string()] }),
                json!({ "pod_ids": [stranger.workspace] }),
            ],
        ),
        (
            &own.tk,
            vec![
                json!({ "inbox_ids": [foreign] }),
                json!({ "inbox_ids": [nobody] }),
                json!({ "workspace_ids": [stranger.workspace] }),
                json!({ "event_types": ["message.delivered"] }),
                json!({ "event_types": ["message.received.spam"] }),
                json!({ "inbox_ids": vec![nobody; 11] }),
                json!({ "inbox_ids": "x" }),
                json!({ "last_event_id": "x" }),
                json!({ "type": "publish" }),
                json!([]),
            ],
        ),
    ] {
        let (mut socket, _) = open(at, key).await;
        for mut frame in frames {
            if frame.is_object() && frame.get("type").is_none() {
                frame["type"] = "subscribe".into();
            }
            socket.say(frame.clone()).await;
            let answer = socket.hear().await;
            let told = answer["message"].as_str().unwrap_or_default();
            assert!(answer["type"] == "error" && !told.is_empty(), "{frame}: {answer}");
            assert!(!told.contains("foreign"), "{told}");
        }
        // None of them was a subscription, and none ended the connection; signs of life are not answered.
        receive(&agents, &agents.inbox, "unheard", ReceivedAs::Plain).await;
        socket.say(json!({ "type": "pong" })).await;
        subscribed(
            &mut socket,
            json!({ "type": "subscribe", "workspace_ids": [own.pod.to_string()] }),
        )
        .await;
        receive(&agents, &agents.inbox, "heard", ReceivedAs::Plain).await;
        assert_eq!(subject(&mut socket).await, "heard");
    }
}

#[tokio::test]
async fn who_was_away_catches_up_and_hears_nothing_of_what_is_hidden_by_then() {
    let agents = Agents::new().await;
    let own = Own::of(&agents, &agents.inbox).await;
    let at = listen(&agents).await;
    let (mut socket, _) = open(at, &own.ak).await;
    subscribed(&mut socket, json!({ "type": "subscribe" })).await;
    receive(&agents, &agents.inbox, "a", ReceivedAs::Plain).await;
    let last = socket.hear().await["event_id"].clone();
    drop(socket);
    let gone = receive(&agents, &agents.inbox, "gone", ReceivedAs::Plain).await;
    receive(&agents, &agents.inbox, "b", ReceivedAs::Plain).await;
    let path = format!("/v1/inboxes/{}/messages/{gone}", own.inbox);
    agents.api.delete(&path, &own.ak).await.expect(StatusCode::OK);
    let (mut socket, _) = open(at, &own.ak).await;
    subscribed(&mut socket, json!({ "type": "subscribe", "last_event_id": last })).await;
    assert_eq!(subject(&mut socket).await, "b");
}

#[tokio::test]
async fn pings_and_the_end_of_a_key() {
    let agents = Agents::new().await;
    let own = Own::of(&agents, &agents.inbox).await;
    let at = listen(&agents).await;
    let (mut socket, _) = open(at, &own.ak).await;
    // Real sockets do not wait for a clock that stands still, so it is set forward by hand.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    assert_eq!(socket.hear().await, json!({ "type": "ping" }));
    let path = format!("/v1/inboxes/{}/rotate-credentials", own.inbox);
    let body = json!({ "apiKey": true });
    agents.api.post(&path, &own.tk, body).await.expect(StatusCode::OK);
    assert_eq!(socket.hear().await, Value::Null);
}

#[tokio::test]
async fn a_bounce_is_told_of_with_the_message_that_it_is_about() {
    let agents = Agents::new().await;
    let own = Own::of(&agents, &agents.inbox).await;
    let at = listen(&agents).await;
    let (mut socket, _) = open(at, &own.ak).await;
    subscribed(
        &mut socket,
        json!({ "type": "subscribe", "event_types": ["message.bounced"] }),
    )
    .await;
    let path = format!("/v1/inboxes/{}/send", own.inbox);
    let body = json!({ "to": ["bob@far.test"], "subject": "lost", "plainBody": "x" });
    let sent = agents.api.post(&path, &own.ak, body).await;
    let queue = &agents.api.queue;
    let job = queue.next_turn().await.next_job().await.unwrap().unwrap();
    let attempt = queue.open_attempt(&job, &Contact::default()).await.unwrap();
    let refused = Reason {
        code: 550,
        status: "5.1.1".into(),
        text: "nobody here".into(),
    };
    let outcomes = [(job.items[0].id, Outcome::Bounced(refused))];
    queue
        .close_attempt(attempt, &Contact::default(), &outcomes)
        .await
        .unwrap();
    let event = socket.hear().await;
    assert_eq!(event["event_type"], "message.bounced");
    assert_eq!(
        (&event["message"]["message_id"], &event["message"]["thread_id"]),
        (&json!(sent.text("id")), &json!(sent.text("threadId")))
    );
    assert_eq!(
        event["bounce"],
        json!({ "permanent": true, "recipients": ["bob@far.test"] })
    );
}
