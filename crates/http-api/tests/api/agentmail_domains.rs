//! Domains that organizations bring (agentmail.md §12).

use crate::agentmail_mail::{Agents, each};
use crate::setup::Answer;
use axum::http::StatusCode;
use postroom_identity::Resolution;
use postroom_types::EmailAddress;
use serde_json::{Value, json};

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    let told = (answer.status, answer.body["code"].as_str());
    assert_eq!(told, (status, Some(code)), "{}", answer.body);
}

/// Puts into the DNS what a domain's owner is told to.
fn publish(agents: &Agents, domain: &Value) {
    let mut zone = agents.api.names.0.lock().unwrap();
    for record in domain["records"].as_array().unwrap() {
        let text = |field: &str| record[field].as_str().unwrap().to_owned();
        zone.push((text("type"), text("name"), text("value")));
    }
}

#[tokio::test]
async fn a_domain_from_claim_to_deletion() {
    let agents = Agents::new().await;
    let (api, key) = (&agents.api, &agents.key);
    let made = api.post("/v0/domains", key, json!({ "domain": "New.test" })).await;
    made.expect(StatusCode::OK);
    assert_eq!(
        (
            &made.body["domain_id"],
            &made.body["status"],
            &made.body["inbound_enabled"]
        ),
        (&json!("new.test"), &json!("NOT_STARTED"), &json!(true))
    );
    let names = each(&made.body["records"], "name");
    assert!(
        names.iter().any(|name| name.ends_with("._domainkey.new.test")),
        "{names:?}"
    );
    for name in ["new.test", "_dmarc.new.test", "_postroom.new.test"] {
        assert!(names.iter().any(|other| other == name), "{name} of {names:?}");
    }
    assert!(
        each(&made.body["records"], "status")
            .iter()
            .all(|status| status == "MISSING")
    );
    let listed = api.get("/v0/domains", key).await;
    assert_eq!(
        (&listed.body["count"], &listed.body["domains"][0]["records"]),
        (&json!(1), &Value::Null)
    );
    refused(
        &api.post("/v0/domains", key, json!({ "domain": "new.test" })).await,
        403,
        "resource_taken",
    );

    // Not theirs before the DNS says so.
    let wanted = json!({ "username": "scout", "domain": "new.test" });
    refused(
        &api.post("/v0/inboxes", key, wanted.clone()).await,
        403,
        "domain_not_verified",
    );
    let verify = "/v0/domains/new.test/verify";
    api.post(verify, key, Value::Null).await.expect(StatusCode::NO_CONTENT);
    let status = async || api.get("/v0/domains/new.test", key).await.text("status");
    assert_eq!(status().await, "PENDING");
    publish(&agents, &made.body);
    api.post(verify, key, Value::Null).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(status().await, "VERIFIED");
    let inbox = api.post("/v0/inboxes", key, wanted).await;
    inbox.expect(StatusCode::OK);
    assert_eq!(inbox.text("inbox_id"), "scout@new.test");
    let events = api.get("/postroom/v1/events", key).await;
    assert!(events.body.to_string().contains("domain.verified"), "{}", events.body);

    let zone = api.get("/v0/domains/new.test/zone-file", key).await;
    let zone = String::from_utf8(zone.bytes).unwrap();
    assert!(zone.contains("new.test. IN MX 10 "), "{zone}");
    let link = api.get("/v0/domains/new.test/setup-link", key).await;
    assert_eq!(link.body, json!({ "supported": false }));

    // Stopped, not lost.
    let send = "/v0/inboxes/scout@new.test/messages/send";
    let letter = json!({ "to": "ann@example.net", "subject": "S", "text": "x" });
    api.post(send, key, letter.clone()).await.expect(StatusCode::OK);
    api.delete("/v0/domains/new.test", key)
        .await
        .expect(StatusCode::NO_CONTENT);
    refused(&api.post(send, key, letter).await, 403, "domain_not_verified");
    let kept = api.get("/v0/inboxes/scout@new.test/messages", key).await;
    assert_eq!(kept.body["count"], json!(1));
    refused(&api.get("/v0/domains/new.test", key).await, 404, "not_found");
    refused(&api.delete("/v0/domains/new.test", key).await, 404, "not_found");
}

