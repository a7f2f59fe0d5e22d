//! Dead bodies, snapshots, and journal files that go.

mod support;

use bytes::Bytes;
use postroom_store::{BlobPut, Store, scan_prefix};
use postroom_store_sled::{OpenError, Options, SledStore};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::rows::{done, put, row, rows};
use support::{Folder, eager};

/// Every row has its body, and these are all the rows.
async fn check(store: &SledStore, expected: impl Iterator<Item = u32>) {
    assert_eq!(rows(store).await, expected.collect::<Vec<_>>());
}

/// As on another run of the machine: the index is built anew.
fn reopen_anew(folder: &Folder, boot: u32) -> Arc<SledStore> {
    folder.open_with(Options {
        boot_id: Some(format!("boot {boot}")),
        ..eager()
    })
}

#[tokio::test]
async fn what_is_dead_goes_and_what_lives_stays() {
    const ROWS: u32 = 300;
    let folder = Folder::new();
    let store = folder.open_with(eager());
    let mut ids = Vec::new();
    for n in 0..ROWS {
        ids.push(put(&store, n).await);
    }
    let files = folder.journal().len();
    let own = folder.files("bodies").len();
    assert!(files > 8 && own == 6, "{files} files, {own} large bodies");

    // Only every tenth row stays, so each file is mostly dead.
    let stays = |n: &u32| n.is_multiple_of(10) || *n == 57;
    for n in (0..ROWS).filter(|n| !stays(n)) {
        done(&store, |commit| _ = commit.delete(row(n))).await;
    }
    let tidied = store.tidy().await.expect("tidied");
    assert_eq!(tidied.forgotten, (0..ROWS).filter(|n| !stays(n)).count());
    assert!(
        tidied.snapshot && tidied.moved >= 25 && tidied.removed_files >= files - 2,
        "{tidied:?}"
    );
    assert_eq!(store.blob(ids[1], 0..9).await.expect("answers"), None, "forgotten");
    assert_eq!(folder.files("bodies").len(), 1, "one large body lives");
    check(&store, (0..ROWS).filter(stays)).await;
    drop(store);

    // By replay of what the index lacks, by snapshot and replay, and by a second snapshot.
    for boot in 0..3 {
        let store = if boot == 0 {
            folder.open_with(eager())
        } else {
            reopen_anew(&folder, boot)
        };
        check(&store, (0..ROWS).filter(stays)).await;
        assert_eq!(
            store.blob(ids[1], 0..9).await.expect("answers"),
            None,
            "stays forgotten"
        );
        store.tidy().await.expect("tidied");
        assert_eq!(folder.files("snapshot").len(), 1, "only the newest is kept");
    }
}

