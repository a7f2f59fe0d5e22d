//! Webhooks of Inkbox and of MyAgentMail: signed in their way, logged, and sent again.

use crate::receiver::{Reaction, Receiver, Request};
use crate::setup::{Setup, Working};
use hmac::{Hmac, KeyInit, Mac};
use postroom_feed::What;
use postroom_identity::{InboxRecord, OrganizationChange};
use postroom_types::EmailId;
use postroom_webhooks::{
    Delivery, DeliveryQuery, Dialect, EventType, LabelRights, Scope, Webhook, WebhookChange, WebhookError, WebhookWish,
};
use sha2::Sha256;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

pub(crate) fn scope(inbox: &InboxRecord) -> Scope {
    Scope {
        organization: inbox.organization,
        pod: Some(inbox.pod),
        inbox: Some(inbox.id),
    }
}

pub(crate) async fn subscription(working: &Working, inbox: &InboxRecord, receiver: &Receiver) -> Webhook {
    let wish = WebhookWish {
        dialect: Dialect::Inkbox,
        url: receiver.url(),
        event_types: vec![
            EventType::MessageSent,
            EventType::MessageForwarded,
            EventType::MessageFailed,
        ],
        rights: LabelRights::PLAIN,
        auth_token: Some("token-1".into()),
        most: Some(2),
        ..WebhookWish::default()
    };
    working
        .webhooks
        .create(&scope(inbox), &wish)
        .await
        .expect("a subscription")
}

/// A message is not sent, for a reason that makes the body.
pub(crate) async fn fail(setup: &Setup, inbox: &InboxRecord, reason: &str) {
    let message = EmailId::new();
    let reason = reason.to_owned();
    setup
        .announce_in(Some(inbox.id), What::Rejected { message, reason })
        .await;
}

pub(crate) async fn deliveries(working: &Working, setup: &Setup, query: DeliveryQuery) -> Vec<Delivery> {
    let query = DeliveryQuery { limit: 50, ..query };
    working
        .webhooks
        .deliveries(setup.organization, &query)
        .await
        .expect("the log")
}

