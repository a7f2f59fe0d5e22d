//! Contact rules over the Inkbox dialect (inkbox.md §9), and what they bar in all dialects.

use crate::inkbox_identities::agent;
use crate::setup::{Answer, Api};
use axum::http::StatusCode;
use serde_json::{Value, json};

const RULE: [&str; 8] = [
    "id",
    "action",
    "match_type",
    "match_target",
    "direction",
    "status",
    "created_at",
    "updated_at",
];

fn targets(answer: &Answer) -> Vec<&str> {
    answer.expect(StatusCode::OK);
    let rules = answer.body.as_array().unwrap().iter();
    rules.map(|rule| rule["match_target"].as_str().unwrap()).collect()
}

fn rule(action: &str, target: &str) -> Value {
    let match_type = if target.contains('@') { "exact_email" } else { "domain" };
    json!({ "action": action, "match_type": match_type, "match_target": target })
}

#[tokio::test]
async fn rules_are_made_listed_changed_and_removed() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let (scout, other) = (agent(&api, &a, "scout").await, agent(&api, &a, "other").await);
    let path = "/api/v1/identities/scout/mail-contact-rules";
    let made = api.post(path, &scout.key, rule("block", "Spam.TEST")).await;
    made.expect(StatusCode::CREATED);
    made.has("", &RULE);
    assert_eq!(
        (made.text("agent_identity_id"), made.text("match_target")),
        (scout.id.clone(), "spam.test".into())
    );
    assert_eq!(
        (made.text("direction"), made.text("status")),
        ("both".into(), "active".into())
    );
    let again = api.post(path, &a.key, rule("allow", "spam.test")).await;
    assert_eq!(
        again.failed(409, "contact_rule_exists")["existing_rule_id"],
        made.body["id"]
    );
    for body in [
        json!({}),
        rule("maybe", "x.test"),
        json!({ "action": "block", "match_type": "domain", "match_target": "a@x.test" }),
        json!({ "action": "block", "match_type": "exact_email", "match_target": "x.test" }),
        json!({ "action": "block", "match_type": "domain", "match_target": "not a domain" }),
        json!({ "action": "block", "match_type": "domain", "match_target": "x.test", "direction": "up" }),
        json!({ "action": "block", "match_type": "domain", "match_target": "x.test", "note": "" }),
    ] {
        api.post(path, &a.key, body).await.failed(422, "validation_error");
    }
    let one = format!("{path}/{}", made.text("id"));
    assert_eq!(api.get(&one, &scout.key).await.body, made.body);
    api.post(path, &a.key, rule("allow", "boss@corp.test"))
        .await
        .expect(StatusCode::CREATED);
    for (query, expected) in [
        ("", &["spam.test", "boss@corp.test"][..]),
        ("?action=allow", &["boss@corp.test"]),
        ("?match_type=domain", &["spam.test"]),
        ("?direction=inbound&limit=1", &["spam.test"]),
        ("?limit=1&offset=1", &["boss@corp.test"]),
        ("?offset=2", &[]),
    ] {
        assert_eq!(
            targets(&api.get(&format!("{path}{query}"), &scout.key).await),
            expected,
            "{query}"
        );
    }
    // Who does not count follows the links.
    let mut next = "?direction=inbound&limit=1".to_owned();
    for expected in ["spam.test", "boss@corp.test"] {
        let answer = api.get(&format!("{path}{next}"), &scout.key).await;
        assert_eq!(targets(&answer), [expected]);
        let link = answer.headers.get("link").map(|link| link.to_str().expect("ASCII"));
        assert_eq!(link.is_some(), expected == "spam.test", "{link:?}");
        if let Some(link) = link {
            let target = link
                .strip_prefix('<')
                .and_then(|link| link.strip_suffix(">; rel=\"next\""));
            next = target.expect("a link to what comes next").to_owned();
        }
    }
    let elsewhere = next.replace("inbound", "outbound");
    for query in [
        "?action=x",
        "?limit=0",
        "?direction=up",
        "?offset=-1",
        "?cursor=x",
        &elsewhere,
        &format!("{next}&offset=1"),
    ] {
        api.get(&format!("{path}{query}"), &a.key)
            .await
            .failed(422, "validation_error");
    }
    // The organization changes and removes them.
    api.patch(&one, &scout.key, json!({ "action": "allow" }))
        .await
        .failed(403, "admin_key_required");
    api.delete(&one, &scout.key).await.failed(403, "admin_key_required");
    for body in [
        json!({}),
        json!({ "match_target": "y.test" }),
        json!({ "apply_to": "inbound" }),
        json!({ "action": "allow", "apply_to": "both" }),
        json!({ "action": "allow", "apply_to": "inbound", "direction": "both" }),
    ] {
        api.patch(&one, &a.key, body).await.failed(422, "validation_error");
    }
    let changed = api
        .patch(&one, &a.key, json!({ "action": "allow", "direction": "inbound" }))
        .await;
    assert_eq!(
        (changed.text("action"), changed.text("direction")),
        ("allow".into(), "inbound".into())
    );
    // The same rule as older clients know it.
    let legacy = format!("/api/v1/mail/mailboxes/{}/contact-rules", scout.address);
    let shown = api.get(&format!("{legacy}/{}", made.text("id")), &scout.key).await;
    shown.has("", &RULE);
    assert!(shown.body.get("agent_identity_id").is_none() && shown.body["mailbox_id"].is_string());
    assert_eq!(targets(&api.get(&legacy, &a.key).await).len(), 2);

    // Of another agent, another organization, another mailbox: not there.
    for path in [path, &one, &legacy] {
        for key in [&other.key, &b.key] {
            api.get(path, key).await.failed(404, "not_found");
        }
    }
    let elsewhere = format!("/api/v1/identities/other/mail-contact-rules/{}", made.text("id"));
    api.get(&elsewhere, &a.key).await.failed(404, "not_found");
    api.delete(&elsewhere, &a.key).await.failed(404, "not_found");

    let all = "/api/v1/mail/contact-rules";
    api.post(
        "/api/v1/identities/other/mail-contact-rules",
        &other.key,
        rule("block", "x.test"),
    )
    .await;
    let bare = api.inbox(&a.key, "bare").await;
    let of_bare = format!("/api/v1/mail/mailboxes/{}/contact-rules", bare.text("email"));
    api.post(&of_bare, &a.key, rule("block", "bare.test"))
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(
        targets(&api.get(all, &a.key).await),
        ["spam.test", "boss@corp.test", "x.test"]
    );
    // What is not listed takes no place on a page either.
    assert_eq!(
        targets(&api.get(&format!("{all}?offset=2&limit=1"), &a.key).await),
        ["x.test"]
    );
    let last = agent(&api, &a, "last").await;
    let path = "/api/v1/identities/last/mail-contact-rules";
    api.post(path, &last.key, rule("block", "z.test")).await;
    assert_eq!(
        targets(&api.get(&format!("{all}?offset=3&limit=1"), &a.key).await),
        ["z.test"]
    );
    let of_other = format!("{all}?agent_identity_id={}", other.id);
    assert_eq!(targets(&api.get(&of_other, &a.key).await), ["x.test"]);
    let of_bare = format!("{all}?mailbox_id={}", bare.text("id"));
    assert_eq!(targets(&api.get(&of_bare, &a.key).await), ["bare.test"]);
    assert!(targets(&api.get(all, &b.key).await).is_empty());
    assert!(targets(&api.get(&of_bare, &b.key).await).is_empty());
    api.get(&of_other, &b.key).await.failed(404, "not_found");
    api.get(all, &scout.key).await.failed(403, "admin_key_required");
    assert_eq!(api.delete(&one, &a.key).await.status, 204);
    api.delete(&one, &a.key).await.failed(404, "not_found");
}

