//! The WebSocket at `/v0`.

use crate::agentmail_mail::Agents;
use crate::hearing::{gist, hello, listen, receive, send};
use axum::http::StatusCode;
use futures_util::{SinkExt, StreamExt};
use postroom_feed::ReceivedAs;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn try_open(at: SocketAddr, path: &str, key: Option<&str>) -> Result<Self, Error> {
        let mut request = format!("ws://{at}{path}").into_client_request()?;
        if let Some(key) = key {
            let value = format!("Bearer {key}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        Ok(Self(connect_async(request).await?.0))
    }

    async fn open(at: SocketAddr, key: &str) -> Self {
        Self::try_open(at, "/v0", Some(key)).await.unwrap()
    }

    pub(crate) async fn say(&mut self, frame: Value) {
        self.0.send(Message::Text(frame.to_string().into())).await.unwrap();
    }

    /// The next frame, pings apart; `null` at the end.
    pub(crate) async fn hear(&mut self) -> Value {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                    Some(Ok(Message::Ping(_))) => {}
                    _ => return Value::Null,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), next)
            .await
            .expect("a frame")
    }

    async fn subscribe(&mut self, frame: Value) {
        self.say(frame).await;
        assert_eq!(self.hear().await["type"], "subscribed");
    }

    async fn hear_gist(&mut self) -> (String, String) {
        gist(&self.hear().await)
    }
}

fn received(subject: &str) -> (String, String) {
    ("message.received".into(), subject.into())
}

#[tokio::test]
async fn the_handshake_asks_for_a_key() {
    let agents = Agents::new().await;
    let at = listen(&agents).await;
    let refused = async |path: &str, key: Option<&str>| match Socket::try_open(at, path, key).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
        Ok(_) => 101,
    };
    assert_eq!(refused("/v0", None).await, 401);
    assert_eq!(refused("/v0", Some("am_nobody")).await, 401);
    assert_eq!(refused("/v0?api_key=am_nobody", None).await, 401);
    assert_eq!(refused(&format!("/v0?api_key={}", agents.key), None).await, 101);
    assert_eq!(refused("/v0", Some(&agents.key)).await, 101);
    assert_eq!(
        refused(&format!("/v0?api_key={}", agents.key), Some(&agents.key)).await,
        101
    );
    let blind = agents.key_with(json!({ "inbox_read": true })).await;
    assert_eq!(refused("/v0", Some(&blind)).await, 403);
    // Without an upgrade it is no socket, and without a key it is still 401.
    agents
        .api
        .get("/v0", &agents.key)
        .await
        .expect(StatusCode::UPGRADE_REQUIRED);
    agents
        .api
        .get("/v0", "am_nobody")
        .await
        .expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn subscribers_hear_what_happens() {
    let agents = Agents::new().await;
    let other = agents.inbox("other").await;
    let at = listen(&agents).await;
    hello(&agents, "before").await;
    let (mut all, mut one) = (Socket::open(at, &agents.key).await, Socket::open(at, &agents.key).await);
    hello(&agents, "unheard").await;
    all.subscribe(json!({ "type": "subscribe" })).await;
    let frame = json!({ "type": "subscribe", "inbox_ids": [other], "event_types": ["message.received.spam", "message.received"] });
    one.say(frame.clone()).await;
    let mut answer = frame;
    answer["type"] = "subscribed".into();
    assert_eq!(one.hear().await, answer);
    hello(&agents, "a").await;
    receive(&agents, &other, "b", ReceivedAs::Plain).await;
    receive(&agents, &other, "c", ReceivedAs::Spam).await;
    send(&agents, "d").await;
    let sent = ("message.sent".to_owned(), "bob@far.test".to_owned());
    assert_eq!(
        [all.hear_gist().await, all.hear_gist().await, all.hear_gist().await],
        [received("a"), received("b"), sent]
    );
    let spam = ("message.received.spam".to_owned(), "c".to_owned());
    assert_eq!([one.hear_gist().await, one.hear_gist().await], [received("b"), spam]);
    // The last subscription counts, and goes on where the one before was.
    one.subscribe(json!({ "type": "subscribe" })).await;
    hello(&agents, "e").await;
    let mut heard = one.hear_gist().await;
    if heard.0 == "message.sent" {
        heard = one.hear_gist().await;
    }
    assert_eq!(heard, received("e"));
}

