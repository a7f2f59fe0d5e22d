//! Making, listing and changing webhooks.

use crate::setup::Setup;
use postroom_types::{InboxId, PodId};
use postroom_webhooks::{Dialect, LabelRights, Scope, Subscription, WebhookChange, WebhookError, WebhookWish};

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
    webhooks
        .delete(Dialect::AgentMail, &scope, one.id)
        .await
        .expect("deleted");
    let anew = webhooks.create(&scope, &named(url, "a")).await.expect("made");
    assert_ne!(one.id, anew.id);
}

#[tokio::test]
async fn each_scope_sees_its_own() {
    let setup = Setup::new().await;
    let working = setup.start();
    let webhooks = &working.webhooks;
    let whole = setup.scope();
    let made = setup
        .identity
        .create_pod(setup.organization, "pod", None)
        .await
        .expect("a pod");
    let pod = Scope {
        pod: Some(made.id),
        ..whole
    };
    let own = setup.inbox("scout", Some(made.id)).await;
    let inbox = Scope {
        inbox: Some(own.id),
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
        let page = webhooks
            .list(Dialect::AgentMail, &scope, after, ascending, limit)
            .await
            .expect("a page");
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
        webhooks.get(Dialect::AgentMail, &inbox, made[1]).await,
        Err(WebhookError::NoSuchWebhook)
    ));
    assert!(matches!(
        webhooks.delete(Dialect::AgentMail, &pod, made[0]).await,
        Err(WebhookError::NoSuchWebhook)
    ));
    assert!(webhooks.get(Dialect::AgentMail, &pod, made[2]).await.is_ok());
    setup.identity.delete_inbox(own.id).await.expect("deleted");
    let gone = webhooks.get(Dialect::AgentMail, &pod, made[2]).await;
    assert!(
        matches!(gone, Err(WebhookError::NoSuchWebhook)),
        "with its inbox, at once"
    );
    assert_eq!(list(pod, None, false, 10).await, (vec![made[1]], None));
}

#[tokio::test]
async fn the_last_filter_is_not_taken_away() {
    let setup = Setup::new().await;
    let working = setup.start();
    let (webhooks, scope) = (&working.webhooks, setup.scope());
    let (pod, inbox) = (PodId::new(), InboxId::new());
    let bound = |pods: &[PodId], inboxes: &[InboxId]| WebhookWish {
        pods: pods.to_vec(),
        inboxes: inboxes.to_vec(),
        ..wish("https://example.org/")
    };
    let refused = |made: Result<_, WebhookError>, at| match made {
        Err(WebhookError::Invalid { field, .. }) => assert_eq!(field, at),
        other => panic!("{other:?}"),
    };
    let without_inbox = WebhookChange {
        remove_inboxes: vec![inbox],
        ..WebhookChange::default()
    };
    let without_pod = WebhookChange {
        remove_pods: vec![pod],
        ..WebhookChange::default()
    };
    let made = webhooks.create(&scope, &bound(&[], &[inbox])).await.expect("made");
    let changed = webhooks
        .update(Dialect::AgentMail, &scope, made.id, &without_inbox)
        .await;
    refused(changed, "remove_inbox_ids");
    let made = webhooks.create(&scope, &bound(&[pod], &[])).await.expect("made");
    let changed = webhooks.update(Dialect::AgentMail, &scope, made.id, &without_pod).await;
    refused(changed, "remove_pod_ids");
    let kept = webhooks.get(Dialect::AgentMail, &scope, made.id).await.expect("it");
    assert_eq!(kept, made, "nothing changed");
    // With another one in its place it may go, and of several one may go.
    let exchanged = WebhookChange {
        add_inboxes: vec![inbox],
        ..without_pod.clone()
    };
    let changed = webhooks
        .update(Dialect::AgentMail, &scope, made.id, &exchanged)
        .await
        .expect("changed");
    assert_eq!((changed.pods.len(), changed.inboxes), (0, vec![inbox]));
    let made = webhooks.create(&scope, &bound(&[pod], &[inbox])).await.expect("made");
    let changed = webhooks
        .update(Dialect::AgentMail, &scope, made.id, &without_pod)
        .await
        .expect("changed");
    assert_eq!(changed.inboxes, [inbox]);
    // One that hears of all stays as it is.
    let made = webhooks.create(&scope, &bound(&[], &[])).await.expect("made");
    assert!(
        webhooks
            .update(Dialect::AgentMail, &scope, made.id, &without_pod)
            .await
            .is_ok()
    );
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
        .update(Dialect::AgentMail, &scope, id, &change(&pods[..10], &[]))
        .await
        .expect("ten");
    assert_eq!(changed.pods, pods[..10]);
    let eleventh = webhooks
        .update(Dialect::AgentMail, &scope, id, &change(&pods[10..], &[]))
        .await;
    assert!(matches!(
        eleventh,
        Err(WebhookError::Invalid {
            field: "add_pod_ids",
            ..
        })
    ));
    let changed = webhooks
        .update(Dialect::AgentMail, &scope, id, &change(&pods[10..], &pods[..9]))
        .await
        .expect("two");
    assert_eq!(changed.pods, pods[9..]);
    assert_eq!(
        changed.subscription(),
        Subscription {
            pods: pods[9..].to_vec(),
            ..Subscription::all(scope, LabelRights::default())
        }
    );
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = async || webhooks.get(Dialect::AgentMail, &scope, id).await.expect("it").headers;
    webhooks
        .update_headers(
            Dialect::AgentMail,
            &scope,
            id,
            &[field("X-A", "1"), field("X-B", "2")],
            &[],
        )
        .await
        .expect("set");
    webhooks
        .update_headers(Dialect::AgentMail, &scope, id, &[field("x-a", "3")], &["x-b".into()])
        .await
        .expect("changed");
    assert_eq!(headers().await, [field("x-a", "3")]);
    for bad in [field("svix-id", "1"), field("X-C", "a\r\nX-D: b")] {
        assert!(
            webhooks
                .update_headers(Dialect::AgentMail, &scope, id, &[bad], &[])
                .await
                .is_err()
        );
    }
    assert_eq!(headers().await, [field("x-a", "3")]);
}
