//! Identities and their mailboxes over the Inkbox dialect (inkbox.md §4, §6, §12).

use crate::setup::{Answer, Api, Tenant};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

/// An identity, and a key of it.
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) address: String,
    pub(crate) key: String,
}

pub(crate) async fn agent(api: &Api, tenant: &Tenant, handle: &str) -> Agent {
    let made = api
        .post("/api/v1/identities/", &tenant.key, json!({ "agent_handle": handle }))
        .await;
    made.expect(StatusCode::CREATED);
    let wish = json!({ "label": handle, "scoped_identity_id": made.text("id") });
    let key = api.post("/api/v1/api-keys", &tenant.key, wish).await;
    key.expect(StatusCode::CREATED);
    Agent {
        id: made.text("id"),
        address: made.text("email_address"),
        key: key.text("api_key"),
    }
}

impl Answer {
    /// An error in the dialect's form, with this status and word.
    #[track_caller]
    pub(crate) fn failed(&self, status: u16, error: &str) -> &Value {
        let detail = &self.body["detail"];
        assert_eq!(
            (self.status, detail["error"].as_str()),
            (status, Some(error)),
            "{}",
            self.body
        );
        assert!(
            !detail["message"].as_str().unwrap_or_default().is_empty(),
            "{}",
            self.body
        );
        detail
    }

    /// That all of these are there, and none of them is null.
    #[track_caller]
    pub(crate) fn has(&self, at: &str, fields: &[&str]) {
        let value = self
            .body
            .pointer(at)
            .unwrap_or_else(|| panic!("no {at} in {}", self.body));
        for field in fields {
            assert!(
                value.get(field).is_some_and(|found| !found.is_null()),
                "{field} of {value}"
            );
        }
    }
}

const IDENTITY: [&str; 5] = ["id", "organization_id", "agent_handle", "created_at", "updated_at"];
const MAILBOX: [&str; 5] = ["id", "email_address", "created_at", "updated_at", "filter_mode"];

