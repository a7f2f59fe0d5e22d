//! Drafts over AgentMail (agentmail.md §10).

use crate::agentmail_mail::{Agents, each, encoded};
use crate::setup::Answer;
use axum::http::StatusCode;
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::SpecialUse;
use serde_json::{Value, json};
use std::time::Duration;

const QUESTION: &str = "From: Ann <ann@example.net>\nTo: scout@example.test, bob@example.net\nCc: cy@example.net\n\
    Message-ID: <q@example.net>\nSubject: Question\n\nWhat now?\n";

impl Agents {
    async fn draft(&self, body: Value) -> Answer {
        let made = self.post("drafts", body).await;
        made.expect(StatusCode::OK);
        made
    }
}

/// A time this far from now.
fn from_now(seconds: i64) -> String {
    (jiff::Timestamp::now() + Duration::from_secs(seconds.unsigned_abs())).to_string()
}

#[tokio::test]
async fn a_draft_from_beginning_to_end() {
    let agents = Agents::new().await;
    let made = agents
        .draft(json!({
            "to": ["Ann <ann@example.net>"], "cc": ["c@example.net"], "bcc": ["b@example.net"], "reply_to": ["r@example.net"],
            "subject": "Plan", "text": "one\ntwo", "html": "<p>one</p>", "labels": ["Work"], "client_id": "mine-1",
            "attachments": [
                { "filename": "a.txt", "content_type": "text/plain", "content": "aGVsbG8=" },
                { "filename": "b.txt", "content_type": "text/plain", "content": "aGVsbG8=" },
            ],
        }))
        .await
        .body;
    for (field, expected) in [
        ("inbox_id", json!("scout@example.test")),
        ("client_id", json!("mine-1")),
        ("labels", json!(["work"])),
        ("to", json!(["Ann <ann@example.net>"])),
        ("cc", json!(["c@example.net"])),
        ("bcc", json!(["b@example.net"])),
        ("reply_to", json!(["r@example.net"])),
        ("subject", json!("Plan")),
        ("text", json!("one\ntwo")),
        ("html", json!("<p>one</p>")),
        ("preview", json!("one two")),
    ] {
        assert_eq!(made[field], expected, "{field}");
    }
    for absent in ["send_at", "send_status", "in_reply_to", "forward_of", "references"] {
        assert_eq!(made.get(absent), None, "{absent}");
    }
    let id = made["draft_id"].as_str().unwrap();
    let path = format!("drafts/{id}");
    assert_eq!(agents.good(&path).await, made);
    // The same client id is the same draft.
    let same = agents.draft(json!({ "client_id": "mine-1", "subject": "Other" })).await;
    assert_eq!(same.body, made);
    // It is no message.
    assert_eq!(agents.good("messages").await["count"], 0);

    let item = &agents.good("drafts").await["drafts"][0];
    for absent in ["client_id", "reply_to", "text", "html", "references", "created_at"] {
        assert_eq!(item.get(absent), None, "{absent}");
    }
    assert_eq!((&item["draft_id"], &item["bcc"]), (&made["draft_id"], &made["bcc"]));

    // The names of files outlive a change of something else.
    agents
        .patch(&path, json!({ "subject": "Plan B" }))
        .await
        .expect(StatusCode::OK);
    let gone = made["attachments"][0]["attachment_id"].clone();
    let kept = made["attachments"][1]["attachment_id"].as_str().unwrap();
    let changed = agents
        .patch(
            &path,
            json!({
                "cc": null, "bcc": [], "html": null, "text": "three", "remove_attachments": [gone],
                "add_attachments": [{ "filename": "c.txt", "content": "" }],
                "add_labels": ["New"], "remove_labels": ["work"],
            }),
        )
        .await;
    changed.expect(StatusCode::OK);
    let changed = changed.body;
    for absent in ["cc", "bcc", "html"] {
        assert_eq!(changed.get(absent), None, "{absent}");
    }
    let still = ["draft_id", "to", "reply_to", "client_id", "created_at"];
    still
        .iter()
        .for_each(|field| assert_eq!(changed[field], made[field], "{field}"));
    assert_eq!(
        (&changed["subject"], &changed["text"]),
        (&json!("Plan B"), &json!("three"))
    );
    assert_eq!(changed["labels"], json!(["new"]));
    assert_eq!(each(&changed["attachments"], "filename"), ["b.txt", "c.txt"]);
    let file = agents
        .with_host(&agents.path(&format!("{path}/attachments/{kept}")), Some(&agents.key))
        .await;
    file.expect(StatusCode::OK);
    assert_eq!(
        (&file.body["attachment_id"], &file.body["filename"]),
        (&json!(kept), &json!("b.txt"))
    );
    let url = file.text("download_url");
    let download = agents.with_host(url.split_once(":2080").unwrap().1, None).await;
    assert_eq!((download.status, &download.bytes[..]), (200, &b"hello"[..]));

    let sent = agents
        .post(
            &format!("{path}/send"),
            json!({ "add_labels": ["sent-draft"], "remove_labels": ["new"] }),
        )
        .await;
    let shown = agents.shown(&sent).await;
    assert_eq!(
        (&shown["labels"], &shown["text"]),
        (&json!(["sent", "sent-draft"]), &json!("three"))
    );
    assert_eq!(agents.get(&path).await.status, 404);
    assert_eq!(agents.good("drafts").await["count"], 0);
    assert_eq!(agents.post(&format!("{path}/send"), json!({})).await.status, 404);
}