#[tokio::test]
async fn what_may_not_be_heard_of_is_an_error_frame() {
    let agents = Agents::new().await;
    let at = listen(&agents).await;
    let narrow = agents.key_with(json!({ "message_read": true })).await;
    let mut socket = Socket::open(at, &narrow).await;
    for (frame, name) in [
        (
            json!({ "type": "subscribe", "inbox_ids": ["nobody@example.test"] }),
            "NotFoundError",
        ),
        (json!({ "type": "subscribe", "pod_ids": ["nowhere"] }), "NotFoundError"),
        (
            json!({ "type": "subscribe", "event_types": ["message.received.spam"] }),
            "ForbiddenError",
        ),
        (
            json!({ "type": "subscribe", "event_types": ["message.eaten"] }),
            "ValidationError",
        ),
        (json!({ "type": "subscribe", "last_event_id": "x" }), "ValidationError"),
        (json!({ "type": "unsubscribe" }), "ValidationError"),
        (json!([]), "ValidationError"),
    ] {
        socket.say(frame.clone()).await;
        let answer = socket.hear().await;
        assert_eq!(
            (&answer["type"], answer["name"].as_str()),
            (&json!("error"), Some(name)),
            "{frame}"
        );
        assert!(answer["message"].is_string());
    }
    // None of them was a subscription, and none ended the connection.
    hello(&agents, "a").await;
    socket.subscribe(json!({ "type": "subscribe" })).await;
    hello(&agents, "b").await;
    assert_eq!(socket.hear_gist().await, received("b"));
    socket.0.send(Message::Text("x".repeat(100_000).into())).await.unwrap();
    assert_eq!(socket.hear().await, Value::Null, "a frame too long ends it");
}

#[tokio::test]
async fn who_was_away_catches_up() {
    let agents = Agents::new().await;
    let at = listen(&agents).await;
    let mut socket = Socket::open(at, &agents.key).await;
    socket.subscribe(json!({ "type": "subscribe" })).await;
    hello(&agents, "a").await;
    let last = socket.hear().await["event_id"].clone();
    drop(socket);
    for subject in ["b", "c", "d"] {
        hello(&agents, subject).await;
    }
    let mut socket = Socket::open(at, &agents.key).await;
    socket
        .subscribe(json!({ "type": "subscribe", "last_event_id": last }))
        .await;
    for subject in ["b", "c", "d"] {
        assert_eq!(socket.hear_gist().await, received(subject));
    }
    hello(&agents, "e").await;
    assert_eq!(socket.hear_gist().await, received("e"));
    agents.api.stopping.cancel();
    assert_eq!(socket.hear().await, Value::Null);
}

#[tokio::test]
async fn many_sockets_hear_all_in_order() {
    let agents = Arc::new(Agents::new().await);
    let at = listen(&agents).await;
    let subjects = ["a", "b", "c", "d", "e", "f"];
    let (ready, all_ready) = tokio::sync::mpsc::channel(1);
    let mut sockets = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (agents, ready) = (Arc::clone(&agents), ready.clone());
        sockets.spawn(async move {
            let mut socket = Socket::open(at, &agents.key).await;
            socket.subscribe(json!({ "type": "subscribe" })).await;
            drop(ready);
            let mut heard = Vec::new();
            while heard.len() < 6 {
                heard.push(socket.hear_gist().await);
            }
            heard
        });
    }
    drop(ready);
    let mut all_ready: tokio::sync::mpsc::Receiver<()> = all_ready;
    assert_eq!(all_ready.recv().await, None);
    for subject in subjects {
        hello(&agents, subject).await;
    }
    while let Some(heard) = sockets.join_next().await {
        assert_eq!(heard.unwrap(), subjects.map(received));
    }
}

#[tokio::test]
async fn a_revoked_key_ends_its_connections_at_once() {
    let agents = Agents::new().await;
    let at = listen(&agents).await;
    let api = &agents.api;
    let other = agents.inbox("other").await;
    let made = api.post("/v0/api-keys", &agents.key, json!({ "name": "short" })).await;
    let bound = format!("/v0/inboxes/{other}/api-keys");
    let bound = api.post(&bound, &agents.key, json!({ "name": "bound" })).await;
    let mut stays = Socket::open(at, &agents.key).await;
    for (key, gone) in [
        (&made, format!("/v0/api-keys/{}", made.text("api_key_id"))),
        // It goes with its inbox.
        (&bound, format!("/v0/inboxes/{other}")),
    ] {
        let mut socket = Socket::open(at, &key.text("api_key")).await;
        socket.subscribe(json!({ "type": "subscribe" })).await;
        let answer = api.delete(&gone, &agents.key).await;
        assert!(answer.status < 300, "{}", answer.body);
        let began = std::time::Instant::now();
        assert_eq!(socket.hear().await, Value::Null);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
    stays.subscribe(json!({ "type": "subscribe" })).await;
}
