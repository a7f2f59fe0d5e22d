//! Mail that stays here: to inboxes, and captured.

use crate::network::Net;
use crate::peer::{Peer, Say};
use crate::world::{World, address, domain, message, options, world, world_on};
use postroom_delivery::Options;
use postroom_identity::InboxChange;
use postroom_queue::{Destination, NewQueued};
use postroom_store::MemoryStore;
use postroom_types::ReversePath;
use std::time::Duration;

/// A message for an inbox, as intake queues it.
async fn to_inbox(world: &World, name: &str) -> (NewQueued, postroom_types::InboxId) {
    let inbox = world.inbox(name).await;
    let mut message = message(&[&format!("{name}@here.example")]);
    message.recipients[0].destination = Destination::Inbox(inbox.id);
    (message, inbox.id)
}

#[tokio::test(start_paused = true)]
async fn an_inbox_gets_it_once() {
    let world = world(Net::default(), options()).await;
    let (message, inbox) = to_inbox(&world, "scout").await;
    assert_eq!(world.send(&message).await, ["Delivered 250 2.0.0 local"]);
    assert_eq!(world.mail_in(inbox).await, 1);
    assert_eq!(world.attempts(message.id, 0).await.len(), 1);
    assert!(world.net.dialled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn several_recipients_one_of_them_unknown() {
    let world = world(Net::default(), options()).await;
    let (mut message, inbox) = to_inbox(&world, "scout").await;
    let mut unknown = message.recipients[0].clone();
    unknown.address = address("nobody@here.example");
    message.recipients.push(unknown);
    let ended = world.send(&message).await;
    assert_eq!(ended, ["Delivered 250 2.0.0 local", "Bounced 550 5.1.1 local"]);
    assert_eq!(world.mail_in(inbox).await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_inbox_that_takes_no_mail() {
    let world = world(Net::default(), options()).await;
    let (message, inbox) = to_inbox(&world, "paused").await;
    let change = InboxChange {
        receive_paused: Some(true),
        ..InboxChange::default()
    };
    world.identity.update_inbox(inbox, &change).await.expect("an inbox");
    assert_eq!(world.send(&message).await, ["Bounced 550 5.2.1 local"]);
    let (message, inbox) = to_inbox(&world, "gone").await;
    world.identity.delete_inbox(inbox).await.expect("an inbox");
    assert_eq!(world.send(&message).await, ["Bounced 550 5.1.1 local"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_inbox_gets_it_later() {
    let world = world(Net::default(), options()).await;
    let (mut large, inbox) = to_inbox(&world, "full").await;
    // One message beyond the quota is taken.
    let content = format!("Subject: large\r\n\r\n{}", "x\r\n".repeat(40_000));
    large.body.octets = content.len() as u64;
    world.enqueue_with(&large, &content).await;
    assert_eq!(world.attempted(large.id).await, ["Delivered 250 2.0.0 local"]);
    let mut second = message(&["full@here.example"]);
    second.recipients[0].destination = Destination::Inbox(inbox);
    assert_eq!(world.send(&second).await, ["Queued 452 4.2.2 local"]);
}

/// A domain that was foreign when the mail was queued may be ours by now.
#[tokio::test(start_paused = true)]
async fn a_domain_that_became_ours() {
    let world = world(Net::default(), options()).await;
    let inbox = world.inbox("scout").await;
    for (recipient, expected) in [
        ("scout@here.example", "Delivered 250 2.0.0 local"),
        ("nobody@here.example", "Bounced 550 5.1.1 local"),
    ] {
        let message = message(&[recipient]);
        assert_eq!(
            message.recipients[0].destination,
            Destination::Domain(domain("here.example"))
        );
        assert_eq!(world.send(&message).await, [expected]);
    }
    assert_eq!(world.mail_in(inbox.id).await, 1);
}

#[tokio::test(start_paused = true)]
async fn capture_keeps_what_would_leave() {
    let options = Options {
        capture: true,
        ..options()
    };
    let world = world(Net::default(), options).await;
    let outward = message(&["b@there.example", "c@there.example"]);
    assert_eq!(world.send(&outward).await, vec!["Delivered 250 2.0.0 captured"; 2]);
    let captured = world.queue.captured(None, 10).await.expect("a working store");
    assert!(!captured.items.is_empty());
    let (inward, inbox) = to_inbox(&world, "scout").await;
    assert_eq!(world.send(&inward).await, ["Delivered 250 2.0.0 local"]);
    assert_eq!(world.mail_in(inbox).await, 1);
    assert!(world.net.dialled().is_empty());
}

/// Conflicts that are not there, outcomes that are not told, pages cut short: each message is sent once all the same.
#[tokio::test(start_paused = true)]
async fn a_store_with_moods() {
    for seed in 1..=4 {
        let peer = Peer::new();
        let net = Net::default();
        net.domain("there.example", "192.31.196.1", &peer);
        let world = world_on(MemoryStore::hostile(seed), net, options()).await;
        let inbox = world.inbox("scout").await;
        let mut messages = Vec::new();
        for number in 0..40 {
            let mut message = match number % 2 {
                0 => message(&["b@there.example", "c@there.example"]),
                _ => message(&["scout@here.example"]),
            };
            if number % 2 == 1 {
                message.recipients[0].destination = Destination::Inbox(inbox.id);
            }
            // Else the inbox would take them for one message.
            let content = format!("Message-ID: <{number}@there.example>\r\n\r\n{number:04}\r\n");
            message.body.octets = content.len() as u64;
            world.enqueue_with(&message, &content).await;
            messages.push(message);
        }
        for message in &messages {
            let ended = world.attempted(message.id).await;
            assert!(
                ended.iter().all(|text| text.starts_with("Delivered ")),
                "seed {seed}: {ended:?}"
            );
        }
        assert_eq!(peer.taken().len(), 20, "seed {seed}");
        assert_eq!(world.mail_in(inbox.id).await, 20, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_servers_do_not_keep_mail_from_an_inbox() {
    let net = Net::default();
    for number in 0..600 {
        net.mx(&format!("d{number}.example"), &["10 slow.example"]);
    }
    net.host("slow.example", &[crate::network::SILENT]);
    let options = Options {
        connections: 2,
        ..options()
    };
    let world = world(net, options).await;
    for number in 0..600 {
        world.enqueue(&message(&[&format!("b@d{number}.example")])).await;
    }
    let (inward, inbox) = to_inbox(&world, "scout").await;
    let begun = tokio::time::Instant::now();
    assert_eq!(world.send(&inward).await, ["Delivered 250 2.0.0 local"]);
    assert_eq!(world.mail_in(inbox).await, 1);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

/// What was queued before says nothing about what its sender may do now.
#[tokio::test(start_paused = true)]
async fn an_inbox_that_may_not_send_any_more() {
    let peer = Peer::new();
    let net = Net::default();
    net.domain("there.example", "192.31.196.1", &peer);
    let world = world(net, options()).await;
    let sender = world.inbox("ann").await.id;
    let sent = || NewQueued {
        sender: Some(sender),
        ..message(&["b@there.example"])
    };
    let pause = async |paused| {
        let change = InboxChange {
            send_paused: Some(paused),
            ..InboxChange::default()
        };
        world.identity.update_inbox(sender, &change).await.expect("an inbox");
    };
    pause(true).await;
    let paused = sent();
    assert_eq!(world.send(&paused).await, ["Queued 0 4.7.1"]);
    assert!(world.net.dialled().is_empty());
    pause(false).await;
    assert_eq!(
        world.send(&sent()).await,
        ["Delivered 250 2.6.0 mx.there.example 192.31.196.1:25"]
    );
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(world.attempted(paused.id).await[0].starts_with("Delivered "), "later");
    let dialled = world.net.dialled().len();
    world.identity.delete_inbox(sender).await.expect("an inbox");
    assert_eq!(world.send(&sent()).await, ["Bounced 0 5.7.1"]);
    assert_eq!(world.net.dialled().len(), dialled);
}

/// Signed reverse-paths make an attempt of each recipient, and still the sender is told once.
#[tokio::test(start_paused = true)]
async fn refusals_of_one_message_share_a_notice() {
    let peer = Peer::new().with(|heard| {
        let bad = heard.line.starts_with("RCPT TO:<no");
        bad.then(|| Say::Reply("550 5.1.1 nobody".into()))
    });
    let net = Net::default();
    net.domain("there.example", "192.31.196.1", &peer);
    let world = world(net, options()).await;
    let sender = world.inbox("ann").await.id;
    for told in 1..=2 {
        let sent = NewQueued {
            sender: Some(sender),
            reverse_path: ReversePath::Mailbox(address("ann@here.example")),
            verp: true,
            ..message(&[
                "no1@there.example",
                "yes@there.example",
                "no2@there.example",
                "no3@there.example",
            ])
        };
        let ended = world.send(&sent).await;
        let states: Vec<&str> = ended.iter().filter_map(|text| text.split(' ').next()).collect();
        assert_eq!(states, ["Bounced", "Delivered", "Bounced", "Bounced"]);
        for recipient in 0..4 {
            assert_eq!(world.attempts(sent.id, recipient).await.len(), 1);
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(world.mail_in(sender).await, told);
    }
}