#[tokio::test]
async fn replies_and_forwards() {
    let agents = Agents::new().await;
    agents.receive(QUESTION).await;
    let reply = agents
        .draft(json!({ "in_reply_to": "<q@example.net>", "reply_all": true, "text": "Wait." }))
        .await;
    for (field, expected) in [
        ("to", json!(["Ann <ann@example.net>", "bob@example.net"])),
        ("cc", json!(["cy@example.net"])),
        ("subject", json!("Re: Question")),
        ("in_reply_to", json!("<q@example.net>")),
        ("references", json!(["<q@example.net>"])),
    ] {
        assert_eq!(reply.body[field], expected, "{field}");
    }
    let path = format!("drafts/{}", reply.text("draft_id"));
    assert_eq!(
        agents.patch(&path, json!({ "to": ["x@example.net"] })).await.status,
        400
    );
    let forward = agents
        .draft(json!({ "forward_of": "<q@example.net>", "text": "Look:" }))
        .await;
    assert_eq!(
        (&forward.body["forward_of"], forward.body.get("to")),
        (&json!("<q@example.net>"), None)
    );
    let path = format!("drafts/{}", forward.text("draft_id"));
    assert_eq!(agents.post(&format!("{path}/send"), json!({})).await.status, 422);
    agents
        .patch(&path, json!({ "to": ["dee@example.net"] }))
        .await
        .expect(StatusCode::OK);
    let sent = agents.post(&format!("{path}/send"), json!({})).await;
    let text = agents.shown(&sent).await["text"].as_str().unwrap().to_owned();
    assert!(text.find("Look:").unwrap() < text.find("What now?").unwrap(), "{text}");

    for (body, status) in [
        (
            json!({ "in_reply_to": "<q@example.net>", "forward_of": "<q@example.net>" }),
            400,
        ),
        (json!({ "reply_all": true }), 400),
        (
            json!({ "in_reply_to": "<q@example.net>", "reply_all": true, "to": ["x@example.net"] }),
            400,
        ),
        (json!({ "in_reply_to": "<none@example.net>" }), 404),
        (json!({ "forward_of": "<none@example.net>" }), 404),
        (json!({ "send_at": "yesterday" }), 400),
        (json!({ "send_at": "2001-01-01T00:00:00Z" }), 400),
        (json!({ "labels": ["scheduled"] }), 400),
        (json!({ "client_id": "a@b" }), 400),
        (json!({ "to": ["nobody"] }), 400),
        (json!({ "subject": "a\r\nBcc: b@c" }), 400),
        (json!({ "attachments": [{}] }), 400),
    ] {
        let refused = agents.post("drafts", body.clone()).await;
        assert_eq!(refused.status, status, "{body} {}", refused.body);
    }
    let narrow = agents.key_with(json!({ "draft_create": true })).await;
    let refused = agents
        .api
        .post(
            &agents.path("drafts"),
            &narrow,
            json!({ "in_reply_to": "<q@example.net>" }),
        )
        .await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (403, &json!("missing_permission"))
    );
}

