//! Domains over our own routes.

use crate::setup::Api;
use axum::http::StatusCode;
use serde_json::{Value, json};

const DOMAINS: &str = "/postroom/v1/domains";

#[tokio::test]
async fn a_domain_from_beginning_to_end() {
    let api = Api::new().await;
    let sa = api.operator.clone();
    let added = api.post(DOMAINS, &sa, json!({ "domain": "New.Example" })).await;
    added.expect(StatusCode::CREATED);
    assert_eq!(
        (added.text("domain"), &added.body["organization"]),
        ("new.example".into(), &Value::Null)
    );
    let listed = api.get(DOMAINS, &sa).await;
    let names: Vec<_> = listed.body["domains"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["domain"].clone())
        .collect();
    assert_eq!(names, ["example.test", "new.example"]);
    api.post(DOMAINS, &sa, json!({ "domain": "example.test" }))
        .await
        .refused(409, "DOMAIN_TAKEN");

    // It is of use at once.
    let tenant = api.tenant("A").await;
    let wanted = json!({ "username": "scout", "domain": "new.example" });
    api.post("/v1/inboxes", &tenant.key, wanted)
        .await
        .expect(StatusCode::CREATED);
    let path = format!("{DOMAINS}/new.example");
    let caught = api.patch(&path, &sa, json!({ "catchAll": "Scout@new.example" })).await;
    assert_eq!(caught.body["catchAll"], "scout@new.example");
    assert_eq!(api.get(&path, &sa).await.body, caught.body);
    assert_eq!(api.patch(&path, &sa, json!({})).await.body, caught.body);
    for bad in [json!("nobody@new.example"), json!("x"), json!(1)] {
        api.patch(&path, &sa, json!({ "catchAll": bad }))
            .await
            .refused(400, "VALIDATION_ERROR");
    }
    assert_eq!(
        api.patch(&path, &sa, json!({ "catchAll": null })).await.body["catchAll"],
        Value::Null
    );
    api.delete(&path, &sa).await.refused(409, "DOMAIN_IN_USE");

    let empty = format!("{DOMAINS}/empty.example");
    api.post(
        DOMAINS,
        &sa,
        json!({ "domain": "empty.example", "organization": tenant.id }),
    )
    .await
    .expect(StatusCode::CREATED);
    let gone = api.delete(&empty, &sa).await;
    assert_eq!(gone.body, json!({ "deleted": true, "domain": "empty.example" }));
    for (method, rest) in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/dns"),
        ("POST", "/rotate-dkim"),
    ] {
        api.any(method, &format!("{empty}{rest}"), &sa)
            .await
            .refused(404, "NOT_FOUND");
    }
    for bad in [
        json!({}),
        json!({ "domain": 1 }),
        json!({ "domain": "a..b" }),
        json!({ "domain": "a\r\nb.example" }),
    ] {
        api.post(DOMAINS, &sa, bad).await.refused(400, "VALIDATION_ERROR");
    }
    for id in ["x", "00000000-0000-0000-0000-000000000000"] {
        let body = json!({ "domain": "other.example", "organization": id });
        api.post(DOMAINS, &sa, body).await.refused(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn records_in_three_forms() {
    let api = Api::new().await;
    let sa = api.operator.clone();
    let path = format!("{DOMAINS}/example.test/dns");
    let shown = api.get(&path, &sa).await;
    shown.expect(StatusCode::OK);
    let records = shown.body["records"].as_array().unwrap();
    let values = |kind: &str, start: &str| {
        let of_kind = records.iter().filter(|record| record["type"] == kind);
        of_kind
            .filter(|record| record["value"].as_str().unwrap().starts_with(start))
            .count()
    };
    assert_eq!(
        (
            values("MX", ""),
            values("TXT", "v=spf1"),
            values("TXT", "v=DKIM1"),
            values("TXT", "v=DMARC1")
        ),
        (1, 1, 2, 1)
    );
    assert_eq!(api.get(&format!("{path}?format=json"), &sa).await.body, shown.body);
    for (format, expected) in [("text", "  type      MX\n"), ("zone", " IN MX 10 ")] {
        let text = api.get(&format!("{path}?format={format}"), &sa).await;
        text.expect(StatusCode::OK);
        assert_eq!(text.headers["content-type"], "text/plain; charset=utf-8");
        let text = String::from_utf8(text.bytes).unwrap();
        assert!(text.contains(expected), "{text}");
        for record in records {
            assert!(text.contains(record["name"].as_str().unwrap()), "{text}");
        }
    }
    api.get(&format!("{path}?format=xml"), &sa)
        .await
        .refused(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn keys_are_replaced() {
    let api = Api::new().await;
    let sa = api.operator.clone();
    let rotate = async |body: Value| {
        api.post(&format!("{DOMAINS}/example.test/rotate-dkim"), &sa, body)
            .await
    };
    rotate(json!({ "now": true })).await.expect(StatusCode::OK);
    let rotated = rotate(json!({})).await;
    let stages: Vec<_> = rotated.body["dkimKeys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["stage"].clone())
        .collect();
    assert_eq!(stages, ["signing", "signing", "published", "published"]);
    assert!(!rotated.body.to_string().contains("private"));
    rotate(json!({ "now": 1 })).await.refused(400, "VALIDATION_ERROR");
}
