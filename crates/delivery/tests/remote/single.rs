//! One kind of trouble at a time, with what it must come to.

use crate::check::check;
use crate::network::{Host, Net};
use crate::world::World;
use postroom_queue::{Attempt, AttemptOutcome, ItemState};
use postroom_testkit::remote::{Behaviour, Point, RemoteMx, Tls, Trouble};
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn server(plan: impl Fn(usize, Duration) -> Behaviour + Send + Sync + 'static) -> Arc<RemoteMx> {
    RemoteMx::new("mx.there.example", plan)
}

fn trouble(point: Point, trouble: Trouble) -> Behaviour {
    Behaviour {
        trouble: Some((point, trouble)),
        ..Behaviour::default()
    }
}

/// What became of a message.
struct End {
    state: ItemState,
    attempts: Vec<Attempt>,
}

impl End {
    fn outcomes(&self) -> Vec<AttemptOutcome> {
        self.attempts.iter().map(|attempt| attempt.outcome).collect()
    }
}

/// Sends one message to each of these domains, a domain being a list of hosts in the order of preference.
async fn send_to(domains: Vec<Vec<Host>>) -> Vec<End> {
    let mut net = Net::new();
    for (number, hosts) in domains.iter().enumerate() {
        for (preference, host) in (10..).zip(hosts) {
            let name = format!("mx{preference}.d{number}.example");
            net.add(&format!("d{number}.example"), preference, &name, host.clone());
        }
    }
    let world = World::new(net).await;
    let mut sent = Vec::new();
    for number in 0..domains.len() {
        let name = u8::try_from(number).expect("few domains");
        sent.push(world.accept(name, &[format!("ann@d{number}.example")]).await);
    }
    world.settle().await;
    check(&world, &sent, "single").await;
    let mut ends = Vec::new();
    for message in &sent {
        let status = world
            .queue
            .recipients(message.id)
            .await
            .expect("a working store")
            .remove(0);
        ends.push(End {
            state: status.state,
            attempts: world.queue.attempts(status.id).await.expect("a working store"),
        });
    }
    world.stop().await;
    ends
}

/// Sends one message to a domain with one host.
async fn send(there: &Arc<RemoteMx>) -> End {
    send_to(vec![vec![Host::Server(Arc::clone(there))]]).await.remove(0)
}

