//! What a start makes of what it finds.

mod support;

use bytes::Bytes;
use postroom_store::{BlobPut, CommitBuilder, CounterRecord, Outcome, Store, StoreError};
use postroom_store_sled::{OpenError, Options, Progress, SledStore};
use postroom_types::{BlobId, Lsn};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use support::rows::done;
use support::{Folder, options};

fn body(id: BlobId, octets: usize) -> BlobPut {
    BlobPut {
        id,
        bytes: bytes(octets),
        witness: b"row/".to_vec(),
        adopt: false,
    }
}

fn bytes(octets: usize) -> Bytes {
    (0..octets).map(|n| (n % 251) as u8).collect()
}

/// Forty rows, a counter, a small and a large body.
struct Sample {
    small: BlobId,
    large: BlobId,
}

const LARGE: usize = (1 << 20) + 77;

impl Sample {
    async fn write(store: &SledStore) -> Self {
        let sample = Self {
            small: BlobId::new(),
            large: BlobId::new(),
        };
        done(store, |commit| {
            _ = commit.put(b"count".to_vec(), CounterRecord::default().to_value())
        })
        .await;
        for n in 0..40u8 {
            done(store, |commit| {
                commit.put(vec![b'r', n], vec![n; 100]);
                commit.count(b"count".to_vec(), 0, 1);
            })
            .await;
        }
        done(store, |commit| {
            commit
                .put(b"row/1".to_vec(), vec![1])
                .blob(body(sample.small, 5000))
                .blob(body(sample.large, LARGE));
            commit.delete(vec![b'r', 0]);
        })
        .await;
        sample
    }

    /// All is there, and the next commit gets the next lsn.
    async fn check(&self, store: &SledStore, lsn: u64) {
        assert_eq!(store.stable_lsn(), Lsn(lsn));
        assert_eq!(store.get(&[b'r', 0]).await.expect("answers"), None);
        for n in 1..40u8 {
            assert_eq!(
                store.get(&[b'r', n]).await.expect("answers"),
                Some(vec![n; 100]),
                "row {n}"
            );
        }
        let count = store
            .get(b"count")
            .await
            .expect("answers")
            .expect("the record is there");
        assert_eq!(CounterRecord::from_value(&count).map(|record| record.0[0]), Some(40));
        for (id, octets) in [(self.small, 5000), (self.large, LARGE)] {
            let found = store.blob(id, 0..u64::MAX).await.expect("answers");
            assert!(found == Some(bytes(octets)), "the body of {octets}");
        }
        let receipt = done(store, |commit| _ = commit.put(b"after".to_vec(), vec![1])).await;
        assert_eq!(receipt.lsn, Lsn(lsn + 1));
    }
}

/// Lsns of a sample.
const SAMPLE: u64 = 42;

/// A file beside sled's own that does not survive a rebuild.
fn mark_index(folder: &Folder) {
    fs::write(folder.path().join("index/mark"), "").expect("an index");
}

fn index_is_marked(folder: &Folder) -> bool {
    folder.path().join("index/mark").exists()
}

#[tokio::test]
async fn a_clean_close_needs_no_replay() {
    let folder = Folder::new();
    let store = folder.open();
    let sample = Sample::write(&store).await;
    store.close().await.expect("closes");
    assert!(
        matches!(store.get(b"count").await, Err(StoreError::Unavailable(_))),
        "closed"
    );
    assert!(matches!(
        store.commit(CommitBuilder::new().build()).await,
        Err(StoreError::Unavailable(_))
    ));
    drop(store);
    mark_index(&folder);
    // Another run of the machine, and another place: neither matters after a clean close.
    let moved = Folder::new();
    fs::rename(folder.path(), moved.path()).expect("moved");
    let options = || Options {
        boot_id: Some("another".into()),
        ..options()
    };
    let store = SledStore::open(moved.path(), options(), |_| ()).expect("opens");
    assert!(index_is_marked(&moved));
    sample.check(&store, SAMPLE).await;
    drop(store);
    assert!(!moved.path().join("clean").exists(), "the mark was good for one start");
}

