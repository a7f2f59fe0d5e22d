//! What is given to one program alone.

use crate::setup::World;
use postroom_intake::{Holder, Single};
use postroom_store::MemoryStore;
use postroom_types::{EmailId, InboxId};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_those_who_ask_at_once_one_gets_it() {
    for store in [MemoryStore::new(), MemoryStore::hostile(5), MemoryStore::hostile(6)] {
        let world = Arc::new(World::on(store, |_| {}).await);
        for _ in 0..8 {
            let (inbox, message) = (InboxId::new(), EmailId::new());
            let asking: Vec<_> = (0..8_u8)
                .map(|name| {
                    let world = Arc::clone(&world);
                    let ask = async move { world.intake.hand_out(inbox, message, Single::Code, &[name; 16]).await };
                    tokio::spawn(ask)
                })
                .collect();
            let mut given = Vec::new();
            for (name, asked) in (0..).zip(asking) {
                if asked.await.unwrap().unwrap() {
                    given.push(name);
                }
            }
            let [holder] = given.as_slice() else {
                panic!("{given:?}")
            };
            // The same one again, and nobody else.
            for name in 0..8_u8 {
                let again = world.intake.hand_out(inbox, message, Single::Code, &[name; 16]).await;
                assert_eq!(again.unwrap(), name == *holder);
            }
        }
    }
}

#[tokio::test]
async fn parts_are_given_one_by_one() {
    let world = World::new(|_| {}).await;
    let (inbox, message) = (InboxId::new(), EmailId::new());
    let holder = async |part| world.intake.holder(inbox, message, part, Some(&[1; 16])).await.unwrap();
    assert_eq!(holder(Single::Code).await, Holder::Nobody);
    assert!(
        world
            .intake
            .hand_out(inbox, message, Single::Code, &[1; 16])
            .await
            .unwrap()
    );
    assert!(
        world
            .intake
            .hand_out(inbox, message, Single::Link, &[2; 16])
            .await
            .unwrap()
    );
    assert_eq!(holder(Single::Code).await, Holder::Asker);
    assert_eq!(holder(Single::Link).await, Holder::Other);
    assert_eq!(holder(Single::Message).await, Holder::Nobody);
}
