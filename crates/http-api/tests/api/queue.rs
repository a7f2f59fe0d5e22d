//! The queue and the traces over our own routes, and who sees what of them.

use crate::agentmail_mail::Agents;
use crate::mail::Mail;
use crate::setup::{Answer, Api};
use axum::http::StatusCode;
use postroom_queue::{Contact, ItemId, Outcome, Reason};
use postroom_types::EmailId;
use serde_json::{Value, json};

impl Mail {
    /// Works one job off: the outcome of each address, by the first letter of its local-part.
    async fn work(&self, outcome: impl Fn(char) -> Outcome) {
        let mut turn = self.api.queue.next_turn().await;
        let job = turn.next_job().await.unwrap().unwrap();
        let attempt = self.api.queue.open_attempt(&job, &Contact::default()).await.unwrap();
        let contact = Contact {
            host: "mx.example.net".into(),
            address: "192.0.2.1:25".into(),
            tls: "TLS 1.3 TLS13_AES_256_GCM_SHA384 (verified)".into(),
        };
        let letter = |address: &str| address.chars().next().unwrap();
        let outcomes: Vec<(ItemId, Outcome)> = job
            .items
            .iter()
            .map(|item| (item.id, outcome(letter(&item.address.to_string()))))
            .collect();
        self.api
            .queue
            .close_attempt(attempt, &contact, &outcomes)
            .await
            .unwrap();
    }

    async fn trace(&self, id: &str, key: &str) -> Answer {
        let path = format!("/postroom/v1/inboxes/{}/messages/{id}/trace", self.inbox);
        self.api.get(&path, key).await
    }
}

fn reason(code: u16, status: &str, text: &str) -> Reason {
    Reason {
        code,
        status: status.into(),
        text: text.into(),
    }
}

fn states(answer: &Answer, list: &str) -> Vec<(String, String)> {
    answer.expect(StatusCode::OK);
    let rows = answer.body[list].as_array().unwrap();
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| (text(row, "address"), text(row, "state")))
        .collect()
}

#[tokio::test]
async fn a_trace_tells_everything() {
    let mail = Mail::new().await;
    let to = [
        "delivered@example.net",
        "later@example.net",
        "never@example.net",
        "unsure@example.net",
    ];
    let sent = mail.send(json!({ "to": to, "subject": "x" })).await;
    let id = sent.text("id");
    let fresh = mail.trace(&id, &mail.key).await;
    assert_eq!(fresh.body["recipients"][3]["attempts"], json!([]));
    assert!(states(&fresh, "recipients").iter().all(|(_, state)| state == "queued"));
    mail.work(|letter| match letter {
        'd' => Outcome::Delivered(reason(250, "2.0.0", "queued as 1")),
        'l' => Outcome::Deferred(reason(451, "4.7.1", "greylisted")),
        'n' => Outcome::Bounced(reason(550, "5.1.1", "no such user")),
        _ => Outcome::Uncertain(reason(0, "4.4.2", "connection lost")),
    })
    .await;
    let traced = mail.trace(&id, &mail.api.operator).await;
    let expected = ["delivered", "queued", "bounced", "queued"];
    let found = states(&traced, "recipients");
    assert_eq!(
        found,
        to.map(str::to_owned)
            .into_iter()
            .zip(expected.map(str::to_owned))
            .collect::<Vec<_>>()
    );
    assert_eq!(
        (traced.text("id"), traced.text("inbox")),
        (id.clone(), mail.inbox.to_string())
    );
    for (at, outcome, code, text) in [
        (0, "delivered", json!(250), "queued as 1"),
        (1, "deferred", json!(451), "greylisted"),
        (2, "bounced", json!(550), "no such user"),
        (3, "uncertain", Value::Null, "connection lost"),
    ] {
        let recipient = &traced.body["recipients"][at];
        let [attempt] = &recipient["attempts"].as_array().unwrap()[..] else {
            panic!("{recipient}")
        };
        assert_eq!(
            (&attempt["outcome"], &attempt["code"], &attempt["reason"]),
            (&json!(outcome), &code, &json!(text))
        );
        assert_eq!(
            (&attempt["host"], &attempt["address"]),
            (&json!("mx.example.net"), &json!("192.0.2.1:25"))
        );
        assert!(attempt["tls"].as_str().unwrap().ends_with("(verified)"));
        assert!(attempt["startedAt"].is_string() && attempt["endedAt"].is_string());
        assert_eq!(recipient["nextAttemptAt"].is_string(), at % 2 == 1, "{recipient}");
        assert_eq!(recipient["final"], at % 2 == 0);
    }
    let shown = mail.api.get(&format!("/postroom/v1/queue/{id}"), &mail.key).await;
    assert_eq!(shown.body["recipients"], traced.body["recipients"]);
    // What came in was never sent.
    let received = mail.receive("From: a@example.net\n\nx\n").await.to_string();
    assert_eq!(mail.trace(&received, &mail.key).await.body["recipients"], json!([]));
    for unknown in [EmailId::new().to_string(), "nonsense".into()] {
        mail.trace(&unknown, &mail.key).await.refused(404, "NOT_FOUND");
    }
}

