//! Events in order, page by page, waiting, and as a stream.

use crate::agentmail_mail::Agents;
use crate::hearing::{gist, hello, listen, receive, receive_text, send};
use crate::setup::Answer;
use axum::body::{Body, HttpBody};
use axum::http::{Request, StatusCode, header};
use postroom_feed::{Feed, ReceivedAs};
use serde_json::{Value, json};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

const EVENTS: &str = "/postroom/v1/events";

async fn events(agents: &Agents, query: &str) -> Answer {
    agents.api.get(&format!("{EVENTS}{query}"), &agents.key).await
}

/// The events of a page, and where it ends.
fn page(answer: &Answer) -> (Vec<(String, String)>, String, bool) {
    answer.expect(StatusCode::OK);
    let events = answer.body["events"].as_array().unwrap().iter().map(gist).collect();
    (events, answer.text("next"), answer.body["more"].as_bool().unwrap())
}

fn received(subject: &str) -> (String, String) {
    ("message.received".into(), subject.into())
}

#[tokio::test]
async fn pages_tell_each_event_once() {
    let agents = Agents::new().await;
    for subject in ["a", "b", "c", "d", "e"] {
        hello(&agents, subject).await;
    }
    let (first, next, more) = page(&events(&agents, "?limit=2").await);
    assert_eq!((first, more), (vec![received("a"), received("b")], true));
    let (second, next, _) = page(&events(&agents, &format!("?limit=2&after={next}")).await);
    assert_eq!(second, [received("c"), received("d")]);
    let (third, next, more) = page(&events(&agents, &format!("?limit=2&after={next}")).await);
    assert_eq!((third, more), (vec![received("e")], false));
    let (none, again, more) = page(&events(&agents, &format!("?after={next}")).await);
    assert!(none.is_empty() && !more && again >= next);
    hello(&agents, "f").await;
    assert_eq!(
        page(&events(&agents, &format!("?after={again}")).await).0,
        [received("f")]
    );
    let (none, now, _) = page(&events(&agents, "?after=now").await);
    assert!(none.is_empty());
    hello(&agents, "g").await;
    assert_eq!(
        page(&events(&agents, &format!("?after={now}")).await).0,
        [received("g")]
    );
    // By the id of an event as good as by a cursor.
    let all = events(&agents, "").await;
    let id = all.body["events"][5]["event_id"].as_str().unwrap();
    assert_eq!(page(&events(&agents, &format!("?after={id}")).await).0, [received("g")]);
}

#[tokio::test]
async fn an_event_has_what_the_clients_read() {
    let agents = Agents::new().await;
    hello(&agents, "a").await;
    send(&agents, "b").await;
    let all = events(&agents, "").await;
    let [incoming, outgoing] = all.body["events"].as_array().unwrap().as_slice() else {
        panic!("{}", all.body)
    };
    assert_eq!(
        (&incoming["type"], &incoming["event_type"]),
        (&json!("event"), &json!("message.received"))
    );
    assert!(incoming["event_id"].as_str().unwrap().starts_with("evt_"));
    let message = &incoming["message"];
    assert_eq!(message["inbox_id"], agents.inbox.as_str());
    assert_eq!(
        (&message["from"], &message["text"]),
        (&json!("Ann <ann@far.test>"), &json!("hello a\r\n"))
    );
    assert!(message["labels"].as_array().unwrap().contains(&json!("unread")));
    assert!(message["timestamp"].is_string() && message["headers"].is_object());
    assert_eq!(incoming["thread"]["thread_id"], message["thread_id"]);
    assert_eq!(incoming["thread"]["message_count"], 1);
    assert_eq!(outgoing["event_type"], "message.sent");
    let send = &outgoing["send"];
    assert_eq!(send["recipients"], json!(["bob@far.test"]));
    assert_eq!(send["inbox_id"], agents.inbox.as_str());
    let id = send["message_id"]
        .as_str()
        .unwrap()
        .replace('<', "%3C")
        .replace('>', "%3E");
    let message = agents.get(&format!("messages/{id}")).await;
    message.expect(StatusCode::OK);
    assert_eq!(message.body["thread_id"], send["thread_id"]);
    assert!(send["timestamp"].is_string());
}

#[tokio::test]
async fn long_texts_are_left_out() {
    let agents = Agents::new().await;
    let text = format!("Subject: long\r\n\r\n{}", "0123456789\r\n".repeat(100_000));
    receive_text(&agents, &agents.inbox, &text, ReceivedAs::Plain).await;
    let all = events(&agents, "").await;
    let message = &all.body["events"][0]["message"];
    assert_eq!(message["subject"], "long");
    assert!(message["text"].is_null() && message["extracted_text"].is_null());
    assert!(all.bytes.len() < 1_000_000);
}