fn handles(answer: &Answer) -> Vec<String> {
    answer.expect(StatusCode::OK);
    let all = answer.body.as_array().unwrap().iter();
    all.map(|identity| identity["agent_handle"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_identity_is_made_with_its_mailbox() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let wish = json!({
        "agent_handle": "@Sales-Bot", "display_name": "Sales", "description": "", "mailbox": {},
        "tunnel": { "tls_mode": "edge" }, "contact_sharing_enabled": true, "imessage_enabled": false,
        "phone_number": null, "imessage_number_type": null,
    });
    let made = api.post("/api/v1/identities/", &a.key, wish).await;
    made.expect(StatusCode::CREATED);
    for answer in [
        &made,
        &api.get("/api/v1/identities/sales-bot", &a.key).await,
        &api.get("/api/v1/identities/%40SALES-bot/", &a.key).await,
    ] {
        answer.has("", &IDENTITY);
        answer.has("/mailbox", &MAILBOX);
        assert_eq!(answer.body["agent_handle"], "sales-bot");
        assert_eq!(answer.body["description"], "");
        assert_eq!(answer.body["display_name"], "Sales");
        assert_eq!(answer.body["email_address"], "sales-bot@example.test");
        assert_eq!(answer.body["organization_id"], a.id.as_str());
        assert_eq!(answer.body["mailbox"]["agent_identity_id"], answer.body["id"]);
        assert_eq!(answer.body["mailbox"]["sending_domain"], "example.test");
        assert_eq!(answer.body["mail_filter_mode"], "blacklist");
        assert_eq!(
            (&answer.body["imessage_enabled"], &answer.body["status"]),
            (&json!(false), &json!("active"))
        );
        for null in ["tunnel", "phone_number", "imessage_number"] {
            assert!(
                answer.body.as_object().unwrap().contains_key(null) && answer.body[null].is_null(),
                "{null}"
            );
        }
        assert!(answer.body.get("phone_filter_mode").is_none());
    }
    for path in ["/api/v1/identities", "/api/v1/identities/"] {
        assert_eq!(handles(&api.get(path, &a.key).await), ["sales-bot"]);
    }
    // The same mailbox, under the name that each dialect has for it.
    let inboxes = api.get("/v1/inboxes", &a.key).await;
    assert_eq!(inboxes.body["inboxes"][0]["id"], made.body["mailbox"]["id"]);
    assert_eq!(inboxes.body["inboxes"][0]["displayName"], "Sales");
}

#[tokio::test]
async fn what_is_not_made_leaves_nothing() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    agent(&api, &b, "taken").await;
    api.inbox(&b.key, "held").await;
    let long = "x".repeat(256);
    for (wish, status, error) in [
        (json!({}), 422, "validation_error"),
        (json!({ "agent_handle": "x" }), 422, "validation_error"),
        (json!({ "agent_handle": "a--b" }), 422, "validation_error"),
        (json!({ "agent_handle": 7 }), 422, "validation_error"),
        (
            json!({ "agent_handle": "scout", "color": "red" }),
            422,
            "validation_error",
        ),
        (
            json!({ "agent_handle": "scout", "mailbox": { "name": "x" } }),
            422,
            "validation_error",
        ),
        (
            json!({ "agent_handle": "scout", "mailbox": { "email_local_part": "other" } }),
            422,
            "validation_error",
        ),
        (
            json!({ "agent_handle": "scout", "mailbox": { "sending_domain": "b.test" } }),
            422,
            "domain_not_available",
        ),
        (
            json!({ "agent_handle": "scout", "display_name": long }),
            422,
            "validation_error",
        ),
        (
            json!({ "agent_handle": "scout", "display_name": "a\r\nb" }),
            422,
            "validation_error",
        ),
        (
            json!({ "agent_handle": "scout", "tunnel": { "tls_mode": "none" } }),
            422,
            "validation_error",
        ),
        (
            json!({ "agent_handle": "scout", "phone_number": {} }),
            501,
            "not_supported",
        ),
        (
            json!({ "agent_handle": "scout", "imessage_enabled": true }),
            501,
            "not_supported",
        ),
        (
            json!({ "agent_handle": "scout", "claim_imessage_number": true }),
            501,
            "not_supported",
        ),
        (
            json!({ "agent_handle": "scout", "vault_secret_ids": [] }),
            501,
            "not_supported",
        ),
        (
            json!({ "agent_handle": "scout", "tunnel": { "tls_mode": "passthrough" } }),
            501,
            "not_supported",
        ),
        (json!({ "agent_handle": "postmaster" }), 409, "agent_handle_unavailable"),
        (json!({ "agent_handle": "a2a" }), 409, "agent_handle_unavailable"),
        (json!({ "agent_handle": "taken" }), 409, "agent_handle_unavailable"),
        (json!({ "agent_handle": "held" }), 409, "agent_handle_unavailable"),
    ] {
        let refused = api.post("/api/v1/identities/", &a.key, wish.clone()).await;
        let detail = refused.failed(status, error);
        if status == 409 {
            let expected = if wish["agent_handle"] == "held" {
                "mail"
            } else {
                "identities"
            };
            assert_eq!(detail["blocking_namespace"], expected, "{wish}");
        }
    }
    assert!(handles(&api.get("/api/v1/identities/", &a.key).await).is_empty());
    assert_eq!(api.get("/v1/inboxes", &a.key).await.body["inboxes"], json!([]));
    agent(&api, &b, "scout").await;
}

#[tokio::test]
async fn changing_says_what_is_kept_cleared_and_set() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let scout = agent(&api, &a, "scout").await;
    let path = "/api/v1/identities/scout";
    let changed = api.patch(path, &a.key, json!({ "description": "finds things" })).await;
    assert_eq!(
        (&changed.body["description"], &changed.body["display_name"]),
        (&json!("finds things"), &json!("scout"))
    );
    changed.has("", &IDENTITY);
    changed.has("/mailbox", &MAILBOX);
    let cleared = api
        .patch(path, &scout.key, json!({ "description": null, "display_name": null }))
        .await;
    cleared.expect(StatusCode::OK);
    assert!(cleared.body["description"].is_null() && cleared.body["display_name"].is_null());
    let modes = json!({ "mail_inbound_filter_mode": "whitelist" });
    let changed = api.patch(path, &a.key, modes).await;
    assert_eq!(changed.body["mail_inbound_filter_mode"], "whitelist");
    assert_eq!(changed.body["mail_outbound_filter_mode"], "blacklist");
    for (body, status, error) in [
        (
            json!({ "mail_filter_mode": "whitelist", "mail_outbound_filter_mode": "whitelist" }),
            422,
            "validation_error",
        ),
        (json!({ "mail_filter_mode": "graylist" }), 422, "validation_error"),
        (json!({ "status": "gone" }), 422, "validation_error"),
        (json!({ "email_address": "x@example.test" }), 422, "validation_error"),
        (json!({ "slack_filter_mode": "whitelist" }), 501, "not_supported"),
        (json!({ "phone_filter_mode": "whitelist" }), 501, "not_supported"),
        (json!({ "imessage_enabled": true }), 501, "not_supported"),
    ] {
        api.patch(path, &a.key, body).await.failed(status, error);
    }
    // Of itself an agent changes the name and the description, and nothing else.
    for body in [
        json!({ "agent_handle": "ranger" }),
        json!({ "status": "paused" }),
        json!({ "mail_filter_mode": "blacklist", "description": "x" }),
        json!({ "mail_inbound_filter_mode": "blacklist" }),
    ] {
        api.patch(path, &scout.key, body)
            .await
            .failed(403, "admin_key_required");
    }
    assert!(api.get(path, &a.key).await.body["description"].is_null());
    let renamed = api.patch(path, &a.key, json!({ "agent_handle": "@Ranger" })).await;
    assert_eq!(
        (renamed.text("agent_handle"), renamed.text("email_address")),
        ("ranger".into(), scout.address)
    );
    api.get(path, &a.key).await.failed(404, "not_found");
    agent(&api, &a, "walker").await;
    let taken = api
        .patch("/api/v1/identities/ranger", &a.key, json!({ "agent_handle": "walker" }))
        .await;
    assert_eq!(
        taken.failed(409, "agent_handle_unavailable")["blocking_namespace"],
        "identities"
    );
}

