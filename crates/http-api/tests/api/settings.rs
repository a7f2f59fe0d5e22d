//! What our own routes set of an inbox.

use crate::mail::Mail;
use crate::setup::Api;
use axum::http::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_set_of_an_inbox() {
    let mail = Mail::new().await;
    let path = format!("/postroom/v1/inboxes/{}", mail.inbox);
    let sa = mail.api.operator.clone();
    let set = async |body: Value| mail.api.patch(&path, &sa, body).await;
    let all = json!({
        "forwardTo": "me@example.net", "dailyMessages": 5, "dailyNewRecipients": 0, "sendPaused": true, "receivePaused": true,
    });
    let changed = set(all.clone()).await;
    changed.expect(StatusCode::OK);
    for (field, value) in all.as_object().unwrap() {
        assert_eq!(changed.body[field], *value, "{field}");
    }
    assert_eq!(mail.api.get(&path, &mail.key).await.body, changed.body);
    assert_eq!(set(json!({})).await.body, changed.body);
    let none = json!({ "forwardTo": null, "dailyMessages": null, "dailyNewRecipients": null });
    let cleared = set(none).await;
    for field in ["forwardTo", "dailyMessages", "dailyNewRecipients"] {
        assert_eq!(cleared.body[field], Value::Null, "{field}");
    }
    for bad in [
        json!({ "forwardTo": "x" }),
        json!({ "forwardTo": "a@example.net\r\nX: y" }),
        json!({ "forwardTo": "scout@example.test" }),
        json!({ "forwardTo": 1 }),
        json!({ "dailyMessages": -1 }),
        json!({ "dailyMessages": "5" }),
        json!({ "sendPaused": "yes" }),
        json!({ "forwardto": "me@example.net" }),
    ] {
        set(bad.clone()).await.refused(400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn limits_are_the_operators() {
    let api = Api::new().await;
    let tenant = api.tenant("A").await;
    let inbox = api.inbox(&tenant.key, "scout").await;
    let path = format!("/postroom/v1/inboxes/{}", inbox.text("id"));
    let paused = api.patch(&path, &tenant.key, json!({ "receivePaused": true })).await;
    assert_eq!(paused.body["receivePaused"], true);
    for body in [
        json!({ "dailyMessages": 100_000 }),
        json!({ "sendPaused": true, "dailyNewRecipients": null }),
    ] {
        api.patch(&path, &tenant.key, body).await.refused(403, "FORBIDDEN");
    }
    assert_eq!(api.get(&path, &tenant.key).await.body["sendPaused"], false);
}
