use crate::setup::{DAY_MS, World, plain};
use postroom_identity::InboxChange;
use postroom_intake::{SendLimits, SubmitError};
use postroom_store::MemoryStore;
use std::sync::Arc;
use std::time::Duration;

fn limited(messages: u32, new_recipients: u32) -> Option<SendLimits> {
    Some(SendLimits {
        messages,
        new_recipients,
    })
}

#[tokio::test]
async fn a_day_has_so_many_messages_and_the_next_as_many_again() {
    let world = World::new(|options| options.send_limits = limited(3, 100)).await;
    let scout = world.inbox("scout").await;
    for number in 0..3 {
        world
            .send(&scout, &["a@example.net"], &format!("{number}"))
            .await
            .unwrap();
    }
    match world.send(&scout, &["a@example.net"], "four").await {
        // It is noon.
        Err(SubmitError::DailyLimit { retry_after }) => assert_eq!(retry_after, Some(Duration::from_secs(43_201))),
        other => panic!("{other:?}"),
    }
    let ranger = world.inbox("ranger").await;
    world.send(&ranger, &["a@example.net"], "another inbox").await.unwrap();
    world.pass(DAY_MS / 2);
    world.send(&scout, &["a@example.net"], "next day").await.unwrap();
    world.pass(3 * DAY_MS);
    assert!(world.intake.maintain(1000).await.unwrap());
    world.send(&scout, &["a@example.net"], "some day").await.unwrap();
}

#[tokio::test]
async fn an_inbox_has_limits_of_its_own() {
    let world = World::new(|options| options.send_limits = limited(1, 1)).await;
    let scout = world.inbox("scout").await;
    let own = |messages| InboxChange {
        daily_messages: Some(messages),
        daily_new_recipients: Some(Some(10)),
        ..InboxChange::default()
    };
    let scout = world.change(scout.id, own(Some(2))).await;
    for text in ["one", "two"] {
        world
            .send(&scout, &["a@example.net", "b@example.net"], text)
            .await
            .unwrap();
    }
    assert!(matches!(
        world.send(&scout, &["a@example.net"], "x").await,
        Err(SubmitError::DailyLimit { .. })
    ));
    // 0 is without limit, and so it is for all.
    let eager = world.inbox("eager").await;
    let without = InboxChange {
        daily_messages: Some(Some(0)),
        daily_new_recipients: Some(Some(0)),
        ..InboxChange::default()
    };
    let eager = world.change(eager.id, without).await;
    for number in 0..5 {
        let to = format!("a{number}@example.net");
        world.send(&eager, &[&to], "x").await.unwrap();
    }
    let world = World::new(|options| options.send_limits = limited(0, 1)).await;
    let scout = world.inbox("scout").await;
    for _ in 0..5 {
        world.send(&scout, &["a@example.net"], "x").await.unwrap();
    }
    let stranger = world.send(&scout, &["b@example.net"], "x").await;
    assert!(matches!(stranger, Err(SubmitError::DailyLimit { .. })), "{stranger:?}");
}

#[tokio::test]
async fn only_strangers_count_as_new() {
    let world = World::new(|options| options.send_limits = limited(100, 2)).await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    world
        .send(&scout, &["a@example.net", "b@example.net"], "both new")
        .await
        .unwrap();
    world
        .send(&scout, &["A@example.net", "b@example.net"], "known")
        .await
        .unwrap();
    world
        .send(&scout, &["scout@example.test", "scout+x@example.test"], "oneself")
        .await
        .unwrap_err();
    world.send(&scout, &["scout@example.test"], "oneself").await.unwrap();
    let refused = world.send(&scout, &["c@example.net"], "third").await;
    assert!(
        matches!(refused, Err(SubmitError::DailyLimit { retry_after: Some(_) })),
        "{refused:?}"
    );

    // One that has more of them than a day takes by itself has not to wait for another day.
    let never = world
        .send(&scout, &["c@example.net", "d@example.net", "e@example.net"], "x")
        .await;
    assert!(
        matches!(never, Err(SubmitError::DailyLimit { retry_after: None })),
        "{never:?}"
    );
    // Who wrote is no stranger.
    world.send(&ranger, &["scout@example.test"], "question").await.unwrap();
    world.work().await;
    let question = &world.messages(scout.id).await[0].text;
    let id = question
        .lines()
        .find_map(|line| line.strip_prefix("Message-ID: "))
        .unwrap();
    let answer = plain(&scout, "answer").replace("Subject", &format!("In-Reply-To: {id}\r\nSubject"));
    let to = ["ranger@example.test", "x@example.net"];
    world
        .intake
        .submit(world.submission(&scout, &to, &answer))
        .await
        .unwrap();

    world.pass(DAY_MS);
    world
        .send(&scout, &["c@example.net", "d@example.net"], "next day")
        .await
        .unwrap();
    assert!(world.send(&scout, &["e@example.net"], "third").await.is_err());
}

async fn at_once(world: &Arc<World>, round: u32, to_one: bool) {
    let scout = world.inbox(&format!("scout-{round}-{to_one}")).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (world, scout) = (Arc::clone(world), scout.clone());
        tasks.spawn(async move {
            let to = match to_one {
                true => "a@example.net".to_owned(),
                false => format!("a{number}@example.net"),
            };
            match world.send(&scout, &[&to], &format!("{number}")).await {
                Ok(_) => true,
                Err(SubmitError::DailyLimit { .. }) => false,
                Err(error) => panic!("{error:?}"),
            }
        });
    }
    let taken = tasks.join_all().await.into_iter().filter(|taken| *taken).count();
    // To one address: 16 messages, one of them to a stranger. To sixteen: as many as may be strangers.
    assert_eq!(taken, if to_one { 16 } else { 5 }, "round {round}");
    assert_eq!(world.messages(scout.id).await.len(), taken, "round {round}");
    // What was refused left no mark.
    let more = world.send(&scout, &["z@example.net"], "one more").await;
    assert_eq!(more.is_ok(), to_one, "round {round}: {more:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_at_once_do_not_go_beyond() {
    let (calm, hostile) = (MemoryStore::new(), MemoryStore::hostile(11));
    for (store, rounds) in [(calm, 1), (hostile, 2)] {
        let limits = |options: &mut postroom_intake::Options| options.send_limits = limited(100, 5);
        let world = Arc::new(World::on(store, limits).await);
        for round in 0..rounds {
            at_once(&world, round, false).await;
            at_once(&world, round, true).await;
        }
    }
}
