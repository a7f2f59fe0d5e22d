//! Imports over HTTP: what the vendor's client sends, and what may go wrong.

use crate::inkbox_world::Ink;
use crate::setup::Answer;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const MBOX: &str = "From a Thu Jan  1 00:00:00 2015\nFrom: a@example.net\nMessage-ID: <1@x>\nSubject: one\n\n1\n\n\
                    From a Thu Jan  1 00:00:00 2015\nFrom: a@example.net\nMessage-ID: <2@x>\nSubject: two\n\n2\n\n";

async fn uploaded(ink: &Ink, target: &Value, parts: &[(&str, &str)]) -> Answer {
    let mut form = String::new();
    for (name, content) in parts {
        let file = if *name == "file" { "; filename=\"a.mbox\"" } else { "" };
        form += &format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n");
    }
    form += "--b--\r\n";
    let url = target["url"].as_str().unwrap();
    let path = &url[url.find("/api/").unwrap()..];
    let request = Request::post(path)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(Body::from(form))
        .unwrap();
    ink.api.send(request).await
}

impl Ink {
    fn imports(&self, rest: &str) -> String {
        format!("/api/v1/mail/mailboxes/{}/imports{rest}", self.address)
    }

    async fn new_import(&self, body: Value) -> Answer {
        let request = Request::post(self.imports(""))
            .header("x-api-key", &self.key)
            .header("host", "mail.example.test")
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        self.api.send(request.unwrap()).await
    }
}

#[tokio::test]
async fn from_the_job_to_the_mail() {
    let ink = Ink::new().await;
    let made = ink
        .new_import(json!({ "source_format": "auto", "original_addresses": null, "mark_as_read": false }))
        .await;
    made.expect(StatusCode::CREATED);
    let (job, target) = (&made.body["job"], &made.body["upload"]);
    assert_eq!(
        (&job["status"], &job["messages_processed"]),
        (&json!("pending_upload"), &json!(0))
    );
    assert_eq!(target["expires_in_seconds"], json!(3600));
    let one = |rest: &str| ink.imports(&format!("/{}{rest}", job["id"].as_str().unwrap()));
    let early = ink.api.post(&one("/start"), &ink.key, json!({})).await;
    early.fails(409, "mail_import_state");

    let ticket = target["fields"]["ticket"].as_str().unwrap();
    let url = target["url"].as_str().unwrap();
    for wrong in ["wrong", ""] {
        // Whatever the form says: of that nothing is read.
        let target = json!({ "url": url.replace(ticket, wrong) });
        let refused = uploaded(&ink, &target, &[("ticket", ticket), ("file", MBOX)]).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
    }
    // Much before the file, without a part's head or in a field, and none at all.
    let pieces = (0..100).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 10_000]));
    let endless = Request::post(&url[url.find("/api/").unwrap()..])
        .header("content-type", "multipart/form-data; boundary=b")
        .body(Body::from_stream(futures_util::stream::iter(pieces)));
    assert_eq!(ink.api.send(endless.unwrap()).await.status, 422);
    assert_eq!(uploaded(&ink, target, &[("ticket", ticket)]).await.status, 422);
    uploaded(&ink, target, &[("ticket", ticket), ("file", MBOX)])
        .await
        .expect(StatusCode::NO_CONTENT);
    let shown = ink.api.get(&one(""), &ink.key).await;
    assert_eq!(shown.body["upload_size_bytes"], json!(MBOX.len()));

    let started = ink.api.post(&one("/start"), &ink.key, json!({})).await;
    assert_eq!(started.body["status"], "queued");
    while ink.api.imports.turn(&CancellationToken::new()).await.unwrap() {}
    let ended = ink.api.get(&one(""), &ink.key).await;
    assert_eq!(
        (&ended.body["status"], &ended.body["messages_imported"]),
        (&json!("completed"), &json!(2))
    );
    assert!(ended.body["finished_at"].is_string());
    let listed = ink.api.get(&ink.imports("?limit=1"), &ink.key).await;
    assert_eq!(
        (&listed.body["items"][0], &listed.body["has_more"]),
        (&ended.body, &json!(false))
    );
    let messages = ink.good("messages").await;
    let subjects: Vec<&str> = messages["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["subject"].as_str().unwrap())
        .collect();
    assert_eq!(subjects, ["two", "one"]);
    ink.api
        .post(&one("/cancel"), &ink.key, json!({}))
        .await
        .fails(409, "mail_import_state");
    // Nothing is left in it.
    std::fs::remove_dir(&ink.api.imports.options().folder).unwrap();
}

#[tokio::test]
async fn refusals() {
    let ink = Ink::new().await;
    for bad in [
        json!({ "source_format": "pst" }),
        json!({ "original_addresses": ["no address"] }),
        json!({ "mark_as_read": "yes" }),
        json!({ "unknown": 1 }),
    ] {
        let refused = ink.new_import(bad).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
    }
    let made = ink.new_import(json!({})).await;
    made.expect(StatusCode::CREATED);
    for _ in 0..4 {
        ink.new_import(json!({})).await.expect(StatusCode::CREATED);
    }
    let many = ink.new_import(json!({})).await;
    many.fails(429, "mail_import_quota_exceeded");
    assert!(many.headers.contains_key("retry-after"));
    let job = made.body["job"]["id"].as_str().unwrap();
    let stranger = ink.api.inbox(&ink.admin, "ranger").await.text("apiKey");
    for key in [&stranger, &ink.api.tenant("B").await.key] {
        let path = ink.imports(&format!("/{job}"));
        ink.api.get(&path, key).await.fails(404, "not_found");
        ink.api
            .post(&format!("{path}/cancel"), key, json!({}))
            .await
            .fails(404, "not_found");
    }
    let nowhere = json!({ "url": format!("http://x/api/v1/mail/imports/{}/upload?ticket=x", "0".repeat(8)) });
    assert_eq!(
        uploaded(&ink, &nowhere, &[("ticket", "x"), ("file", "x")]).await.status,
        404
    );
}