#[tokio::test]
async fn an_index_of_the_same_run_is_caught_up() {
    let folder = Folder::new();
    let store = folder.open();
    let sample = Sample::write(&store).await;
    drop(store);
    mark_index(&folder);
    sample.check(&folder.open(), SAMPLE).await;
    assert!(index_is_marked(&folder));
}

#[tokio::test]
async fn an_index_that_cannot_be_trusted_is_built_anew() {
    type Harm = fn(&Path);
    let garbage: Harm = |path| {
        for file in ["index/db", "index/conf"] {
            fs::write(path.join(file), [0x5a; 5000]).expect("written");
        }
    };
    let removed: Harm = |path| fs::remove_dir_all(path.join("index")).expect("removed");
    let no_identity: Harm = |path| fs::remove_file(path.join("store.id")).expect("removed");
    let nothing: Harm = |_| ();
    for (what, harm, boot_id) in [
        ("garbage", garbage, None),
        ("removed", removed, None),
        ("no identity", no_identity, None),
        ("another boot", nothing, Some("another".to_owned())),
    ] {
        let folder = Folder::new();
        let store = folder.open();
        let sample = Sample::write(&store).await;
        drop(store);
        mark_index(&folder);
        harm(folder.path());
        let options = Options { boot_id, ..options() };
        let store = SledStore::open(folder.path(), options, |_| ()).expect(what);
        sample.check(&store, SAMPLE).await;
        assert!(!index_is_marked(&folder), "{what}: built anew");
        assert!(
            !folder.path().join("index.aside").exists(),
            "{what}: the old one is gone"
        );
    }
}

