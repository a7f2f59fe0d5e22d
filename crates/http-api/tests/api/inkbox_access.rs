//! Visibility, keys, whoami and domains over the Inkbox dialect (inkbox.md §3, §5, §9).

use crate::inkbox_identities::agent;
use crate::setup::{Answer, Api, names};
use axum::http::StatusCode;
use serde_json::{Value, json};

fn handles(answer: &Answer) -> Vec<&str> {
    let all = answer.body.as_array().unwrap().iter();
    all.map(|identity| identity["agent_handle"].as_str().unwrap()).collect()
}

fn viewers(answer: &Answer) -> Vec<Value> {
    answer.expect(StatusCode::OK);
    let rows = answer.body.as_array().unwrap().iter();
    rows.map(|row| row["viewer_identity_id"].clone()).collect()
}

#[tokio::test]
async fn who_may_find_whom() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let (one, two) = (agent(&api, &a, "one").await, agent(&api, &a, "two").await);
    let foreign = agent(&api, &b, "foreign").await;
    let access = "/api/v1/identities/two/access";
    assert!(viewers(&api.get(access, &a.key).await).is_empty());
    let to = |viewer: &str| json!({ "viewer_identity_id": viewer });
    let granted = api.post(access, &a.key, to(&one.id)).await;
    granted.expect(StatusCode::CREATED);
    granted.has("", &["id", "target_identity_id", "viewer_identity_id", "created_at"]);
    assert_eq!(granted.body["target_identity_id"], two.id.as_str());
    assert_eq!(handles(&api.get("/api/v1/identities/", &one.key).await), ["one", "two"]);
    assert_eq!(handles(&api.get("/api/v1/identities/", &two.key).await), ["two"]);
    // Found, and no more: neither its mail nor its settings, and nothing is changed.
    let found = api.get("/api/v1/identities/two", &one.key).await;
    found.has(
        "",
        &[
            "id",
            "organization_id",
            "agent_handle",
            "created_at",
            "updated_at",
            "mailbox",
        ],
    );
    let shown = names(&found.body);
    for hidden in [
        "storage_used_bytes",
        "signature_text",
        "signing_key_configured",
        "filter_mode",
        "mail_filter_mode",
    ] {
        assert!(!shown.iter().any(|name| name == hidden), "{hidden}");
    }
    api.patch("/api/v1/identities/two", &one.key, json!({ "description": "x" }))
        .await
        .failed(403, "forbidden");
    api.get("/api/v1/identities/two/mail-contact-rules", &one.key)
        .await
        .failed(403, "forbidden");
    let mailbox = format!("/api/v1/mail/mailboxes/{}/messages", two.address);
    api.get(&mailbox, &one.key).await.failed(404, "not_found");

    api.post(access, &a.key, to(&one.id))
        .await
        .failed(409, "already_granted");
    api.post(access, &a.key, to(&two.id))
        .await
        .failed(422, "validation_error");
    api.post(access, &a.key, to("x")).await.failed(422, "validation_error");
    api.post(access, &a.key, json!({ "viewer": null }))
        .await
        .failed(422, "validation_error");
    api.post(access, &a.key, to(&foreign.id)).await.failed(404, "not_found");
    api.post("/api/v1/identities/foreign/access", &a.key, to(&one.id))
        .await
        .failed(404, "not_found");

    let everybody = api.post(access, &a.key, json!({ "viewer_identity_id": null })).await;
    everybody.expect(StatusCode::CREATED);
    assert_eq!(api.post(access, &a.key, json!({})).await.body, everybody.body);
    assert_eq!(viewers(&api.get(access, &a.key).await), [Value::Null]);
    let redundant = api.post(access, &a.key, to(&one.id)).await;
    assert!(redundant.failed(409, "redundant_grant")["detail"].is_string());
    let late = agent(&api, &a, "late").await;
    assert_eq!(
        handles(&api.get("/api/v1/identities/", &late.key).await),
        ["two", "late"]
    );
    let revoked = api.delete(&format!("{access}/{}", late.id), &a.key).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(viewers(&api.get(access, &a.key).await), [json!(one.id)]);
    api.get("/api/v1/identities/two", &late.key)
        .await
        .failed(404, "not_found");
    api.delete(&format!("{access}/{}", late.id), &a.key)
        .await
        .failed(404, "not_found");
    api.delete(&format!("{access}/x"), &a.key)
        .await
        .failed(404, "not_found");
    // With who saw, the row goes.
    api.delete("/api/v1/identities/one", &a.key).await;
    assert!(viewers(&api.get(access, &a.key).await).is_empty());
}

