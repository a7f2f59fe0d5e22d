//! Bodies in base64 as list software and damage leave them (RFC 2045 §6.8): read rightly, and the same by every call.

use crate::agentmail_mail::Agents;
use axum::http::StatusCode;
use serde_json::json;

const TEXT: &str = "Code 4711 for the zebra";
const BODIES: [&str; 5] = [
    "Q29kZSA0NzExIGZvciB0aGUgemVicmE=",
    "Q29kZSA0NzExIGZvciB0aGUgemVicmE=\n\n-- \nlist footer, unsubscribe here\n",
    "Q29kZSA0NzEx\nIGZvciB0*aGUgemVicmE=\n",
    "\u{e9}Q29kZSA0NzExIGZvciB0aGUgemVicmE=\n",
    "Q29kZSA0\u{e9}NzExIGZvciB0aGUgemVicmE",
];

#[tokio::test]
async fn texts_and_files_are_what_was_sent() {
    let agents = Agents::new().await;
    for (number, body) in BODIES.iter().enumerate() {
        let content = format!(
            "Message-ID: <{number}@x>\nSubject: =?utf-8?b?ZmlsZSB*6ZWJyYQ==?=\nContent-Type: multipart/mixed; boundary=b\n\n\
             --b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{body}\n\
             --b\nContent-Type: application/pdf; name=i.pdf\nContent-Transfer-Encoding: base64\n\n{body}\n--b--\n"
        );
        agents.receive(&content).await;
        let id = format!("messages/%3C{number}@x%3E");
        let shown = agents.good(&id).await;
        assert_eq!(
            (&shown["text"], &shown["preview"], &shown["subject"]),
            (&json!(TEXT), &json!(TEXT), &json!("file zebra")),
            "{body:?}"
        );
        let file = &shown["attachments"][0];
        assert_eq!(file["size"], json!(TEXT.len()), "{body:?}");
        let path = agents.path(&format!("{id}/attachments/{}", file["attachment_id"].as_str().unwrap()));
        let link = agents.with_host(&path, Some(&agents.key)).await;
        let link = link.body["download_url"].as_str().expect("a link").to_owned();
        let path = link
            .strip_prefix("http://mail.example.test:2080")
            .expect("to this server");
        let bytes = agents.with_host(path, None).await;
        bytes.expect(StatusCode::OK);
        assert_eq!(String::from_utf8_lossy(&bytes.bytes), TEXT, "{body:?}");
    }
}