#[tokio::test]
async fn the_dns_decides_whose_a_domain_is() {
    let agents = Agents::new().await;
    let (api, key) = (&agents.api, &agents.key);
    let other = api.tenant("B").await;
    let other = api.organization_key(&other.id).await;
    let body = json!({ "domain": "new.test" });
    let mine = api.post("/v0/domains", key, body.clone()).await;
    mine.expect(StatusCode::OK);
    api.post("/v0/domains", &other, body).await.expect(StatusCode::OK);
    publish(&agents, &mine.body);
    let verify = "/v0/domains/new.test/verify";
    api.post(verify, &other, Value::Null)
        .await
        .expect(StatusCode::NO_CONTENT);
    let theirs = api.get("/v0/domains/new.test", &other).await;
    assert_eq!(theirs.text("status"), "INVALID");
    api.post(verify, key, Value::Null).await.expect(StatusCode::NO_CONTENT);
    refused(&api.post(verify, &other, Value::Null).await, 409, "conflict");
    for taken in ["sub.new.test", "example.test", "sub.example.test"] {
        let answer = api.post("/v0/domains", &other, json!({ "domain": taken })).await;
        refused(&answer, 403, "resource_taken");
    }
    api.post("/v0/domains", key, json!({ "domain": "sub.new.test" }))
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn domains_change_and_belong_to_pods() {
    let agents = Agents::new().await;
    let (api, key) = (&agents.api, &agents.key);
    let pod = api.post("/v0/pods", key, json!({ "name": "p" })).await.text("pod_id");
    let body = json!({ "domain": "pod.test", "inbound_enabled": false });
    let made = api.post(&format!("/v0/pods/{pod}/domains"), key, body).await;
    made.expect(StatusCode::OK);
    assert_eq!(made.text("pod_id"), pod);
    assert!(
        each(&made.body["records"], "type").iter().all(|kind| kind != "MX"),
        "{}",
        made.body
    );
    refused(&api.delete(&format!("/v0/pods/{pod}"), key).await, 409, "cannot_delete");
    publish(&agents, &made.body);
    let path = format!("/v0/pods/{pod}/domains/pod.test");
    api.post(&format!("{path}/verify"), key, Value::Null)
        .await
        .expect(StatusCode::NO_CONTENT);
    assert_eq!(api.get(&path, key).await.text("status"), "VERIFIED");
    let changed = api.patch(&path, key, json!({ "inbound_enabled": true })).await;
    assert_eq!(changed.text("status"), "PENDING");
    for (body, status, code) in [
        (json!({}), 400, "validation_error"),
        (json!({ "tracking_enabled": true }), 422, "unprocessable"),
    ] {
        refused(&api.patch(&path, key, body).await, status, code);
    }
    let elsewhere = api.post("/v0/pods", key, json!({ "name": "q" })).await.text("pod_id");
    let foreign = format!("/v0/pods/{elsewhere}/domains/pod.test");
    refused(&api.get(&foreign, key).await, 404, "not_found");
    api.post("/v0/domains", key, json!({ "domain": "all.test" }))
        .await
        .expect(StatusCode::OK);
    let first = api.get("/v0/domains?limit=1", key).await;
    let token = first.text("next_page_token");
    let second = api.get(&format!("/v0/domains?limit=1&page_token={token}"), key).await;
    let names = [
        each(&first.body["domains"], "domain"),
        each(&second.body["domains"], "domain"),
    ]
    .concat();
    assert_eq!(names, ["all.test", "pod.test"]);
    assert_eq!(second.body["next_page_token"], Value::Null);
}

#[tokio::test]
async fn domains_below_one() {
    let agents = Agents::new().await;
    let (api, key) = (&agents.api, &agents.key);
    let body = json!({ "domain": "new.test", "subdomains_enabled": true });
    let made = api.post("/v0/domains", key, body).await;
    made.expect(StatusCode::OK);
    let names = each(&made.body["records"], "name");
    assert!(names.iter().any(|name| name == "*.new.test"), "{names:?}");
    publish(&agents, &made.body);
    let path = "/v0/domains/new.test";
    api.post(&format!("{path}/verify"), key, Value::Null)
        .await
        .expect(StatusCode::NO_CONTENT);
    assert_eq!(api.get(path, key).await.text("status"), "VERIFIED");
    let wanted = |domain: &str| json!({ "username": "scout", "domain": domain });
    let inbox = api.post("/v0/inboxes", key, wanted("a.b.new.test")).await;
    inbox.expect(StatusCode::OK);
    let address = EmailAddress::parse("scout@a.b.new.test").unwrap();
    let resolved = async || api.identity.resolve(&address).await.unwrap();
    assert!(matches!(resolved().await, Resolution::Inbox(_)));
    let signer = api.identity.signer(address.domain()).await.unwrap();
    assert!(signer.is_some());
    let send = "/v0/inboxes/scout@a.b.new.test/messages/send";
    let letter = json!({ "to": "ann@example.net", "subject": "S", "text": "x" });
    api.post(send, key, letter.clone()).await.expect(StatusCode::OK);
    let changed = api.patch(path, key, json!({ "subdomains_enabled": false })).await;
    assert_eq!(
        (changed.text("status"), &changed.body["subdomains_enabled"]),
        ("VERIFIED".into(), &json!(false))
    );
    assert!(matches!(resolved().await, Resolution::NotLocal));
    refused(&api.post(send, key, letter).await, 403, "domain_not_verified");
    refused(
        &api.post("/v0/inboxes", key, wanted("c.new.test")).await,
        403,
        "domain_not_verified",
    );
    api.post("/v0/inboxes", key, wanted("new.test"))
        .await
        .expect(StatusCode::OK);
    let again = api.patch(path, key, json!({ "subdomains_enabled": true })).await;
    assert_eq!(again.text("status"), "PENDING");
}
