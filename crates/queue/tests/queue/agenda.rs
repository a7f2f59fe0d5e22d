//! Turns: order, limits, and that nothing is lost or done twice whatever is dropped.

use crate::setup::*;
use postroom_queue::{Destination, InMemory, ItemState};
use std::time::Duration;
use tokio::time::{advance, timeout};

#[tokio::test(start_paused = true)]
async fn what_is_due_longest_comes_first() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    for n in [3, 1, 2] {
        let mut new = message(&options, n, &[&format!("a@peer{n}.test")]);
        new.created_at -= n as i64 * 1000;
        put(&queue, &store, &new).await;
    }
    for n in [3, 2, 1] {
        let (_turn, job) = job(&queue).await;
        assert_eq!(job.destination, Destination::Domain(domain(&format!("peer{n}.test"))));
        let attempt = queue.open_attempt(&job, &contact()).await.unwrap();
        queue
            .close_attempt(attempt, &contact(), &[(job.items[0].id, delivered())])
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn turns_of_a_destination_are_limited_and_never_share_a_message() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    for n in 0..20 {
        put(&queue, &store, &message(&options, n, &["a@peer.test", "b@peer.test"])).await;
    }
    let mut turns = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let (turn, job) = job(&queue).await;
        assert_eq!(job.items.len(), 2);
        assert!(seen.insert(job.message), "twice");
        turns.push((turn, job));
    }
    assert!(timeout(HOUR, queue.next_turn()).await.is_err(), "eight at a time");
    assert_eq!(
        queue.in_memory(),
        InMemory {
            destinations: 1,
            in_flight: 16
        }
    );
    let more = turns[0].0.next_job().await.unwrap().unwrap();
    assert!(seen.insert(more.message));
    drop(turns.pop());
    assert!(timeout(HOUR, queue.next_turn()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_comes_back() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let new = message(&options, 1, &["a@peer.test"]);
    put(&queue, &store, &new).await;
    // A turn, a job, a search for a job, each dropped.
    drop(queue.next_turn().await);
    drop(job(&queue).await);
    let mut turn = queue.next_turn().await;
    drop(timeout(Duration::ZERO, turn.next_job()).await);
    drop(turn);
    // An open attempt: its end is not known, so the schedule decides.
    let (turn, first) = job(&queue).await;
    let attempt = queue.open_attempt(&first, &contact()).await.unwrap();
    assert_eq!(states(&queue, new.id).await, [ItemState::Attempting]);
    drop((turn, first, attempt));
    let (_turn, again) = job(&queue).await;
    assert_eq!(again.items[0].attempts, 1);
    let attempts = queue.attempts(again.items[0].id).await.unwrap();
    assert_eq!(attempts[0].outcome, postroom_queue::AttemptOutcome::Uncertain);
    assert_eq!(attempts[0].contact, contact());
}

#[tokio::test(start_paused = true)]
async fn work_is_found_even_if_nobody_tells_of_it() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let new = message(&options, 1, &["a@peer.test"]);
    let mut builder = postroom_store::CommitBuilder::new();
    queue.enqueue(&mut builder, &new, Some(BODY.into())).unwrap();
    store.commit(builder.build()).await.unwrap();
    assert!(timeout(Duration::from_secs(120), queue.next_turn()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_waiting_worker_is_woken() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let queue = std::sync::Arc::new(queue);
    let waiting = tokio::spawn({
        let queue = std::sync::Arc::clone(&queue);
        async move { queue.next_turn().await.destination().clone() }
    });
    advance(Duration::from_secs(1)).await;
    let before = (options.clock)();
    put(&queue, &store, &message(&options, 1, &["a@peer.test"])).await;
    assert_eq!(waiting.await.unwrap(), Destination::Domain(domain("peer.test")));
    assert_eq!((options.clock)(), before);
}

#[tokio::test(start_paused = true)]
async fn messages_that_break_a_bound_are_refused() {
    let options = options();
    let (queue, _) = started(&store(), &options).await;
    let mut builder = postroom_store::CommitBuilder::new();
    let mut check = |new| {
        assert!(queue.enqueue(&mut builder, &new, Some(BODY.into())).is_err());
        assert_eq!(builder.operations(), 0);
    };
    check(message(&options, 1, &[]));
    check(message(&options, 1, &["a@peer.test"; 101]));
    let mut long = message(&options, 1, &["a@peer.test"]);
    long.prefix = vec![b'x'; 2561];
    check(long);
    let mut wrong = message(&options, 1, &["a@peer.test"]);
    wrong.body.octets += 1;
    check(wrong);
}
