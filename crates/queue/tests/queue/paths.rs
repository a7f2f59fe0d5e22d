//! Bounce addresses, and the reports that come back to them.

use crate::setup::*;
use postroom_message::{Report, ReportKind};
use postroom_queue::{ItemId, Queue};
use postroom_store::{CommitBuilder, Outcome};
use postroom_types::{EmailAddress, InboxId, ReversePath};
use proptest::prelude::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

fn parse_with(queue: &Queue, local_part: &str) -> Option<ItemId> {
    let address = EmailAddress::from_parts(local_part, domain("sender.test")).ok()?;
    queue.parse_bounce_address(&address)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn bounce_addresses_round_trip_and_cannot_be_made_up(bytes: [u8; 16], recipient: u16, upper: u64, flip in 0usize..50, bit in 0u32..7) {
        let item = ItemId { message: postroom_types::EmailId::from_bytes(bytes), recipient };
        let (queue, other) = runtime().block_on(async {
            let options = options();
            let queue = started(&store(), &options).await.0;
            let other = started(&store(), &options).await.0;
            (queue, other)
        });
        let address = queue.bounce_address(item, &domain("sender.test")).unwrap();
        prop_assert_eq!(address.local_part().len(), 50);
        prop_assert_eq!(queue.parse_bounce_address(&address), Some(item));
        prop_assert_eq!(other.parse_bounce_address(&address), None, "another server's key");
        let case = |(place, c): (usize, char)| if upper >> (place % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c };
        let mixed: String = address.local_part().chars().enumerate().map(case).collect();
        prop_assert_eq!(parse_with(&queue, &mixed), Some(item));
        let mut flipped = address.local_part().as_bytes().to_vec();
        flipped[flip] ^= 1 << bit;
        let flipped = String::from_utf8(flipped).unwrap();
        if !flipped.eq_ignore_ascii_case(address.local_part()) {
            prop_assert_eq!(parse_with(&queue, &flipped), None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_outlives_a_restart_and_other_addresses_mean_nothing() {
    let (options, store) = (options(), store());
    let item = ItemId {
        message: id(EPOCH, 1),
        recipient: 7,
    };
    let unstarted = Queue::new(std::sync::Arc::clone(&store) as _, options.clone());
    assert_eq!(unstarted.bounce_address(item, &domain("sender.test")), None);
    let (queue, _) = started(&store, &options).await;
    let address = queue.bounce_address(item, &domain("sender.test")).unwrap();
    let (again, _) = started(&store, &options).await;
    assert_eq!(again.parse_bounce_address(&address), Some(item));
    for other in [
        "b",
        "b=",
        "agent",
        "b=aaaa",
        &format!("b={}", "a".repeat(48)),
        &format!("b={}", "é".repeat(24)),
    ] {
        assert_eq!(parse_with(&queue, other), None, "{other}");
    }
}

#[tokio::test(start_paused = true)]
async fn peers_see_a_path_for_each_recipient() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let mut new = message(&options, 1, &["a@peer.test", "b@peer.test"]);
    new.verp = true;
    put(&queue, &store, &new).await;
    let (_turn, job) = job(&queue).await;
    assert_eq!(job.reverse_path, new.reverse_path);
    for item in &job.items {
        let ReversePath::Mailbox(path) = &item.envelope_from else {
            panic!("null")
        };
        assert_eq!(path.domain(), &domain("sender.test"));
        assert_eq!(queue.parse_bounce_address(path), Some(item.id));
    }
}

#[tokio::test(start_paused = true)]
async fn later_reports_are_kept_up_to_a_bound() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let mut new = message(&options, 1, &["a@peer.test"]);
    let inbox = InboxId::new();
    new.sender = Some(inbox);
    put(&queue, &store, &new).await;
    let item = work(&queue, delivered()).await[0];
    let report = Report {
        kind: ReportKind::Failed,
        final_recipient: None,
        status: "5.1.1".into(),
        diagnostic: "x".repeat(5000),
        original_message_id: None,
    };
    for n in 0..12 {
        let mut builder = CommitBuilder::new();
        let told = queue.report(&mut builder, item, &report).await.unwrap();
        assert_eq!(told, (n < 10).then_some(inbox));
        if builder.operations() > 0 {
            assert!(matches!(store.commit(builder.build()).await.unwrap(), Outcome::Done(_)));
        }
    }
    let status = recipient(&queue, new.id, 0).await;
    assert_eq!(status.reports.len(), 10);
    assert_eq!(
        (status.reports[9].status.as_str(), status.reports[9].diagnostic.len()),
        ("5.1.1", 512)
    );
    let unknown = ItemId { recipient: 9, ..item };
    assert_eq!(
        queue.report(&mut CommitBuilder::new(), unknown, &report).await.unwrap(),
        None
    );
}
