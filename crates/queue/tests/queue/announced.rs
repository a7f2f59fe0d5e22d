//! What the sender's organization hears, and what became of a message as a whole.

use crate::setup::*;
use postroom_feed::What;
use postroom_message::{Report, ReportKind};
use postroom_queue::{Fate, ItemId, NewQueued, Options, Queue};
use postroom_store::{CommitBuilder, Outcome, SharedStore};
use postroom_types::{EmailId, InboxId};

const SENDER: InboxId = InboxId::from_bytes([3; 16]);

/// A message of an organization.
fn known(options: &Options, n: u64, recipients: &[&str]) -> NewQueued {
    NewQueued {
        sender: Some(SENDER),
        organization: Some(ORGANIZATION),
        ..message(options, n, recipients)
    }
}

async fn heard(store: &SharedStore) -> Vec<What> {
    let events = events(store).await;
    assert!(
        events
            .iter()
            .all(|event| event.inbox == Some(SENDER) && event.at >= EPOCH)
    );
    events.into_iter().map(|event| event.what).collect()
}

async fn report(queue: &Queue, store: &SharedStore, item: ItemId, kind: ReportKind, status: &str) {
    let report = Report {
        kind,
        final_recipient: None,
        status: status.into(),
        diagnostic: String::new(),
        original_message_id: None,
    };
    let mut builder = CommitBuilder::new();
    assert_eq!(queue.report(&mut builder, item, &report).await.unwrap(), Some(SENDER));
    assert!(matches!(store.commit(builder.build()).await.unwrap(), Outcome::Done(_)));
}

fn delivered_to(message: EmailId, recipients: &[u16]) -> What {
    What::Delivered {
        message,
        recipients: recipients.to_vec(),
    }
}

fn bounced_from(message: EmailId, recipients: &[u16], permanent: bool) -> What {
    What::Bounced {
        message,
        recipients: recipients.to_vec(),
        permanent,
    }
}

#[tokio::test(start_paused = true)]
async fn one_event_for_each_way_to_end() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    put(&queue, &store, &message(&options, 1, &["a@peer.test"])).await;
    work(&queue, delivered()).await;
    assert_eq!(heard(&store).await, [], "nobody's mail");

    let new = known(
        &options,
        2,
        &["a@peer.test", "b@peer.test", "c@peer.test", "d@other.test"],
    );
    put(&queue, &store, &new).await;
    let under_way = Fate {
        open: true,
        ..Fate::default()
    };
    assert_eq!(queue.fate(new.id).await.unwrap(), under_way);
    for _ in 0..2 {
        let (_turn, job) = job(&queue).await;
        let attempt = queue.open_attempt(&job, &contact()).await.unwrap();
        let outcome = |item: &postroom_queue::JobItem| match item.id.recipient {
            1 => bounced(),
            3 => deferred(),
            _ => delivered(),
        };
        let outcomes: Vec<_> = job.items.iter().map(|item| (item.id, outcome(item))).collect();
        queue.close_attempt(attempt, &contact(), &outcomes).await.unwrap();
    }
    let mut expected = vec![delivered_to(new.id, &[0, 2]), bounced_from(new.id, &[1], true)];
    assert_eq!(heard(&store).await, expected);

    tokio::time::advance(5 * HOUR).await;
    // The notices are work too.
    while !queue.fate(new.id).await.unwrap().delayed {
        work(&queue, deferred()).await;
    }
    let mut fate = Fate {
        delivered: true,
        bounced: true,
        delayed: true,
        ..under_way
    };
    assert_eq!(queue.fate(new.id).await.unwrap(), fate);
    assert_eq!(queue.cancel(new.id, None).await.unwrap(), 1);
    expected.push(What::Rejected {
        message: new.id,
        reason: "Cancelled".into(),
    });
    assert_eq!(heard(&store).await, expected);
    (fate.rejected, fate.open) = (true, false);
    assert_eq!(queue.fate(new.id).await.unwrap(), fate);
}