#[tokio::test]
async fn what_is_gone_is_not_told() {
    let agents = Agents::new().await;
    let other = agents.inbox("other").await;
    receive(&agents, &other, "a", ReceivedAs::Plain).await;
    hello(&agents, "b").await;
    agents
        .api
        .delete(&format!("/v0/inboxes/{other}"), &agents.key)
        .await
        .expect(StatusCode::NO_CONTENT);
    assert_eq!(page(&events(&agents, "").await).0, [received("b")]);
}

#[tokio::test]
async fn a_page_waits_for_what_is_to_come() {
    let agents = Arc::new(Agents::new().await);
    let began = Instant::now();
    let (none, next, _) = page(&events(&agents, "?after=now&wait=1").await);
    assert!(none.is_empty() && began.elapsed() >= Duration::from_secs(1));
    let waiting = Arc::clone(&agents);
    let began = Instant::now();
    let query = format!("?after={next}&wait=30&event_types=message.sent");
    let waiting = tokio::spawn(async move { events(&waiting, &query).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    hello(&agents, "not asked for").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    send(&agents, "a").await;
    let (told, ..) = page(&waiting.await.unwrap());
    assert_eq!(told, [("message.sent".into(), "bob@far.test".into())]);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn many_wait_at_once_and_all_hear_all() {
    let agents = Arc::new(Agents::new().await);
    let mut waiting = tokio::task::JoinSet::new();
    let (_, start, _) = page(&events(&agents, "?after=now").await);
    for _ in 0..300 {
        let (agents, mut next) = (Arc::clone(&agents), start.clone());
        waiting.spawn(async move {
            let mut heard = Vec::new();
            while heard.len() < 8 {
                let (told, after, _) = page(&events(&agents, &format!("?after={next}&wait=30")).await);
                heard.extend(told);
                next = after;
            }
            heard
        });
    }
    let subjects = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for subject in subjects {
        hello(&agents, subject).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while let Some(heard) = waiting.join_next().await {
        assert_eq!(heard.unwrap(), subjects.map(received));
    }
}

#[tokio::test]
async fn filters_and_scopes() {
    let agents = Agents::new().await;
    let other = agents.inbox("other").await;
    hello(&agents, "mine").await;
    receive(&agents, &other, "other", ReceivedAs::Plain).await;
    receive(&agents, &agents.inbox, "spam", ReceivedAs::Spam).await;
    let told = async |query: &str, key: &str| page(&agents.api.get(&format!("{EVENTS}{query}"), key).await).0;
    assert_eq!(told("", &agents.key).await, [received("mine"), received("other")]);
    assert_eq!(
        told(&format!("?inbox_id={other}"), &agents.key).await,
        [received("other")]
    );
    let id = agents.id_of(&other).await;
    assert_eq!(told(&format!("?inbox_id={id}"), &agents.key).await, [received("other")]);
    let spam = [("message.received.spam".to_owned(), "spam".to_owned())];
    assert_eq!(told("?event_types=message.received.spam", &agents.key).await, spam);
    let made = agents
        .api
        .post(&format!("/v0/inboxes/{other}/api-keys"), &agents.key, json!({}))
        .await;
    made.expect(StatusCode::OK);
    assert_eq!(told("", &made.text("api_key")).await, [received("other")]);
    let refused = agents
        .api
        .get(&format!("{EVENTS}?inbox_id={}", agents.inbox), &made.text("api_key"))
        .await;
    refused.refused(404, "NOT_FOUND");
    let narrow = agents.key_with(json!({ "message_read": true })).await;
    assert_eq!(told("", &narrow).await.len(), 2);
    let refused = agents
        .api
        .get(&format!("{EVENTS}?event_types=message.received.spam"), &narrow)
        .await;
    refused.refused(403, "MISSING_PERMISSION");
    let blind = agents.key_with(json!({ "inbox_read": true })).await;
    agents.api.get(EVENTS, &blind).await.refused(403, "MISSING_PERMISSION");
    agents
        .api
        .get(EVENTS, &agents.api.operator)
        .await
        .refused(403, "FORBIDDEN");
    agents.api.get(EVENTS, "am_nobody").await.refused(401, "UNAUTHORIZED");
    for (query, status) in [
        ("?limit=0", 400),
        ("?limit=1001", 400),
        ("?wait=56", 400),
        ("?after=yesterday", 400),
        ("?event_types=message.eaten", 400),
        ("?inbox_id=nobody@example.test", 404),
        ("?pod_id=nowhere", 404),
    ] {
        assert_eq!(events(&agents, query).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn who_comes_too_late_is_told_how_to_go_on() {
    let agents = Agents::new().await;
    let (_, start, _) = page(&events(&agents, "?after=now").await);
    hello(&agents, "a").await;
    let late = Feed::new(
        Arc::clone(&agents.api.store),
        postroom_feed::Options {
            keep: Duration::ZERO,
            clock: Arc::new(|| i64::MAX),
        },
    );
    while !late.maintain(100).await.unwrap() {}
    // What a listener still has in memory is told; a server without listeners has to say that it is gone.
    let gone = events(&agents, &format!("?after={start}")).await;
    gone.refused(410, "CURSOR_GONE");
    let oldest = gone.text("oldest");
    hello(&agents, "b").await;
    assert_eq!(
        page(&events(&agents, &format!("?after={oldest}")).await).0,
        [received("b")]
    );
    assert_eq!(page(&events(&agents, "").await).0, [received("b")]);
    assert!(gone.text("newest") >= oldest);
}

/// A stream of events, as it comes over the wire.
struct Stream {
    stream: TcpStream,
    text: String,
}

impl Stream {
    async fn open(at: SocketAddr, key: &str, query: &str, field: &str) -> Self {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let head = format!(
            "GET {EVENTS}{query} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nx-api-key: {key}\r\n{field}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut stream = Self {
            stream,
            text: String::new(),
        };
        stream.until("retry: 2000").await;
        stream
    }

    /// Reads until something was said.
    async fn until(&mut self, what: &str) {
        let reading = async {
            while !self.text.contains(what) {
                let mut buffer = [0; 4096];
                let octets = self.stream.read(&mut buffer).await.unwrap();
                assert!(octets > 0, "it ended: {}", self.text);
                self.text.push_str(std::str::from_utf8(&buffer[..octets]).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(10), reading)
            .await
            .expect(what);
    }

    /// The ids and subjects of the events so far.
    fn heard(&self) -> Vec<(String, String)> {
        let field = |line: &str, name: &str| line.strip_prefix(name).map(|value| value.trim().to_owned());
        let mut id = String::new();
        let mut heard = Vec::new();
        for line in self.text.lines() {
            id = field(line, "id:").unwrap_or(id);
            if let Some(data) = field(line, "data:") {
                let event: Value = serde_json::from_str(&data).unwrap();
                heard.push((id.clone(), gist(&event).1));
            }
        }
        heard
    }
}

#[tokio::test]
async fn a_stream_goes_on_where_it_broke_off() {
    let agents = Agents::new().await;
    let at = listen(&agents).await;
    hello(&agents, "a").await;
    let mut stream = Stream::open(at, &agents.key, "", "").await;
    assert!(
        stream.text.contains("content-type: text/event-stream"),
        "{}",
        stream.text
    );
    stream.until("hello a").await;
    hello(&agents, "b").await;
    stream.until("hello b").await;
    let heard = stream.heard();
    let subjects: Vec<_> = heard.iter().map(|(_, subject)| subject.as_str()).collect();
    assert_eq!(subjects, ["a", "b"]);
    assert!(stream.text.contains("event: message.received\n"));
    drop(stream);
    hello(&agents, "c").await;
    let field = format!("last-event-id: {}\r\n", heard[0].0);
    let mut stream = Stream::open(at, &agents.key, "?after=now", &field).await;
    stream.until("hello c").await;
    let subjects: Vec<_> = stream.heard().into_iter().map(|(_, subject)| subject).collect();
    assert_eq!(subjects, ["b", "c"]);
    agents.api.stopping.cancel();
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(5), stream.stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "a stream does not hold up the server's end");
}

/// A stream that has much to catch up on, for a client that reads slowly, does not outlive its key.
#[tokio::test]
async fn a_stream_that_catches_up_ends_with_its_key() {
    let agents = Agents::new().await;
    for number in 0..120 {
        hello(&agents, &number.to_string()).await;
    }
    let made = agents
        .api
        .post("/v0/api-keys", &agents.key, json!({ "name": "x" }))
        .await;
    let request = Request::builder()
        .uri(EVENTS)
        .header(header::ACCEPT, "text/event-stream")
        .header("x-api-key", made.text("api_key"))
        .body(Body::empty())
        .unwrap();
    let mut body = agents.api.router.clone().oneshot(request).await.unwrap().into_body();
    let mut frames = 0;
    while frames < 5 {
        frame(&mut body).await.expect("more");
        frames += 1;
    }
    let gone = agents
        .api
        .delete(&format!("/v0/api-keys/{}", made.text("api_key_id")), &agents.key)
        .await;
    gone.expect(StatusCode::NO_CONTENT);
    while frame(&mut body).await.is_some() {
        frames += 1;
    }
    assert!(frames < 60, "{frames} pieces");
}

async fn frame(body: &mut Body) -> Option<()> {
    let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
    frame.ok().map(|_| ())
}
