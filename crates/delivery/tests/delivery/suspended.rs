//! Mail of organizations that are suspended or gone: it waits, unchanged, or is taken back.

use crate::network::Net;
use crate::peer::{Peer, Say};
use crate::slow::{STEP, Slow};
use crate::world::{World, domain, message, options, world, world_on};
use postroom_identity::{InboxRecord, OrganizationChange};
use postroom_queue::{Destination, ItemState, NewQueued, RecipientStatus};
use postroom_store::MemoryStore;
use std::collections::HashSet;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

async fn suspend(world: &World, inbox: &InboxRecord, suspended: bool) {
    let change = OrganizationChange {
        suspended: Some(suspended),
        ..OrganizationChange::default()
    };
    let changed = world.identity.update_organization(inbox.organization, &change).await;
    changed.expect("an organization");
}

/// A message from an inbox, queued now.
fn from(inbox: &InboxRecord, to: &str, now_ms: i64) -> NewQueued {
    NewQueued {
        sender: Some(inbox.id),
        organization: Some(inbox.organization),
        created_at: now_ms,
        ..message(&[to])
    }
}

async fn status(world: &World, message: &NewQueued) -> RecipientStatus {
    world
        .queue
        .recipients(message.id)
        .await
        .expect("a working store")
        .remove(0)
}

#[tokio::test(start_paused = true)]
async fn it_waits_without_growing_older() {
    // The first attempt after all that time is deferred, and is not the last.
    let peer = Peer::new().with(|heard| {
        let is_first = heard.line.starts_with("RCPT") && heard.session == 1;
        is_first.then(|| Say::Reply("450 4.2.0 later".into()))
    });
    let net = Net::default();
    net.domain("there.example", "192.31.196.1", &peer);
    let world = world(net, options()).await;
    let scout = world.inbox("scout").await;
    suspend(&world, &scout, true).await;
    let away = from(&scout, "b@there.example", 1_700_000_000_000);
    let mut here = from(&scout, "ranger@here.example", 1_700_000_000_000);
    let ranger = world.inbox("ranger").await;
    here.recipients[0].destination = Destination::Inbox(ranger.id);
    world.enqueue(&away).await;
    world.enqueue(&here).await;
    tokio::time::sleep(10 * DAY + DAY / 50).await;
    for message in [&away, &here] {
        let status = status(&world, message).await;
        assert_eq!((status.state, status.attempts), (ItemState::Queued, 0));
        assert_eq!(status.reason.text, "the organization of the sender is suspended");
    }
    assert!(world.net.dialled().is_empty());
    assert_eq!(world.mail_in(ranger.id).await, 0);

    suspend(&world, &scout, false).await;
    let senders = HashSet::from([scout.id]);
    assert_eq!(world.queue.let_go(&senders).await.expect("a working store"), 2);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(status(&world, &here).await.state, ItemState::Delivered);
    let deferred = status(&world, &away).await;
    assert_eq!(
        (deferred.state, deferred.attempts, deferred.reason.code),
        (ItemState::Queued, 1, 450)
    );
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(status(&world, &away).await.state, ItemState::Delivered);
}

#[tokio::test(start_paused = true)]
async fn it_goes_by_itself_if_nobody_lets_it_go() {
    let peer = Peer::new();
    let net = Net::default();
    net.domain("there.example", "192.31.196.1", &peer);
    let world = world(net, options()).await;
    let scout = world.inbox("scout").await;
    suspend(&world, &scout, true).await;
    let away = from(&scout, "b@there.example", 1_700_000_000_000);
    world.enqueue(&away).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    suspend(&world, &scout, false).await;
    tokio::time::sleep(Duration::from_secs(3700)).await;
    assert_eq!(status(&world, &away).await.state, ItemState::Delivered);
}

/// Whoever lets it go may look for it just before it is held back: then it is not left for an hour.
#[tokio::test(start_paused = true)]
async fn it_goes_whenever_it_is_let_go() {
    let peer = Peer::new();
    let net = Net::default();
    net.domain("there.example", "192.31.196.1", &peer);
    let world = world_on(std::sync::Arc::new(Slow(MemoryStore::new())), net, options()).await;
    let scout = world.inbox("scout").await;
    let senders = HashSet::from([scout.id]);
    for step in 0..40 {
        suspend(&world, &scout, true).await;
        let away = from(&scout, "b@there.example", 1_700_000_000_000);
        world.enqueue(&away).await;
        tokio::time::sleep(STEP * step).await;
        suspend(&world, &scout, false).await;
        world.queue.let_go(&senders).await.expect("a working store");
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(status(&world, &away).await.state, ItemState::Delivered, "{step}");
    }
}

