//! Domains of the MyAgentMail dialect.

use crate::setup::{Answer, Api};
use axum::http::StatusCode;
use serde_json::{Value, json};

/// Puts into the DNS what a domain's owner is told to.
fn publish(api: &Api, domain: &Answer) {
    let mut zone = api.names.0.lock().unwrap();
    for record in domain.body["dnsRecords"].as_array().unwrap() {
        let text = |field: &str| record[field].as_str().unwrap().to_owned();
        zone.push((text("type"), text("name"), text("value")));
    }
}

fn statuses(domain: &Value) -> Vec<&str> {
    let records = domain["dnsRecords"].as_array().unwrap();
    records
        .iter()
        .map(|record| record["status"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_domain_from_claim_to_deletion() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let (workspace, wk) = api.workspace(&tenant, "W").await;
    let made = api.post("/v1/domains", &wk, json!({ "domain": "New.test" })).await;
    made.expect(StatusCode::CREATED);
    assert_eq!(
        (
            made.text("id"),
            made.text("domain"),
            made.text("status"),
            made.text("workspaceId")
        ),
        (
            "new.test".into(),
            "new.test".into(),
            "pending".into(),
            workspace.clone()
        )
    );
    assert!(made.text("createdAt") <= made.text("updatedAt"));
    assert!(statuses(&made.body).iter().all(|status| *status == "pending"));
    let exchange = made.body["dnsRecords"]
        .as_array()
        .unwrap()
        .iter()
        .find(|record| record["type"] == "MX");
    assert!(exchange.unwrap()["priority"].is_u64());
    api.post("/v1/domains", &wk, json!({ "domain": "new.test" }))
        .await
        .refused(409, "DOMAIN_TAKEN");

    // Not theirs before the DNS says so.
    let wanted = json!({ "username": "scout", "domain": "NEW.test" });
    api.post("/v1/inboxes", &wk, wanted.clone())
        .await
        .refused(400, "DOMAIN_NOT_AVAILABLE");
    let verify = "/v1/domains/new.test/verify";
    assert_eq!(api.get(verify, &wk).await.text("status"), "pending");
    publish(&api, &made);
    let verified = api.post(verify, &wk, json!({})).await;
    verified.expect(StatusCode::OK);
    assert_eq!(verified.text("status"), "verified");
    assert!(statuses(&verified.body).iter().all(|status| *status == "verified"));
    let inbox = api.post("/v1/inboxes", &wk, wanted).await;
    inbox.expect(StatusCode::CREATED);
    assert_eq!(inbox.text("email"), "scout@new.test");
    let alias = json!({ "email": "sales@new.test", "primary": false });
    let aliases = format!("/v1/inboxes/{}/addresses", inbox.text("id"));
    api.post(&aliases, &wk, alias).await.expect(StatusCode::CREATED);

    let count = async || {
        let shown = api.get(&format!("/v1/workspaces/{workspace}"), &tenant.key).await;
        shown.body["domainCount"].clone()
    };
    assert_eq!(count().await, json!(1));
    let one = "/v1/domains/new.test";
    assert_eq!(
        api.get("/v1/domains", &wk).await.body,
        json!({ "domains": [api.get(one, &wk).await.body] })
    );
    assert_eq!(
        api.delete(one, &wk).await.body,
        json!({ "deleted": true, "domain": "new.test" })
    );
    for method in ["GET", "DELETE"] {
        api.any(method, one, &wk).await.refused(404, "NOT_FOUND");
    }
    api.get(verify, &wk).await.refused(404, "NOT_FOUND");
    assert_eq!(count().await, json!(0));
}

#[tokio::test]
async fn records_that_say_something_else() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let made = api
        .post("/v1/domains", &tenant.key, json!({ "domain": "new.test" }))
        .await;
    assert_eq!(made.text("workspaceId"), tenant.workspace);
    let exchange = ("MX".to_owned(), "new.test".to_owned(), "mx.elsewhere.test".to_owned());
    publish(&api, &made);
    {
        let mut zone = api.names.0.lock().unwrap();
        zone.retain(|(kind, ..)| kind != "MX");
        zone.push(exchange);
    }
    let checked = api.post("/v1/domains/new.test/verify", &tenant.key, json!({})).await;
    assert_eq!(checked.text("status"), "failed");
    assert!(statuses(&checked.body).contains(&"failed"), "{}", checked.body);
}

#[tokio::test]
async fn which_key_sees_which_domain() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let (w, wk) = api.workspace(&tenant, "W").await;
    let (v, vk) = api.workspace(&tenant, "V").await;
    for (key, body) in [
        (&wk, json!({ "domain": "w.test" })),
        (&vk, json!({ "domain": "v.test", "workspaceId": v })),
        (&tenant.key, json!({ "domain": "default.test" })),
        (&tenant.key, json!({ "domain": "w2.test", "workspaceId": w })),
    ] {
        api.post("/v1/domains", key, body).await.expect(StatusCode::CREATED);
    }
    let list = async |path: &str, key: &str| {
        let list = api.get(path, key).await;
        list.expect(StatusCode::OK);
        let domains = list.body["domains"].as_array().unwrap().clone();
        let names: Vec<_> = domains
            .iter()
            .map(|domain| domain["domain"].as_str().unwrap().to_owned())
            .collect();
        names.join(" ")
    };
    assert_eq!(list("/v1/domains", &wk).await, "w.test w2.test");
    assert_eq!(list("/v1/domains", &vk).await, "v.test");
    assert_eq!(
        list("/v1/domains", &tenant.key).await,
        "w.test v.test default.test w2.test"
    );
    assert_eq!(
        list(&format!("/v1/domains?workspace={w}"), &tenant.key).await,
        "w.test w2.test"
    );
    for (method, path) in [
        ("GET", "/v1/domains/v.test"),
        ("GET", "/v1/domains/v.test/verify"),
        ("POST", "/v1/domains/v.test/verify"),
        ("DELETE", "/v1/domains/v.test"),
        ("GET", "/v1/domains/nowhere.test"),
        ("GET", "/v1/domains/no%20domain"),
    ] {
        api.any(method, path, &wk).await.refused(404, "NOT_FOUND");
    }
    api.post("/v1/domains", &wk, json!({ "domain": "x.test", "workspaceId": v }))
        .await
        .refused(404, "WORKSPACE_NOT_FOUND");
    for bad in [
        json!({}),
        json!({ "domain": 1 }),
        json!({ "domain": "" }),
        json!({ "domain": "a b.test" }),
        json!({ "domain": "localhost" }),
        json!({ "domain": "x.test", "workspaceId": "w" }),
    ] {
        api.post("/v1/domains", &tenant.key, bad)
            .await
            .refused(400, "VALIDATION_ERROR");
    }
    // The server's own is nobody's to claim, nor what lies below it.
    for taken in ["example.test", "mail.example.test"] {
        api.post("/v1/domains", &tenant.key, json!({ "domain": taken }))
            .await
            .refused(409, "DOMAIN_TAKEN");
    }
}

#[tokio::test]
async fn of_two_who_claim_one_domain_the_dns_decides() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let (of_a, of_b) = {
        let body = json!({ "domain": "shared.test" });
        (
            api.post("/v1/domains", &a.key, body.clone()).await,
            api.post("/v1/domains", &b.key, body).await,
        )
    };
    of_a.expect(StatusCode::CREATED);
    of_b.expect(StatusCode::CREATED);
    publish(&api, &of_b);
    let verify = "/v1/domains/shared.test/verify";
    let lost = api.post(verify, &a.key, json!({})).await;
    assert_ne!(lost.text("status"), "verified");
    assert_eq!(api.post(verify, &b.key, json!({})).await.text("status"), "verified");
    api.post(verify, &a.key, json!({})).await.refused(409, "DOMAIN_TAKEN");
    let wanted = json!({ "username": "scout", "domain": "shared.test" });
    api.post("/v1/inboxes", &a.key, wanted.clone())
        .await
        .refused(400, "DOMAIN_NOT_AVAILABLE");
    api.post("/v1/inboxes", &b.key, wanted)
        .await
        .expect(StatusCode::CREATED);
}
