//! Mail of organizations that are suspended or gone: it waits, unchanged, or is taken back.

use crate::network::Net;
use crate::peer::{Peer, Say};
use crate::world::{World, message, options, world};
use postroom_identity::{InboxRecord, OrganizationChange};
use postroom_queue::{Destination, ItemState, NewQueued, RecipientStatus};
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
    net.domain("there.example", "192.0.2.1", &peer);
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
    net.domain("there.example", "192.0.2.1", &peer);
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