#[tokio::test]
async fn a_dead_body_has_its_time_of_grace() {
    let folder = Folder::new();
    let patient = || Options {
        blob_grace: Duration::from_secs(3600),
        ..eager()
    };
    let store = folder.open_with(patient());
    let (dead, revived) = (put(&store, 1).await, put(&store, 2).await);
    done(&store, |commit| _ = commit.delete(row(1)).delete(row(2))).await;
    for _ in 0..2 {
        assert_eq!(store.tidy().await.expect("tidied").forgotten, 0);
    }
    assert!(store.blob(dead, 0..9).await.expect("answers").is_some());
    done(&store, |commit| _ = commit.put(row(2), revived.0.to_vec())).await;
    store.close().await.expect("closes");
    drop(store);
    let store = folder.open_with(eager());
    assert_eq!(store.tidy().await.expect("tidied").forgotten, 1);
    assert_eq!(store.blob(dead, 0..9).await.expect("answers"), None);
    check(&store, 2..3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upkeep_goes_on_beside_commits() {
    let folder = Folder::new();
    let store = folder.open_with(eager());
    let stop = Arc::new(AtomicBool::new(false));
    let rounds = {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut rounds = 0;
            while !stop.load(Ordering::SeqCst) {
                store.tidy().await.expect("tidied");
                rounds += 1;
            }
            rounds
        })
    };
    // Each body goes from owner to owner: adopted, then let go by the one before.
    let tasks: Vec<_> = (0..8u32)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut id = put(&store, task * 1000).await;
                for n in task * 1000 + 1..task * 1000 + 40 {
                    if n.is_multiple_of(7) {
                        done(&store, |commit| _ = commit.delete(row(n - 1))).await;
                        id = put(&store, n).await;
                        continue;
                    }
                    done(&store, |commit| {
                        let adopted = BlobPut {
                            id,
                            bytes: Bytes::new(),
                            witness: row(n),
                            adopt: true,
                        };
                        commit.require(row(n - 1), id.0.to_vec()).blob(adopted);
                        commit.put(row(n), id.0.to_vec()).delete(row(n - 1));
                    })
                    .await;
                    assert!(store.blob(id, 0..9).await.expect("answers").is_some(), "owned at {n}");
                }
                id
            })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.expect("no task panics"));
    }
    stop.store(true, Ordering::SeqCst);
    assert!(rounds.await.expect("no round failed") > 2);
    store.tidy().await.expect("tidied");
    for boot in 0..2 {
        for id in &ids {
            assert!(store.blob(*id, 0..9).await.expect("answers").is_some());
        }
        let found = scan_prefix(&*store, b"row/").collect().await.expect("a scan");
        assert_eq!(found.len(), ids.len(), "run {boot}");
    }
    drop(store);
    let store = reopen_anew(&folder, 1);
    for id in &ids {
        assert!(
            store.blob(*id, 0..9).await.expect("answers").is_some(),
            "after building anew"
        );
    }
}

#[tokio::test]
async fn damage_to_a_snapshot_stops_a_start_that_needs_it() {
    let folder = Folder::new();
    let store = folder.open_with(eager());
    for n in 0..60 {
        put(&store, n).await;
    }
    assert!(store.tidy().await.expect("tidied").snapshot);
    drop(store);
    let path = folder.files("snapshot").remove(0);
    // The journal alone does not reach back to the beginning.
    let first = folder.journal().remove(0);
    fs::rename(&first, folder.path().join("first")).expect("moved");
    let whole = fs::read(&path).expect("read");
    for (place, what) in [(3, "header"), (whole.len() / 2, "block"), (whole.len() - 1, "count")] {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        fs::write(&path, &damaged).expect("written");
        let options = Options {
            boot_id: Some(what.into()),
            ..eager()
        };
        match SledStore::open(folder.path(), options, |_| ()) {
            Err(OpenError::Corrupt { file, .. }) => assert_eq!(file, path, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    fs::write(&path, &whole[..whole.len() - 20]).expect("written");
    assert!(matches!(folder.try_open(), Err(OpenError::Corrupt { .. })), "cut short");
    fs::write(&path, &whole).expect("written");
    fs::rename(folder.path().join("first"), first).expect("moved back");
    check(&folder.open_with(eager()), 0..60).await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_set_aside_if_the_journal_has_it_all() {
    let folder = Folder::new();
    let store = folder.open_with(eager());
    for n in 0..60 {
        put(&store, n).await;
    }
    assert!(store.tidy().await.expect("tidied").snapshot);
    drop(store);
    let path = folder.files("snapshot").remove(0);
    let mut damaged = fs::read(&path).expect("read");
    let place = damaged.len() / 2;
    damaged[place] ^= 1;
    fs::write(&path, &damaged).expect("written");
    let store = reopen_anew(&folder, 1);
    check(&store, 0..60).await;
    assert_eq!(folder.files("snapshot"), [path.with_extension("snap.damaged")]);
    assert!(store.tidy().await.expect("tidied").snapshot, "upkeep goes on");
    drop(store);
    check(&reopen_anew(&folder, 2), 0..60).await;
}

#[tokio::test]
async fn rounds_come_by_themselves_and_end_with_the_store() {
    let folder = Folder::new();
    let options = Options {
        tidy_every: Some(Duration::from_millis(5)),
        ..eager()
    };
    let store = folder.open_with(options);
    put(&store, 1).await;
    let taken = async {
        while folder.files("snapshot").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), taken)
        .await
        .expect("a snapshot");
    store.close().await.expect("closes");
    drop(store);
    check(&folder.open(), 1..2).await;
}
