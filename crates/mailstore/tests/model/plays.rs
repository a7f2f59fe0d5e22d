//! Whole plays, on a store that does as it should and on one that does not.

use crate::common::{Fixture, deleted};
use crate::operation::{Op, content, op};
use crate::world::World;
use postroom_mailstore::Origin;
use postroom_types::InternalDate;
use proptest::prelude::*;

async fn play(f: Fixture, ops: Vec<Op>) {
    let mut world = World::new(f).await;
    for (index, op) in ops.into_iter().enumerate() {
        world.apply(op).await;
        if index % 40 == 39 {
            world.compare().await;
        }
    }
    world.poll().await;
    world.poll().await;
    world.compare().await;
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn operations_do_what_the_model_does(ops in proptest::collection::vec(op(), 50..300)) {
        run(async { play(Fixture::new().await, ops).await });
    }

    #[test]
    fn a_hostile_store_changes_nothing(seed: u64, ops in proptest::collection::vec(op(), 50..200)) {
        run(async { play(Fixture::hostile(seed).await, ops).await });
    }
}

#[test]
fn deleted_is_counted() {
    run(async {
        let f = Fixture::new().await;
        let inbox = f.id("INBOX").await;
        f.mail
            .append(
                f.inbox,
                "INBOX",
                &content(1, Origin::Imported),
                deleted(),
                InternalDate::default(),
            )
            .await
            .unwrap();
        assert_eq!(f.mail.status(f.inbox, inbox).await.unwrap().deleted, 1);
    });
}
