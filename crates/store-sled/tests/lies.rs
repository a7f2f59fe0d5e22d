//! An index that has lost rows, and says so to nobody, costs no mail.

mod support;

use postroom_store::{CommitBuilder, Outcome, Store};
use postroom_store_sled::{Options, SledStore};
use postroom_types::BlobId;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use support::rows::{done, put, row, rows};
use support::{Folder, eager, options};

/// The index's pair of a body.
fn blob_pair(id: BlobId) -> Vec<u8> {
    [b"b".as_slice(), &id.0].concat()
}

/// The index's pair of a row.
fn row_pair(n: u32) -> Vec<u8> {
    [b"k".as_slice(), &row(n)].concat()
}

/// Takes pairs out of the index of a store that is closed; its lsn stays.
fn lose(folder: &Folder, pairs: &[Vec<u8>]) {
    let index = sled::open(folder.path().join("index")).expect("opens");
    for pair in pairs {
        assert!(index.remove(pair).expect("removed").is_some(), "{pair:?} is not there");
    }
    index.flush().expect("flushed");
}

async fn filled(folder: &Folder, count: u32) -> (Arc<SledStore>, Vec<BlobId>) {
    let store = folder.open_with(eager());
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(put(&store, n).await);
    }
    (store, ids)
}

#[tokio::test]
async fn a_large_body_that_the_index_has_lost_is_kept() {
    for (is_closed, has_snapshot) in [(true, false), (false, false), (true, true)] {
        let folder = Folder::new();
        let (store, ids) = filled(&folder, 10).await;
        if has_snapshot {
            assert!(store.tidy().await.expect("tidied").snapshot);
        }
        if is_closed {
            store.close().await.expect("closed");
        }
        drop(store);
        lose(&folder, &[blob_pair(ids[7])]);
        // Beside one that nobody needs.
        let orphan = format!("bodies/{}-{}", "0".repeat(32), "0".repeat(16));
        fs::write(folder.path().join(&orphan), "orphan").expect("written");
        let store = folder.open();
        assert!(store.tidy().await.is_err());
        assert!(*store.failed().borrow(), "an index that lies is in use");
        drop(store);
        assert_eq!(folder.files("bodies").len(), 2);
        let store = folder.open();
        let why = store.renewed().expect("it was made anew").to_owned();
        assert!(why.contains("lost"), "{why}");
        assert_eq!(rows(&store).await.len(), 10);
        assert_eq!(store.tidy().await.expect("tidied").orphans, 1);
        assert_eq!(folder.files("bodies").len(), 1, "the orphan is gone and nothing else");
    }
}

#[tokio::test]
async fn a_file_stays_if_it_cannot_be_found_out_whether_it_is_needed() {
    let folder = Folder::new();
    let (store, _) = filled(&folder, 70).await;
    store.close().await.expect("closed");
    drop(store);
    let orphan = folder
        .path()
        .join(format!("bodies/{}-{}", "0".repeat(32), "0".repeat(16)));
    fs::write(&orphan, "orphan").expect("written");
    // The index has all of this file, so a start does not read it.
    let first = &folder.journal()[0];
    let whole = fs::read(first).expect("read");
    fs::write(first, &whole[..whole.len() / 2]).expect("cut");
    let store = folder.open();
    for _ in 0..2 {
        assert!(store.tidy().await.is_err());
        assert!(orphan.exists());
    }
    assert!(!*store.failed().borrow(), "the index is not at fault");
    fs::write(first, &whole).expect("written");
    assert_eq!(store.tidy().await.expect("tidied").orphans, 1, "the next round goes on");
    assert!(!orphan.exists());
    assert_eq!(rows(&store).await.len(), 70);
}

