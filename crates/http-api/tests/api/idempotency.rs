//! A request that is sent again is done once.

use crate::mail::Mail;
use crate::setup::Answer;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

impl Mail {
    async fn keyed(&self, rest: &str, key: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method("POST")
            .uri(self.path(rest))
            .header("x-api-key", &self.key)
            .header("idempotency-key", key)
            .body(Body::from(body.to_string()));
        self.api.send(request.unwrap()).await
    }

    async fn sent_count(&self) -> usize {
        self.listed("?direction=outbound").await.0.len()
    }
}

fn replayed(answer: &Answer) -> bool {
    answer
        .headers
        .get("idempotent-replay")
        .is_some_and(|value| value == "true")
}

#[tokio::test]
async fn the_same_again_and_something_else() {
    let mail = Mail::new().await;
    let body = json!({ "to": "a@example.net", "subject": "x", "plainBody": "p" });
    let first = mail.keyed("send", "k1", &body).await;
    first.expect(StatusCode::OK);
    assert!(!replayed(&first));
    let again = mail.keyed("send", "k1", &body).await;
    again.expect(StatusCode::OK);
    assert!(replayed(&again));
    assert_eq!(first.body, again.body);
    let mut other = body.clone();
    other["plainBody"] = "q".into();
    mail.keyed("send", "k1", &other)
        .await
        .refused(409, "IDEMPOTENCY_KEY_REUSED");
    let reply = mail.keyed(&format!("reply/{}", first.text("id")), "k1", &body).await;
    reply.refused(409, "IDEMPOTENCY_KEY_REUSED");
    let fresh = mail.keyed("send", "k2", &body).await;
    assert_ne!(fresh.text("id"), first.text("id"));
    // A key belongs to an inbox.
    let another = mail.api.inbox(&mail.api.tenant("B").await.key, "other").await;
    let another = Mail {
        key: another.text("apiKey"),
        inbox: another.text("id").parse().unwrap(),
        api: mail.api,
    };
    let elsewhere = another.keyed("send", "k1", &other).await;
    elsewhere.expect(StatusCode::OK);
    assert!(!replayed(&elsewhere));
    assert_eq!(another.sent_count().await, 1);
}

#[tokio::test]
async fn what_was_refused_may_be_mended() {
    let mail = Mail::new().await;
    let body = json!({ "to": "nobody@example.test", "subject": "x" });
    mail.keyed("send", "k", &body).await.refused(400, "NO_SUCH_RECIPIENT");
    let mended = json!({ "to": "scout@example.test", "subject": "x" });
    let sent = mail.keyed("send", "k", &mended).await;
    sent.expect(StatusCode::OK);
    assert!(!replayed(&sent));
    for bad in ["", &"x".repeat(256)] {
        mail.keyed("send", bad, &mended).await.refused(400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn sixteen_at_once_are_one() {
    let mail = Mail::new().await;
    let body = json!({ "to": ["a@example.net", "scout@example.test"], "subject": "x" });
    let requests = (0..16).map(|_| mail.keyed("send", "once", &body));
    let answers = join_all(requests).await;
    for answer in &answers {
        answer.expect(StatusCode::OK);
        assert_eq!(answer.body, answers[0].body);
    }
    assert_eq!(answers.iter().filter(|answer| !replayed(answer)).count(), 1);
    assert_eq!(mail.sent_count().await, 1);
    let queue = mail.api.get("/postroom/v1/queue", &mail.key).await;
    assert_eq!(queue.body["queue"].as_array().unwrap().len(), 2);
    mail.check().await;
}

/// Polls all of them together, on one task.
async fn join_all<F: Future<Output = Answer>>(futures: impl Iterator<Item = F>) -> Vec<Answer> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in &mut waiting {
            if answer.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *answer = Some(ready);
            }
        }
        match waiting.iter().all(|(_, answer)| answer.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, answer)| answer).collect()
}
