//! Every error has the contract's form, whatever is sent.

use crate::setup::Api;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use std::sync::atomic::Ordering;

async fn post(api: &Api, key: &str, content_type: Option<&str>, body: impl Into<Body>) -> crate::setup::Answer {
    let mut request = Request::post("/v1/inboxes").header("x-api-key", key);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    api.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn hostile_bodies() {
    let api = Api::new().await;
    let key = api.tenant("A").await.key;
    let json = Some("application/json");
    let nested = "[".repeat(50_000);
    let named = format!("{{\"username\":{}", "{\"a\":".repeat(10_000));
    for body in [
        "{",
        "[]",
        "null",
        "\"x\"",
        "7",
        "{}{}",
        "nonsense",
        "{\"username\":\"\\ud800\"}",
        &nested,
        &named,
        "\u{feff}{}",
    ] {
        post(&api, &key, json, body.to_owned())
            .await
            .refused(400, "VALIDATION_ERROR");
    }
    post(&api, &key, json, &b"{\"username\":\"\xff\"}"[..])
        .await
        .refused(400, "VALIDATION_ERROR");
    for name in ["a\\u0000", "a\\r\\n", "\\u202e", "a@b", "../x", "%00"] {
        let body = format!("{{\"username\":\"{name}\"}}");
        post(&api, &key, json, body).await.refused(400, "VALIDATION_ERROR");
    }
    let large = format!("{{\"displayName\":\"{}\"}}", "x".repeat(70_000));
    post(&api, &key, json, large.clone())
        .await
        .refused(413, "PAYLOAD_TOO_LARGE");
    // Without an announced length too.
    let request = Request::post("/v1/inboxes")
        .header("x-api-key", &key)
        .header("transfer-encoding", "chunked");
    api.send(request.body(Body::from(large)).unwrap())
        .await
        .refused(413, "PAYLOAD_TOO_LARGE");
    for wrong in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/jsonx",
    ] {
        post(&api, &key, Some(wrong), "{}")
            .await
            .refused(400, "VALIDATION_ERROR");
    }
    for (right, body) in [
        (Some("application/json; charset=utf-8"), "{}"),
        (None, "{}"),
        (None, ""),
    ] {
        post(&api, &key, right, body).await.expect(StatusCode::CREATED);
    }
}

#[tokio::test]
async fn unknown_routes_and_methods() {
    let api = Api::new().await;
    let key = api.tenant("A").await.key;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/inboxes/",
        "/v2/inboxes",
        "/v1/inboxes/a/b/c/d",
        "/favicon.ico",
    ] {
        api.get(path, &key).await.refused(404, "NOT_FOUND");
    }
    for (method, path) in [
        ("PUT", "/v1/inboxes"),
        ("POST", "/v1/me"),
        ("DELETE", "/healthz"),
        ("BREW", "/v1/inboxes/x"),
    ] {
        api.any(method, path, &key).await.refused(405, "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let api = Api::new().await;
    let made = api.tenant("A").await;
    let id = api.inbox(&made.key, "scout").await.text("id");
    for (method, path) in [
        ("GET", format!("/v1/inboxes/{id}/lists")),
        ("DELETE", format!("/v1/inboxes/{id}/lists/friends/entries/1")),
        ("GET", "/v1/linkedin".into()),
        ("POST", "/v1/linkedin/accounts/x/post".into()),
    ] {
        api.any(method, &path, &made.key).await.refused(501, "NOT_SUPPORTED");
        api.any(method, &path, "").await.refused(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn health_needs_no_key() {
    let api = Api::new().await;
    let check = async |path, expected| {
        let answer = api.get(path, "").await;
        assert_eq!((answer.status, answer.body), (200, expected));
    };
    check("/healthz", json!({ "status": "ok" })).await;
    check("/readyz", json!({ "status": "ready", "takesMail": true })).await;
    // Mail is there to be read and deleted all the same.
    api.is_short_of_space.store(true, Ordering::Relaxed);
    let reason = "less free space than store.min_free";
    let full = json!({ "status": "ready", "takesMail": false, "reason": reason });
    check("/readyz", full).await;
}