#[tokio::test]
async fn who_is_paused_sends_nothing_in_any_dialect() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let scout = agent(&api, &a, "scout").await;
    let path = "/api/v1/identities/scout";
    let paused = api.patch(path, &a.key, json!({ "status": "paused" })).await;
    assert_eq!(paused.text("status"), "paused");
    let inbox = paused.body["mailbox"]["id"].as_str().unwrap();
    let mail = json!({ "to": "x@example.net", "subject": "s", "plainBody": "b" });
    let refused = api
        .post(&format!("/v1/inboxes/{inbox}/send"), &scout.key, mail.clone())
        .await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let message = json!({ "recipients": { "to": ["x@example.net"] }, "subject": "s", "body_text": "b" });
    let messages = format!("/api/v1/mail/mailboxes/{}/messages", scout.address);
    assert_eq!(api.post(&messages, &scout.key, message.clone()).await.status, 403);
    api.patch(path, &a.key, json!({ "status": "active" }))
        .await
        .expect(StatusCode::OK);
    api.post(&messages, &scout.key, message)
        .await
        .expect(StatusCode::CREATED);
}

#[tokio::test]
async fn deleting_leaves_the_name_to_its_organization() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let scout = agent(&api, &a, "scout").await;
    let path = "/api/v1/identities/scout";
    api.delete(path, &scout.key).await.failed(403, "admin_key_required");
    api.delete(path, &b.key).await.failed(404, "not_found");
    let deleted = api.delete(path, &a.key).await;
    assert_eq!((deleted.status, deleted.bytes.len()), (204, 0));
    api.delete(path, &a.key).await.failed(404, "not_found");
    for gone in [
        path.to_owned(),
        format!("/api/v1/mail/mailboxes/{}", scout.address),
        format!("{path}/access"),
        format!("{path}/mail-contact-rules"),
    ] {
        api.get(&gone, &a.key).await.failed(404, "not_found");
    }
    api.get("/api/whoami", &scout.key).await.failed(401, "unauthorized");
    let taken = api
        .post("/api/v1/identities/", &b.key, json!({ "agent_handle": "scout" }))
        .await;
    taken.failed(409, "agent_handle_unavailable");
    let other = api.inbox(&b.key, "scout").await;
    assert_eq!(other.text("email"), "scout1@example.test");
    let again = agent(&api, &a, "scout").await;
    assert_eq!(again.address, scout.address);
    assert_ne!(again.id, scout.id);
    // Deleted over another dialect, it is gone all the same.
    let inbox = api.get(path, &a.key).await.body["mailbox"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    api.delete(&format!("/v1/inboxes/{inbox}"), &a.key)
        .await
        .expect(StatusCode::OK);
    api.get(path, &a.key).await.failed(404, "not_found");
}

