//! Delivery to an inbox here: one commit delivers and settles.

use crate::setup::*;
use postroom_queue::{Contact, Destination, ItemState, NewQueued, Options, QueueError};
use postroom_store::{BlobPut, Commit, Outcome};
use postroom_types::InboxId;

fn local(options: &Options, n: u64, inboxes: &[InboxId]) -> NewQueued {
    let mut new = message(options, n, &vec!["a@sender.test"; inboxes.len()]);
    for (recipient, inbox) in new.recipients.iter_mut().zip(inboxes) {
        recipient.destination = Destination::Inbox(*inbox);
    }
    new
}

fn here() -> Contact {
    Contact {
        host: "local".into(),
        ..Contact::default()
    }
}

/// What the inbox's part of the commit does with the body.
fn adopt(commit: Commit, new: &NewQueued, row: &str) -> Commit {
    let mut builder = postroom_store::CommitBuilder::from_commit(commit);
    builder.put_new(row.into(), vec![1]);
    builder.blob(BlobPut {
        id: new.body.blob,
        bytes: bytes::Bytes::new(),
        witness: row.into(),
        adopt: true,
    });
    builder.build()
}

#[tokio::test(start_paused = true)]
async fn the_body_goes_over_to_the_inbox() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let inboxes = [InboxId::from_bytes([1; 16]), InboxId::from_bytes([2; 16])];
    for count in [1, 2] {
        let new = local(&options, count, &inboxes[..count as usize]);
        put(&queue, &store, &new).await;
        for at in 0..count {
            let (_turn, job) = job(&queue).await;
            let item = job.items[0].id;
            let attempt = queue.open_attempt(&job, &here()).await.unwrap();
            assert!(!queue.is_settled(&attempt, item).await.unwrap());
            let part = queue.settle_locally(&attempt, item).await.unwrap().unwrap();
            let commit = adopt(part.build(), &new, &format!("inbox {count} {at}"));
            assert!(matches!(store.commit(commit).await.unwrap(), Outcome::Done(_)));
            assert!(queue.is_settled(&attempt, item).await.unwrap());
            assert!(queue.settle_locally(&attempt, item).await.unwrap().is_none(), "once");
            queue
                .close_attempt(attempt, &here(), &[(item, delivered())])
                .await
                .unwrap();
            let attempts = queue.attempts(item).await.unwrap();
            assert_eq!((attempts.len(), attempts[0].contact.host.as_str()), (1, "local"));
        }
        assert!(
            states(&queue, new.id)
                .await
                .iter()
                .all(|state| *state == ItemState::Delivered)
        );
        assert!(
            store
                .get(&[b"qm", &new.id.as_bytes()[..]].concat())
                .await
                .unwrap()
                .is_none()
        );
        assert!(is_kept(&store, new.body.blob).await, "the inbox has it");
    }
    assert_eq!(queue.in_memory().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_meanwhile_is_not_delivered() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let new = local(&options, 1, &[InboxId::from_bytes([1; 16])]);
    put(&queue, &store, &new).await;
    let (turn, job) = job(&queue).await;
    let item = job.items[0].id;
    let attempt = queue.open_attempt(&job, &here()).await.unwrap();
    let part = queue.settle_locally(&attempt, item).await.unwrap().unwrap();
    assert_eq!(queue.cancel(new.id, None).await.unwrap(), 1);
    assert!(matches!(
        store.commit(part.build()).await.unwrap(),
        Outcome::Conflict(_)
    ));
    assert!(queue.settle_locally(&attempt, item).await.unwrap().is_none());
    queue
        .close_attempt(attempt, &here(), &[(item, deferred())])
        .await
        .unwrap();
    assert_eq!(states(&queue, new.id).await, [ItemState::Cancelled]);
    assert!(!is_kept(&store, new.body.blob).await);
    drop((turn, job));
    assert_eq!(queue.in_memory().destinations, 0);
}

#[tokio::test(start_paused = true)]
async fn one_inbox_one_turn_and_a_deferral_comes_back() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    for n in 0..3 {
        put(&queue, &store, &local(&options, n, &[InboxId::from_bytes([1; 16])])).await;
    }
    let (turn, first) = job(&queue).await;
    let wait = std::time::Duration::from_secs(3600);
    assert!(
        tokio::time::timeout(wait, queue.next_turn()).await.is_err(),
        "one turn at a time"
    );
    let attempt = queue.open_attempt(&first, &here()).await.unwrap();
    let full = first.items[0].id;
    queue
        .close_attempt(attempt, &here(), &[(full, deferred())])
        .await
        .unwrap();
    let row = recipient(&queue, full.message, 0).await;
    assert_eq!((row.state, row.attempts), (ItemState::Queued, 1));
    drop((turn, first));
    for _ in 0..3 {
        work(&queue, delivered()).await;
    }
    assert_eq!(states(&queue, full.message).await, [ItemState::Delivered]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_not_opened_for_what_was_taken_back() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let new = message(&options, 1, &["a@peer.test", "b@peer.test"]);
    put(&queue, &store, &new).await;
    let (mut turn, job) = job(&queue).await;
    queue.hold(new.id, Some(1)).await.unwrap();
    assert!(matches!(
        queue.open_attempt(&job, &contact()).await,
        Err(QueueError::Withdrawn)
    ));
    drop(job);
    let rest = turn.next_job().await.unwrap().unwrap();
    assert_eq!(rest.items.len(), 1);
    assert_eq!(rest.items[0].id.recipient, 0);
}