#[tokio::test(start_paused = true)]
async fn greylisting_is_waited_out() {
    let end = send(&server(|_, _| Behaviour {
        greylist: Some(5 * MINUTE),
        ..Behaviour::default()
    }))
    .await;
    assert_eq!(end.state, ItemState::Delivered);
    // After 1 minute it is too early, after 5 more it is not.
    let expected = [
        AttemptOutcome::Deferred,
        AttemptOutcome::Deferred,
        AttemptOutcome::Delivered,
    ];
    assert_eq!(end.outcomes(), expected);
    let first = &end.attempts[0].reason;
    assert_eq!((first.code, first.status.as_str()), (451, "4.7.1"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_makes_a_double_and_is_told() {
    let there = server(|number, _| match number {
        0 => trouble(Point::Final, Trouble::HangUp),
        _ => Behaviour::default(),
    });
    let end = send(&there).await;
    assert_eq!(end.state, ItemState::Delivered);
    assert_eq!(end.outcomes(), [AttemptOutcome::Uncertain, AttemptOutcome::Delivered]);
    let taken = there.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(
        taken[0].message_id, taken[1].message_id,
        "so that the other side can tell"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_at_any_point() {
    for code in [554, 451] {
        let host = |point| {
            Host::Server(server(move |_, _| Behaviour {
                tls: if point == Point::StartTls { Tls::Good } else { Tls::None },
                ..trouble(point, Trouble::Reply(code))
            }))
        };
        let ends = send_to(Point::ALL.map(|point| vec![host(point)]).into()).await;
        for (point, end) in std::iter::zip(Point::ALL, ends) {
            let what = format!("{code} at {point:?}: {:#?}", end.attempts);
            let expected = match (point, code) {
                // STARTTLS refused is TLS not wanted: the message goes in clear.
                (Point::StartTls, _) => ItemState::Delivered,
                (_, 554) => ItemState::Bounced,
                _ => ItemState::Expired,
            };
            assert_eq!(end.state, expected, "{what}");
            assert_eq!(end.attempts.len() > 1, expected == ItemState::Expired, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hostile_replies_are_survived() {
    let points = [
        Point::Greeting,
        Point::Hello,
        Point::Mail,
        Point::Recipient,
        Point::Data,
    ];
    let kinds = [
        Trouble::EndlessReply,
        Trouble::LongLine,
        Trouble::Nonsense,
        Trouble::Silence,
        Trouble::HangUp,
    ];
    let cases: Vec<_> = points
        .into_iter()
        .flat_map(|point| kinds.map(|kind| (point, kind)))
        .collect();
    let host = |(point, kind)| {
        Host::Server(server(move |number, _| match number {
            0 => trouble(point, kind),
            _ => Behaviour::default(),
        }))
    };
    let ends = send_to(cases.iter().map(|case| vec![host(*case)]).collect()).await;
    for (case, end) in std::iter::zip(cases, ends) {
        let what = format!("{case:?}: {:#?}", end.attempts);
        assert_eq!(end.state, ItemState::Delivered, "{what}");
        assert_eq!(
            end.outcomes(),
            [AttemptOutcome::Deferred, AttemptOutcome::Delivered],
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn tls_that_breaks_is_gone_around() {
    for (tls, encrypted) in [
        (Tls::Good, true),
        (Tls::WrongName, true),
        (Tls::Garbage, false),
        (Tls::Cut, false),
        (Tls::Silence, false),
    ] {
        let there = server(move |_, _| Behaviour {
            tls,
            ..Behaviour::default()
        });
        let end = send(&there).await;
        assert_eq!(
            (end.state, end.attempts.len()),
            (ItemState::Delivered, 1),
            "{tls:?}: {:#?}",
            end.attempts
        );
        assert_eq!(there.taken()[0].tls, encrypted, "{tls:?}");
        assert_eq!(
            !end.attempts[0].contact.tls.is_empty(),
            encrypted,
            "{tls:?}: {:#?}",
            end.attempts
        );
    }
}

#[tokio::test(start_paused = true)]
async fn words_in_clear_behind_starttls_are_not_gone_around() {
    let there = server(|number, _| Behaviour {
        tls: if number == 0 { Tls::Injected } else { Tls::Good },
        ..Behaviour::default()
    });
    let end = send(&there).await;
    assert_eq!(end.state, ItemState::Delivered);
    assert_eq!(
        end.outcomes(),
        [AttemptOutcome::Deferred, AttemptOutcome::Delivered],
        "{:#?}",
        end.attempts
    );
    assert!(there.taken()[0].tls);
}

#[tokio::test(start_paused = true)]
async fn the_next_host_is_tried_in_the_same_attempt() {
    let good = server(|_, _| Behaviour::default());
    let busy = server(|_, _| trouble(Point::Greeting, Trouble::Reply(421)));
    let hosts = vec![Host::Refuses, Host::Silent, Host::Server(busy), Host::Server(good)];
    let end = send_to(vec![hosts]).await.remove(0);
    assert_eq!(
        (end.state, end.attempts.len()),
        (ItemState::Delivered, 1),
        "{:#?}",
        end.attempts
    );
    assert_eq!(end.attempts[0].contact.host, "mx13.d0.example");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_comes_later_is_kept_and_changes_nothing() {
    let there = server(|_, _| Behaviour::default());
    let mut net = Net::new();
    net.add(
        "there.example",
        10,
        "mx.there.example",
        Host::Server(Arc::clone(&there)),
    );
    let world = World::new(net).await;
    let sent = world
        .accept(1, &["ann@there.example".to_owned(), "bob@there.example".to_owned()])
        .await;
    world.settle().await;
    tokio::time::sleep(60 * MINUTE).await;
    let taken = there.taken();
    let bounced = taken
        .iter()
        .find(|taken| taken.recipient == "bob@there.example")
        .expect("taken");
    world.bounce(bounced).await;
    let recipients = world.queue.recipients(sent.id).await.expect("a working store");
    let shown: Vec<_> = recipients
        .iter()
        .map(|status| (status.state, status.reports.len()))
        .collect();
    assert_eq!(shown, [(ItemState::Delivered, 0), (ItemState::Delivered, 1)]);
    assert_eq!(recipients[1].reports[0].status, "5.2.2");
    world.stop().await;
}