#[tokio::test]
async fn other_organizations_and_other_keys_see_nothing() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let scout = agent(&api, &a, "scout").await;
    let other = agent(&api, &a, "other").await;
    let foreign = agent(&api, &b, "foreign").await;
    let at = |rest: &str| format!("/api/v1/identities/scout{rest}");
    let mailbox = format!("/api/v1/mail/mailboxes/{}", scout.address);
    for key in [&b.key, &foreign.key, &other.key] {
        for path in [
            at(""),
            at("/mail-contact-rules"),
            mailbox.clone(),
            format!("{mailbox}/contact-rules"),
        ] {
            api.get(&path, key).await.failed(404, "not_found");
        }
        api.patch(&at(""), key, json!({ "description": "x" }))
            .await
            .failed(404, "not_found");
        let patched = api.patch(&mailbox, key, json!({ "signature_enabled": true })).await;
        patched.failed(404, "not_found");
    }
    for (method, path) in [("DELETE", at("")), ("GET", at("/access")), ("POST", at("/access"))] {
        api.any(method, &path, &b.key).await.failed(404, "not_found");
        api.any(method, &path, &other.key)
            .await
            .failed(403, "admin_key_required");
        api.any(method, &path, "tk_nonsense").await.failed(401, "unauthorized");
    }
    assert_eq!(handles(&api.get("/api/v1/identities/", &b.key).await), ["foreign"]);
    assert_eq!(handles(&api.get("/api/v1/identities/", &other.key).await), ["other"]);
    // Keys that see other parts of an organization are none of this dialect.
    let (_, pod) = api.workspace(&a, "W").await;
    let organization = api.organization_key(&a.id).await;
    for key in [&pod, &organization, &api.operator] {
        api.get("/api/v1/identities/", key).await.failed(403, "forbidden");
    }
    // A mailbox's key that has no identity finds nobody.
    let bare = api.inbox(&a.key, "bare").await.text("apiKey");
    assert!(handles(&api.get("/api/v1/identities/", &bare).await).is_empty());
    api.get(&at(""), &bare).await.failed(404, "not_found");
}