#[tokio::test]
async fn a_body_whose_owner_the_index_has_lost_is_not_forgotten() {
    let folder = Folder::new();
    let (store, _) = filled(&folder, 60).await;
    store.tidy().await.expect("tidied");
    for n in [1, 57] {
        done(&store, |commit| _ = commit.delete(row(n))).await;
    }
    store.close().await.expect("closed");
    drop(store);
    // A small one and a large one, both alive.
    lose(&folder, &[row_pair(3), row_pair(7)]);
    let (journal, bodies) = (folder.files("journal"), folder.files("bodies"));
    let store = folder.open_with(eager());
    assert!(store.tidy().await.is_err());
    assert!(*store.failed().borrow(), "an index that lies is in use");
    // It would be resolved by what the index shows.
    let mut commit = CommitBuilder::new();
    commit.put_new(row(3), vec![1]);
    let outcome = store.commit(commit.build()).await;
    assert!(!matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    drop(store);
    assert_eq!((folder.files("journal"), folder.files("bodies")), (journal, bodies));
    let store = folder.open_with(eager());
    assert!(store.renewed().is_some());
    assert_eq!(store.tidy().await.expect("tidied").forgotten, 2, "the others are");
    let expected: Vec<u32> = (0..60).filter(|n| ![1, 57].contains(n)).collect();
    assert_eq!(rows(&store).await, expected);
}

#[tokio::test]
async fn a_journal_file_with_a_body_that_the_index_has_lost_is_kept() {
    let folder = Folder::new();
    let (store, ids) = filled(&folder, 90).await;
    store.tidy().await.expect("tidied");
    store.close().await.expect("closed");
    drop(store);
    let first = folder.journal()[0].clone();
    // All bodies of the first file, so that nothing seems to be in it; their rows are there.
    let pairs: Vec<_> = ids[..40]
        .iter()
        .filter(|id| **id != ids[7])
        .map(|id| blob_pair(*id))
        .collect();
    lose(&folder, &pairs);
    let store = folder.open_with(eager());
    assert_eq!(store.blob(ids[0], 0..9).await.expect("answers"), None);
    assert!(store.tidy().await.is_err());
    assert!(*store.failed().borrow(), "an index that lies is in use");
    drop(store);
    assert!(first.exists());
    let store = folder.open_with(eager());
    assert!(store.renewed().is_some());
    assert_eq!(rows(&store).await.len(), 90);
}

/// Takes snapshots and compares; no body is dead for long enough, and no file goes.
fn patient() -> Options {
    Options {
        blob_grace: Duration::from_secs(3600),
        ..eager()
    }
}

#[tokio::test]
async fn a_snapshot_has_what_the_index_has_lost_and_shows_that_it_lies() {
    type Harm = fn(&sled::Db);
    let lost: Harm = |index| _ = index.remove(row_pair(80)).expect("removed");
    let other: Harm = |index| _ = index.insert(row_pair(80), b"other").expect("written");
    let beside: Harm = |index| _ = index.insert(row_pair(1000), b"more").expect("written");
    let last: Harm = |index| _ = index.insert(b"wmore", b"").expect("written");
    let nothing: Harm = |_| ();
    for (what, harm) in [
        ("lost", lost),
        ("other", other),
        ("beside", beside),
        ("last", last),
        ("nothing", nothing),
    ] {
        let folder = Folder::new();
        let (store, _) = filled(&folder, 90).await;
        store.tidy().await.expect("tidied");
        store.close().await.expect("closed");
        drop(store);
        {
            let index = sled::open(folder.path().join("index")).expect("opens");
            harm(&index);
            index.flush().expect("flushed");
        }
        let store = folder.open_with(patient());
        for n in 90..160 {
            put(&store, n).await;
        }
        let (tidied, lies) = (store.tidy().await, what != "nothing");
        assert_eq!(tidied.is_err(), lies, "{what}: {tidied:?}");
        assert_eq!(*store.failed().borrow(), lies, "{what}");
        drop(store);
        let anew = Options {
            boot_id: Some("another".into()),
            ..options()
        };
        let found = rows(&folder.open_with(anew)).await;
        assert_eq!(found, (0..160).collect::<Vec<_>>(), "{what}");
    }
}
