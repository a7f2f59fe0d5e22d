//! The Inkbox dialect: the same request is done once.

use crate::inkbox_world::{GROUP, Ink, MESSAGE, has, letter};
use crate::setup::Answer;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

impl Ink {
    async fn lookup(&self, operation: &str, key: &str) -> Answer {
        let path = format!(
            "/api/v1/message-sends/lookup?sender_kind=mailbox&sender_id={}&operation={operation}",
            self.inbox
        );
        let request = Request::get(path)
            .header("x-api-key", &self.key)
            .header("idempotency-key", key);
        self.api.send(request.body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn the_same_request_is_done_once() {
    let ink = Ink::new().await;
    let source = ink.receive(GROUP).await;
    for (operation, rest, body) in [
        ("mail.send", "messages".to_owned(), letter("once")),
        (
            "mail.reply_all",
            format!("messages/{source}/reply-all"),
            json!({ "body_text": "once" }),
        ),
        (
            "mail.forward",
            format!("messages/{source}/forward"),
            json!({ "recipients": { "to": ["a@example.net"] } }),
        ),
    ] {
        ink.lookup(operation, "k").await.fails(404, "not_found");
        let first = ink.keyed(&rest, "k", &body).await;
        first.expect(StatusCode::CREATED);
        let again = ink.keyed(&rest, "k", &body).await;
        again.expect(StatusCode::CREATED);
        assert_eq!(first.body["id"], again.body["id"], "{operation}");
        assert_eq!(
            ink.lookup(operation, "k").await.body,
            json!({ "message_id": first.body["id"] })
        );
        let mut other = body.clone();
        other["body_text"] = json!("other");
        ink.keyed(&rest, "k", &other).await.fails(409, "idempotency_key_reused");
        // What was done is told, also when it is gone.
        ink.delete(&format!("messages/{}", first.text("id")))
            .await
            .expect(StatusCode::NO_CONTENT);
        let gone = ink.keyed(&rest, "k", &body).await;
        gone.expect(StatusCode::CREATED);
        has(&gone.body, MESSAGE);
        assert_eq!(
            (&gone.body["id"], &gone.body["status"]),
            (&first.body["id"], &json!("deleted"))
        );
    }
    // The source may be gone too.
    ink.delete(&format!("messages/{source}"))
        .await
        .expect(StatusCode::NO_CONTENT);
    let again = ink
        .keyed(
            &format!("messages/{source}/reply-all"),
            "k",
            &json!({ "body_text": "once" }),
        )
        .await;
    again.expect(StatusCode::CREATED);
    assert_eq!(ink.subjects("?direction=outbound").await, Vec::<String>::new());
    for bad in ["mail.other", ""] {
        ink.lookup(bad, "k").await.fails(422, "validation_error");
    }
}

#[tokio::test]
async fn equal_requests_at_once() {
    let ink = Ink::new().await;
    let body = letter("race");
    let answers = futures_util::future::join_all((0..16).map(|_| ink.keyed("messages", "r", &body))).await;
    let mut ids = Vec::new();
    for answer in &answers {
        match answer.status {
            201 => ids.push(answer.text("id")),
            _ => {
                answer.fails(409, "idempotency_in_progress");
                let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=5).contains(&wait));
            }
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(ink.subjects("?direction=outbound").await, ["race"]);
}
