//! Several processes on one store, and restarts.

use crate::setup::*;
use postroom_queue::{AttemptOutcome, ItemState, OnLostReply, Options, QueueError};
use postroom_types::ReversePath;
use std::time::Duration;
use tokio::time::{sleep, timeout};

fn among_others() -> Options {
    Options {
        exclusive: false,
        ..options()
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_finds_the_open_attempt_and_tries_again() {
    let (options, store) = (options(), store());
    let (queue, shared) = started(&store, &options).await;
    let new = message(&options, 1, &["a@peer.test", "b@peer.test"]);
    put(&queue, &shared, &new).await;
    let (turn, first) = job(&queue).await;
    let attempt = queue.open_attempt(&first, &contact()).await.unwrap();

    let (second, _) = started(&store, &options).await;
    let late = [(first.items[0].id, delivered()), (first.items[1].id, delivered())];
    let result = queue.close_attempt(attempt, &contact(), &late).await;
    assert!(matches!(result, Err(QueueError::LeaseLost)), "{result:?}");
    drop((turn, first, queue));
    work(&second, delivered()).await;
    for recipient in second.recipients(new.id).await.unwrap() {
        assert_eq!((recipient.state, recipient.attempts), (ItemState::Delivered, 2));
        let outcomes: Vec<_> = second
            .attempts(recipient.id)
            .await
            .unwrap()
            .iter()
            .map(|a| a.outcome)
            .collect();
        assert_eq!(outcomes, [AttemptOutcome::Uncertain, AttemptOutcome::Delivered]);
    }
    assert!(!is_kept(&shared, new.body.blob).await);
}

/// Mail that never reached a peer does not end because the server stopped.
#[tokio::test(start_paused = true)]
async fn under_hold_a_restart_ends_only_what_may_have_been_sent() {
    for marks in [false, true] {
        let store = store();
        let options = Options {
            on_lost_reply: OnLostReply::Hold,
            ..options()
        };
        let (queue, shared) = started(&store, &options).await;
        let new = message(&options, 1, &["a@peer.test", "b@peer.test"]);
        put(&queue, &shared, &new).await;
        let (turn, first) = job(&queue).await;
        let attempt = queue.open_attempt(&first, &contact()).await.unwrap();
        let mark = queue.content_mark(&attempt).expect("under Hold");
        if marks {
            mark.write().await.unwrap();
            mark.write().await.expect("once more does nothing");
        }
        let (second, _) = started(&store, &options).await;
        drop((turn, first, attempt, queue));
        if !marks {
            let result = mark.write().await;
            assert!(matches!(result, Err(QueueError::LeaseLost)), "{result:?}");
        }
        let expected = if marks {
            // The notice of failure is all that is left to do.
            let (_turn, notice) = job(&second).await;
            assert_eq!(notice.reverse_path, ReversePath::Null);
            [(ItemState::Held, AttemptOutcome::Uncertain); 2]
        } else {
            work(&second, delivered()).await;
            [(ItemState::Delivered, AttemptOutcome::Deferred); 2]
        };
        let mut seen = Vec::new();
        for recipient in second.recipients(new.id).await.unwrap() {
            let attempts = second.attempts(recipient.id).await.unwrap();
            assert!(attempts[0].ended_at.is_some());
            seen.push((recipient.state, attempts[0].outcome));
        }
        assert_eq!(seen, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_over_gets_no_mark() {
    let options = Options {
        on_lost_reply: OnLostReply::Hold,
        ..options()
    };
    let (queue, store) = started(&store(), &options).await;
    put(&queue, &store, &message(&options, 1, &["a@peer.test"])).await;
    let (_turn, first) = job(&queue).await;
    let attempt = queue.open_attempt(&first, &contact()).await.unwrap();
    let mark = queue.content_mark(&attempt).expect("under Hold");
    queue.close_attempt(attempt, &contact(), &[]).await.unwrap();
    let result = mark.write().await;
    assert!(matches!(result, Err(QueueError::Withdrawn)), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_renewed_stays_and_one_that_is_not_goes_over() {
    let (options, store) = (among_others(), store());
    let (first, shared) = started(&store, &options).await;
    let (second, _) = started(&store, &options).await;
    sleep(Duration::from_secs(300)).await;
    // What the second puts into the queue, the first does.
    put(&second, &shared, &message(&options, 1, &["a@peer.test"])).await;
    let wait = Duration::from_secs(20);
    assert!(timeout(wait, second.next_turn()).await.is_err());
    let (turn, job_of_first) = timeout(wait, job(&first)).await.unwrap();
    let attempt = first.open_attempt(&job_of_first, &contact()).await.unwrap();
    // The first stops renewing; what it holds of the queue lives on for a while.
    drop(first);
    sleep(Duration::from_secs(50)).await;
    let (_turn, again) = timeout(Duration::from_secs(300), job(&second)).await.unwrap();
    assert_eq!(again.items[0].attempts, 1);
    drop((attempt, job_of_first, turn));
}

#[tokio::test(start_paused = true)]
async fn who_was_taken_over_gets_no_more_jobs() {
    let (options, store) = (options(), store());
    let (first, shared) = started(&store, &options).await;
    for n in 0..4 {
        put(&first, &shared, &message(&options, n, &["a@peer.test"])).await;
    }
    let (mut turn, taken) = job(&first).await;
    let (second, _) = started(&store, &options).await;
    assert!(matches!(
        first.open_attempt(&taken, &contact()).await,
        Err(QueueError::LeaseLost)
    ));
    assert!(matches!(turn.next_job().await, Err(QueueError::LeaseLost)));
    drop((turn, taken));
    assert!(timeout(HOUR, first.next_turn()).await.is_err());
    for _ in 0..4 {
        work(&second, delivered()).await;
    }
}
