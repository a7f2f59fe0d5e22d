//! Which kind of key may do what, and what it may not even know of.

use crate::setup::Api;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use postroom_identity::KeyScope;
use serde_json::{Value, json};

#[tokio::test]
async fn every_route_with_every_kind_of_key() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let (workspace, wk) = api.workspace(&tenant, "W").await;
    let inbox = api.inbox(&wk, "scout").await;
    let (id, ak) = (inbox.text("id"), inbox.text("apiKey"));
    let organization = tenant.id.parse().unwrap();
    let pod = workspace.parse().unwrap();
    let am = async |scope| {
        let key = api.identity.create_key(&scope, None).await.unwrap();
        key.secret.expose().clone()
    };
    let none = "00000000-0000-0000-0000-000000000000";
    let keys = [
        ("sa", api.operator.clone()),
        ("tk", tenant.key.clone()),
        ("wk", wk),
        ("ak", ak),
        ("am", am(KeyScope::Organization(organization)).await),
        ("am", am(KeyScope::AgentPod(organization, pod)).await),
        (
            "am",
            am(KeyScope::AgentInbox(organization, pod, id.parse().unwrap())).await,
        ),
    ];
    // Who may: the routes are called so that they find nothing to do, or change nothing.
    for (method, path, may) in [
        ("GET", "/v1/me".to_owned(), "sa tk wk ak am"),
        ("POST", "/v1/tenants".into(), "sa"),
        ("GET", "/v1/tenants".into(), "sa"),
        ("GET", format!("/v1/tenants/{}", tenant.id), "sa"),
        ("PATCH", format!("/v1/tenants/{}", tenant.id), "sa"),
        ("DELETE", format!("/v1/tenants/{none}"), "sa"),
        ("POST", "/v1/workspaces".into(), "tk"),
        ("GET", "/v1/workspaces".into(), "tk"),
        ("GET", format!("/v1/workspaces/{workspace}"), "tk"),
        ("POST", format!("/v1/workspaces/{none}/keys"), "tk"),
        ("GET", format!("/v1/workspaces/{workspace}/keys"), "tk"),
        ("DELETE", format!("/v1/workspaces/{workspace}/keys/{none}"), "tk"),
        ("POST", "/v1/inboxes?strict=x".into(), "tk wk"),
        ("GET", "/v1/inboxes".into(), "tk wk ak"),
        ("GET", format!("/v1/inboxes/{id}"), "tk wk ak"),
        ("PATCH", format!("/v1/inboxes/{id}"), "tk wk"),
        ("DELETE", format!("/v1/inboxes/{none}"), "tk wk"),
        ("POST", format!("/v1/inboxes/{none}/rotate-credentials"), "tk wk"),
        ("POST", format!("/v1/inboxes/{id}/addresses"), "tk wk"),
        ("DELETE", format!("/v1/inboxes/{id}/addresses/x@example.test"), "tk wk"),
        ("GET", format!("/v1/inboxes/{id}/messages"), "tk wk ak"),
        ("GET", format!("/v1/inboxes/{id}/messages/{none}"), "tk wk ak"),
        ("PATCH", format!("/v1/inboxes/{id}/messages/{none}"), "tk wk ak"),
        ("DELETE", format!("/v1/inboxes/{id}/messages/{none}"), "tk wk ak"),
        ("GET", format!("/v1/inboxes/{id}/threads/{none}"), "tk wk ak"),
        (
            "GET",
            format!("/postroom/v1/inboxes/{id}/messages/{none}/raw"),
            "tk wk ak",
        ),
        ("POST", format!("/v1/inboxes/{id}/send"), "tk wk ak"),
        ("POST", format!("/v1/inboxes/{id}/reply/{none}"), "tk wk ak"),
        ("POST", format!("/v1/inboxes/{id}/reply-all/{none}"), "tk wk ak"),
        ("POST", format!("/v1/inboxes/{id}/forward/{none}"), "tk wk ak"),
        (
            "GET",
            format!("/postroom/v1/inboxes/{id}/messages/{none}/trace"),
            "sa tk wk ak am",
        ),
        ("GET", format!("/postroom/v1/inboxes/{id}"), "sa tk wk ak"),
        ("PATCH", format!("/postroom/v1/inboxes/{id}"), "sa tk wk"),
        ("GET", "/postroom/v1/queue".into(), "sa tk wk ak"),
        ("GET", format!("/postroom/v1/queue/{none}"), "sa tk wk ak"),
        ("POST", format!("/postroom/v1/queue/{none}/retry"), "sa tk wk"),
        ("POST", format!("/postroom/v1/queue/{none}/hold"), "sa tk wk"),
        ("POST", format!("/postroom/v1/queue/{none}/cancel"), "sa tk wk ak"),
        ("POST", "/postroom/v1/queue/flush".into(), "sa"),
        ("GET", "/postroom/v1/captured".into(), "sa tk wk ak"),
        ("GET", format!("/postroom/v1/captured/{none}.0"), "sa tk wk ak"),
        ("GET", format!("/postroom/v1/captured/{none}.0/raw"), "sa tk wk ak"),
        ("GET", "/postroom/v1/domains".into(), "sa"),
        ("POST", "/postroom/v1/domains".into(), "sa"),
        ("GET", "/postroom/v1/domains/example.test".into(), "sa"),
        ("PATCH", "/postroom/v1/domains/example.test".into(), "sa"),
        ("DELETE", "/postroom/v1/domains/example.test".into(), "sa"),
        ("GET", "/postroom/v1/domains/example.test/dns?format=x".into(), "sa"),
        ("POST", "/postroom/v1/domains/none.test/rotate-dkim".into(), "sa"),
        ("POST", "/v1/linkedin/post".into(), "sa tk wk ak am"),
    ] {
        for (kind, key) in &keys {
            let answer = api.any(method, &path, key).await;
            let allowed = may.split(' ').any(|may| may == *kind);
            assert_eq!(
                answer.status == 403,
                !allowed,
                "{kind} {method} {path}: {} {}",
                answer.status,
                answer.body
            );
            if !allowed {
                answer.refused(403, "FORBIDDEN");
            }
        }
        for dead in ["", "tk_unknown", "nonsense"] {
            api.any(method, &path, dead).await.refused(401, "UNAUTHORIZED");
        }
    }
}

