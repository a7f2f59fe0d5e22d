//! Things that happen, and those who want to hear of them.

use crate::agentmail_mail::{Agents, SPAM};
use crate::arrival::Arrival;
use postroom_feed::ReceivedAs;
use postroom_http_api::{Limits, serve};
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::EmailId;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// A message that comes in and is announced.
pub(crate) async fn receive(agents: &Agents, inbox: &str, subject: &str, received_as: ReceivedAs) -> EmailId {
    let text = format!("From: Ann <ann@far.test>\r\nTo: {inbox}\r\nSubject: {subject}\r\n\r\nhello {subject}\r\n");
    receive_text(agents, inbox, &text, received_as).await
}

pub(crate) async fn receive_text(agents: &Agents, inbox: &str, text: &str, received_as: ReceivedAs) -> EmailId {
    receive_verified(agents, inbox, text, received_as, Vec::new()).await
}

/// As [`receive_text`], with a stored verdict.
pub(crate) async fn receive_verified(
    agents: &Agents,
    inbox: &str,
    text: &str,
    received_as: ReceivedAs,
    verdict: Vec<u8>,
) -> EmailId {
    let mailbox = if received_as == ReceivedAs::Spam {
        SPAM
    } else {
        MailboxRef::Inbox
    };
    let arrival = Arrival {
        verdict,
        received_as: Some(received_as),
        ..Arrival::at(1_790_000_000_000, Origin::Received, mailbox)
    };
    arrival.put(&agents.api, agents.id_of(inbox).await, text).await
}

/// Plain mail in the first inbox.
pub(crate) async fn hello(agents: &Agents, subject: &str) -> EmailId {
    receive(agents, &agents.inbox, subject, ReceivedAs::Plain).await
}

/// Mail that goes out.
pub(crate) async fn send(agents: &Agents, subject: &str) {
    let body = json!({ "to": ["bob@far.test"], "subject": subject, "text": "hello" });
    let sent = agents.api.post(&agents.path("messages/send"), &agents.key, body).await;
    sent.expect(axum::http::StatusCode::OK);
}

/// The API on a socket.
pub(crate) async fn listen(agents: &Agents) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = agents.api.router.clone();
    tokio::spawn(serve(listener, router, Limits::default(), agents.api.stopping.clone()));
    address
}

/// The type of an event, and the subject or message it is about.
pub(crate) fn gist(event: &Value) -> (String, String) {
    let about = event["message"]["subject"]
        .as_str()
        .or(event["send"]["recipients"][0].as_str());
    let event_type = event["event_type"].as_str().unwrap_or_default();
    (event_type.to_owned(), about.unwrap_or_default().to_owned())
}