#[tokio::test]
async fn keys_are_made_for_agents_and_told_once() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let scout = agent(&api, &a, "scout").await;
    let foreign = agent(&api, &b, "foreign").await;
    let keys = "/api/v1/api-keys";
    let wish = json!({ "label": "ci", "description": "for tests", "scoped_identity_id": scout.id });
    let made = api.post(keys, &a.key, wish.clone()).await;
    made.expect(StatusCode::CREATED);
    made.has(
        "/record",
        &[
            "id",
            "organization_id",
            "created_by",
            "creator_type",
            "scoped_identity_id",
            "label",
            "status",
            "last4",
            "display_prefix",
            "created_at",
            "updated_at",
        ],
    );
    let secret = made.text("api_key");
    let record = &made.body["record"];
    assert!(secret.ends_with(record["last4"].as_str().unwrap()));
    assert!(secret.starts_with(record["display_prefix"].as_str().unwrap()));
    assert_eq!(
        (&record["status"], &record["scoped_identity_id"]),
        (&json!("active"), &json!(scout.id))
    );
    api.post(keys, &scout.key, wish).await.failed(403, "admin_key_required");
    for (wish, status, error) in [
        (json!({ "label": "x" }), 403, "forbidden"),
        (
            json!({ "label": "x", "scoped_identity_id": foreign.id }),
            404,
            "not_found",
        ),
        (
            json!({ "label": "x", "scoped_identity_id": "x" }),
            422,
            "validation_error",
        ),
        (
            json!({ "label": "", "scoped_identity_id": scout.id }),
            422,
            "validation_error",
        ),
        (json!({ "scoped_identity_id": scout.id }), 422, "validation_error"),
        (
            json!({ "label": "x".repeat(256), "scoped_identity_id": scout.id }),
            422,
            "validation_error",
        ),
        (
            json!({ "label": "x", "description": "x".repeat(1001), "scoped_identity_id": scout.id }),
            422,
            "validation_error",
        ),
    ] {
        api.post(keys, &a.key, wish).await.failed(status, error);
    }
    // Both of the agent's and the organization's own; none of them shows a secret.
    let list = api.get(keys, &a.key).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 3);
    assert_eq!(list.body["has_more"], false);
    let first = api.get("/api/v1/api-keys?limit=2", &a.key).await;
    let next = first.text("next_cursor");
    let rest = api
        .get(&format!("/api/v1/api-keys?limit=2&cursor={next}"), &a.key)
        .await;
    assert_eq!(rest.body["items"].as_array().unwrap().len(), 1);
    api.get("/api/v1/api-keys?cursor=00", &a.key)
        .await
        .failed(422, "validation_error");
    let text = String::from_utf8(list.bytes).unwrap();
    for secret in [&secret, &scout.key, &a.key] {
        assert!(!text.contains(secret.as_str()));
    }
    let own = api.get("/api/v1/api-keys/self", &secret).await;
    assert_eq!(
        (own.text("label"), own.text("id")),
        ("ci".into(), record["id"].as_str().unwrap().into())
    );
    let path = format!("{keys}/{}", own.text("id"));
    api.delete(&path, &scout.key).await.failed(403, "admin_key_required");
    api.delete(&path, &b.key).await.failed(404, "not_found");
    assert_eq!(api.delete(&path, &a.key).await.status, 204);
    api.delete(&path, &a.key).await.failed(404, "not_found");
    api.get("/api/v1/api-keys/self", &secret)
        .await
        .failed(401, "unauthorized");
    let own = api.get("/api/v1/api-keys/self", &a.key).await.text("id");
    api.delete(&format!("{keys}/{own}"), &a.key)
        .await
        .failed(409, "key_in_use");
}