#[tokio::test]
async fn what_is_not_yours_is_not_there() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let (workspace, wk) = api.workspace(&a, "W").await;
    let own = api.inbox(&wk, "own").await;
    let sibling = api.inbox(&a.key, "sibling").await;
    let foreign = api.inbox(&b.key, "foreign").await;
    for (key, others) in [
        (a.key.clone(), vec![&foreign]),
        (wk.clone(), vec![&sibling, &foreign]),
        (own.text("apiKey"), vec![&sibling, &foreign]),
    ] {
        for other in others {
            let id = other.text("id");
            api.get(&format!("/v1/inboxes/{id}"), &key)
                .await
                .refused(404, "NOT_FOUND");
            api.get(&format!("/v1/inboxes/{id}/messages"), &key)
                .await
                .refused(404, "NOT_FOUND");
        }
    }
    for key in [&wk, &b.key] {
        let path = format!("/v1/inboxes/{}", sibling.text("id"));
        api.delete(&path, key).await.refused(404, "NOT_FOUND");
        api.patch(&path, key, json!({ "displayName": "mine" }))
            .await
            .refused(404, "NOT_FOUND");
        api.post(&format!("{path}/rotate-credentials"), key, json!({}))
            .await
            .refused(404, "NOT_FOUND");
        let body = json!({ "email": "new@example.test" });
        api.post(&format!("{path}/addresses"), key, body)
            .await
            .refused(404, "NOT_FOUND");
    }
    let path = format!("/v1/workspaces/{workspace}");
    api.get(&path, &b.key).await.refused(404, "WORKSPACE_NOT_FOUND");
    api.post(&format!("{path}/keys"), &b.key, json!({}))
        .await
        .refused(404, "WORKSPACE_NOT_FOUND");
    for key in [&a.key, &own.text("apiKey")] {
        api.get("/v1/inboxes/not-an-id", key).await.refused(404, "NOT_FOUND");
        api.get("/v1/inboxes/%ff", key).await.refused(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn lists_show_what_the_key_sees() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let (workspace, wk) = api.workspace(&a, "W").await;
    let within = api.inbox(&wk, "within").await;
    api.inbox(&a.key, "outside").await;
    let names = async |path: &str, key: &str| {
        let list = api.get(path, key).await;
        list.expect(StatusCode::OK);
        let inboxes = list.body["inboxes"].as_array().unwrap().clone();
        let names: Vec<String> = inboxes
            .iter()
            .map(|inbox| inbox["username"].as_str().unwrap().into())
            .collect();
        names.join(" ")
    };
    let filtered = format!("/v1/inboxes?workspace={workspace}");
    assert_eq!(names("/v1/inboxes", &a.key).await, "within outside");
    assert_eq!(names(&filtered, &a.key).await, "within");
    assert_eq!(names(&filtered, &wk).await, "within");
    assert_eq!(names("/v1/inboxes", &wk).await, "within");
    assert_eq!(names("/v1/inboxes", &within.text("apiKey")).await, "within");
    let default = format!("/v1/inboxes?workspace={}", a.workspace);
    assert_eq!(names(&default, &a.key).await, "outside");
    api.get(&default, &wk).await.refused(404, "WORKSPACE_NOT_FOUND");
    api.get("/v1/inboxes?workspace=x", &a.key)
        .await
        .refused(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn a_workspace_key_counts_only_its_workspace() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let (workspace, wk) = api.workspace(&a, "W").await;
    let outside = api.inbox(&a.key, "scout").await;
    let within = api.inbox(&wk, "scout").await;
    assert_eq!(
        (within.text("username"), within.text("workspaceId")),
        ("scout1".into(), workspace.clone())
    );
    // The master key finds it where it is, and does not move it.
    let found = api
        .post(
            "/v1/inboxes",
            &a.key,
            json!({ "username": "scout", "workspaceId": workspace }),
        )
        .await;
    found.expect(StatusCode::OK);
    assert_eq!(
        (found.text("id"), found.text("workspaceId")),
        (outside.text("id"), a.workspace.clone())
    );
    let own = api
        .post("/v1/inboxes", &wk, json!({ "username": "x", "workspaceId": workspace }))
        .await;
    own.expect(StatusCode::CREATED);
    let other = api
        .post(
            "/v1/inboxes",
            &wk,
            json!({ "username": "y", "workspaceId": a.workspace }),
        )
        .await;
    other.refused(404, "WORKSPACE_NOT_FOUND");
}

#[tokio::test]
async fn where_keys_are_taken_from() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let me = async |path: &str, fields: &[(&str, String)]| {
        let request = fields
            .iter()
            .fold(Request::builder().uri(path), |request, (name, value)| {
                request.header(*name, value)
            });
        api.send(request.body(Body::empty()).unwrap()).await
    };
    let bearer = |key: &str| ("authorization", format!("bEaReR {key}"));
    let own = |key: &str| ("x-api-key", key.to_owned());
    me("/v1/me", &[bearer(&tenant.key)]).await.expect(StatusCode::OK);
    // X-API-Key counts, for better and for worse.
    let both = me("/v1/me", &[bearer(&api.operator), own(&tenant.key)]).await;
    assert_eq!(both.text("kind"), "tenant");
    me("/v1/me", &[bearer(&tenant.key), own("tk_wrong")])
        .await
        .refused(401, "UNAUTHORIZED");
    let in_query = me(&format!("/v1/me?api_key={}", tenant.key), &[]).await;
    in_query.refused(401, "UNAUTHORIZED");
    assert!(in_query.headers.contains_key("www-authenticate"));
}

#[tokio::test]
async fn me_says_what_a_key_is() {
    let api = Api::new().await;
    let a = api.tenant("A").await;
    let (workspace, wk) = api.workspace(&a, "W").await;
    let inbox = api.inbox(&wk, "scout").await;
    for (key, kind, tenant, pod, own) in [
        (api.operator.clone(), "operator", Value::Null, Value::Null, Value::Null),
        (a.key, "tenant", json!(a.id), Value::Null, Value::Null),
        (wk, "workspace", json!(a.id), json!(workspace), Value::Null),
        (
            inbox.text("apiKey"),
            "inbox",
            json!(a.id),
            json!(workspace),
            json!(inbox.text("id")),
        ),
    ] {
        let expected = json!({ "kind": kind, "tenantId": tenant, "workspaceId": pod, "inboxId": own });
        assert_eq!(api.get("/v1/me", &key).await.body, expected);
    }
}
