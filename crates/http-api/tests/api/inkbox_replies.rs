//! The Inkbox dialect: what answers or passes on other mail.

use crate::inkbox_world::{GROUP, Ink, letter};
use serde_json::json;

#[tokio::test]
async fn threading() {
    let ink = Ink::new().await;
    let source = ink.receive(GROUP).await;
    let thread = ink.good(&format!("messages/{source}")).await["thread_id"].clone();
    for named in ["<plan@example.net>", "plan@example.net", &source.to_string()] {
        let mut body = letter("Re: plan");
        body["in_reply_to_message_id"] = json!(named);
        let sent = ink.made("messages", body).await;
        assert_eq!(sent["thread_id"], thread, "{named}");
        assert_eq!(sent["in_reply_to"], "<plan@example.net>");
        assert_eq!(sent["references"], json!(["<root@example.net>", "<plan@example.net>"]));
    }
    let same_subject = ink.made("messages", letter("plan")).await;
    assert_ne!(same_subject["thread_id"], thread);
    let mut unknown = letter("Re: elsewhere");
    unknown["in_reply_to_message_id"] = json!("<elsewhere@example.net>");
    let sent = ink.made("messages", unknown).await;
    assert_eq!(
        (&sent["in_reply_to"], &sent["references"]),
        (&json!("<elsewhere@example.net>"), &json!(["<elsewhere@example.net>"]))
    );
}

#[tokio::test]
async fn replies_to_all() {
    let ink = Ink::new().await;
    let source = ink.receive(GROUP).await;
    let path = format!("messages/{source}/reply-all");
    let reply = ink.made(&path, json!({ "body_text": "Go." })).await;
    assert_eq!(reply["to_addresses"], json!(["ann@example.net"]));
    assert_eq!(reply["cc_addresses"], json!(["bo@example.net", "cy@example.net"]));
    assert_eq!(
        (&reply["subject"], &reply["in_reply_to"]),
        (&json!("Re: plan"), &json!("<plan@example.net>"))
    );
    assert_eq!(
        ink.recipients(&reply).await,
        ["ann@example.net", "bo@example.net", "cy@example.net"]
    );
    let shown = ink.good(&format!("messages/{source}")).await;
    assert_eq!(reply["thread_id"], shown["thread_id"]);
    assert_eq!(
        shown["reply_all_recipients"],
        json!({ "to": ["ann@example.net"], "cc": ["bo@example.net", "cy@example.net"] })
    );
    // Of what one sent oneself: those it went to, and not those it went to unseen.
    let sent = ink
        .made(
            "messages",
            json!({ "recipients": { "to": ["ann@example.net"], "cc": ["bo@example.net", "scout@example.test"],
            "bcc": ["cy@example.net"] }, "subject": "Re: own" }),
        )
        .await;
    let more = ink
        .made(
            &format!("messages/{}/reply-all", sent["id"].as_str().unwrap()),
            json!({ "subject": "more" }),
        )
        .await;
    assert_eq!(
        (&more["to_addresses"], &more["cc_addresses"]),
        (&json!(["ann@example.net"]), &json!(["bo@example.net"]))
    );
    assert_eq!((&more["bcc_addresses"], &more["subject"]), (&json!([]), &json!("more")));
}

#[tokio::test]
async fn forwards() {
    let ink = Ink::new().await;
    let source = ink
        .receive(
            "From: ann@example.net\nSubject: plan\nMessage-ID: <plan@example.net>\nContent-Type: multipart/mixed; boundary=b\n\n\
             --b\nContent-Type: text/plain\n\nWhat now?\n--b\nContent-Type: text/csv\n\
             Content-Disposition: attachment; filename=a.csv\n\n1,2\n--b--\n",
        )
        .await;
    let path = format!("messages/{source}/forward");
    let to = json!({ "bcc": ["bo@example.net"] });
    let inline = ink
        .made(&path, json!({ "recipients": to, "body_text": "See below." }))
        .await;
    let text = inline["body_text"].as_str().unwrap();
    assert!(text.starts_with("See below.") && text.contains("What now?"), "{text}");
    assert_eq!(
        (&inline["subject"], &inline["attachment_metadata"][0]["filename"]),
        (&json!("Fwd: plan"), &json!("a.csv"))
    );
    let thread = ink.good(&format!("messages/{source}")).await["thread_id"].clone();
    assert_ne!(inline["thread_id"], thread);
    let bare = ink
        .made(
            &path,
            json!({ "recipients": to, "include_original_attachments": false, "mode": "inline", "subject": "look" }),
        )
        .await;
    assert_eq!(
        (&bare["attachment_metadata"], &bare["subject"]),
        (&json!([]), &json!("look"))
    );
    let wrapped = ink
        .made(
            &path,
            json!({ "recipients": to, "mode": "wrapped", "body_text": "note" }),
        )
        .await;
    let file = &wrapped["attachment_metadata"][0];
    assert_eq!(
        (&file["content_type"], &file["filename"]),
        (&json!("message/rfc822"), &json!("message.eml"))
    );
    assert_ne!(wrapped["thread_id"], thread);
    assert!(ink.raw(&wrapped).await.contains("What now?"));
    assert_eq!(wrapped["body_text"].as_str().unwrap().trim(), "note");
    let again = ink
        .made(
            &format!("messages/{}/forward", inline["id"].as_str().unwrap()),
            json!({ "recipients": to }),
        )
        .await;
    assert_eq!(again["subject"], "Fwd: plan", "not doubled");
}

#[tokio::test]
async fn who_got_it_unseen_is_not_passed_on() {
    let ink = Ink::new().await;
    let mut body = letter("secret");
    body["recipients"]["bcc"] = json!(["cy@example.net"]);
    let sent = ink.made("messages", body).await;
    for mode in ["inline", "wrapped"] {
        let path = format!("messages/{}/forward", sent["id"].as_str().unwrap());
        let to = json!({ "recipients": { "to": ["bo@example.net"] }, "mode": mode });
        let forwarded = ink.made(&path, to).await;
        assert!(!ink.raw(&forwarded).await.contains("cy@example.net"), "{mode}");
    }
}
