use crate::setup::{DAY_MS, World, plain};
use postroom_identity::InboxRecord;
use postroom_intake::{Idempotency, Submission, SubmitError, Submitted};
use postroom_store::MemoryStore;
use std::collections::HashSet;
use std::sync::Arc;

fn keyed(world: &World, from: &InboxRecord, key: &str, fingerprint: u8, text: &str) -> Submission {
    Submission {
        idempotency: Some(Idempotency {
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