#[tokio::test]
async fn a_copied_folder_is_noticed() {
    let folder = Folder::new();
    let store = folder.open();
    let sample = Sample::write(&store).await;
    mark_index(&folder);
    let copy = Folder::new();
    folder.copy_to(copy.path());
    drop(store);
    sample.check(&copy.open(), SAMPLE).await;
    assert!(!index_is_marked(&copy), "its index was copied while it was written to");
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_written_over() {
    let folder = Folder::new();
    let store = folder.open();
    let sample = Sample::write(&store).await;
    drop(store);
    // A record that was not whole was in no index.
    let file = fs::OpenOptions::new().append(true).open(&folder.journal()[0]);
    file.expect("opens").write_all(b"prR1 torn").expect("written");
    sample.check(&folder.open(), SAMPLE).await;
    let store = folder.open();
    assert_eq!(
        store.get(b"after").await.expect("answers"),
        Some(vec![1]),
        "written where the tail was"
    );
}

#[tokio::test]
async fn corruption_stops_the_start_and_says_where() {
    let folder = Folder::new();
    let store = folder.open();
    Sample::write(&store).await;
    drop(store);
    let path = folder.journal()[0].clone();
    let mut journal = fs::read(&path).expect("read");
    let place = 1000;
    journal[place] ^= 1;
    fs::write(&path, &journal).expect("written");
    for _ in 0..2 {
        match folder.try_open() {
            Err(OpenError::Corrupt { file, offset, what }) => {
                assert_eq!(file, path);
                assert!(
                    (700..=1000).contains(&offset),
                    "the record around 1000, not {offset}: {what}"
                );
            }
            other => panic!("{other:?}"),
        }
        assert!(fs::read(&path).expect("read") == journal, "left as it is");
    }
    journal[place] ^= 1;
    fs::write(&path, &journal).expect("written");
    folder.open();
}

#[tokio::test]
async fn files_roll_and_none_may_be_missing() {
    let folder = Folder::new();
    let options = || Options {
        roll_octets: 4096,
        ..options()
    };
    let store = SledStore::open(folder.path(), options(), |_| ()).expect("opens");
    let sample = Sample::write(&store).await;
    drop(store);
    let files = folder.journal();
    assert!(files.len() > 2, "{files:?}");
    fs::remove_dir_all(folder.path().join("index")).expect("removed");
    let mut told = Vec::new();
    let store = SledStore::open(folder.path(), options(), |progress| told.push(progress)).expect("opens");
    let total_octets = files.iter().map(|file| fs::metadata(file).expect("a file").len()).sum();
    let begin = Progress {
        done_octets: 0,
        total_octets,
    };
    assert_eq!(told, [begin], "little to replay");
    sample.check(&store, SAMPLE).await;
    drop(store);

    fs::remove_dir_all(folder.path().join("index")).expect("removed");
    fs::rename(&files[1], folder.path().join("kept")).expect("moved");
    match SledStore::open(folder.path(), options(), |_| ()) {
        Err(OpenError::Corrupt { file, offset: 0, .. }) => assert_eq!(file, files[2]),
        other => panic!("{other:?}"),
    }
    let third = fs::read(&files[2]).expect("read");
    fs::write(&files[1], &third).expect("written");
    match SledStore::open(folder.path(), options(), |_| ()) {
        Err(OpenError::Corrupt { file, offset: 0, .. }) => assert_eq!(file, files[1], "the header names another file"),
        other => panic!("{other:?}"),
    }
    // Cut short, though it is not the last one.
    let second = fs::read(folder.path().join("kept")).expect("read");
    fs::write(&files[1], &second[..second.len() - 1]).expect("written");
    match SledStore::open(folder.path(), options(), |_| ()) {
        Err(OpenError::Corrupt { file, offset, .. }) => assert!(file == files[1] && offset > 0),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_was_being_made_is_made_again() {
    let folder = Folder::new();
    let store = folder.open();
    let sample = Sample::write(&store).await;
    drop(store);
    let next = folder.path().join(format!("journal/{:020}.log", SAMPLE + 1));
    fs::write(&next, b"prJour").expect("written");
    sample.check(&folder.open(), SAMPLE).await;
    assert!(
        fs::read(&next).expect("read").starts_with(b"prJournl"),
        "the commit after the sample is in it"
    );
    assert_eq!(folder.open().get(b"after").await.expect("answers"), Some(vec![1]));
    // The first one of all, before the store had a name.
    let young = Folder::new();
    fs::create_dir_all(young.path().join("journal")).expect("made");
    fs::write(young.path().join("journal/00000000000000000001.log"), b"").expect("written");
    Sample::write(&young.open()).await;
}

#[tokio::test]
async fn only_one_opens() {
    let folder = Folder::new();
    let store = folder.open();
    assert!(matches!(folder.try_open(), Err(OpenError::Locked(path)) if path == folder.path()));
    drop(store);
    folder.open();
}

#[tokio::test]
async fn bodies_without_a_commit_go() {
    let folder = Folder::new();
    let bodies = || fs::read_dir(folder.path().join("bodies")).expect("a folder").count();
    let store = folder.open();
    let sample = Sample::write(&store).await;
    assert_eq!(bodies(), 1);
    let mut commit = CommitBuilder::new();
    commit
        .put_new(b"row/1".to_vec(), vec![1])
        .blob(body(BlobId::new(), LARGE));
    assert!(matches!(store.commit(commit.build()).await, Ok(Outcome::Conflict(_))));
    assert_eq!(bodies(), 1, "a conflict leaves none");
    drop(store);
    let name = format!("bodies/{}-{}", "0".repeat(32), "0".repeat(16));
    fs::write(folder.path().join(name), "orphan").expect("written");
    let store = folder.open();
    sample.check(&store, SAMPLE).await;
    // As if its commit were still to come.
    let coming = format!("bodies/{}-{}", "1".repeat(32), "0".repeat(16));
    fs::write(folder.path().join(&coming), "coming").expect("written");
    for orphans in [1, 0] {
        assert_eq!(store.tidy().await.expect("tidied").orphans, orphans);
        assert_eq!(bodies(), 2, "the orphan is gone and nothing else");
    }
    assert!(folder.path().join(coming).exists());
}

#[tokio::test]
async fn damage_to_a_body_is_seen() {
    let folder = Folder::new();
    let store = folder.open();
    let sample = Sample::write(&store).await;
    let bodies = fs::read_dir(folder.path().join("bodies")).expect("a folder");
    let own = bodies
        .map(|entry| entry.expect("an entry").path())
        .next()
        .expect("one body");
    for (path, id) in [(&folder.journal()[0], sample.small), (&own, sample.large)] {
        let mut damaged = fs::read(path).expect("read");
        let place = damaged.len() - 100;
        damaged[place] ^= 1;
        fs::write(path, &damaged).expect("written");
        assert!(
            matches!(store.blob(id, 0..u64::MAX).await, Err(StoreError::Corrupt(_))),
            "{path:?}"
        );
    }
}

#[tokio::test]
async fn below_the_floor_mail_is_refused_and_deletions_go_on() {
    let folder = Folder::new();
    let store = folder.open();
    Sample::write(&store).await;
    drop(store);
    let options = Options {
        min_free_octets: u64::MAX / 2,
        ..options()
    };
    let store = SledStore::open(folder.path(), options, |_| ()).expect("opens");
    for octets in [10, LARGE] {
        let mut commit = CommitBuilder::new();
        commit.put(b"row/2".to_vec(), vec![1]).blob(body(BlobId::new(), octets));
        assert!(
            matches!(store.commit(commit.build()).await, Ok(Outcome::Full)),
            "{octets}"
        );
    }
    done(&store, |commit| _ = commit.delete(vec![b'r', 1])).await;
    assert_eq!(store.get(b"row/2").await.expect("answers"), None);
}

#[tokio::test]
async fn after_a_failure_nothing_goes_on() {
    let folder = Folder::new();
    let options = Options {
        roll_octets: 4096,
        ..options()
    };
    let store = SledStore::open(folder.path(), options, |_| ()).expect("opens");
    let failed = store.failed();
    assert!(!*failed.borrow());
    fs::rename(folder.path().join("journal"), folder.path().join("gone")).expect("moved");
    let mut outcomes = Vec::new();
    for n in 0..60u8 {
        let mut commit = CommitBuilder::new();
        commit.put(vec![n], vec![n; 200]);
        outcomes.push(store.commit(commit.build()).await);
    }
    let unknown = outcomes
        .iter()
        .position(|outcome| matches!(outcome, Ok(Outcome::Unknown)))
        .expect("one is unknown");
    assert!(
        outcomes[..unknown]
            .iter()
            .all(|outcome| matches!(outcome, Ok(Outcome::Done(_))))
    );
    assert!(
        outcomes[unknown + 1..]
            .iter()
            .all(|outcome| matches!(outcome, Err(StoreError::Unavailable(_))))
    );
    assert!(*failed.borrow());
    assert!(matches!(store.get(&[0]).await, Err(StoreError::Unavailable(_))));
    assert!(store.close().await.is_err(), "nothing vouches for it");
    drop(store);
    fs::rename(folder.path().join("gone"), folder.path().join("journal")).expect("moved back");
    let store = folder.open();
    for n in 0..unknown as u8 {
        assert_eq!(
            store.get(&[n]).await.expect("answers"),
            Some(vec![n; 200]),
            "{n} was acknowledged"
        );
    }
}

#[tokio::test]
async fn dropping_the_caller_does_not_undo() {
    let folder = Folder::new();
    let store = folder.open();
    for n in 0..50u8 {
        let mut commit = CommitBuilder::new();
        commit
            .put(vec![n], vec![1])
            .blob(body(BlobId::new(), if n % 10 == 0 { LARGE } else { 10 }));
        let store = Arc::clone(&store);
        let task = tokio::spawn(async move { store.commit(commit.build()).await });
        tokio::task::yield_now().await;
        task.abort();
    }
    let receipt = done(&store, |commit| _ = commit.put(b"last".to_vec(), vec![1])).await;
    drop(store);
    assert_eq!(
        folder.open().stable_lsn(),
        receipt.lsn,
        "whatever was done is counted, and nothing is torn"
    );
}