/// Inbox and message are found under all their names, by who may read mail there and by nobody else.
#[tokio::test]
async fn a_trace_by_name_and_by_key() {
    let agents = Agents::new().await;
    let (api, inbox) = (&agents.api, &agents.inbox);
    let body = json!({ "to": ["a@example.net"], "subject": "x", "text": "x" });
    let sent = api
        .post(&format!("/v0/inboxes/{inbox}/messages/send"), &agents.key, body)
        .await;
    sent.expect(StatusCode::OK);
    let name = sent.text("message_id").replace('<', "%3C").replace('>', "%3E");
    let trace = async |inbox: &str, message: &str, key: &str| {
        let path = format!("/postroom/v1/inboxes/{inbox}/messages/{message}/trace");
        api.get(&path, key).await
    };
    let first = trace(inbox, &name, &agents.key).await;
    assert_eq!(
        states(&first, "recipients"),
        [("a@example.net".to_owned(), "queued".to_owned())]
    );
    let (id, own) = (first.text("id"), agents.id_of(inbox).await.to_string());
    let reader = agents.key_with(json!({ "message_read": true })).await;
    let of_inbox = api
        .post(&format!("/v0/inboxes/{inbox}/api-keys"), &agents.key, json!({}))
        .await;
    for key in [&agents.key, &reader, &of_inbox.text("api_key"), &api.operator] {
        for inbox in [inbox.as_str(), own.as_str()] {
            for message in [&name, &id, &format!("{id}@postroom.invalid")] {
                let answer = trace(inbox, message, key).await;
                assert_eq!(answer.body["id"], first.body["id"], "{inbox} {message}");
            }
        }
    }
    let other = agents.inbox("other").await;
    let of_other = api
        .post(&format!("/v0/inboxes/{other}/api-keys"), &agents.key, json!({}))
        .await;
    let foreign = api.tenant("B").await;
    let foreign_key = api.organization_key(&foreign.id).await;
    for key in [&of_other.text("api_key"), &foreign_key, &foreign.key] {
        for (inbox, message) in [(inbox.as_str(), &name), (own.as_str(), &id)] {
            assert_eq!(trace(inbox, message, key).await.status, 404, "{inbox} {message}");
        }
    }
    let narrow = agents.key_with(json!({ "message_send": true })).await;
    trace(inbox, &name, &narrow).await.refused(403, "FORBIDDEN");
    trace(&other, &name, &agents.key).await.refused(404, "NOT_FOUND");
    trace("nobody@example.test", &name, &agents.key)
        .await
        .refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let mail = Mail::new().await;
    for n in 0..3 {
        let to = [format!("a{n}@example.net"), format!("b{n}@example.org")];
        mail.send(json!({ "to": to, "subject": "x" })).await;
    }
    let list = async |query: &str| {
        mail.api
            .get(&format!("/postroom/v1/queue{query}"), &mail.api.operator)
            .await
    };
    assert_eq!(states(&list("").await, "queue").len(), 6);
    let one_domain = list("?domain=Example.ORG").await;
    assert!(
        states(&one_domain, "queue")
            .iter()
            .all(|(address, _)| address.ends_with("@example.org"))
    );
    assert_eq!(states(&one_domain, "queue").len(), 3);
    assert!(states(&list("?state=bounced").await, "queue").is_empty());
    assert_eq!(
        states(&list(&format!("?inbox={}&state=queued", mail.inbox)).await, "queue").len(),
        6
    );
    let (mut seen, mut next) = (Vec::new(), String::new());
    for _ in 0..10 {
        let page = list(&format!("?limit=4{next}")).await;
        seen.extend(states(&page, "queue"));
        match page.body["next"].as_str() {
            Some(cursor) => next = format!("&after={cursor}"),
            None => break,
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
    for bad in [
        "limit=0",
        "state=Queued",
        "after=x",
        "domain=a..b",
        "state=queued&state=held",
    ] {
        list(&format!("?{bad}")).await.refused(400, "VALIDATION_ERROR");
    }
    list("?inbox=x").await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn worked_by_hand() {
    let mail = Mail::new().await;
    let sent = mail
        .send(json!({ "to": ["a@example.net", "b@example.net"], "subject": "x" }))
        .await;
    let path = format!("/postroom/v1/queue/{}", sent.text("id"));
    let act = async |verb: &str, key: &str, body: Value| mail.api.post(&format!("{path}/{verb}"), key, body).await;
    let now = async || {
        let found = states(&mail.api.get(&path, &mail.key).await, "recipients");
        found.into_iter().map(|(_, state)| state).collect::<Vec<_>>().join(" ")
    };
    let sa = mail.api.operator.clone();
    for (verb, body, changed, after) in [
        ("hold", json!({ "recipient": 1 }), 1, "queued on-hold"),
        ("hold", json!({}), 1, "on-hold on-hold"),
        ("retry", json!({ "recipient": 0 }), 1, "queued on-hold"),
        ("cancel", json!({ "recipient": 1 }), 1, "queued cancelled"),
        ("cancel", json!({}), 1, "cancelled cancelled"),
    ] {
        let answer = act(verb, &sa, body.clone()).await;
        answer.expect(StatusCode::OK);
        assert_eq!(
            (&answer.body["changed"], now().await.as_str()),
            (&json!(changed), after),
            "{verb} {body}"
        );
    }
    act("retry", &sa, json!({})).await;
    assert_eq!(now().await, "cancelled cancelled");
    act("hold", &sa, json!({ "recipient": 2 }))
        .await
        .refused(404, "NOT_FOUND");
    act("hold", &sa, json!({ "recipient": 70_000 }))
        .await
        .refused(404, "NOT_FOUND");
    act("hold", &sa, json!({ "recipient": "a" }))
        .await
        .refused(400, "VALIDATION_ERROR");
    act("hold", &mail.key, json!({})).await.refused(403, "FORBIDDEN");
    mail.api
        .post("/postroom/v1/queue/flush", &sa, json!({}))
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn a_sender_takes_its_mail_back() {
    let mail = Mail::new().await;
    let sent = mail.send(json!({ "to": "a@example.net", "subject": "x" })).await;
    let path = format!("/postroom/v1/queue/{}/cancel", sent.text("id"));
    assert_eq!(mail.api.post(&path, &mail.key, json!({})).await.body["changed"], 1);
}

#[tokio::test]
async fn each_sees_its_own() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let (_, wk) = api.workspace(&a, "W").await;
    let inboxes = [
        api.inbox(&wk, "within").await,
        api.inbox(&a.key, "outside").await,
        api.inbox(&b.key, "foreign").await,
    ];
    let mut sent = Vec::new();
    for inbox in &inboxes {
        let body = json!({ "to": "a@example.net", "subject": inbox.text("username") });
        let path = format!("/v1/inboxes/{}/send", inbox.text("id"));
        let answer = api.post(&path, &inbox.text("apiKey"), body).await;
        answer.expect(StatusCode::OK);
        sent.push(answer.text("id"));
    }
    let mut turn = api.queue.next_turn().await;
    while let Some(job) = turn.next_job().await.unwrap() {
        api.queue.capture(&job).await.unwrap();
    }
    for (key, sees) in [
        (&api.operator, [true, true, true]),
        (&a.key, [true, true, false]),
        (&wk, [true, false, false]),
        (&inboxes[0].text("apiKey"), [true, false, false]),
        (&b.key, [false, false, true]),
    ] {
        for (list, field) in [("queue", "message"), ("captured", "message")] {
            // Nothing is pending any more.
            let path = format!(
                "/postroom/v1/{list}?limit=2{}",
                if list == "queue" { "&state=all" } else { "" }
            );
            let page = api.get(&path, key).await;
            let mut found: Vec<Value> = page.body[list].as_array().unwrap().clone();
            if let Some(next) = page.body["next"].as_str() {
                let rest = api.get(&format!("{path}&after={next}"), key).await;
                found.extend(rest.body[list].as_array().unwrap().clone());
            }
            let seen = sent.iter().map(|id| found.iter().any(|row| row[field] == *id));
            assert_eq!(seen.collect::<Vec<_>>(), sees, "{list}");
        }
        for ((inbox, id), sees) in inboxes.iter().zip(&sent).zip(sees) {
            let own = inbox.text("id");
            for path in [
                format!("/postroom/v1/queue/{id}"),
                format!("/postroom/v1/queue?inbox={own}"),
                format!("/postroom/v1/captured/{id}.0"),
                format!("/postroom/v1/captured/{id}.0/raw"),
                format!("/postroom/v1/inboxes/{own}/messages/{id}/trace"),
                format!("/postroom/v1/inboxes/{own}"),
            ] {
                let answer = api.get(&path, key).await;
                assert_eq!(answer.status, if sees { 200 } else { 404 }, "{path}: {}", answer.body);
            }
            let cancelled = api
                .post(&format!("/postroom/v1/queue/{id}/cancel"), key, json!({}))
                .await;
            assert_eq!(cancelled.status, if sees { 200 } else { 404 });
        }
    }
    // By the wrong inbox, one's own message is not there either.
    let wrong = format!(
        "/postroom/v1/inboxes/{}/messages/{}/trace",
        inboxes[1].text("id"),
        sent[0]
    );
    api.get(&wrong, &a.key).await.refused(404, "NOT_FOUND");
}