/// Each recipient is a transaction of its own, and none begins once the organization is suspended.
#[tokio::test(start_paused = true)]
async fn a_message_to_many_stops_in_the_middle() {
    let slowly = |heard: &crate::peer::Heard<'_>| {
        (heard.line == ".").then(|| Say::After(Duration::from_secs(10), "250 2.0.0 taken".into()))
    };
    let peer = Peer::new().with(slowly);
    let net = Net::default();
    net.domain("there.example", "192.31.196.1", &peer);
    let world = world(net, options()).await;
    let scout = world.inbox("scout").await;
    let many = NewQueued {
        verp: true,
        recipients: message(&[
            "a@there.example",
            "b@there.example",
            "c@there.example",
            "d@there.example",
        ])
        .recipients,
        ..from(&scout, "a@there.example", 1_700_000_000_000)
    };
    world.enqueue(&many).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    suspend(&world, &scout, true).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(peer.taken().len(), 2);
    let all = world.queue.recipients(many.id).await.expect("a working store");
    let waiting: Vec<_> = all.iter().filter(|status| status.state == ItemState::Queued).collect();
    assert_eq!(waiting.len(), 2);
    for status in waiting {
        assert_eq!(
            (status.attempts, status.reason.text.as_str()),
            (0, "the organization of the sender is suspended")
        );
    }
    suspend(&world, &scout, false).await;
    let senders = HashSet::from([scout.id]);
    assert_eq!(world.queue.let_go(&senders).await.expect("a working store"), 2);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut to: Vec<String> = peer.taken().into_iter().flat_map(|taken| taken.rcpt).collect();
    to.sort_unstable();
    assert_eq!(to.len(), 4);
    to.dedup();
    assert_eq!(to.len(), 4, "each once: {to:?}");
}

#[tokio::test(start_paused = true)]
async fn so_does_one_to_many_inboxes_here() {
    let names = ["ranger", "rover", "raven", "robin"];
    let store = std::sync::Arc::new(Slow(MemoryStore::new()));
    let world = world_on(store, Net::default(), options()).await;
    let scout = world.inbox("scout").await;
    let mut inboxes = Vec::new();
    for name in names {
        inboxes.push(world.inbox(name).await.id);
    }
    let to = names.map(|name| format!("{name}@here.example"));
    let mut many = NewQueued {
        recipients: message(&to.each_ref().map(String::as_str)).recipients,
        ..from(&scout, "a@here.example", 1_700_000_000_000)
    };
    for recipient in &mut many.recipients {
        recipient.destination = Destination::Domain(domain("here.example"));
    }
    let arrived = async || {
        let mut count = 0;
        for inbox in &inboxes {
            count += world.mail_in(*inbox).await;
        }
        count
    };
    world.enqueue(&many).await;
    while arrived().await == 0 {}
    suspend(&world, &scout, true).await;
    let before = arrived().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let after = arrived().await;
    assert!(after < 4 && after <= before + 1, "{before} {after}");
    suspend(&world, &scout, false).await;
    world
        .queue
        .let_go(&HashSet::from([scout.id]))
        .await
        .expect("a working store");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(arrived().await, 4);
}

#[tokio::test(start_paused = true)]
async fn it_is_taken_back_without_a_notice() {
    let world = world(Net::default(), options()).await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    suspend(&world, &scout, true).await;
    let own = from(&scout, "b@there.example", 1_700_000_000_000);
    let mut on_hold = from(&scout, "c@there.example", 1_700_000_000_000);
    on_hold.held = Some("for a reason".into());
    let other = from(&ranger, "b@there.example", 1_700_000_000_000);
    for message in [&own, &on_hold, &other] {
        world.enqueue(message).await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let senders = HashSet::from([scout.id]);
    assert_eq!(world.queue.withdraw(&senders).await.expect("a working store"), 2);
    assert_eq!(world.queue.withdraw(&senders).await.expect("a working store"), 0);
    for (message, expected) in [
        (&own, ItemState::Cancelled),
        (&on_hold, ItemState::Cancelled),
        (&other, ItemState::Queued),
    ] {
        assert_eq!(status(&world, message).await.state, expected);
    }
    assert_eq!(world.mail_in(scout.id).await, 0);
}