#[tokio::test(start_paused = true)]
async fn what_is_out_of_time_may_be_sent_again() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let new = known(&options, 1, &["a@peer.test"]);
    put(&queue, &store, &new).await;
    work(&queue, deferred()).await;
    tokio::time::advance(200 * HOUR).await;
    work(&queue, deferred()).await;
    assert_eq!(heard(&store).await, [bounced_from(new.id, &[0], false)]);
    assert!(queue.fate(new.id).await.unwrap().bounced);
}

#[tokio::test(start_paused = true)]
async fn captured_mail_counts_as_delivered() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let new = known(&options, 1, &["a@peer.test", "b@peer.test"]);
    put(&queue, &store, &new).await;
    let (_turn, job) = job(&queue).await;
    for _ in 0..2 {
        queue.capture(&job).await.unwrap();
    }
    assert_eq!(heard(&store).await, [delivered_to(new.id, &[0, 1])]);
}

#[tokio::test(start_paused = true)]
async fn later_reports_are_told_when_they_are_news() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let new = known(&options, 1, &["a@peer.test", "b@peer.test", "c@peer.test"]);
    put(&queue, &store, &new).await;
    let (_turn, job) = job(&queue).await;
    let attempt = queue.open_attempt(&job, &contact()).await.unwrap();
    let refused = |number| if number == 2 { bounced() } else { delivered() };
    let outcomes: Vec<_> = job
        .items
        .iter()
        .map(|item| (item.id, refused(item.id.recipient)))
        .collect();
    queue.close_attempt(attempt, &contact(), &outcomes).await.unwrap();
    let mut expected = vec![delivered_to(new.id, &[0, 1]), bounced_from(new.id, &[2], true)];
    let complained = |recipient| What::Complained {
        message: new.id,
        recipients: vec![recipient],
    };
    for (recipient, kind, status, news) in [
        (0, ReportKind::Delayed, "4.4.1", None),
        (0, ReportKind::Failed, "5.1.1", Some(bounced_from(new.id, &[0], true))),
        (0, ReportKind::Failed, "5.1.1", None),
        (1, ReportKind::Delivered, "2.0.0", None),
        (1, ReportKind::Failed, "4.4.7", Some(bounced_from(new.id, &[1], false))),
        (1, ReportKind::Complaint, "", Some(complained(1))),
        (1, ReportKind::Complaint, "", None),
        (2, ReportKind::Failed, "5.1.1", None),
        (2, ReportKind::Complaint, "", Some(complained(2))),
    ] {
        let item = ItemId {
            message: new.id,
            recipient,
        };
        report(&queue, &store, item, kind, status).await;
        expected.extend(news);
        assert_eq!(heard(&store).await, expected, "{recipient} {kind:?}");
    }
    let fate = Fate {
        open: false,
        delivered: true,
        bounced: true,
        delayed: true,
        complained: true,
        rejected: false,
    };
    assert_eq!(queue.fate(new.id).await.unwrap(), fate);
}

#[tokio::test(start_paused = true)]
async fn who_holds_it_makes_a_difference() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let by_us = NewQueued {
        held: Some("a loop".into()),
        ..known(&options, 1, &["a@peer.test"])
    };
    let by_operator = known(&options, 2, &["a@peer.test"]);
    for new in [&by_us, &by_operator] {
        put(&queue, &store, new).await;
    }
    tokio::time::advance(HOUR).await;
    assert_eq!(queue.hold(by_operator.id, None).await.unwrap(), 1);
    for (new, rejected) in [(&by_us, true), (&by_operator, false)] {
        assert_eq!(queue.fate(new.id).await.unwrap().rejected, rejected);
    }
    // Whoever held it says so himself.
    assert_eq!(heard(&store).await, []);
    assert_eq!(queue.retry(by_us.id, None).await.unwrap(), 1);
    assert!(!queue.fate(by_us.id).await.unwrap().rejected);
}
