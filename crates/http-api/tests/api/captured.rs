//! Captured mail over our own routes.

use crate::mail::Mail;
use axum::http::StatusCode;
use postroom_types::EmailId;
use serde_json::json;

#[tokio::test]
async fn captured_mail_can_be_read() {
    let mail = Mail::new().await;
    let body = json!({
        "to": "Ünï <a@example.net>", "bcc": "b@example.net", "subject": "Grüße", "plainBody": "Heiß",
        "attachments": [{ "filename": "a.txt", "contentType": "text/plain", "content": "Zm9v" }],
    });
    let sent = mail.send(body).await;
    let mut turn = mail.api.queue.next_turn().await;
    let job = turn.next_job().await.unwrap().unwrap();
    mail.api.queue.capture(&job).await.unwrap();

    let list = mail.api.get("/postroom/v1/captured?limit=10", &mail.key).await;
    list.expect(StatusCode::OK);
    let rows = list.body["captured"].as_array().unwrap();
    let mut to: Vec<_> = rows.iter().map(|row| row["to"].as_str().unwrap()).collect();
    to.sort_unstable();
    assert_eq!(to, ["a@example.net", "b@example.net"]);
    assert!(
        rows.iter()
            .all(|row| row["message"] == sent.text("id") && row["from"].is_string())
    );
    let path = format!("/postroom/v1/captured/{}", rows[0]["id"].as_str().unwrap());
    for key in [&mail.key, &mail.api.operator] {
        let shown = mail.api.get(&path, key).await;
        shown.expect(StatusCode::OK);
        assert_eq!(
            (&shown.body["to"], &shown.body["from"]),
            (&rows[0]["to"], &rows[0]["from"])
        );
        for (field, expected) in [
            ("subject", json!("Grüße")),
            ("fromAddresses", json!(["scout@example.test"])),
            ("toAddresses", json!(["a@example.net"])),
            ("messageId", json!(sent.text("messageId"))),
        ] {
            assert_eq!(shown.body[field], expected, "{field}");
        }
        assert_eq!(shown.text("plainBody").trim_end(), "Heiß");
        assert_eq!(shown.body["attachments"][0]["filename"], "a.txt");
        let headers = shown.body["headers"].as_array().unwrap();
        assert!(headers.iter().any(|field| field["name"] == "DKIM-Signature"));
        let raw = mail.api.get(&format!("{path}/raw"), key).await;
        assert_eq!(raw.headers["content-type"], "message/rfc822");
        assert_eq!(raw.bytes.len() as u64, shown.body["sizeBytes"].as_u64().unwrap());
        assert!(!String::from_utf8_lossy(&raw.bytes).contains("b@example.net"));
    }
    for unknown in [
        "x".to_owned(),
        format!("{}.0", EmailId::new()),
        format!("{}.9", sent.text("id")),
    ] {
        for rest in ["", "/raw"] {
            let path = format!("/postroom/v1/captured/{unknown}{rest}");
            mail.api.get(&path, &mail.api.operator).await.refused(404, "NOT_FOUND");
        }
    }
}
