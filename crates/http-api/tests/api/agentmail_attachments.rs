//! Attachments over AgentMail (agentmail.md §8) and the links to them.

use crate::agentmail_mail::{Agents, encoded};
use crate::agentmail_messages::FULL;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// The path of a link to this server.
fn path_of(url: &Value) -> String {
    let url = url.as_str().expect("a link");
    url.strip_prefix("http://mail.example.test:2080").expect(url).to_owned()
}

#[tokio::test]
async fn links_to_what_is_attached() {
    let agents = Agents::new().await;
    agents.receive(FULL).await;
    let attachments = agents.good("messages/%3Cone@example.net%3E").await["attachments"].clone();
    let id = attachments[0]["attachment_id"].as_str().unwrap();
    let path = agents.path(&format!("messages/%3Cone@example.net%3E/attachments/{}", encoded(id)));
    let shown = agents.with_host(&path, Some(&agents.key)).await;
    shown.expect(StatusCode::OK);
    assert_eq!(shown.body["attachment_id"], json!(id));
    assert!(shown.body["expires_at"].as_str().unwrap().ends_with('Z'));
    let bytes = agents.with_host(&path_of(&shown.body["download_url"]), None).await;
    bytes.expect(StatusCode::OK);
    assert_eq!(bytes.bytes, b"a,b\n1,2\n");
    let field = |name: &str| bytes.headers[name].to_str().unwrap();
    assert_eq!(field("content-type"), "text/csv");
    assert_eq!(field("x-content-type-options"), "nosniff");
    assert!(field("content-disposition").starts_with("attachment; filename=\"data.csv\""));
    let text = agents.with_host(&path_of(&shown.body["text_url"]), None).await;
    assert_eq!((text.status, text.bytes.as_slice()), (200, &b"a,b\n1,2\n"[..]));
    let png = attachments[1]["attachment_id"].as_str().unwrap();
    let path = agents.path(&format!("messages/%3Cone@example.net%3E/attachments/{}", encoded(png)));
    let shown = agents.with_host(&path, Some(&agents.key)).await;
    assert_eq!(shown.body.get("text_url"), None);
    let bytes = agents.with_host(&path_of(&shown.body["download_url"]), None).await;
    assert_eq!(bytes.bytes, b"png");

    let raw = agents
        .with_host(&agents.path("messages/%3Cone@example.net%3E/raw"), Some(&agents.key))
        .await;
    raw.expect(StatusCode::OK);
    assert_eq!(
        (&raw.body["message_id"], &raw.body["size"]),
        (&json!("<one@example.net>"), &json!(FULL.replace('\n', "\r\n").len()))
    );
    let link = path_of(&raw.body["download_url"]);
    let bytes = agents.with_host(&link, None).await;
    assert_eq!(bytes.bytes, FULL.replace('\n', "\r\n").as_bytes());
    assert_eq!(
        bytes.headers["content-length"].to_str().unwrap(),
        bytes.bytes.len().to_string()
    );

    for bad in [
        "messages/%3Cone@example.net%3E/attachments/0",
        "messages/%3Cone@example.net%3E/attachments/x.1",
    ] {
        assert_eq!(
            agents.with_host(&agents.path(bad), Some(&agents.key)).await.status,
            404,
            "{bad}"
        );
    }
    let forged = format!("{}0", &link[..link.len() - 1]);
    let other = format!("{}1", &link[..link.len() - 1]);
    assert!([forged, other].iter().any(|path| *path != link));
    for path in ["/postroom/v1/download/00", "/postroom/v1/download/x"] {
        assert_eq!(agents.with_host(path, None).await.status, 404, "{path}");
    }
    // It opens nothing any more when the message is gone.
    let gone = agents
        .api
        .delete(&agents.path("messages/%3Cone@example.net%3E"), &agents.key)
        .await;
    gone.expect(StatusCode::NO_CONTENT);
    assert_eq!(agents.with_host(&link, None).await.status, 404);
}

#[tokio::test]
async fn large_attachments_arrive_whole() {
    use std::fmt::Write;
    let agents = Agents::new().await;
    let bytes: Vec<u8> = (0..600_000_u32).map(|number| (number % 251) as u8).collect();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut base64 = String::new();
    for chunk in bytes.chunks(57) {
        for three in chunk.chunks(3) {
            let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            for shift in [18, 12, 6, 0] {
                base64.push(char::from(alphabet[(bits >> shift) as usize & 63]));
            }
        }
        writeln!(base64).unwrap();
    }
    let content = format!(
        "Message-ID: <b@x>\nContent-Type: application/pdf; name=x.pdf\nContent-Transfer-Encoding: base64\n\n{base64}"
    );
    agents.receive(&content).await;
    let shown = agents.good("messages/%3Cb@x%3E").await;
    assert_eq!(shown["attachments"][0]["size"], 600_000);
    let id = shown["attachments"][0]["attachment_id"].as_str().unwrap();
    let path = agents.path(&format!("messages/%3Cb@x%3E/attachments/{id}"));
    let link = path_of(&agents.with_host(&path, Some(&agents.key)).await.body["download_url"]);
    assert!(agents.with_host(&link, None).await.bytes == bytes);
}