#[tokio::test]
async fn mailboxes_are_listed_read_and_signed() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let scout = agent(&api, &a, "scout").await;
    api.inbox(&a.key, "bare").await;
    let all = api.get("/api/v1/mail/mailboxes", &a.key).await;
    all.has("/0", &MAILBOX);
    assert_eq!(all.body[0]["agent_identity_id"], scout.id.as_str());
    assert!(all.body[1]["agent_identity_id"].is_null() && all.body[1].get("agent_identity_id").is_some());
    let own = api.get("/api/v1/mail/mailboxes/", &scout.key).await;
    assert_eq!(own.body.as_array().unwrap().len(), 1);
    let path = "/api/v1/mail/mailboxes/SCOUT@Example.Test";
    let shown = api.get(path, &scout.key).await;
    shown.has("", &MAILBOX);
    assert_eq!(shown.body["storage_used_bytes"], 0);
    assert!(shown.body["storage_limit_bytes"].is_u64());
    assert_eq!(shown.body["signature_enabled"], false);
    let long = "ö".repeat(16_384);
    let signed = json!({ "signature_html": "<p>Yours,<br>Scout</p>", "signature_enabled": true });
    let signed = api.patch(path, &scout.key, signed).await;
    signed.expect(StatusCode::OK);
    assert!(signed.text("signature_text").contains("Scout") && !signed.text("signature_text").contains('<'));
    assert!(signed.body["filter_mode_change_notice"].is_null());
    // What is made of it may be longer than a signature: it is cut.
    let wide = format!("<ul>{}</ul>", "<li>x".repeat(3_000));
    let cut = api.patch(path, &scout.key, json!({ "signature_html": wide })).await;
    cut.expect(StatusCode::OK);
    assert!((1..=16_384).contains(&cut.text("signature_text").chars().count()));
    api.patch(path, &scout.key, json!({ "signature_html": "<p>Yours,<br>Scout</p>" }))
        .await
        .expect(StatusCode::OK);
    let changed = api.patch(path, &scout.key, json!({ "signature_text": long })).await;
    assert_eq!(changed.text("signature_text"), long);
    assert_eq!(changed.text("signature_html"), "<p>Yours,<br>Scout</p>");
    let cleared = json!({ "signature_text": null, "signature_html": null });
    let cleared = api.patch(path, &scout.key, cleared).await;
    assert!(cleared.body["signature_text"].is_null() && cleared.body["signature_html"].is_null());
    for body in [
        json!({ "display_name": "x" }),
        json!({ "signature_text": format!("{long}x") }),
        json!({ "filter_mode": "graylist" }),
        json!({ "signature_enabled": "yes" }),
        json!([]),
        json!(null),
    ] {
        api.patch(path, &a.key, body).await.failed(422, "validation_error");
    }
    api.patch(path, &scout.key, json!({ "filter_mode": "whitelist" }))
        .await
        .failed(403, "admin_key_required");
    let rule = json!({ "action": "block", "match_type": "domain", "match_target": "x.test" });
    api.post("/api/v1/identities/scout/mail-contact-rules", &a.key, rule)
        .await
        .expect(StatusCode::CREATED);
    let changed = api.patch(path, &a.key, json!({ "filter_mode": "whitelist" })).await;
    let notice = json!({
        "new_filter_mode": "whitelist", "redundant_rule_action": "block", "redundant_rule_count": 1,
    });
    assert_eq!(changed.body["filter_mode_change_notice"], notice);
    let same = api.patch(path, &a.key, json!({ "filter_mode": "whitelist" })).await;
    assert!(same.body["filter_mode_change_notice"].is_null());
    assert_eq!(
        api.get("/api/v1/identities/scout", &a.key)
            .await
            .text("mail_filter_mode"),
        "whitelist"
    );
    api.get("/api/v1/mail/mailboxes/nobody@example.test", &a.key)
        .await
        .failed(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_that_want_a_handle_one_gets_it() {
    let api = Arc::new(Api::new().await);
    let mut keys = Vec::new();
    for n in 0..4 {
        keys.push(api.tenant(&format!("T{n}")).await.key);
    }
    let mut tasks = JoinSet::new();
    for n in 0..16 {
        let (api, key) = (Arc::clone(&api), keys[n % 4].clone());
        tasks.spawn(async move {
            let wish = json!({ "agent_handle": "scout" });
            api.post("/api/v1/identities/", &key, wish).await.status
        });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[409; 15][..]));
}
