//! What the sender is told, and when the body goes.

use crate::setup::*;
use postroom_queue::{Destination, ItemState, Job, OnLostReply, Outcome, Queue};
use postroom_store::SharedStore;
use postroom_types::{InboxId, ReversePath};

/// The content of the notice that is next in line.
async fn notice(queue: &Queue, store: &SharedStore) -> (Job, String) {
    let (_turn, job) = job(queue).await;
    assert_eq!((&job.reverse_path, job.sender), (&ReversePath::Null, None));
    let body = store.blob(job.body.blob, 0..job.body.octets).await.unwrap().unwrap();
    (job, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn recipients_that_fail_together_share_one_notice() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let mut new = message(&options, 1, &["a@peer.test", "b@peer.test", "c@peer.test"]);
    let inbox = InboxId::new();
    new.sender = Some(inbox);
    put(&queue, &store, &new).await;
    let (turn, first) = job(&queue).await;
    assert_eq!(first.items.len(), 3);
    let attempt = queue.open_attempt(&first, &contact()).await.unwrap();
    let outcomes: Vec<_> = first
        .items
        .iter()
        .zip([bounced(), delivered(), bounced()])
        .map(|(item, outcome)| (item.id, outcome))
        .collect();
    queue.close_attempt(attempt, &contact(), &outcomes).await.unwrap();
    drop((turn, first));
    let (job, text) = notice(&queue, &store).await;
    assert_eq!(job.destination, Destination::Inbox(inbox));
    assert_eq!(job.items[0].address, address("agent@sender.test"));
    for wanted in [
        "a@peer.test",
        "c@peer.test",
        "5.1.1",
        "no such user",
        "Subject: hello",
        "mx.peer.test",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    for absent in ["b@peer.test", "secret text"] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    let states = states(&queue, new.id).await;
    assert_eq!(states, [ItemState::Bounced, ItemState::Delivered, ItemState::Bounced]);
    assert!(!is_kept(&store, new.body.blob).await, "all recipients are final");
    assert!(is_kept(&store, job.body.blob).await);
}

#[tokio::test(start_paused = true)]
async fn attempts_of_one_job_may_end_as_one() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let new = message(&options, 1, &["a@peer.test", "b@peer.test"]);
    put(&queue, &store, &new).await;
    put(&queue, &store, &message(&options, 2, &["c@peer.test"])).await;
    let (mut turn, mut first) = job(&queue).await;
    let other = turn.next_job().await.unwrap().unwrap();
    let other = queue.open_attempt(&other, &contact()).await.unwrap();
    let outcomes: Vec<_> = first.items.iter().map(|item| (item.id, bounced())).collect();
    let last = first.items.pop().unwrap();
    let mut attempt = queue.open_attempt(&first, &contact()).await.unwrap();
    first.items = vec![last];
    let second = queue.open_attempt(&first, &contact()).await.unwrap();
    assert!(attempt.absorb(second).is_none());
    let other = attempt.absorb(other).expect("of another message");
    queue.close_attempt(other, &contact(), &[]).await.unwrap();
    queue.close_attempt(attempt, &contact(), &outcomes).await.unwrap();
    drop((turn, first));
    assert_eq!(states(&queue, new.id).await, [ItemState::Bounced; 2]);
    let (_, text) = notice(&queue, &store).await;
    assert!(text.contains("a@peer.test") && text.contains("b@peer.test"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_about_a_null_reverse_path() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let mut new = message(&options, 1, &["a@peer.test"]);
    new.reverse_path = ReversePath::Null;
    put(&queue, &store, &new).await;
    work(&queue, bounced()).await;
    assert_eq!(states(&queue, new.id).await, [ItemState::Bounced]);
    let all = queue
        .list(&postroom_queue::ListFilter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(all.items.len(), 1, "no notice");
    assert!(!is_kept(&store, new.body.blob).await);
}

#[tokio::test(start_paused = true)]
async fn one_delay_notice_and_one_failure_notice_in_five_days() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let new = message(&options, 1, &["a@peer.test"]);
    put(&queue, &store, &new).await;
    let mut notices = Vec::new();
    while states(&queue, new.id).await[0] == ItemState::Queued || notices.len() < 2 {
        let (turn, next) = job(&queue).await;
        let is_notice = next.message != new.id;
        if is_notice {
            let age = (options.clock)() - new.created_at;
            notices.push((age / 3_600_000, next.destination.clone()));
        }
        let attempt = queue.open_attempt(&next, &contact()).await.unwrap();
        let outcome = if is_notice { delivered() } else { deferred() };
        queue
            .close_attempt(attempt, &contact(), &[(next.items[0].id, outcome)])
            .await
            .unwrap();
        drop(turn);
    }
    let to = Destination::Domain(domain("sender.test"));
    assert_eq!(notices.len(), 2);
    assert!((4..7).contains(&notices[0].0) && notices[0].1 == to, "{notices:?}");
    assert_eq!(notices[1], (120, to));
    let last = recipient(&queue, new.id, 0).await;
    assert_eq!((last.state, last.next_attempt), (ItemState::Expired, None));
    let attempts = queue.attempts(last.id).await.unwrap();
    assert_eq!(attempts.len(), last.attempts as usize);
    assert!((30..60).contains(&last.attempts), "{}", last.attempts);
    assert!(
        attempts
            .iter()
            .zip(1..)
            .all(|(attempt, number)| attempt.number == number)
    );
    assert!(!is_kept(&store, new.body.blob).await);
}

/// As it is given up later by as much as it was held back, so the sender is told.
#[tokio::test(start_paused = true)]
async fn a_delay_notice_says_until_when() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let new = message(&options, 1, &["a@peer.test"]);
    put(&queue, &store, &new).await;
    let (turn, held) = job(&queue).await;
    queue.hold_back(&held, 48 * HOUR, "for a while").await.unwrap();
    drop((turn, held));
    let text = loop {
        let (turn, next) = job(&queue).await;
        if next.message != new.id {
            let body = store.blob(next.body.blob, 0..next.body.octets).await.unwrap().unwrap();
            break String::from_utf8(body.to_vec()).unwrap();
        }
        let attempt = queue.open_attempt(&next, &contact()).await.unwrap();
        let outcomes = [(next.items[0].id, deferred())];
        queue.close_attempt(attempt, &contact(), &outcomes).await.unwrap();
        drop(turn);
    };
    // Two days and five after it came.
    assert!(text.contains("Will-Retry-Until: Tue, 21 Nov 2023 22:13:20"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_tried_again_or_held() {
    for (policy, state) in [
        (OnLostReply::Retry, ItemState::Queued),
        (OnLostReply::Hold, ItemState::Held),
    ] {
        let mut options = options();
        options.on_lost_reply = policy;
        let (queue, store) = started(&store(), &options).await;
        let new = message(&options, 1, &["a@peer.test"]);
        put(&queue, &store, &new).await;
        let lost = Outcome::Uncertain(reason(0, "", "connection lost after the final dot"));
        work(&queue, lost).await;
        assert_eq!(states(&queue, new.id).await, [state]);
        if policy == OnLostReply::Hold {
            let (_, text) = notice(&queue, &store).await;
            assert!(text.contains("not known"), "{text}");
        }
    }
}
