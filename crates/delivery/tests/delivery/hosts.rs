//! Which hosts are tried, and what their answers come to.

use crate::network::{Net, SILENT};
use crate::peer::{Peer, Say};
use crate::world::{address, message, options, world};
use postroom_delivery::Options;
use postroom_types::ReversePath;

/// `there.example` with a first and a second MX host.
fn two_hosts(first: &Peer, second: &Peer) -> Net {
    let net = Net::default();
    net.mx("there.example", &["10 one.example", "20 two.example"]);
    net.host("one.example", &["192.31.196.1"]);
    net.host("two.example", &["192.31.196.2"]);
    net.peer("192.31.196.1:25", first);
    net.peer("192.31.196.2:25", second);
    net
}

async fn sent(net: Net) -> String {
    let world = world(net, options()).await;
    world.send(&message(&["b@there.example"])).await.remove(0)
}

#[tokio::test(start_paused = true)]
async fn the_best_host_gets_it() {
    let (first, second) = (Peer::new(), Peer::new());
    assert_eq!(
        sent(two_hosts(&first, &second)).await,
        "Delivered 250 2.6.0 one.example 192.31.196.1:25"
    );
    assert_eq!(second.sessions(), 0);
    let taken = first.taken().remove(0);
    assert_eq!(taken.mail, "<a@here.example>");
    assert_eq!(taken.rcpt, ["<b@there.example>"]);
    assert_eq!(
        taken.content,
        "Received: by us\r\nSubject: hello\r\n\r\n.dot\r\nlast\r\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_in_trouble_leads_to_the_next() {
    let troubled = |begins, reply| Peer::new().replying(begins, reply);
    for first in [
        troubled("", "421 too busy"),
        troubled("", "554 no service"),
        troubled("EHLO", "451 later"),
        troubled("MAIL", "451 4.3.0 later"),
        Peer::new().with(|_| Some(Say::Close)),
        Peer::new().with(|_| Some(Say::Silence)),
        Peer::new().with(|heard| heard.line.starts_with("MAIL").then_some(Say::Close)),
        troubled("", "what is this"),
    ] {
        let second = Peer::new();
        assert_eq!(
            sent(two_hosts(&first, &second)).await,
            "Delivered 250 2.6.0 two.example 192.31.196.2:25",
            "{:?}",
            first.lines()
        );
        assert_eq!(first.sessions(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_the_message_is_final() {
    for (begins, reply, expected) in [
        (
            "MAIL",
            "550 5.7.1 not you",
            "Bounced 550 5.7.1 one.example 192.31.196.1:25",
        ),
        (
            "RCPT",
            "550 5.1.1 nobody",
            "Bounced 550 5.1.1 one.example 192.31.196.1:25",
        ),
        ("RCPT", "450 4.2.0 grey", "Queued 450 4.2.0 one.example 192.31.196.1:25"),
        (
            "DATA",
            "451 4.3.0 later",
            "Queued 451 4.3.0 one.example 192.31.196.1:25",
        ),
        (".", "554 5.6.0 spam", "Bounced 554 5.6.0 one.example 192.31.196.1:25"),
    ] {
        let second = Peer::new();
        let first = Peer::new().replying(begins, reply);
        assert_eq!(sent(two_hosts(&first, &second)).await, expected, "{begins} {reply}");
        assert_eq!(second.sessions(), 0, "{begins} {reply}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_no_host_takes_it() {
    for (begins, reply, expected) in [
        ("", "554 no service", "Bounced 554 5.0.0 two.example 192.31.196.2:25"),
        ("", "450 later", "Queued 450 4.0.0 two.example 192.31.196.2:25"),
    ] {
        let first = Peer::new().replying(begins, "554 no service");
        let second = Peer::new().replying(begins, reply);
        assert_eq!(sent(two_hosts(&first, &second)).await, expected);
    }
    let net = two_hosts(&Peer::new(), &Peer::new());
    net.host("one.example", &["192.31.196.11", SILENT]);
    net.host("two.example", &["192.31.196.12"]);
    assert_eq!(sent(net).await, "Queued 0 4.4.1 two.example 192.31.196.12:25");
}

#[tokio::test(start_paused = true)]
async fn every_address_of_a_host_is_tried() {
    let peer = Peer::new();
    let net = Net::default();
    net.mx("there.example", &["10 one.example"]);
    net.host(
        "one.example",
        &["2620:4f:8000::1", SILENT, "192.31.196.1", "192.31.196.3"],
    );
    net.peer("[2620:4f:8000::1]:25", &peer);
    let world = world(net, options()).await;
    let ended = world.send(&message(&["b@there.example"])).await;
    assert_eq!(ended, ["Delivered 250 2.6.0 one.example [2620:4f:8000::1]:25"]);
}

#[tokio::test(start_paused = true)]
async fn domains_that_take_no_mail() {
    let net = Net::default();
    net.mx("null.example", &["0 "]);
    net.mx("self.example", &["10 us.example"]);
    net.mx("local.example", &["10 lo.example"]);
    net.host("lo.example", &["127.0.0.1"]);
    let world = world(net, options()).await;
    for (recipient, expected) in [
        ("a@null.example", "Bounced 0 5.1.10"),
        ("a@nowhere.example", "Bounced 0 5.1.2"),
        ("a@self.example", "Bounced 0 5.4.6"),
        ("a@local.example", "Bounced 0 5.4.4"),
        ("a@[127.0.0.1]", "Bounced 0 5.4.4"),
    ] {
        assert_eq!(world.send(&message(&[recipient])).await, [expected], "{recipient}");
    }
    assert!(world.net.dialled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_address_literal_is_dialled() {
    let peer = Peer::new();
    let net = Net::default();
    net.peer("192.31.196.7:2525", &peer);
    let world = world(
        net,
        Options {
            port: 2525,
            ..options()
        },
    )
    .await;
    let ended = world.send(&message(&["a@[192.31.196.7]"])).await;
    assert_eq!(ended, ["Delivered 250 2.6.0 192.31.196.7 192.31.196.7:2525"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_lacks_something_leads_to_the_next() {
    let lacking = || Peer::new().replying("EHLO", "250-peer.example\r\n250 SIZE 10");
    let mut eight_bit = message(&["b@there.example"]);
    eight_bit.eight_bit = true;
    let gone = Peer::new().with(|_| Some(Say::Close));
    for (first, second, expected) in [
        (
            lacking(),
            Peer::new(),
            "Delivered 250 2.6.0 two.example 192.31.196.2:25",
        ),
        (lacking(), lacking(), "Bounced 0 5.6.3 two.example 192.31.196.2:25"),
        // That one may have it.
        (gone.clone(), lacking(), "Queued 0 4.4.2 one.example 192.31.196.1:25"),
        (lacking(), gone, "Queued 0 4.4.2 two.example 192.31.196.2:25"),
    ] {
        eight_bit.id = postroom_types::EmailId::new();
        let world = world(two_hosts(&first, &second), options()).await;
        assert_eq!(world.send(&eight_bit).await, [expected]);
    }
}

/// Only an address whose local-part is ASCII has a form without SMTPUTF8.
#[tokio::test(start_paused = true)]
async fn an_internationalized_domain_is_encoded() {
    let peer = Peer::new();
    let net = Net::default();
    net.domain("bücher.test", "192.31.196.1", &peer);
    let world = world(net, options()).await;
    let mut sent = message(&["x@bücher.test"]);
    sent.reverse_path = ReversePath::Mailbox(address("a@bücher.example"));
    let ended = world.send(&sent).await;
    assert_eq!(ended, ["Delivered 250 2.6.0 mx.bücher.test 192.31.196.1:25"]);
    let taken = peer.taken().remove(0);
    assert_eq!(taken.rcpt, ["<x@xn--bcher-kva.test>"]);
    assert_eq!(taken.mail, "<a@xn--bcher-kva.example>");
    let status = world
        .queue
        .recipients(sent.id)
        .await
        .expect("a working store")
        .remove(0);
    assert_eq!(status.address, address("x@bücher.test"), "as given");
    let ended = world.send(&message(&["ü@bücher.test"])).await;
    assert_eq!(ended, ["Bounced 0 5.6.7 mx.bücher.test 192.31.196.1:25"]);
}

/// Each recipient has a state of its own, and one attempt tells of all of them.
#[tokio::test(start_paused = true)]
async fn recipients_of_one_message_part_ways() {
    let peer = Peer::new().with(|heard| match heard.line {
        "RCPT TO:<no@there.example>" => Some(Say::Reply("550 5.1.1 nobody".into())),
        "RCPT TO:<later@there.example>" => Some(Say::Reply("451 4.2.1 later".into())),
        _ => None,
    });
    let net = Net::default();
    net.domain("there.example", "192.31.196.1", &peer);
    let world = world(net, options()).await;
    let to = ["yes@there.example", "no@there.example", "later@there.example"];
    let ended = world.send(&message(&to)).await;
    let states: Vec<&str> = ended.iter().filter_map(|text| text.split(' ').next()).collect();
    assert_eq!(states, ["Delivered", "Bounced", "Queued"]);
    assert_eq!(peer.sessions(), 1);
}

/// Hundreds of addresses that do not answer cost ten minutes, not hours.
#[tokio::test(start_paused = true)]
async fn a_walk_has_an_end() {
    let net = Net::default();
    let records: Vec<String> = (0..20).map(|n| format!("{n} h{n}.example")).collect();
    net.mx("there.example", &records.iter().map(String::as_str).collect::<Vec<_>>());
    let peer = Peer::new().with(|_| Some(Say::Silence));
    for n in 0..20 {
        net.host(&format!("h{n}.example"), &[&format!("192.31.196.{n}")]);
        net.peer(&format!("192.31.196.{n}:25"), &peer);
    }
    let world = world(net, options()).await;
    let begun = tokio::time::Instant::now();
    let ended = world.send(&message(&["b@there.example"])).await;
    assert!(ended[0].starts_with("Queued 0 4.4.2 "), "{ended:?}");
    assert!(begun.elapsed().as_secs() < 16 * 60, "{:?}", begun.elapsed());
}

/// What was found out for one message is believed for those behind it, for a while.
#[tokio::test(start_paused = true)]
async fn a_dead_destination_does_not_hold_its_line() {
    let net = Net::default();
    net.mx("there.example", &["10 one.example"]);
    net.host("one.example", &[SILENT]);
    let world = world(net, options()).await;
    let messages: Vec<_> = (0..100).map(|_| message(&["b@there.example"])).collect();
    for message in &messages {
        world.enqueue(message).await;
    }
    let begun = tokio::time::Instant::now();
    for message in &messages {
        assert_eq!(
            world.attempted(message.id).await,
            [format!("Queued 0 4.4.1 one.example {SILENT}:25")]
        );
    }
    let mut not_tried = 0;
    for message in &messages {
        let reason = world.attempts(message.id, 0).await.remove(0).reason;
        let dialled = reason.text.strip_prefix("not tried: ");
        not_tried += usize::from(dialled.is_some());
        assert!(
            dialled.unwrap_or(&reason.text).starts_with("cannot connect: "),
            "{reason:?}"
        );
    }
    assert_eq!(not_tried, messages.len() - world.net.dialled().len());
    assert!(world.net.dialled().len() <= 8, "{:?}", world.net.dialled());
    assert!(begun.elapsed().as_secs() < 40, "{:?}", begun.elapsed());
}
