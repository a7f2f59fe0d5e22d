//! The operator's commands.

use crate::setup::*;
use postroom_queue::{ItemId, ItemState, ListFilter, Queue};
use std::time::Duration;
use tokio::time::{advance, timeout};

async fn next_due(queue: &Queue, message: postroom_types::EmailId) -> Option<i64> {
    recipient(queue, message, 0).await.next_attempt
}

#[tokio::test(start_paused = true)]
async fn held_mail_waits_until_it_is_let_go() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let mut new = message(&options, 1, &["a@peer.test", "b@peer.test"]);
    new.held = Some("a loop".into());
    put(&queue, &store, &new).await;
    assert!(timeout(10 * HOUR, queue.next_turn()).await.is_err());
    assert_eq!(queue.flush().await.unwrap(), 0, "flush leaves it");
    assert_eq!(queue.retry(new.id, Some(1)).await.unwrap(), 1);
    work(&queue, delivered()).await;
    assert_eq!(states(&queue, new.id).await, [ItemState::OnHold, ItemState::Delivered]);
    assert_eq!(queue.cancel(new.id, None).await.unwrap(), 1);
    assert_eq!(
        states(&queue, new.id).await,
        [ItemState::Cancelled, ItemState::Delivered]
    );
    assert!(!is_kept(&store, new.body.blob).await);
    assert_eq!(queue.retry(new.id, None).await.unwrap(), 0, "final is final");
}

#[tokio::test(start_paused = true)]
async fn retry_and_flush_make_what_waits_due_now() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let mut all = Vec::new();
    for n in 0..3 {
        let to = format!("a@peer{n}.test");
        let new = message(&options, n, &[&to]);
        put(&queue, &store, &new).await;
        work(&queue, deferred()).await;
        all.push(new.id);
    }
    let now = || (options.clock)();
    assert!(next_due(&queue, all[0]).await.unwrap() > now());
    assert_eq!(queue.retry(all[0], None).await.unwrap(), 1);
    assert_eq!(next_due(&queue, all[0]).await.unwrap(), now());
    assert_eq!(queue.flush().await.unwrap(), 2);
    let before = now();
    for _ in 0..3 {
        work(&queue, delivered()).await;
    }
    assert!(now() - before < 100, "nothing waited");
}

#[tokio::test(start_paused = true)]
async fn what_is_being_attempted_is_left_to_its_attempt() {
    let options = options();
    for (outcome, cancelled, held) in [
        (delivered(), ItemState::Delivered, ItemState::Delivered),
        (deferred(), ItemState::Cancelled, ItemState::OnHold),
        (bounced(), ItemState::Cancelled, ItemState::Bounced),
    ] {
        let (queue, store) = started(&store(), &options).await;
        let new = message(&options, 1, &["a@peer.test", "b@peer.test", "c@peer.test"]);
        put(&queue, &store, &new).await;
        let (_turn, job) = job(&queue).await;
        let attempt = queue.open_attempt(&job, &contact()).await.unwrap();
        assert_eq!(queue.cancel(new.id, Some(0)).await.unwrap(), 1);
        assert_eq!(queue.hold(new.id, Some(1)).await.unwrap(), 1);
        assert_eq!(queue.hold(new.id, Some(2)).await.unwrap(), 1);
        assert_eq!(queue.retry(new.id, Some(2)).await.unwrap(), 1, "taken back");
        assert_eq!(states(&queue, new.id).await, [ItemState::Attempting; 3]);
        let outcomes: Vec<_> = job.items.iter().map(|item| (item.id, outcome.clone())).collect();
        queue.close_attempt(attempt, &contact(), &outcomes).await.unwrap();
        let states = states(&queue, new.id).await;
        assert_eq!(states[..2], [cancelled, held], "{outcome:?}");
        assert_eq!(states[2] == ItemState::Queued, outcome == deferred());
    }
}

#[tokio::test(start_paused = true)]
async fn lists_are_filtered_and_come_in_pages() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    for n in 0..10 {
        let mut new = message(&options, n, &["a@peer.test", "b@other.test"]);
        new.held = Some("x".into());
        put(&queue, &store, &new).await;
        if n == 3 {
            assert_eq!(queue.cancel(new.id, Some(1)).await.unwrap(), 1);
        }
    }
    let of_domain = ListFilter {
        domain: Some(domain("other.test")),
        ..ListFilter::default()
    };
    let on_hold = ListFilter {
        state: Some(ItemState::OnHold),
        ..of_domain.clone()
    };
    let pending = ListFilter {
        pending: true,
        ..of_domain.clone()
    };
    for (filter, expected) in [(on_hold, 9), (pending, 9), (of_domain, 10)] {
        let seen = listed(&queue, &filter).await;
        assert_eq!(seen.len(), expected, "{filter:?}");
        assert!(seen.is_sorted_by(|a, b| a > b), "newest first, each once");
        assert!(seen.iter().all(|item| item.recipient == 1));
    }
    let all = ListFilter {
        pending: true,
        ..ListFilter::default()
    };
    assert_eq!(listed(&queue, &all).await.len(), 19);
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_does_not_end_the_wait() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    put(&queue, &store, &message(&options, 1, &["a@peer.test"])).await;
    work(&queue, deferred()).await;
    advance(Duration::from_millis(500)).await;
    assert!(
        timeout(Duration::from_secs(50), queue.next_turn()).await.is_err(),
        "due after a minute"
    );
    assert!(timeout(Duration::from_secs(20), queue.next_turn()).await.is_ok());
}

/// Everything that fits a filter, in pages of four.
async fn listed(queue: &Queue, filter: &ListFilter) -> Vec<ItemId> {
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = queue.list(filter, after, 4).await.unwrap();
        assert!(page.items.len() <= 4);
        seen.extend(page.items.iter().map(|item| item.id));
        after = page.next;
        if after.is_none() {
            return seen;
        }
    }
}
