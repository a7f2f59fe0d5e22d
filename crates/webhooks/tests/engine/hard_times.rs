//! A store that is nearly full, organizations that come and go, and tokens that stay where they belong.

use crate::dialects::{deliveries, fail, logged, scope, subscription};
use crate::receiver::{Reaction, Receiver};
use crate::setup::Setup;
use postroom_feed::Cursor;
use postroom_identity::OrganizationChange;
use postroom_store::{BoxFuture, Commit, CommitBuilder, Front, MemoryStore, Outcome, SharedStore, Store, StoreError};
use postroom_webhooks::{DeliveryQuery, Dialect, WebhookChange};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A store without room for bodies.
struct NoBodies(SharedStore);

impl Front for NoBodies {
    fn behind(&self) -> &dyn Store {
        &*self.0
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        if commit.blobs.is_empty() {
            self.0.commit(commit)
        } else {
            Box::pin(async { Ok(Outcome::Full) })
        }
    }
}

async fn rest() {
    tokio::time::sleep(Duration::from_millis(400)).await;
}

async fn suspend(setup: &Setup, suspended: bool) {
    let change = OrganizationChange {
        suspended: Some(suspended),
        ..Default::default()
    };
    let changed = setup.identity.update_organization(setup.organization, &change).await;
    changed.expect("a change");
}

#[tokio::test]
async fn without_room_for_bodies_each_event_is_sent_once() {
    let setup = Setup::on(Arc::new(NoBodies(MemoryStore::new()))).await;
    let receiver = Receiver::start(|_| Reaction::Status(200)).await;
    let working = setup.start();
    let own = setup.inbox("scout", None).await;
    setup.identity.first_signing_key(own.id).await.expect("a key");
    subscription(&working, &own, &receiver).await;
    fail(&setup, &own, "long 1").await;
    fail(&setup, &own, "2").await;
    receiver.wait_for(2).await;
    let mut kept: Vec<bool> = logged(&working, &setup, 2)
        .await
        .iter()
        .map(|delivery| delivery.payload.is_some())
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, [false, true]);
    drop(working);
    let _working = setup.start();
    rest().await;
    assert_eq!(receiver.requests().len(), 2, "that they were sent is stored");
}