#[tokio::test]
async fn whoami_says_what_a_key_is() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let scout = agent(&api, &a, "scout").await;
    for (key, subtype) in [
        (&a.key, "api_key.admin_scoped"),
        (&scout.key, "api_key.agent_scoped.claimed"),
    ] {
        let answer = api.get("/api/whoami", key).await;
        answer.expect(StatusCode::OK);
        assert_eq!(
            (answer.text("auth_type"), answer.text("auth_subtype")),
            ("api_key".into(), subtype.into())
        );
        assert_eq!(answer.text("organization_id"), a.id);
        assert!(
            answer.body["created_at"].as_f64().unwrap() > 1.0e9 && answer.body["created_at"].as_f64().unwrap() < 1.0e11
        );
        assert!(answer.body["expires_at"].is_null());
    }
    assert_eq!(api.get("/api/whoami/", &scout.key).await.text("label"), "scout");
    api.get("/api/whoami", "").await.failed(401, "unauthorized");
}

#[tokio::test]
async fn domains_are_listed_and_one_is_the_default() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let scout = agent(&api, &a, "scout").await;
    let organization = a.id.parse().unwrap();
    let domain = postroom_types::Domain::parse("mail.acme.test").unwrap();
    let wish = postroom_identity::DomainWish {
        domain: domain.clone(),
        pod: None,
        feedback: true,
        inbound: true,
        subdomains: false,
    };
    api.identity.create_domain(organization, &wish).await.unwrap();
    let set = "/api/v1/domains/mail.acme.test/set-default";
    api.post(set, &a.key, json!({}))
        .await
        .failed(409, "domain_not_verified");
    let records = api.identity.domain_records(organization, &domain).await.unwrap();
    let records = records.into_iter().map(|checked| checked.record);
    *api.names.0.lock().unwrap() = records
        .map(|record| (record.kind.into(), record.name, record.value))
        .collect();
    api.identity
        .verify_domain(organization, &domain, &*api.names)
        .await
        .unwrap();
    for path in ["/api/v1/domains/", "/api/v1/domains?status=verified"] {
        let list = api.get(path, &scout.key).await;
        list.has("/0", &["id", "domain", "status", "verified_at"]);
        assert_eq!(
            (&list.body[0]["status"], &list.body[0]["is_default"]),
            (&json!("verified"), &json!(false))
        );
    }
    assert_eq!(api.get("/api/v1/domains/?status=failed", &a.key).await.body, json!([]));
    api.get("/api/v1/domains/?status=great", &a.key)
        .await
        .failed(422, "validation_error");
    api.post(set, &scout.key, json!({}))
        .await
        .failed(403, "admin_key_required");
    api.post(set, &b.key, json!({})).await.failed(404, "not_found");
    api.post("/api/v1/domains/unknown.test/set-default", &a.key, json!({}))
        .await
        .failed(404, "not_found");
    let done = api.post(set, &a.key, json!({})).await;
    assert_eq!(done.body, json!({ "default_domain": "mail.acme.test" }));
    assert_eq!(api.get("/api/v1/domains/", &a.key).await.body[0]["is_default"], true);
    for (handle, mailbox, address) in [
        ("ranger", json!({}), "ranger@mail.acme.test"),
        ("walker", json!({ "email_local_part": "Hello" }), "hello@mail.acme.test"),
        ("rover", json!({ "sending_domain": null }), "rover@example.test"),
    ] {
        let wish = json!({ "agent_handle": handle, "mailbox": mailbox });
        let made = api.post("/api/v1/identities/", &a.key, wish).await;
        assert_eq!(made.text("email_address"), address);
    }
    let taken = json!({ "agent_handle": "stroller", "mailbox": { "email_local_part": "hello" } });
    let taken = api.post("/api/v1/identities/", &a.key, taken).await;
    assert_eq!(
        taken.failed(409, "agent_handle_unavailable")["blocking_namespace"],
        "mail"
    );
    // A handle is kept back on the server's own domain, wherever its mailbox is.
    assert_eq!(api.inbox(&b.key, "ranger").await.text("email"), "ranger1@example.test");
    let back = api
        .post("/api/v1/domains/example.test/set-default", &a.key, json!({}))
        .await;
    assert_eq!(back.body, json!({ "default_domain": null }));
}