#[tokio::test]
async fn the_rule_in_the_way_is_the_one_of_the_direction() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    agent(&api, &a, "scout").await;
    let path = "/api/v1/identities/scout/mail-contact-rules";
    let both = api.post(path, &a.key, rule("block", "spam.test")).await;
    let parted = json!({ "action": "allow", "apply_to": "inbound" });
    let inbound = api
        .patch(&format!("{path}/{}", both.text("id")), &a.key, parted)
        .await
        .text("id");
    let rules = api.get(path, &a.key).await;
    let other = |rule: &&Value| rule["id"] != inbound.as_str();
    let outbound = rules.body.as_array().unwrap().iter().find(other).unwrap()["id"].clone();
    for (direction, expected) in [
        ("inbound", json!(inbound)),
        ("outbound", outbound),
        ("both", json!(inbound)),
    ] {
        let mut wish = rule("block", "spam.test");
        wish["direction"] = direction.into();
        let refused = api.post(path, &a.key, wish).await;
        assert_eq!(
            refused.failed(409, "contact_rule_exists")["existing_rule_id"],
            expected,
            "{direction}"
        );
    }
}

#[tokio::test]
async fn whom_a_rule_bars_gets_no_mail_from_any_dialect() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let scout = agent(&api, &a, "scout").await;
    let rules = "/api/v1/identities/scout/mail-contact-rules";
    let blocked = api.post(rules, &a.key, rule("block", "rival.test")).await.text("id");
    let messages = format!("/api/v1/mail/mailboxes/{}/messages", scout.address);
    let to =
        |to: &str, bcc: &[&str]| json!({ "recipients": { "to": [to], "bcc": bcc }, "subject": "s", "body_text": "b" });
    for message in [to("x@rival.test", &[]), to("x@fine.test", &["X@Rival.test"])] {
        let refused = api.post(&messages, &scout.key, message).await;
        let detail = refused.failed(403, "recipient_blocked");
        assert_eq!(detail["address"].as_str().unwrap().to_ascii_lowercase(), "x@rival.test");
        assert_eq!(detail["matched_rule_id"], blocked.as_str());
        assert!(detail["reason"].is_string());
    }
    let identity = api.get("/api/v1/identities/scout", &a.key).await;
    let inbox = identity.body["mailbox"]["id"].as_str().unwrap();
    let mail = json!({ "to": "x@rival.test", "subject": "s", "plainBody": "b" });
    let send = format!("/v1/inboxes/{inbox}/send");
    api.post(&send, &scout.key, mail).await.refused(403, "MESSAGE_REJECTED");
    let am = api.organization_key(&a.id).await;
    let mail = json!({ "to": ["x@rival.test"], "subject": "s", "text": "b" });
    let path = format!("/v0/inboxes/{}/messages/send", scout.address);
    assert_eq!(api.post(&path, &am, mail).await.status, 403);
    // In a whitelist the mode bars whom no rule names.
    let mode = json!({ "mail_outbound_filter_mode": "whitelist" });
    api.patch("/api/v1/identities/scout", &a.key, mode)
        .await
        .expect(StatusCode::OK);
    let refused = api.post(&messages, &scout.key, to("x@fine.test", &[])).await;
    assert!(refused.failed(403, "recipient_blocked")["matched_rule_id"].is_null());
    api.post(rules, &a.key, rule("allow", "x@rival.test"))
        .await
        .expect(StatusCode::CREATED);
    api.post(&messages, &scout.key, to("x@rival.test", &[]))
        .await
        .expect(StatusCode::CREATED);
    // Nothing was sent that was refused.
    let sent = api.get(&messages, &scout.key).await;
    assert_eq!(sent.body["items"].as_array().unwrap().len(), 1);
}
