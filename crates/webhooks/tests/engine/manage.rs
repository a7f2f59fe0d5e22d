//! Making, listing and changing webhooks.

use crate::setup::Setup;
use postroom_types::{InboxId, PodId};
use postroom_webhooks::{LabelRights, Scope, Subscription, WebhookChange, WebhookError, WebhookWish};

fn wish(url: &str) -> WebhookWish {
    WebhookWish {
        url: url.to_owned(),
        ..WebhookWish::default()
    }
}

#[tokio::test]
async fn targets_are_checked() {
    let setup = Setup::new().await;
    let working = setup.start();
    for (url, good) in [
        ("https://hooks.example.org/in", true),
        ("http://127.0.0.1:8080/", true),
        ("http://10.0.0.1/", false),
        ("http://169.254.169.254/latest/", false),
        ("http://[fd00::1]/", false),
        ("ftp://example.org/", false),
        ("example.org", false),
        ("", false),
    ] {
        let made = working.webhooks.create(&setup.scope(), &wish(url)).await;
        assert_eq!(made.is_ok(), good, "{url}");
        if let Err(error) = made {
            assert!(matches!(error, WebhookError::Invalid { field: "url", .. }), "{error:?}");
        }
    }
    let long = format!("https://example.org/{}", "x".repeat(1500));
    assert!(working.webhooks.create(&setup.scope(), &wish(&long)).await.is_err());
}

#[tokio::test]
async fn a_client_id_makes_one_in_its_scope() {
    let setup = Setup::new().await;
    let working = setup.start();
    let webhooks = &working.webhooks;
    let named = |url, client_id: &str| WebhookWish {
        client_id: Some(client_id.to_owned()),
        ..wish(url)
    };
    let (scope, url) = (setup.scope(), "https://example.org/");
    let one = webhooks.create(&scope, &named(url, "a")).await.expect("made");
    let again = webhooks
        .create(&scope, &named("https://example.net/", "a"))
        .await
        .expect("found");
    assert_eq!(one, again);
    let pod = Scope {
        pod: Some(PodId::new()),
        ..scope
    };
    let elsewhere = webhooks.create(&pod, &named(url, "a")).await.expect("made");
    assert_ne!(one.id, elsewhere.id);
    let wish = named(url, "b");
    let (two, three) = tokio::join!(webhooks.create(&scope, &wish), webhooks.create(&scope, &wish));
    assert_eq!(two.expect("made").id, three.expect("found").id);
    for bad in ["", "a@b", "a b", &"x".repeat(257)] {
        assert!(webhooks.create(&scope, &named(url, bad)).await.is_err(), "{bad}");
    }
    webhooks.delete(&scope, one.id).await.expect("deleted");
    let anew = webhooks.create(&scope, &named(url, "a")).await.expect("made");
    assert_ne!(one.id, anew.id);
}

#[tokio::test]
async fn each_scope_sees_its_own() {
    let setup = Setup::new().await;
    let working = setup.start();
    let webhooks = &working.webhooks;
    let whole = setup.scope();
    let pod = Scope {
        pod: Some(PodId::new()),
        ..whole
    };
    let inbox = Scope {
        inbox: Some(InboxId::new()),
        ..pod
    };
    let mut made = Vec::new();
    for scope in [whole, pod, inbox, whole] {
        made.push(
            webhooks
                .create(&scope, &wish("https://example.org/"))
                .await
                .expect("made")
                .id,
        );
    }
    let list = async |scope: Scope, after, ascending, limit| {
        let page = webhooks.list(&scope, after, ascending, limit).await.expect("a page");
        let ids: Vec<_> = page.webhooks.iter().map(|webhook| webhook.id).collect();
        (ids, page.next)
    };
    assert_eq!(list(whole, None, true, 10).await, (made.clone(), None));
    assert_eq!(list(pod, None, false, 10).await, (vec![made[2], made[1]], None));
    assert_eq!(list(inbox, None, false, 10).await, (vec![made[2]], None));
    let (first, next) = list(whole, None, false, 2).await;
    assert_eq!((first, next), (vec![made[3], made[2]], Some(made[2])));
    assert_eq!(list(whole, next, false, 2).await, (vec![made[1], made[0]], None));
    assert!(matches!(
        webhooks.get(&inbox, made[1]).await,
        Err(WebhookError::NoSuchWebhook)
    ));
    assert!(matches!(
        webhooks.delete(&pod, made[0]).await,
        Err(WebhookError::NoSuchWebhook)
    ));
    assert!(webhooks.get(&pod, made[2]).await.is_ok());
}

#[tokio::test]
async fn filters_and_headers_change_in_steps() {
    let setup = Setup::new().await;
    let working = setup.start();
    let (webhooks, scope) = (&working.webhooks, setup.scope());
    let id = webhooks
        .create(&scope, &wish("https://example.org/"))
        .await
        .expect("made")
        .id;
    let pods: Vec<_> = (0..11).map(|_| PodId::new()).collect();
    let change = |add: &[PodId], remove: &[PodId]| WebhookChange {
        add_pods: add.to_vec(),
        remove_pods: remove.to_vec(),
        ..WebhookChange::default()
    };
    let changed = webhooks
        .update(&scope, id, &change(&pods[..10], &[]))
        .await
        .expect("ten");
    assert_eq!(changed.pods, pods[..10]);
    let eleventh = webhooks.update(&scope, id, &change(&pods[10..], &[])).await;
    assert!(matches!(
        eleventh,
        Err(WebhookError::Invalid {
            field: "add_pod_ids",
            ..
        })
    ));
    let changed = webhooks
        .update(&scope, id, &change(&pods[10..], &pods[..9]))
        .await
        .expect("two");
    assert_eq!(changed.pods, pods[9..]);
    assert_eq!(
        changed.subscription(),
        Subscription {
            pods: pods[9..].to_vec(),
            ..Subscription::all(scope, LabelRights::ALL)
        }
    );
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = async || webhooks.get(&scope, id).await.expect("it").headers;
    webhooks
        .update_headers(&scope, id, &[field("X-A", "1"), field("X-B", "2")], &[])
        .await
        .expect("set");
    webhooks
        .update_headers(&scope, id, &[field("x-a", "3")], &["x-b".into()])
        .await
        .expect("changed");
    assert_eq!(headers().await, [field("x-a", "3")]);
    for bad in [field("svix-id", "1"), field("X-C", "a\r\nX-D: b")] {
        assert!(webhooks.update_headers(&scope, id, &[bad], &[]).await.is_err());
    }
    assert_eq!(headers().await, [field("x-a", "3")]);
}
