//! How connections are shared, bounded and given up.

use crate::network::Net;
use crate::peer::{Peer, Say};
use crate::world::{World, message, options, world};
use postroom_delivery::Options;
use postroom_types::EmailId;
use std::sync::atomic::Ordering;
use std::time::Duration;

async fn with_peer(peer: &Peer, options: Options) -> World {
    let net = Net::default();
    net.domain("there.example", "192.31.196.1", peer);
    net.mx("also.example", &["10 mx.there.example"]);
    world(net, options).await
}

async fn send_many(world: &World, count: usize) {
    let mut ids: Vec<EmailId> = Vec::new();
    for _ in 0..count {
        let message = message(&["b@there.example"]);
        world.enqueue(&message).await;
        ids.push(message.id);
    }
    for id in ids {
        let ended = world.attempted(id).await;
        assert!(ended[0].starts_with("Delivered "), "{ended:?}");
        assert_eq!(world.attempts(id, 0).await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_of_messages_shares_connections() {
    let peer = Peer::new();
    let world = with_peer(&peer, options()).await;
    send_many(&world, 200).await;
    assert_eq!(peer.taken().len(), 200);
    assert!(peer.sessions() <= 8, "as many as turns: {}", peer.sessions());
    let lookups = world.net.lookups.load(Ordering::Relaxed);
    assert!(lookups <= 32, "none for a message that follows another: {lookups}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_waits_for_more_and_domains_share_it() {
    let peer = Peer::new();
    let world = with_peer(&peer, options()).await;
    world.send(&message(&["b@there.example"])).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.send(&message(&["b@also.example"])).await;
    assert_eq!(peer.sessions(), 1);
    assert_eq!(peer.lines().iter().filter(|line| line.starts_with("EHLO")).count(), 1);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(peer.lines().last().map(String::as_str), Some("QUIT"));
    world.send(&message(&["b@there.example"])).await;
    assert_eq!(peer.sessions(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_carries_so_many_messages() {
    let peer = Peer::new();
    let options = Options {
        messages_per_connection: 3,
        ..options()
    };
    let world = with_peer(&peer, options).await;
    for _ in 0..10 {
        world.send(&message(&["b@there.example"])).await;
    }
    let sessions: Vec<usize> = peer.taken().iter().map(|taken| taken.session).collect();
    assert_eq!(sessions, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]);
}

/// Servers close after a message, or say 421 to the next: nobody's mail is deferred for that.
#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_went_bad_is_replaced() {
    let closing = Peer::new().with(|heard| (heard.taken > 0 && heard.line.starts_with("MAIL")).then_some(Say::Close));
    let busy = Peer::new().with(|heard| {
        let second = heard.taken > 0 && heard.line.starts_with("MAIL");
        second.then(|| Say::Last("421 4.7.0 enough for one connection".into()))
    });
    let hasty = Peer::new().with(|heard| (heard.line == ".").then(|| Say::Last("250 2.6.0 taken".into())));
    for peer in [closing, busy, hasty] {
        let world = with_peer(&peer, options()).await;
        send_many(&world, 20).await;
        assert_eq!(peer.taken().len(), 20);
        assert_eq!(peer.sessions(), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_refused_with_421_is_deferred_and_the_next_gets_a_new_connection() {
    let peer = Peer::new().with(|heard| {
        let bad = heard.session == 1 && heard.line.starts_with("RCPT");
        bad.then(|| Say::Last("421 4.3.2 going down".into()))
    });
    let world = with_peer(&peer, options()).await;
    let ended = world.send(&message(&["b@there.example"])).await;
    assert_eq!(ended, ["Queued 421 4.3.2 mx.there.example 192.31.196.1:25"]);
    let ended = world.send(&message(&["c@there.example"])).await;
    assert_eq!(ended, ["Delivered 250 2.6.0 mx.there.example 192.31.196.1:25"]);
}

#[tokio::test(start_paused = true)]
async fn connections_are_bounded() {
    let peer = Peer::new()
        .with(|heard| (heard.line == ".").then(|| Say::After(Duration::from_secs(20), "250 2.6.0 taken".into())));
    let net = Net::default();
    for n in 1..=10 {
        net.domain(&format!("d{n}.example"), &format!("192.31.196.{n}"), &peer);
    }
    let options = Options {
        connections: 3,
        ..options()
    };
    let world = world(net, options).await;
    let messages: Vec<_> = (1..=10).map(|n| message(&[&format!("b@d{n}.example")])).collect();
    for message in &messages {
        world.enqueue(message).await;
    }
    for message in &messages {
        assert!(world.attempted(message.id).await[0].starts_with("Delivered "));
    }
    assert_eq!(peer.seen.lock().expect("not poisoned").most_open, 3);
}

/// Servers that accept connections and say nothing do not keep the mail of others.
#[tokio::test(start_paused = true)]
async fn silent_servers_do_not_hold_all_connections() {
    let silent = Peer::new().with(|_| Some(Say::Silence));
    let peer = Peer::new();
    let net = Net::default();
    for n in 1..=6 {
        net.domain(&format!("d{n}.example"), &format!("192.31.196.{n}"), &silent);
    }
    net.domain("there.example", "192.31.196.7", &peer);
    let options = Options {
        connections: 4,
        ..options()
    };
    let world = world(net, options).await;
    for n in 1..=6 {
        world.enqueue(&message(&[&format!("b@d{n}.example")])).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = tokio::time::Instant::now();
    let ended = world.send(&message(&["b@there.example"])).await;
    assert!(ended[0].starts_with("Delivered "), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(65), "{:?}", begun.elapsed());
}

/// Each recipient of such a message has a reverse-path of its own, so a transaction and an attempt of its own.
#[tokio::test(start_paused = true)]
async fn signed_reverse_paths_part_the_recipients() {
    let peer = Peer::new();
    let world = with_peer(&peer, options()).await;
    let mut signed = message(&["b@there.example", "c@there.example"]);
    signed.verp = true;
    world.send(&signed).await;
    let taken = peer.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(peer.sessions(), 1);
    assert_ne!(taken[0].mail, taken[1].mail);
    for (number, taken) in taken.iter().enumerate() {
        let path = taken.mail.trim_matches(['<', '>']);
        let item = world
            .queue
            .parse_bounce_address(&crate::world::address(path))
            .expect("signed");
        assert_eq!((item.message, usize::from(item.recipient)), (signed.id, number));
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_body_arrives_whole() {
    let peer = Peer::new();
    let world = with_peer(&peer, options()).await;
    let line = "all work and no play makes jack a dull boy\r\n";
    let content = line.repeat(50_000);
    let mut large = message(&["b@there.example"]);
    large.body.octets = content.len() as u64;
    world.enqueue_with(&large, &content).await;
    assert!(world.attempted(large.id).await[0].starts_with("Delivered "));
    assert_eq!(peer.taken()[0].content, format!("Received: by us\r\n{content}"));
}
