//! Snapshots: without room, damaged, left unfinished, beside commits.

mod support;

use postroom_store::scan_prefix;
use postroom_store_sled::{Options, SledStore};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::rows::{done, put, row, rows};
use support::{Folder, eager};

/// Every row has its body, and these are all the rows.
async fn check(store: &SledStore, expected: impl Iterator<Item = u32>) {
    assert_eq!(rows(store).await, expected.collect::<Vec<_>>());
}

/// As on another run of the machine: the index is built anew.
fn open_anew(folder: &Folder) -> Arc<SledStore> {
    folder.open_with(Options {
        boot_id: Some("another".into()),
        ..eager()
    })
}

#[tokio::test]
async fn what_is_left_of_an_unfinished_snapshot_goes() {
    let folder = Folder::new();
    let store = folder.open_with(eager());
    for n in 0..60 {
        put(&store, n).await;
    }
    drop(store);
    let unfinished = folder.path().join("snapshot/unfinished");
    fs::create_dir_all(&unfinished).expect("made");
    fs::write(unfinished.join("0.run"), "a run").expect("written");
    let store = folder.open_with(eager());
    assert!(!unfinished.exists());
    assert!(store.tidy().await.expect("tidied").snapshot);
    drop(store);
    check(&open_anew(&folder), 0..60).await;
}

#[tokio::test]
async fn without_room_for_a_snapshot_the_rest_is_done() {
    let folder = Folder::new();
    let store = folder.open_with(eager());
    for n in 0..120 {
        put(&store, n).await;
    }
    assert!(store.tidy().await.expect("tidied").snapshot);
    for n in 0..90 {
        done(&store, |commit| _ = commit.delete(row(n))).await;
    }
    for n in 120..200 {
        put(&store, n).await;
    }
    drop(store);
    let store = folder.open_with(Options {
        min_free_octets: u64::MAX / 2,
        ..eager()
    });
    let tidied = store.tidy().await.expect("tidied");
    assert!(
        !tidied.snapshot && tidied.forgotten == 90 && tidied.removed_files > 1,
        "{tidied:?}"
    );
    drop(store);
    let store = open_anew(&folder);
    check(&store, 90..200).await;
    assert!(store.tidy().await.expect("tidied").snapshot, "there is room again");
}

/// Damages a file; what was in it.
fn damage(path: &Path) -> Vec<u8> {
    let whole = fs::read(path).expect("read");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(path, damaged).expect("written");
    whole
}

#[tokio::test]
async fn a_snapshot_that_is_damaged_while_in_use_is_made_again() {
    for grows in [false, true] {
        let folder = Folder::new();
        let store = folder.open_with(eager());
        for n in 0..60 {
            put(&store, n).await;
        }
        assert!(store.tidy().await.expect("tidied").snapshot);
        damage(&folder.files("snapshot")[0]);
        done(&store, |commit| _ = commit.delete(row(1))).await;
        let rows = if grows { 120 } else { 60 };
        for n in 60..rows {
            put(&store, n).await;
        }
        let tidied = store.tidy().await.expect("tidied");
        assert_eq!((tidied.snapshot, tidied.forgotten), (grows, 1));
        drop(store);
        let store = open_anew(&folder);
        check(&store, (0..rows).filter(|n| *n != 1)).await;
    }
}

#[tokio::test]
async fn a_damaged_snapshot_that_the_journal_cannot_replace_removes_nothing() {
    let folder = Folder::new();
    let store = folder.open_with(eager());
    for n in 0..120 {
        put(&store, n).await;
    }
    for n in 0..60 {
        done(&store, |commit| _ = commit.delete(row(n))).await;
    }
    assert!(store.tidy().await.expect("tidied").removed_files > 1);
    let path = folder.files("snapshot").remove(0);
    let whole = damage(&path);
    done(&store, |commit| _ = commit.delete(row(60))).await;
    for n in 120..180 {
        put(&store, n).await;
    }
    let (journal, bodies) = (folder.files("journal"), folder.files("bodies"));
    for _ in 0..2 {
        assert!(store.tidy().await.is_err());
        assert_eq!(
            (folder.files("journal"), folder.files("bodies")),
            (journal.clone(), bodies.clone())
        );
        assert_eq!(folder.files("snapshot"), std::slice::from_ref(&path));
    }
    assert!(!*store.failed().borrow(), "mail goes on");
    put(&store, 180).await;
    fs::write(&path, whole).expect("written");
    let tidied = store.tidy().await.expect("tidied");
    assert!(tidied.snapshot && tidied.forgotten == 1, "{tidied:?}");
    drop(store);
    check(&open_anew(&folder), 61..181).await;
}

#[tokio::test]
async fn a_start_tells_how_far_it_is_with_a_snapshot() {
    let folder = Folder::new();
    let store = folder.open_with(eager());
    for n in 0..60 {
        put(&store, n).await;
    }
    store.tidy().await.expect("tidied");
    drop(store);
    let snapshot_octets = fs::metadata(&folder.files("snapshot")[0]).expect("there").len();
    let mut told = Vec::new();
    let options = Options {
        boot_id: Some("another".into()),
        ..eager()
    };
    SledStore::open(folder.path(), options, |progress| told.push(progress.total_octets)).expect("opens");
    assert_eq!(told[0], snapshot_octets);
    assert!(told.len() > 1, "and then with the journal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_show_piece_by_piece_are_no_lie() {
    let folder = Folder::new();
    let store = folder.open_with(eager());
    let stop = Arc::new(AtomicBool::new(false));
    let writes = {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut era = 0_u32;
            while !stop.load(Ordering::SeqCst) {
                era += 1;
                done(&store, |commit| {
                    commit.bulk();
                    for n in 0..2500_u32 {
                        let key = [b"bulk/".as_slice(), &n.to_be_bytes()].concat();
                        match (n + era).is_multiple_of(3) {
                            true => commit.delete(key),
                            false => commit.put(key, era.to_be_bytes().to_vec()),
                        };
                    }
                })
                .await;
            }
            era
        })
    };
    let mut snapshots = 0;
    while snapshots < 8 {
        snapshots += u32::from(store.tidy().await.expect("no lie").snapshot);
    }
    stop.store(true, Ordering::SeqCst);
    let era = writes.await.expect("no commit failed");
    drop(store);
    let store = open_anew(&folder);
    let found = scan_prefix(&*store, b"bulk/").collect().await.expect("a scan");
    assert_eq!(found.len(), (0..2500).filter(|n| !(n + era).is_multiple_of(3)).count());
    assert!(found.iter().all(|(_, value)| *value == era.to_be_bytes()));
}