#[tokio::test]
async fn any_number_of_retries_whose_events_are_gone_is_cleared_away() {
    let (setup, receiver) = (Setup::new().await, Receiver::start(|_| Reaction::Status(200)).await);
    let working = setup.start();
    let webhook = setup.webhook(&working, &receiver).await;
    setup.happen(0..1).await;
    receiver.wait_for(1).await;
    rest().await;
    drop(working);
    for part in 0..3_u64 {
        let mut builder = CommitBuilder::new();
        for number in 0..500 {
            let (organization, id) = (setup.organization, webhook.id.uuid());
            let mut key = [b"wr", organization.as_bytes().as_slice(), id.as_bytes()].concat();
            key.extend(5_i64.to_be_bytes());
            key.extend((1_000_000 + 500 * part + number).to_be_bytes());
            key.extend(0_u16.to_be_bytes());
            builder.put(key, vec![1, 1]);
        }
        setup.store.commit(builder.build()).await.expect("a store");
    }
    assert_eq!(setup.retries().await, 1500);
    let _working = setup.start();
    for _ in 0..400 {
        if setup.retries().await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((setup.retries().await, receiver.requests().len()), (0, 1));
}

#[tokio::test]
async fn what_waits_for_its_turn_stays_when_the_organization_is_suspended() {
    let setup = Setup::new().await;
    let receiver = Receiver::start(|_| Reaction::Slow(Duration::from_millis(250))).await;
    let mut options = setup.options();
    // One at a time.
    options.at_once = 4;
    options.deadline = Duration::from_secs(5);
    let working = setup.start_with(options);
    setup.webhook(&working, &receiver).await;
    setup.happen(0..4).await;
    receiver.wait_for(1).await;
    suspend(&setup, true).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(receiver.requests().len(), 1);
    suspend(&setup, false).await;
    receiver.wait_for(4).await;
    rest().await;
    assert_eq!((receiver.requests().len(), setup.retries().await), (4, 0));
}

#[tokio::test]
async fn the_time_of_a_suspension_is_no_time_of_failing() {
    let (setup, receiver) = (Setup::new().await, Receiver::start(|_| Reaction::Status(500)).await);
    let working = setup.start();
    let webhook = setup.webhook(&working, &receiver).await;
    setup.happen(0..1).await;
    receiver.wait_for(4).await;
    rest().await;
    suspend(&setup, true).await;
    rest().await;
    setup.hours.store(6 * 24, Ordering::Relaxed);
    suspend(&setup, false).await;
    setup.happen(1..2).await;
    receiver.wait_for(8).await;
    rest().await;
    let found = working
        .webhooks
        .get(Dialect::AgentMail, &setup.scope(), webhook.id)
        .await;
    assert!(found.expect("a webhook").enabled);
}

#[tokio::test]
async fn what_no_call_could_enable_again_is_never_disabled() {
    let (setup, receiver) = (Setup::new().await, Receiver::start(|_| Reaction::Status(500)).await);
    let working = setup.start();
    let own = setup.inbox("scout", None).await;
    setup.identity.first_signing_key(own.id).await.expect("a key");
    let webhook = subscription(&working, &own, &receiver).await;
    for (events, days) in [(1, 0), (2, 5), (3, 10)] {
        setup.hours.store(days * 24, Ordering::Relaxed);
        fail(&setup, &own, &events.to_string()).await;
        receiver.wait_for(4 * events).await;
        rest().await;
    }
    let found = working.webhooks.get(Dialect::Inkbox, &scope(&own), webhook.id).await;
    assert!(found.expect("a subscription").enabled);
}

#[tokio::test]
async fn a_token_does_not_follow_to_another_origin() {
    let (setup, receiver) = (Setup::new().await, Receiver::start(|_| Reaction::Status(200)).await);
    let working = setup.start();
    let own = setup.inbox("scout", None).await;
    let webhook = subscription(&working, &own, &receiver).await;
    let update = async |url: &str, auth_token: Option<&str>| {
        let change = WebhookChange {
            url: Some(url.to_owned()),
            auth_token: auth_token.map(|token| Some(token.to_owned())),
            ..WebhookChange::default()
        };
        let webhooks = &working.webhooks;
        let changed = webhooks
            .update(Dialect::Inkbox, &scope(&own), webhook.id, &change)
            .await;
        let found = webhooks.get(Dialect::Inkbox, &scope(&own), webhook.id).await;
        let (changed, found) = (changed.expect("a change"), found.expect("a subscription"));
        assert_eq!(changed.headers, found.headers);
        found.headers
    };
    let old = format!("http://{}/elsewhere", receiver.address);
    assert_eq!(update(&old, None).await, webhook.headers, "the same endpoint");
    let token = [("Authorization".to_owned(), "Bearer token-2".to_owned())];
    assert_eq!(update("https://a.example.org/", Some("token-2")).await, token);
    assert_eq!(
        update("https://a.example.org:443/x", None).await,
        token,
        "the same port"
    );
    assert!(update("https://a.example.org:8443/", None).await.is_empty());
}

#[tokio::test]
async fn what_happened_before_a_restoring_is_told_after_it() {
    let setup = Setup::new().await;
    let working = setup.start();
    let own = setup.inbox("scout", None).await;
    let hub = working.hubs.of(setup.organization);
    let after = working.hubs.feed().newest();
    setup
        .identity
        .delete_organization(setup.organization)
        .await
        .expect("deleted");
    fail(&setup, &own, "1").await;
    rest().await;
    let told = async |from: Cursor| {
        let page = hub.page(from, 10).await.expect("a page");
        let mine = page.events.iter().filter(|placed| placed.event.inbox == Some(own.id));
        (mine.count(), page.next)
    };
    let (hidden, next) = told(after).await;
    assert_eq!(hidden, 0);
    setup
        .identity
        .restore_organization(setup.organization)
        .await
        .expect("restored");
    assert_eq!(told(next).await.0, 1, "whoever asked meanwhile goes on before it");
}

#[tokio::test]
async fn a_page_of_long_bodies_is_short() {
    let (setup, receiver) = (Setup::new().await, Receiver::start(|_| Reaction::Status(200)).await);
    let working = setup.start();
    let own = setup.inbox("scout", None).await;
    setup.identity.first_signing_key(own.id).await.expect("a key");
    let webhook = subscription(&working, &own, &receiver).await;
    for number in 0..220 {
        fail(&setup, &own, &format!("long {number}")).await;
    }
    receiver.wait_for(220).await;
    rest().await;
    let page = async |offset| {
        let query = DeliveryQuery {
            webhook: Some(webhook.id),
            inbox: Some(own.id),
            offset,
            limit: 300,
            ..DeliveryQuery::default()
        };
        let found = working.webhooks.deliveries(setup.organization, &query).await;
        found.expect("the log")
    };
    let first = page(0).await;
    // Each is a little over 20,000 octets, of 4 MiB.
    assert_eq!(first.len(), 210);
    assert!(first.iter().all(|delivery| delivery.payload.is_some()));
    assert_eq!(page(first.len()).await.len(), 10, "and the rest follows");
    assert_eq!(
        deliveries(&working, &setup, DeliveryQuery::default()).await,
        first[..50]
    );
}
