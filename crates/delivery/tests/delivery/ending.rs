//! Lost replies and the shutdown: what is known, and how long it takes.

use crate::network::{Net, SILENT};
use crate::peer::{Peer, Say};
use crate::world::{World, domain, message, options, world, world_under};
use postroom_queue::{AttemptOutcome, ItemState, OnLostReply, Queue};
use std::time::Duration;
use tokio::time::Instant;

async fn with_peer(peer: &Peer) -> World {
    let net = Net::default();
    net.domain("there.example", "192.31.196.1", peer);
    net.domain("silent.example", SILENT, peer);
    world(net, options()).await
}

async fn outcome(world: &World, message: postroom_types::EmailId) -> AttemptOutcome {
    world.attempts(message, 0).await.remove(0).outcome
}

#[tokio::test(start_paused = true)]
async fn a_lost_final_reply_is_uncertain() {
    for say in [|| Say::Close, || Say::Silence] {
        let peer = Peer::new().with(move |heard| (heard.line == ".").then(say));
        let world = with_peer(&peer).await;
        let sent = message(&["b@there.example"]);
        let ended = world.send(&sent).await;
        assert_eq!(ended, ["Queued 0 4.4.2 mx.there.example 192.31.196.1:25"]);
        assert_eq!(outcome(&world, sent.id).await, AttemptOutcome::Uncertain);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_server_stops_at_once() {
    let peer = Peer::new();
    let mut world = with_peer(&peer).await;
    world.send(&message(&["b@there.example"])).await;
    let begun = Instant::now();
    world.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(peer.lines().last().map(String::as_str), Some("QUIT"));
}

#[tokio::test(start_paused = true)]
async fn a_transaction_under_way_may_end() {
    let peer = Peer::new()
        .with(|heard| (heard.line == ".").then(|| Say::After(Duration::from_secs(8), "250 2.6.0 taken".into())));
    let mut world = with_peer(&peer).await;
    let under_way = message(&["b@there.example"]);
    world.enqueue(&under_way).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.stop().await;
    assert!(world.attempted(under_way.id).await[0].starts_with("Delivered "));
    let late = message(&["b@there.example"]);
    world.enqueue(&late).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(world.attempts(late.id, 0).await.is_empty(), "no new work is begun");
}

/// Whatever a server does, the drain ends, and the attempt says what can be known.
#[tokio::test(start_paused = true)]
async fn the_drain_has_an_end() {
    for (silent_at, expected) in [
        ("", AttemptOutcome::Deferred),
        ("EHLO", AttemptOutcome::Deferred),
        ("MAIL", AttemptOutcome::Deferred),
        ("DATA", AttemptOutcome::Deferred),
        (".", AttemptOutcome::Uncertain),
    ] {
        let peer = Peer::new().with(move |heard| {
            let here = if silent_at.is_empty() {
                heard.line.is_empty()
            } else {
                heard.line.starts_with(silent_at)
            };
            here.then_some(Say::Silence)
        });
        let mut world = with_peer(&peer).await;
        let stuck = message(&["b@there.example"]);
        world.enqueue(&stuck).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        world.stop().await;
        assert!(
            begun.elapsed() < Duration::from_secs(12),
            "{silent_at}: {:?}",
            begun.elapsed()
        );
        let attempt = world.attempts(stuck.id, 0).await.remove(0);
        assert_eq!(attempt.outcome, expected, "silent at {silent_at:?}");
        let reason = attempt.reason;
        let ours = reason.text.starts_with("our server is shutting down");
        assert!(ours && reason.status == "4.3.2", "not the peer's fault: {reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_connection_at_the_end() {
    let peer = Peer::new();
    let mut world = with_peer(&peer).await;
    let stuck = message(&["b@silent.example"]);
    world.enqueue(&stuck).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    world.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(outcome(&world, stuck.id).await, AttemptOutcome::Deferred);
}

/// A server that does not read keeps us in the middle of the content: then the connection is dropped.
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_left() {
    let peer = Peer::new().with(|heard| (heard.line == "DATA").then(|| Say::Stall("354 go on".into())));
    let mut world = with_peer(&peer).await;
    let content = "all work and no play makes jack a dull boy\r\n".repeat(20_000);
    let mut stuck = message(&["b@there.example"]);
    stuck.body.octets = content.len() as u64;
    world.enqueue_with(&stuck, &content).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    world.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    let attempt = world.attempts(stuck.id, 0).await.remove(0);
    assert_eq!(
        (attempt.outcome, attempt.reason.status.as_str()),
        (AttemptOutcome::Deferred, "4.3.2")
    );
}

/// A crash ends only what may have been sent, where nothing uncertain is tried again.
#[tokio::test(start_paused = true)]
async fn under_hold_a_crash_before_the_content_ends_nothing() {
    for (silent_at, state) in [
        ("EHLO", ItemState::Queued),
        ("RCPT", ItemState::Queued),
        ("DATA", ItemState::Queued),
        (".", ItemState::Held),
    ] {
        let peer = Peer::new().with(move |heard| heard.line.starts_with(silent_at).then_some(Say::Silence));
        let net = Net::default();
        net.domain("there.example", "192.31.196.1", &peer);
        let store = postroom_store::MemoryStore::new();
        let world = world_under(OnLostReply::Hold, store, net, options()).await;
        let sent = message(&["b@there.example"]);
        world.enqueue(&sent).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        // What comes up after the crash knows only what is stored.
        let next_options = postroom_queue::Options {
            on_lost_reply: OnLostReply::Hold,
            clock: std::sync::Arc::new(|| 1_700_000_001_000),
            ..postroom_queue::Options::new("us.example".into(), domain("here.example"))
        };
        let next = Queue::new(world.store.clone(), next_options);
        next.start().await.expect("a working store");
        let turn = next.next_turn();
        let looked = async { turn.await.next_job().await.expect("a working store").is_some() };
        // The notice of failure is work, too.
        let _ = tokio::time::timeout(Duration::from_secs(5), looked).await;
        let status = next.recipients(sent.id).await.expect("a working store").remove(0);
        assert_eq!(status.state, state, "silent at {silent_at:?}: {status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn under_hold_mail_goes_out() {
    let peer = Peer::new();
    let net = Net::default();
    net.domain("there.example", "192.31.196.1", &peer);
    let store = postroom_store::MemoryStore::new();
    let world = world_under(OnLostReply::Hold, store, net, options()).await;
    let ended = world.send(&message(&["b@there.example", "c@there.example"])).await;
    assert_eq!(ended, ["Delivered 250 2.6.0 mx.there.example 192.31.196.1:25"; 2]);
}
