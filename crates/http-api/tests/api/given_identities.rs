//! An identity for an inbox of another dialect, over our own route: who may give it, and how it looks from then on.

use crate::setup::{Answer, Api};
use axum::http::StatusCode;
use serde_json::{Value, json};

async fn give(api: &Api, key: &str, inbox: &str, body: Value) -> Answer {
    let path = format!("/postroom/v1/inboxes/{inbox}/identity");
    api.post(&path, key, body).await
}

#[tokio::test]
async fn an_inbox_of_myagentmail_becomes_an_agent() {
    let api = Api::new().await;
    let admin = api.tenant("A").await.key;
    let made = api.inbox(&admin, "scout").await;
    let (id, own) = (made.text("id"), made.text("apiKey"));
    let before = api.get("/api/v1/mail/mailboxes/scout@example.test", &admin).await;
    assert_eq!(before.body["agent_identity_id"], Value::Null);

    let wish = json!({ "handle": "@Desk-Bot", "description": "answers" });
    let given = give(&api, &admin, "Scout@example.test", wish.clone()).await;
    given.expect(StatusCode::OK);
    assert_eq!(given.text("handle"), "desk-bot");
    assert_eq!(given.text("description"), "answers");
    assert_eq!(given.text("address"), "scout@example.test");
    assert_eq!(
        (given.text("inbox"), given.body["existed"].clone()),
        (id.clone(), false.into())
    );

    // At once, in the dialect that has identities, with the keys that were there.
    for key in [&admin, &own] {
        let seen = api.get("/api/v1/identities/desk-bot", key).await;
        seen.expect(StatusCode::OK);
        assert_eq!(seen.text("id"), given.text("id"));
        assert_eq!(seen.text("email_address"), "scout@example.test");
        assert_eq!(seen.body["mailbox"]["agent_identity_id"], given.body["id"]);
    }
    let shown = api.get(&format!("/postroom/v1/inboxes/{id}"), &own).await;
    assert_eq!(
        (shown.text("identity"), shown.text("handle")),
        (given.text("id"), "desk-bot".into())
    );

    // By its id, by the operator, again: the same.
    let again = give(&api, &api.operator, &id, json!({ "handle": "desk-bot" })).await;
    again.expect(StatusCode::OK);
    assert_eq!(again.body["existed"], true);
    for field in ["id", "description", "createdAt", "updatedAt"] {
        assert_eq!(again.body[field], given.body[field], "{field}");
    }
    let another = give(&api, &admin, &id, json!({ "handle": "ranger" })).await;
    another.refused(409, "IDENTITY_EXISTS");
}

#[tokio::test]
async fn what_is_in_the_way() {
    let api = Api::new().await;
    let admin = api.tenant("A").await.key;
    let inbox = api.inbox(&admin, "scout").await.text("id");
    api.inbox(&admin, "ranger").await;
    let made = json!({ "agent_handle": "walker" });
    api.post("/api/v1/identities", &admin, made)
        .await
        .expect(StatusCode::CREATED);
    for (handle, namespace) in [
        ("ranger", "mail"),
        ("walker", "identities"),
        ("postmaster", "identities"),
        ("a2a", "identities"),
    ] {
        let refused = give(&api, &admin, &inbox, json!({ "handle": handle })).await;
        refused.refused(409, "AGENT_HANDLE_UNAVAILABLE");
        assert_eq!(refused.text("blockingNamespace"), namespace, "{handle}");
    }
    for bad in [
        json!({}),
        json!({ "handle": "ab" }),
        json!({ "handle": "a--b" }),
        json!({ "handle": "x\r\ny" }),
        json!({ "handle": 7 }),
        json!({ "handle": "fine", "description": "x".repeat(1001) }),
        json!({ "handle": "fine", "description": 7 }),
        json!({ "handle": "fine", "displayName": "x" }),
    ] {
        give(&api, &admin, &inbox, bad).await.refused(400, "VALIDATION_ERROR");
    }
    let shown = api.get(&format!("/postroom/v1/inboxes/{inbox}"), &admin).await;
    assert_eq!(shown.body["identity"], Value::Null);
    let listed = api.get("/api/v1/identities", &admin).await;
    assert_eq!(listed.body.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn for_the_operator_and_keys_of_the_organization() {
    let api = Api::new().await;
    let (a, b) = (api.tenant("A").await, api.tenant("B").await);
    let made = api.inbox(&a.key, "scout").await;
    let (_, of_workspace) = api.workspace(&a, "crew").await;
    let of_agentmail = api.organization_key(&a.id).await;
    let wish = || json!({ "handle": "scout" });
    for narrow in [&made.text("apiKey"), &of_workspace, &of_agentmail] {
        for inbox in [made.text("id"), "nobody@example.test".into(), "no-address".into()] {
            give(&api, narrow, &inbox, wish()).await.refused(403, "FORBIDDEN");
        }
    }
    // What is another's is as what is nowhere, whatever the body says.
    let nowhere = "00000000-0000-7000-8000-000000000000".to_owned();
    let absent = give(&api, &b.key, &nowhere, wish()).await;
    absent.refused(404, "NOT_FOUND");
    for inbox in [
        made.text("id"),
        "scout@example.test".into(),
        "nobody@example.test".into(),
    ] {
        for body in [wish(), json!({})] {
            let refused = give(&api, &b.key, &inbox, body).await;
            assert_eq!((refused.status, &refused.body), (404, &absent.body), "{inbox}");
        }
    }
    give(&api, "", &made.text("id"), wish())
        .await
        .refused(401, "UNAUTHORIZED");
    let path = format!("/v1/inboxes/{}", made.text("id"));
    api.delete(&path, &a.key).await.expect(StatusCode::OK);
    give(&api, &api.operator, &made.text("id"), wish())
        .await
        .refused(404, "NOT_FOUND");
}