#[tokio::test]
async fn scheduled_drafts() {
    let agents = Agents::new().await;
    let at = from_now(3600);
    let made = agents
        .draft(json!({ "to": ["ann@example.net"], "text": "x", "send_at": at }))
        .await;
    assert_eq!(
        (&made.body["labels"], &made.body["send_status"]),
        (&json!(["scheduled"]), &json!("scheduled"))
    );
    let path = format!("drafts/{}", made.text("draft_id"));
    assert_eq!(agents.good("drafts?labels=scheduled").await["count"], 1);
    let unscheduled = agents.patch(&path, json!({ "send_at": null })).await.body;
    assert_eq!(unscheduled["labels"], json!([]));
    assert!(unscheduled.get("send_at").is_none() && unscheduled.get("send_status").is_none());
    assert_eq!(agents.good("drafts?labels=scheduled").await["count"], 0);
    // Within what clocks may differ by, a time that has come is one to go at.
    let now = (jiff::Timestamp::now() - Duration::from_secs(1)).to_string();
    agents
        .patch(&path, json!({ "send_at": now }))
        .await
        .expect(StatusCode::OK);
    agents.api.drafts.work().await.unwrap();
    assert_eq!(agents.get(&path).await.status, 404);
    let inbox = agents.id_of(&agents.inbox).await;
    assert_eq!(agents.sent_count(inbox).await, 1);

    let made = agents
        .draft(json!({ "to": ["ann@example.net"], "send_at": from_now(0) }))
        .await;
    let own = format!("/v0/inboxes/{}", agents.inbox);
    let paused = agents.api.patch(&own, &agents.key, json!({ "status": "paused" })).await;
    paused.expect(StatusCode::OK);
    tokio::time::sleep(Duration::from_millis(5)).await;
    agents.api.drafts.work().await.unwrap();
    let path = format!("drafts/{}", made.text("draft_id"));
    assert_eq!(agents.good(&path).await["send_status"], "failed");
    agents
        .api
        .delete(&agents.path(&path), &agents.key)
        .await
        .expect(StatusCode::NO_CONTENT);
    assert_eq!(agents.api.delete(&agents.path(&path), &agents.key).await.status, 404);
}

