//! The operator's own inbox: read with what the operator makes for it, and by nobody else.

use crate::arrival::Arrival;
use crate::permissions::Tree;
use crate::setup::Api;
use axum::http::StatusCode;
use postroom_mailstore::{MailboxRef, Origin};
use serde_json::json;

const PATH: &str = "/postroom/v1/postmaster";
const ROTATE: &str = "/postroom/v1/postmaster/rotate-credentials";

#[tokio::test]
async fn the_operator_reads_its_mail() {
    let api = Api::new().await;
    let shown = api.get(PATH, &api.operator).await;
    shown.expect(StatusCode::OK);
    assert_eq!(shown.text("address"), "postmaster@example.test");
    let inbox = shown.text("id");
    Arrival::now(Origin::Received, MailboxRef::Inbox)
        .put(
            &api,
            inbox.parse().unwrap(),
            "To: abuse@example.test\nSubject: stop\n\nx\n",
        )
        .await;

    let made = api.post(ROTATE, &api.operator, json!({})).await;
    made.expect(StatusCode::OK);
    assert_eq!(made.headers["cache-control"], "no-store");
    let (key, password) = (made.text("apiKey"), made.text("password"));
    let mail = format!("/v1/inboxes/{inbox}/messages");
    let listed = api.get(&mail, &key).await;
    listed.expect(StatusCode::OK);
    assert_eq!(listed.body["messages"][0]["subject"], "stop", "{}", listed.body);
    let agentmail = api.get("/v0/inboxes/postmaster@example.test/messages", &key).await;
    assert_eq!(agentmail.body["count"], 1, "{}", agentmail.body);

    // One is had anew without the other; what was there before stops.
    let only = api.post(ROTATE, &api.operator, json!({ "password": true })).await;
    assert!(only.body["apiKey"].is_null() && only.text("password") != password);
    api.get(&mail, &key).await.expect(StatusCode::OK);
    let newer = api.post(ROTATE, &api.operator, json!({ "apiKey": true, "password": false }));
    let newer = newer.await;
    assert!(newer.body["password"].is_null());
    api.get(&mail, &key).await.refused(401, "UNAUTHORIZED");
    let newer = newer.text("apiKey");

    // It is the key of an inbox: it opens no other, makes no other, and nothing of the operator's.
    let tree = Tree::plant(&api, "other").await;
    for place in [format!("/v0/inboxes/{}/messages", tree.inbox), "/v0/api-keys".into()] {
        let answer = api.get(&place, &newer).await;
        assert!(
            answer.status >= 400 || answer.body["count"] == 0,
            "{place}: {}",
            answer.body
        );
    }
    api.get("/v1/tenants", &newer).await.refused(403, "FORBIDDEN");
    api.post(ROTATE, &newer, json!({})).await.refused(403, "FORBIDDEN");
}

#[tokio::test]
async fn nobody_else_does() {
    let api = Api::new().await;
    let tree = Tree::plant(&api, "tree").await;
    let tenant = api.tenant("Acme").await;
    let inbox = api.get(PATH, &api.operator).await.text("id");
    let mut keys = tree.keys.to_vec();
    let (_, workspace) = api.workspace(&tenant, "desk").await;
    keys.extend([
        tenant.key.clone(),
        workspace,
        api.inbox(&tenant.key, "scout").await.text("apiKey"),
    ]);
    for key in &keys {
        api.get(PATH, key).await.refused(403, "FORBIDDEN");
        api.post(ROTATE, key, json!({})).await.refused(403, "FORBIDDEN");
    }
    api.post(ROTATE, "", json!({})).await.refused(401, "UNAUTHORIZED");
    api.get(&format!("/v1/inboxes/{inbox}"), &tenant.key)
        .await
        .refused(404, "NOT_FOUND");
    for wrong in [
        json!({ "apiKey": false, "password": false }),
        json!({ "imapPassword": true }),
        json!({ "apiKey": 1 }),
    ] {
        api.post(ROTATE, &api.operator, wrong)
            .await
            .refused(400, "VALIDATION_ERROR");
    }
}
