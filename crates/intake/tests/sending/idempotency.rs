use crate::setup::{DAY_MS, World, plain};
use postroom_identity::InboxRecord;
use postroom_intake::{Alongside, Idempotency, KeyScope, Submission, SubmitError, Submitted};
use postroom_store::{CommitBuilder, MemoryStore, Store};
use postroom_types::Keyword;
use std::collections::HashSet;
use std::sync::Arc;

fn keyed(world: &World, from: &InboxRecord, key: &str, fingerprint: u8, text: &str) -> Submission {
    Submission {
        idempotency: Some(Idempotency {
            scope: KeyScope::Inbox,
            key: key.into(),
            fingerprint: [fingerprint; 32],
        }),
        ..world.submission(from, &["a@example.net"], &plain(from, text))
    }
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let world = World::new(|_| {}).await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    let first = world.intake.submit(keyed(&world, &scout, "k", 1, "x")).await.unwrap();
    // Made anew by the API, so its Message-ID and time are others.
    world.pass(1000);
    let again = world.intake.submit(keyed(&world, &scout, "k", 1, "x")).await.unwrap();
    assert_eq!(
        again,
        Submitted {
            replayed: true,
            ..first.clone()
        }
    );
    let other = world.intake.submit(keyed(&world, &scout, "k", 2, "y")).await;
    assert!(matches!(other, Err(SubmitError::KeyReused)), "{other:?}");
    world.intake.submit(keyed(&world, &scout, "l", 2, "y")).await.unwrap();
    world.intake.submit(keyed(&world, &ranger, "k", 2, "y")).await.unwrap();
    assert_eq!(world.work().await.len(), 3);

    // A day later the key is free, before and after the row is removed.
    world.pass(DAY_MS);
    let anew = world.intake.submit(keyed(&world, &scout, "k", 2, "y")).await.unwrap();
    assert!(!anew.replayed && anew.id != first.id);
    assert!(world.intake.maintain(1000).await.unwrap());
    assert!(
        world
            .intake
            .submit(keyed(&world, &scout, "k", 2, "y"))
            .await
            .unwrap()
            .replayed
    );
    assert!(
        !world
            .intake
            .submit(keyed(&world, &scout, "l", 3, "z"))
            .await
            .unwrap()
            .replayed
    );
    assert_eq!(world.work().await.len(), 2);
}

async fn at_once(world: &Arc<World>, round: u32) {
    let scout = world.inbox(&format!("scout-{round}")).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (world, scout) = (Arc::clone(world), scout.clone());
        tasks.spawn(async move {
            let submission = keyed(&world, &scout, "k", 1, &format!("try {number}"));
            world.intake.submit(submission).await.expect("taken")
        });
    }
    let answers = tasks.join_all().await;
    let ids: HashSet<_> = answers.iter().map(|answer| answer.id).collect();
    assert_eq!(ids.len(), 1, "round {round}");
    let done = answers.iter().filter(|answer| !answer.replayed);
    assert_eq!(done.count(), 1, "round {round}");
    assert_eq!(world.messages(scout.id).await.len(), 1, "round {round}");
    assert_eq!(world.work().await.len(), 1, "round {round}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_equal_requests_at_once_one_is_done() {
    let (calm, hostile) = (MemoryStore::new(), MemoryStore::hostile(7));
    for (store, rounds) in [(calm, 1), (hostile, 4)] {
        let world = Arc::new(World::on(store, |_| {}).await);
        for round in 0..rounds {
            at_once(&world, round).await;
        }
    }
}

#[tokio::test]
async fn the_key_of_an_organization_is_known_in_all_its_inboxes() {
    let world = World::new(|_| {}).await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    let of_all = |from: &InboxRecord, fingerprint: u8| {
        let mut submission = keyed(&world, from, "k", fingerprint, "x");
        if let Some(idempotency) = &mut submission.idempotency {
            idempotency.scope = KeyScope::Organization;
        }
        submission
    };
    let first = of_all(&scout, 1);
    let idempotency = first.idempotency.clone().unwrap();
    assert!(world.intake.replayed(&scout, &idempotency).await.unwrap().is_none());
    let submitted = world.intake.submit(first).await.unwrap();
    let elsewhere = world.intake.submit(of_all(&ranger, 2)).await;
    assert!(matches!(elsewhere, Err(SubmitError::KeyReused)), "{elsewhere:?}");
    let again = world.intake.replayed(&ranger, &idempotency).await.unwrap();
    assert_eq!(again.map(|again| again.id), Some(submitted.id));
    // An inbox's own key of that name is another one.
    world.intake.submit(keyed(&world, &scout, "k", 3, "y")).await.unwrap();
}

