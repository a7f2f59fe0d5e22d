//! What the check says of a queue that is good, and of one in which any row is missing, doubled or another's.

use crate::setup::*;
use postroom_queue::{ItemState, Queue};
use postroom_store::{CommitBuilder, Key, SharedStore, Value, scan_prefix};

/// One message each: waiting, deferred once, being attempted, on hold, delivered; and one of two with one delivered.
async fn varied() -> (Queue, SharedStore) {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let to = format!("a@peer{n}.test");
        let mut new = message(&options, n, &[&to]);
        new.held = (n == 3).then(|| "a loop".into());
        put(&queue, &store, &new).await;
        ids.push(new.id);
        match n {
            1 => drop(work(&queue, deferred()).await),
            2 => {
                let (_turn, job) = job(&queue).await;
                queue.open_attempt(&job, &contact()).await.unwrap();
            }
            4 => drop(work(&queue, delivered()).await),
            // The first is looked at last: its destination waits.
            0 => assert_eq!(queue.hold(new.id, None).await.unwrap(), 1),
            _ => {}
        }
    }
    assert_eq!(queue.retry(ids[0], None).await.unwrap(), 1);
    let new = message(&options, 9, &["a@two.test", "b@three.test"]);
    put(&queue, &store, &new).await;
    work(&queue, delivered()).await;
    assert_eq!(queue.check_consistency().await.unwrap(), Vec::<String>::new());
    (queue, store)
}

async fn rows(store: &SharedStore, kind: &[u8]) -> Vec<(Key, Value)> {
    scan_prefix(&**store, kind).collect().await.unwrap()
}

async fn write(store: &SharedStore, build: impl FnOnce(&mut CommitBuilder)) {
    let mut builder = CommitBuilder::new();
    build(&mut builder);
    store.commit(builder.build()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_gone_or_damaged_is_told() {
    for kind in [b"qm", b"qi", b"qd", b"qh"] {
        let (queue, store) = varied().await;
        let rows = rows(&store, kind).await;
        assert!(rows.len() > 1, "{}", kind.escape_ascii());
        for (key, value) in rows {
            let what = key.escape_ascii().to_string();
            write(&store, |builder| _ = builder.delete(key.clone())).await;
            assert!(!queue.check_consistency().await.unwrap().is_empty(), "without {what}");
            for damaged in [vec![99], value[..value.len() - 1].to_vec()] {
                write(&store, |builder| _ = builder.put(key.clone(), damaged)).await;
                assert!(
                    !queue.check_consistency().await.unwrap().is_empty(),
                    "with a damaged {what}"
                );
            }
            write(&store, |builder| _ = builder.put(key, value)).await;
            assert_eq!(
                queue.check_consistency().await.unwrap(),
                Vec::<String>::new(),
                "with {what} again"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_final_and_queued_is_told() {
    let (queue, store) = varied().await;
    let due = rows(&store, b"qd").await.swap_remove(0);
    let items = rows(&store, b"qi").await;
    let delivered = items.iter().find(|(_, value)| value[1] == ItemState::Delivered as u8);
    let (delivered, _) = delivered.unwrap();
    // The index row of one that waits, with the name of one that is final; and one of nobody.
    for name in [&delivered[2..], &[7; 18]] {
        let mut key = due.0[..due.0.len() - 18].to_vec();
        key.extend_from_slice(name);
        write(&store, |builder| _ = builder.put(key.clone(), due.1.clone())).await;
        let faults = queue.check_consistency().await.unwrap();
        assert!(faults.len() == 1 && faults[0].contains("due index"), "{faults:?}");
        write(&store, |builder| _ = builder.delete(key)).await;
    }
    // History of an item that is not there.
    let mut key = b"qh".to_vec();
    key.extend_from_slice(&[7; 18]);
    key.extend_from_slice(&1u32.to_be_bytes());
    let attempt = rows(&store, b"qh").await.swap_remove(0).1;
    write(&store, |builder| _ = builder.put(key, attempt)).await;
    let faults = queue.check_consistency().await.unwrap();
    assert!(faults.len() == 1 && faults[0].contains("gone"), "{faults:?}");
}