pub(crate) async fn logged(working: &Working, setup: &Setup, count: usize) -> Vec<Delivery> {
    for _ in 0..400 {
        let found = deliveries(working, setup, DeliveryQuery::default()).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("fewer than {count} attempts were logged");
}

/// What Inkbox's clients compute.
fn inkbox_signature(secret: &str, request: &Request) -> String {
    let key = secret.strip_prefix("whsec_").unwrap_or(secret);
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key");
    let [id, seconds] = ["x-inkbox-request-id", "x-inkbox-timestamp"].map(|name| request.field(name).expect("a field"));
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(request.body.as_bytes());
    hex(&mac.finalize().into_bytes())
}

fn hex(octets: &[u8]) -> String {
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("sha256={digits}")
}

#[tokio::test]
async fn the_identity_signs_and_a_new_key_counts_at_once() {
    let (setup, receiver) = (Setup::new().await, Receiver::start(|_| Reaction::Status(200)).await);
    let working = setup.start();
    let own = setup.inbox("scout", None).await;
    subscription(&working, &own, &receiver).await;
    let first = setup
        .identity
        .first_signing_key(own.id)
        .await
        .expect("a store")
        .expect("the first");
    fail(&setup, &own, "1").await;
    let request = receiver.wait_for(1).await.remove(0);
    let signed = request.field("x-inkbox-signature").expect("a signature").to_owned();
    assert_eq!(signed, inkbox_signature(first.secret.expose(), &request));
    assert_eq!(request.field("authorization"), Some("Bearer token-1"));
    assert!(request.field("svix-id").is_none());
    let second = setup.identity.rotate_signing_key(own.id).await.expect("a new one");
    fail(&setup, &own, "2").await;
    let request = receiver.wait_for(2).await.remove(1);
    let signed = request.field("x-inkbox-signature").expect("a signature").to_owned();
    assert_eq!(signed, inkbox_signature(second.secret.expose(), &request));
    assert_ne!(signed, inkbox_signature(first.secret.expose(), &request));
}

#[tokio::test]
async fn myagentmail_signs_the_body_too() {
    let (setup, receiver) = (Setup::new().await, Receiver::start(|_| Reaction::Status(200)).await);
    let working = setup.start();
    let own = setup.inbox("scout", None).await;
    let wish = WebhookWish {
        dialect: Dialect::MyAgentMail,
        url: receiver.url(),
        event_types: vec![EventType::MessageSent],
        rights: LabelRights::PLAIN,
        ..WebhookWish::default()
    };
    let webhook = working.webhooks.create(&scope(&own), &wish).await.expect("a webhook");
    let message = EmailId::new();
    let sent = What::Sent {
        message,
        forwarded: true,
    };
    setup.announce_in(Some(own.id), sent).await;
    let request = receiver.wait_for(1).await.remove(0);
    assert_eq!(request.body, "message.sent", "it has no word for what is passed on");
    let secret = webhook.secret.expose();
    let signed = request.field("x-inkbox-signature").expect("a signature").to_owned();
    assert_eq!(signed, inkbox_signature(secret, &request));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(request.body.as_bytes());
    let of_body = hex(&mac.finalize().into_bytes());
    assert_eq!(request.field("x-myagentmail-signature"), Some(of_body.as_str()));
    assert!(logged_nothing(&working, &setup).await);
}

async fn logged_nothing(working: &Working, setup: &Setup) -> bool {
    tokio::time::sleep(Duration::from_millis(300)).await;
    deliveries(working, setup, DeliveryQuery::default()).await.is_empty()
}

#[tokio::test]
async fn each_attempt_is_logged_and_can_be_had_again() {
    let setup = Setup::new().await;
    let status = Arc::new(AtomicU16::new(500));
    let answers = Arc::clone(&status);
    let receiver = Receiver::start(move |_| Reaction::Status(answers.load(Ordering::Relaxed))).await;
    let working = setup.start();
    let (own, other) = (setup.inbox("scout", None).await, setup.inbox("other", None).await);
    for inbox in [&own, &other] {
        setup.identity.first_signing_key(inbox.id).await.expect("a key");
    }
    let webhook = subscription(&working, &own, &receiver).await;
    fail(&setup, &own, "long 1").await;
    // The schedule has three waits, so there are four attempts.
    let attempts = logged(&working, &setup, 4).await;
    assert_eq!((attempts.len(), receiver.requests().len()), (4, 4));
    let body = receiver.requests()[0].body.clone();
    assert!(body.len() > 20_000, "it does not fit into a row");
    for (attempt, request) in attempts.iter().rev().zip(receiver.requests()) {
        assert_eq!(attempt.payload.as_deref(), Some(request.body.as_bytes()));
        assert_eq!(
            request.field("x-inkbox-request-id"),
            Some(attempt.id.to_string().as_str())
        );
        assert_eq!((attempt.status, attempt.response.as_deref()), (Some(500), Some("ok")));
        assert_eq!(
            (attempt.event_type, attempt.is_replay),
            (EventType::MessageFailed, false)
        );
        assert_eq!((attempt.final_because, attempt.event), (None, attempts[0].event));
        assert!(attempt.failure.is_some() && !attempt.is_success());
    }
    status.store(200, Ordering::Relaxed);
    let replay = working
        .webhooks
        .replay(setup.organization, Some(own.id), attempts[3].id)
        .await
        .expect("a replay");
    assert!(replay.is_replay && replay.is_success() && replay.event == attempts[0].event);
    let request = receiver.wait_for(5).await.remove(4);
    let key = setup
        .identity
        .signing_key(own.id)
        .await
        .expect("a store")
        .expect("a key");
    assert_eq!(request.body, body);
    assert_eq!(
        request.field("x-inkbox-signature"),
        Some(inkbox_signature(key.secret.expose(), &request).as_str())
    );
    assert_eq!(
        request.field("x-inkbox-request-id"),
        Some(replay.id.to_string().as_str())
    );
    let newest = deliveries(&working, &setup, DeliveryQuery::default()).await;
    assert_eq!((newest.len(), &newest[0]), (5, &replay));
    // Others neither see it nor send it again.
    let theirs = DeliveryQuery {
        inbox: Some(other.id),
        ..DeliveryQuery::default()
    };
    assert!(deliveries(&working, &setup, theirs).await.is_empty());
    let foreign = working
        .webhooks
        .replay(setup.organization, Some(other.id), replay.id)
        .await;
    assert!(matches!(foreign, Err(WebhookError::NoSuchDelivery)), "{foreign:?}");
    let (success, failure) = (Some(true), Some(false));
    for (query, count) in [
        (
            DeliveryQuery {
                success,
                ..DeliveryQuery::default()
            },
            1,
        ),
        (
            DeliveryQuery {
                success: failure,
                offset: 1,
                ..DeliveryQuery::default()
            },
            3,
        ),
        (
            DeliveryQuery {
                webhook: Some(webhook.id),
                ..DeliveryQuery::default()
            },
            5,
        ),
        (
            DeliveryQuery {
                event_type: Some(EventType::MessageSent),
                ..DeliveryQuery::default()
            },
            0,
        ),
    ] {
        assert_eq!(
            deliveries(&working, &setup, query.clone()).await.len(),
            count,
            "{query:?}"
        );
    }
    // Of another type now: what was sent would not be sent any more.
    let change = WebhookChange {
        event_types: vec![EventType::MessageSent],
        ..WebhookChange::default()
    };
    let scope = scope(&own);
    working
        .webhooks
        .update(Dialect::Inkbox, &scope, webhook.id, &change)
        .await
        .expect("a change");
    let refused = working.webhooks.replay(setup.organization, None, replay.id).await;
    assert!(matches!(refused, Err(WebhookError::NotReplayable(_))), "{refused:?}");
    working
        .webhooks
        .delete(Dialect::Inkbox, &scope, webhook.id)
        .await
        .expect("deleted");
    let refused = working.webhooks.replay(setup.organization, None, replay.id).await;
    assert!(
        matches!(refused, Err(WebhookError::NotReplayable("its subscription is gone"))),
        "{refused:?}"
    );
    let kept = deliveries(&working, &setup, DeliveryQuery::default()).await;
    assert_eq!(kept.len(), 5, "the log outlives what it is of");
    assert!(kept.iter().all(|delivery| delivery.final_because.is_some()));
    assert_eq!(receiver.requests().len(), 5);
}

#[tokio::test]
async fn each_dialect_has_its_own_and_an_inbox_has_so_many() {
    let (setup, receiver) = (Setup::new().await, Receiver::start(|_| Reaction::Status(200)).await);
    let working = setup.start();
    let own = setup.inbox("scout", None).await;
    let first = subscription(&working, &own, &receiver).await;
    subscription(&working, &own, &receiver).await;
    let webhooks = &working.webhooks;
    let wish = WebhookWish {
        dialect: Dialect::Inkbox,
        url: receiver.url(),
        event_types: vec![EventType::MessageSent],
        most: Some(2),
        ..WebhookWish::default()
    };
    let third = webhooks.create(&scope(&own), &wish).await;
    assert!(matches!(third, Err(WebhookError::TooMany(2))), "{third:?}");
    let other = WebhookWish {
        dialect: Dialect::MyAgentMail,
        ..wish.clone()
    };
    webhooks.create(&scope(&own), &other).await.expect("another dialect's");
    let whole = setup.scope();
    for (dialect, count) in [(Dialect::AgentMail, 0), (Dialect::Inkbox, 2), (Dialect::MyAgentMail, 1)] {
        let page = webhooks.list(dialect, &whole, None, true, 10).await.expect("a page");
        assert_eq!(page.webhooks.len(), count, "{dialect}");
        let found = webhooks.get(dialect, &whole, first.id).await;
        assert_eq!(found.is_ok(), dialect == Dialect::Inkbox);
        let deleted = webhooks.delete(dialect, &whole, first.id).await;
        assert_eq!(deleted.is_ok(), dialect == Dialect::Inkbox);
        if dialect == Dialect::Inkbox {
            webhooks.create(&scope(&own), &wish).await.expect("there is room again");
        }
    }
    for url in [
        "http://hooks.example.org/",
        "http://8.8.8.8/",
        "http://10.0.0.1/",
        "ftp://example.org/",
    ] {
        for dialect in [Dialect::Inkbox, Dialect::MyAgentMail] {
            let wish = WebhookWish {
                dialect,
                url: url.to_owned(),
                most: None,
                ..wish.clone()
            };
            let made = webhooks.create(&scope(&own), &wish).await;
            assert!(
                matches!(made, Err(WebhookError::Invalid { field: "url", .. })),
                "{url} {made:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_suspended_organization_sends_nothing_and_loses_nothing() {
    let (setup, receiver) = (Setup::new().await, Receiver::start(|_| Reaction::Status(200)).await);
    let working = setup.start();
    let own = setup.inbox("scout", None).await;
    setup.identity.first_signing_key(own.id).await.expect("a key");
    subscription(&working, &own, &receiver).await;
    fail(&setup, &own, "1").await;
    receiver.wait_for(1).await;
    let suspend = async |suspended| {
        let change = OrganizationChange {
            suspended: Some(suspended),
            ..Default::default()
        };
        setup
            .identity
            .update_organization(setup.organization, &change)
            .await
            .expect("a change");
    };
    suspend(true).await;
    fail(&setup, &own, "2").await;
    fail(&setup, &own, "3").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(receiver.requests().len(), 1);
    suspend(false).await;
    receiver.wait_for(3).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        receiver.bodies(),
        ["{\"number\":1}", "{\"number\":2}", "{\"number\":3}"]
    );
}

#[tokio::test]
async fn a_log_is_bounded_and_goes_with_its_inbox() {
    let (setup, receiver) = (Setup::new().await, Receiver::start(|_| Reaction::Status(200)).await);
    let working = setup.start();
    let own = setup.inbox("scout", None).await;
    setup.identity.first_signing_key(own.id).await.expect("a key");
    subscription(&working, &own, &receiver).await;
    for number in 0..1300 {
        fail(&setup, &own, &number.to_string()).await;
    }
    receiver.wait_for(1300).await;
    let rows = async |kind: &[u8]| {
        let rows = postroom_store::scan_prefix(&*setup.store, kind).collect().await;
        rows.expect("a store").len()
    };
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let kept = (rows(b"wl").await, rows(b"wp").await);
        if (1000..1300).contains(&kept.0) && (1000..1300).contains(&kept.1) {
            break;
        }
    }
    let kept = (rows(b"wl").await, rows(b"wp").await);
    assert!(
        (1000..1300).contains(&kept.0) && (1000..1300).contains(&kept.1),
        "{kept:?}"
    );
    working.webhooks.tidy().await.expect("tidy");
    assert_eq!((rows(b"wl").await, rows(b"wp").await), (1000, 1000));
    setup.hours.store(31 * 24, Ordering::Relaxed);
    fail(&setup, &own, "2000").await;
    receiver.wait_for(1301).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    working.webhooks.tidy().await.expect("tidy");
    assert_eq!((rows(b"wl").await, rows(b"wp").await), (1, 1));
    setup.identity.delete_inbox(own.id).await.expect("deleted");
    working.webhooks.tidy().await.expect("tidy");
    assert_eq!((rows(b"wl").await, rows(b"wp").await), (0, 0));
    assert_eq!(rows(b"w").await, 0, "and what it was of");
}