#[tokio::test]
async fn a_key_is_held_while_its_request_is_under_way() {
    let world = World::new(|_| {}).await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    let running = world.intake.begin(&scout, KeyScope::Organization, "k").unwrap();
    let second = world.intake.begin(&ranger, KeyScope::Organization, "k");
    assert!(matches!(second, Err(SubmitError::KeyInUse)), "{second:?}");
    for (inbox, scope, key) in [
        (&scout, KeyScope::Organization, "other"),
        (&scout, KeyScope::Inbox, "k"),
        (&ranger, KeyScope::Inbox, "k"),
    ] {
        assert!(world.intake.begin(inbox, scope, key).is_ok(), "{scope:?} {key}");
    }
    drop(running);
    assert!(world.intake.begin(&ranger, KeyScope::Organization, "k").is_ok());
}

/// What the caller adds is done with the submission or not at all, also where commits fail and lie.
#[tokio::test]
async fn what_comes_along_is_done_with_it() {
    for store in [MemoryStore::new(), MemoryStore::hostile(3), MemoryStore::hostile(4)] {
        let world = World::on(store.clone(), |_| {}).await;
        let scout = world.inbox("scout").await;
        let key = b"x-mark".to_vec();
        let mut commit = CommitBuilder::new();
        commit.put_new(key.clone(), vec![1]);
        let alongside = Alongside {
            keywords: vec![Keyword::new("launch").unwrap()],
            commit,
            ..Alongside::default()
        };
        let submission = world.submission(&scout, &["a@example.net"], &plain(&scout, "x"));
        let submitted = loop {
            match world.intake.submit_with(submission.clone(), alongside.clone()).await {
                Ok(submitted) => break submitted,
                // A store may say so although it holds; then nothing was done.
                Err(SubmitError::Conflict) => assert_eq!(store.get(&key).await.unwrap(), None),
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(store.get(&key).await.unwrap(), Some(vec![1]));
        let record = world.mailstore.message(scout.id, submitted.id).await.unwrap().unwrap();
        let labels = world.mailstore.labels(scout.id, &[record]).await.unwrap();
        assert!(labels[0].contains("launch"), "{labels:?}");
        // The condition does not hold any more.
        let again = world.intake.submit_with(submission, alongside).await;
        assert!(matches!(again, Err(SubmitError::Conflict)), "{again:?}");
        assert_eq!(world.messages(scout.id).await.len(), 1);
    }
}

#[tokio::test]
async fn keys_of_operations_last_a_week_and_tell_what_they_made() {
    let world = World::new(|_| {}).await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    let scope = KeyScope::Operation("mail.send");
    let of = |scope, fingerprint| {
        let mut submission = keyed(&world, &scout, "k", fingerprint, "x");
        submission.idempotency.as_mut().unwrap().scope = scope;
        submission
    };
    let answer = async |inbox: &InboxRecord, scope, key: &str| {
        let answer = world.intake.answer_of(inbox, scope, key).await.unwrap();
        answer.map(|submitted| submitted.id)
    };
    assert_eq!(answer(&scout, scope, "k").await, None);
    let first = world.intake.submit(of(scope, 1)).await.unwrap();
    // The same key is another one for another operation, for the inbox as a whole, and for another inbox.
    let other = KeyScope::Operation("mail.forward");
    let second = world.intake.submit(of(other, 2)).await.unwrap();
    let third = world.intake.submit(of(KeyScope::Inbox, 3)).await.unwrap();
    assert!(first.id != second.id && second.id != third.id);
    assert_eq!(answer(&scout, scope, "k").await, Some(first.id));
    assert_eq!(answer(&scout, other, "k").await, Some(second.id));
    assert_eq!(answer(&scout, scope, "l").await, None);
    assert_eq!(answer(&ranger, scope, "k").await, None);
    world.pass(7 * DAY_MS - 1000);
    assert!(world.intake.maintain(1000).await.unwrap());
    assert!(world.intake.submit(of(scope, 1)).await.unwrap().replayed);
    assert!(!world.intake.submit(of(KeyScope::Inbox, 3)).await.unwrap().replayed);
    world.pass(1000);
    assert_eq!(answer(&scout, scope, "k").await, None);
    assert!(!world.intake.submit(of(scope, 4)).await.unwrap().replayed);
}
