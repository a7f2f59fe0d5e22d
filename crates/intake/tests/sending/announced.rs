//! What an organization hears of the mail of its inboxes.

use crate::onward::{HELLO, forwarding, incoming, quarantine, report};
use crate::setup::{World, plain};
use postroom_feed::{ReceivedAs, What};
use postroom_intake::{Incoming, LocalRecipient};
use postroom_message::{MechanismResult, Verdict};
use postroom_store::MemoryStore;
use postroom_types::{MessageFlags, ReversePath};

/// Looked at, with this result of SPF.
fn checked(spf: MechanismResult) -> Verdict {
    let mut verdict = Verdict {
        iprev: MechanismResult::Pass,
        ..Verdict::default()
    };
    verdict.spf.result = spf;
    verdict
}

#[tokio::test]
async fn what_comes_in_is_told_once_and_what_it_was_taken_for() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let mut expected = Vec::new();
    for (number, verdict, received_as) in [
        (1, Verdict::default(), ReceivedAs::Plain),
        (2, checked(MechanismResult::Pass), ReceivedAs::Plain),
        (3, checked(MechanismResult::None), ReceivedAs::Unauthenticated),
        (4, quarantine(), ReceivedAs::Spam),
    ] {
        // Sent again, as by somebody who did not hear the answer, it is no news.
        for first in [true, false] {
            let incoming = Incoming {
                verdict: verdict.clone(),
                ..incoming(
                    std::slice::from_ref(&scout),
                    &HELLO.replace("1@", &format!("{number}@")),
                )
            };
            let message = world.intake.deliver_local(incoming).await.unwrap().placed[0].email_id;
            if first {
                expected.push((scout.id, What::Received { message, received_as }));
            }
        }
        assert_eq!(world.heard().await, expected);
    }
    let own = bytes::Bytes::from_static(b"Subject: own\r\n\r\nown\r\n");
    let flags = MessageFlags::default();
    world.intake.append(scout.id, "INBOX", own, flags, None).await.unwrap();
    assert_eq!(world.heard().await, expected, "what a client brings was not received");
}

#[tokio::test]
async fn every_inbox_of_a_message_is_told_of() {
    for store in [MemoryStore::new(), MemoryStore::hostile(4), MemoryStore::hostile(9)] {
        let world = World::on(store, |_| {}).await;
        let mut inboxes = Vec::new();
        for number in 0..20 {
            inboxes.push(world.inbox(&format!("inbox-{number}")).await);
        }
        for content in [HELLO.to_owned(), HELLO.replace("1@", "2@")] {
            // Whoever hears nothing sends again.
            while let Err(error) = world.intake.deliver_local(incoming(&inboxes, &content)).await {
                assert!(error.to_string().contains("unavailable"), "{error}");
            }
        }
        world.work().await;
        let heard = world.heard().await;
        assert_eq!(heard.len(), 40);
        for inbox in &inboxes {
            for stored in world.messages(inbox.id).await {
                let received = What::Received {
                    message: stored.record.email_id,
                    received_as: ReceivedAs::Plain,
                };
                let times = heard.iter().filter(|told| **told == (inbox.id, received.clone()));
                assert_eq!(times.count(), 1);
            }
        }
    }
}

#[tokio::test]
async fn what_is_sent_is_told_from_the_beginning_to_the_end() {
    let world = World::new(|_| {}).await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    let to = ["ranger@example.test", "a@example.net"];
    let message = world.send(&scout, &to, "hello").await.unwrap().id;
    let mut expected = vec![(
        scout.id,
        What::Sent {
            message,
            forwarded: false,
        },
    )];
    assert_eq!(world.heard().await, expected);
    world.work().await;
    let [received] = world.in_mailbox(ranger.id, "INBOX").await[..] else {
        panic!("one message")
    };
    let delivered = |recipient| {
        let recipients = vec![recipient];
        (scout.id, What::Delivered { message, recipients })
    };
    let arrived = What::Received {
        message: received,
        received_as: ReceivedAs::Plain,
    };
    let mut heard = world.heard().await;
    let rest = heard.split_off(1);
    assert_eq!(heard, expected);
    // The two recipients come in no order, but what one commit does stays together.
    let here = rest.iter().position(|told| *told == delivered(0)).unwrap();
    assert_eq!(rest[here + 1], (ranger.id, arrived));
    assert!(rest.contains(&delivered(1)) && rest.len() == 3, "{rest:?}");

    // A note to oneself is one message, which is received once.
    expected.extend(rest);
    let message = world.send(&scout, &["scout@example.test"], "note").await.unwrap().id;
    world.work().await;
    let recipients = vec![0];
    let received_as = ReceivedAs::Plain;
    expected.extend([
        (
            scout.id,
            What::Sent {
                message,
                forwarded: false,
            },
        ),
        (scout.id, What::Delivered { message, recipients }),
        (scout.id, What::Received { message, received_as }),
    ]);
    assert_eq!(world.heard().await, expected);
}

#[tokio::test]
async fn a_copy_that_goes_onward_is_not_told_of_as_sent() {
    let world = World::new(|_| {}).await;
    let scout = forwarding(&world, &world.inbox("scout").await, "me@example.org").await;
    world
        .intake
        .deliver_local(incoming(std::slice::from_ref(&scout), HELLO))
        .await
        .unwrap();
    assert_eq!(world.work().await.len(), 1);
    let heard = world.heard().await;
    assert!(matches!(heard[..], [(_, What::Received { .. })]), "{heard:?}");
}

#[tokio::test]
async fn a_report_is_told_of_as_a_bounce_once() {
    for store in [MemoryStore::new(), MemoryStore::hostile(2), MemoryStore::hostile(6)] {
        let world = World::on(store, |_| {}).await;
        let scout = world.inbox("scout").await;
        let submission = world.submission(&scout, &["x@example.net"], &plain(&scout, "hello"));
        let message = world.intake.submit(submission).await.unwrap().id;
        let sent = world.work().await;
        let bounce = crate::setup::address(sent[0].envelope_from.trim_matches(['<', '>']));
        let recipient = LocalRecipient {
            bounce: world.queue.parse_bounce_address(&bounce),
            ..LocalRecipient::new(&scout, bounce.clone())
        };
        // Given twice, and sent twice.
        for _ in 0..2 {
            let notice = || Incoming {
                reverse_path: ReversePath::Null,
                recipients: vec![recipient.clone(), recipient.clone()],
                ..incoming(&[], &report())
            };
            while let Err(error) = world.intake.deliver_local(notice()).await {
                assert!(error.to_string().contains("unavailable"), "{error}");
            }
        }
        let bounced = What::Bounced {
            message,
            recipients: vec![0],
            permanent: true,
        };
        let heard = world.heard().await;
        let count = |wanted: fn(&What) -> bool| heard.iter().filter(|(_, what)| wanted(what)).count();
        assert!(heard.contains(&(scout.id, bounced)), "{heard:?}");
        assert_eq!(count(|what| matches!(what, What::Bounced { .. })), 1);
        let kept = world.in_mailbox(scout.id, "INBOX").await.len();
        assert_eq!(
            count(|what| matches!(what, What::Received { .. })),
            kept,
            "the reports themselves"
        );
    }
}