#[tokio::test]
async fn three_levels() {
    let agents = Agents::new().await;
    let pod = agents
        .api
        .post("/v0/pods", &agents.key, json!({ "name": "p" }))
        .await
        .text("pod_id");
    let made = agents
        .api
        .post(
            &format!("/v0/pods/{pod}/inboxes"),
            &agents.key,
            json!({ "username": "podded" }),
        )
        .await;
    let podded = made.text("inbox_id");
    let first = agents.draft(json!({ "subject": "one" })).await;
    let drafts = format!("/v0/inboxes/{podded}/drafts");
    let second = agents.api.post(&drafts, &agents.key, json!({ "subject": "two" })).await;
    // A mail program's; its date has whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let saved = "From: scout@example.test\nSubject: three\n\nx\n";
    agents
        .put(
            &agents.inbox,
            saved,
            Origin::Imported,
            MailboxRef::Special(SpecialUse::Drafts),
        )
        .await;
    let subjects = async |path: &str| {
        let list = agents.api.get(path, &agents.key).await;
        list.expect(StatusCode::OK);
        each(&list.body["drafts"], "subject")
    };
    assert_eq!(subjects("/v0/drafts").await, ["three", "two", "one"]);
    assert_eq!(subjects("/v0/drafts?ascending=true").await, ["one", "two", "three"]);
    assert_eq!(subjects(&format!("/v0/pods/{pod}/drafts")).await, ["two"]);
    assert_eq!(subjects(&agents.path("drafts")).await, ["three", "one"]);
    // Pages, of which a token is good for its own list alone.
    let page = agents.api.get("/v0/drafts?limit=2", &agents.key).await.body;
    let token = page["next_page_token"].as_str().unwrap();
    assert_eq!(
        subjects(&format!("/v0/drafts?limit=2&page_token={token}")).await,
        ["one"]
    );
    for path in [agents.path("drafts"), format!("/v0/pods/{pod}/drafts")] {
        let refused = agents.api.get(&format!("{path}?page_token={token}"), &agents.key).await;
        assert_eq!(refused.status, 400);
    }
    let (one, two) = (first.text("draft_id"), second.text("draft_id"));
    for (path, status) in [
        (format!("/v0/drafts/{one}"), 200),
        (format!("/v0/drafts/{two}"), 200),
        (format!("/v0/pods/{pod}/drafts/{two}"), 200),
        (format!("/v0/pods/{pod}/drafts/{one}"), 404),
        (agents.path(&format!("drafts/{two}")), 404),
        ("/v0/drafts/nonsense".into(), 404),
    ] {
        let shown = agents.api.get(&path, &agents.key).await;
        assert_eq!(shown.status, status, "{path} {}", shown.body);
    }
    let tenant = agents.api.tenant("B").await;
    let foreign = agents.api.organization_key(&tenant.id).await;
    assert_eq!(agents.api.get(&format!("/v0/drafts/{one}"), &foreign).await.status, 404);
    assert_eq!(agents.api.get("/v0/drafts", &foreign).await.body["count"], 0);
    let made = agents
        .api
        .post(
            &format!("/v0/inboxes/{podded}/api-keys"),
            &agents.key,
            json!({ "name": "k" }),
        )
        .await;
    let own = agents.api.get("/v0/drafts", &made.text("api_key")).await;
    assert_eq!(each(&own.body["drafts"], "subject"), ["two"]);
}

#[tokio::test]
async fn a_draft_is_sent_once_under_a_key() {
    let agents = Agents::new().await;
    let made = agents.draft(json!({ "to": ["ann@example.net"], "text": "x" })).await;
    let path = agents.path(&format!("drafts/{}/send", encoded(&made.text("draft_id"))));
    let first = agents.keyed(&path, &agents.key, "k", &json!({})).await;
    first.expect(StatusCode::OK);
    let again = agents.keyed(&path, &agents.key, "k", &json!({})).await;
    assert_eq!((again.status, again.body), (200, first.body));
    let other = agents
        .keyed(&path, &agents.key, "k", &json!({ "add_labels": ["x"] }))
        .await;
    assert_eq!(other.status, 409);
    let inbox = agents.id_of(&agents.inbox).await;
    assert_eq!(agents.sent_count(inbox).await, 1);
}

/// Who did not hear that a draft was made asks again, and is told what became of it.
#[tokio::test]
async fn a_draft_that_went_is_not_made_again() {
    let agents = Agents::new().await;
    let wanted = json!({ "client_id": "mine", "to": ["ann@far.test"], "subject": "Plan", "text": "x" });
    let draft = agents.draft(wanted.clone()).await;
    let drafts = format!("/v0/inboxes/{}/drafts", agents.inbox);
    let sent = agents
        .api
        .post(
            &format!("{drafts}/{}/send", draft.text("draft_id")),
            &agents.key,
            json!({}),
        )
        .await;
    sent.expect(StatusCode::OK);
    let again = agents.post("drafts", wanted).await;
    assert_eq!((again.status, again.text("code")), (409, "conflict".into()));
    // The text names the message, such that it can be asked for.
    let text = again.text("message");
    let name = text.rsplit(' ').next().unwrap().replace('<', "%3C").replace('>', "%3E");
    let named = agents
        .api
        .get(&format!("/v0/inboxes/{}/messages/{name}", agents.inbox), &agents.key)
        .await;
    named.expect(StatusCode::OK);
    assert_eq!(named.text("message_id"), sent.text("message_id"));
}
