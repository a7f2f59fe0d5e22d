//! The Inkbox dialect: signatures below what is sent.

use crate::inkbox_world::{Ink, letter};
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::SpecialUse;
use serde_json::{Value, json};

#[tokio::test]
async fn signatures_stand_below() {
    let ink = Ink::new().await;
    let change = postroom_identity::SignatureChange {
        html: Some(Some("<i>Scout</i>".into())),
        text: Some(Some("Scout".into())),
        enabled: Some(true),
    };
    ink.api.identity.set_signature(ink.inbox, &change).await.unwrap();
    let mut body = letter("x");
    body["body_html"] = json!("<p>hello</p>");
    let sent = ink.made("messages", body).await;
    assert!(sent["body_text"].as_str().unwrap().trim_end().ends_with("Scout"));
    assert!(sent["body_html"].as_str().unwrap().contains("<i>Scout</i>"));
}

/// What a draft says has it below when it goes, and nowhere twice; what is signed is left alone.
#[tokio::test]
async fn signatures_stand_below_drafts_too() {
    let ink = Ink::new().await;
    let change = postroom_identity::SignatureChange {
        html: Some(Some("<i>Scout</i>".into())),
        text: None,
        enabled: Some(true),
    };
    ink.api.identity.set_signature(ink.inbox, &change).await.unwrap();
    let send = async |draft: &Value| {
        let path = format!("drafts/{}/send", draft["id"].as_str().unwrap());
        ink.made(&path, json!({ "generation": draft["generation"] })).await
    };
    let text = |sent: &Value, form: &str| sent[form].as_str().map(|text| text.trim_end().replace("\r\n", "\n"));
    let mut body = letter("x");
    body["body_text"] = json!("hello");
    body["body_html"] = json!("<p>hello</p>");
    body["attachments"] = json!([{ "filename": "a.txt", "content_type": "text/plain", "content_base64": "Zm9v" }]);
    let draft = ink.made("drafts", body).await;
    assert_eq!(
        text(&draft, "body_text").as_deref(),
        Some("hello"),
        "it is put there when it goes"
    );
    let sent = send(&draft).await;
    assert_eq!(text(&sent, "body_text").as_deref(), Some("hello\n\nScout"));
    assert_eq!(
        text(&sent, "body_html").as_deref(),
        Some("<p>hello</p><br><br>\n<i>Scout</i>")
    );
    assert_eq!(sent["attachment_metadata"][0]["filename"], "a.txt");
    // Passed on: above what is passed on.
    let forward = json!({ "recipients": { "to": ["ann@example.net"] }, "forward_message_id": sent["id"], "forward_note_text": "see" });
    let sent = send(&ink.made("drafts", forward).await).await;
    let passed = text(&sent, "body_text").unwrap();
    assert!(
        passed.starts_with("see\n\nScout\n") && passed.ends_with("hello\n\nScout"),
        "{passed}"
    );
    // What a mail program saved keeps its fields; what it signed keeps its text.
    let by_hand = async |kind: &str, body: &str| {
        let drafts = MailboxRef::Special(SpecialUse::Drafts);
        let content = format!("To: ann@example.net\nSubject: by hand\nX-Mark: 7\n{kind}\n{body}");
        ink.put(&content, Origin::Imported, drafts).await;
        let drafts = ink.good("drafts").await;
        let sent = send(&drafts["items"][0]).await;
        ink.raw(&sent).await
    };
    let plain = by_hand("", "hello\n").await;
    assert!(
        plain.contains("X-Mark: 7\r\n") && plain.contains("hello\r\n\r\nScout\r\n"),
        "{plain}"
    );
    let part = "--b\n\nhello\n--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n";
    let sealed = by_hand("Content-Type: multipart/signed; boundary=b\n", part).await;
    assert!(
        sealed.contains(&part.replace('\n', "\r\n")) && !sealed.contains("Scout"),
        "{sealed}"
    );
}
