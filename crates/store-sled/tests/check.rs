//! What a check says of stores that are good, killed, damaged or of a later version.

mod support;

use bytes::Bytes;
use postroom_store::{BlobPut, CommitBuilder, Outcome, Store};
use postroom_store_sled::{Checked, OpenError, Options, SledStore, check_journal};
use postroom_types::BlobId;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use support::{Folder, eager, options};

async fn filled(folder: &Folder, options: Options) -> Arc<SledStore> {
    let store = folder.open_with(options);
    for n in 0..80u8 {
        let mut commit = CommitBuilder::new();
        let octets = if n == 40 { (1 << 20) + 1 } else { 3000 };
        let blob = BlobPut {
            id: BlobId::new(),
            bytes: Bytes::from(vec![n; octets]),
            witness: vec![b'r', n],
            adopt: false,
        };
        commit.put(vec![b'r', n], vec![1, n]).blob(blob);
        let outcome = store.commit(commit.build()).await.expect("committed");
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    store
}

fn journal(folder: &Folder) -> Checked {
    check_journal(folder.path(), |_| ()).expect("a check")
}

async fn all(store: &SledStore) -> Checked {
    store.check(|_, _| ()).await.expect("a check")
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("read");
    bytes[at] ^= 0x40;
    fs::write(path, bytes).expect("written");
}

#[tokio::test]
async fn a_good_store_and_a_killed_one_are_good() {
    for options in [options(), eager()] {
        let folder = Folder::new();
        let store = filled(&folder, options.clone()).await;
        assert!(matches!(
            check_journal(folder.path(), |_| ()),
            Err(OpenError::Locked(_))
        ));
        assert_eq!(all(&store).await, Checked::default());
        store.tidy().await.expect("tidied");
        assert_eq!(all(&store).await, Checked::default());
        // As after a kill: no clean mark, and a torn end.
        drop(store);
        let last = folder.journal().pop().expect("a file");
        let mut bytes = fs::read(&last).expect("read");
        bytes.extend(b"prR1 torn");
        fs::write(&last, bytes).expect("written");
        let checked = journal(&folder);
        assert_eq!(checked.faults, Vec::<String>::new());
        assert!(
            checked.notes.len() == 1 && checked.notes[0].contains("9 octets"),
            "{:?}",
            checked.notes
        );
        assert_eq!(all(&folder.open_with(options)).await, Checked::default());
        assert!(!folder.path().join("index.compared").exists());
    }
}

#[tokio::test]
async fn bodies_without_an_owner_are_counted() {
    let folder = Folder::new();
    let store = filled(&folder, options()).await;
    let mut commit = CommitBuilder::new();
    commit.delete(vec![b'r', 3]).delete(vec![b'r', 40]);
    store.commit(commit.build()).await.expect("committed");
    let checked = all(&store).await;
    assert_eq!(checked.faults, Vec::<String>::new());
    let octets = 3000 + (1 << 20) + 1;
    assert!(
        checked.notes[0].contains(&format!("2 bodies of {octets} octets")),
        "{:?}",
        checked.notes
    );
}

#[tokio::test]
async fn an_index_that_is_not_the_journals_is_told_and_made_anew() {
    let folder = Folder::new();
    filled(&folder, options()).await.close().await.expect("closed");
    {
        let sled = sled::open(folder.path().join("index")).expect("opens");
        sled.insert(b"kr\x05", b"other").expect("written");
        sled.remove(b"kr\x06").expect("removed");
        sled.insert(b"kx", b"more").expect("written");
        sled.flush().expect("flushed");
    }
    let store = folder.open();
    let mut faults = all(&store).await.faults;
    faults.sort();
    assert_eq!(faults.len(), 3, "{faults:?}");
    for (fault, words) in faults.iter().zip([
        r"k row r\x05 has another value",
        r"k row r\x06 is missing",
        "k row x is not of the journal",
    ]) {
        assert!(fault.contains(words), "{fault} says nothing of {words}");
    }
    assert!(matches!(
        SledStore::discard_index(folder.path(), &options()),
        Err(OpenError::Locked(_))
    ));
    store.close().await.expect("closed");
    drop(store);
    SledStore::discard_index(folder.path(), &options()).expect("moved aside");
    let store = folder.open();
    assert_eq!(all(&store).await, Checked::default());
    assert_eq!(store.get(b"r\x06").await.expect("answers"), Some(vec![1, 6]));
}

#[tokio::test]
async fn damage_to_the_journal_to_a_snapshot_and_to_a_body_is_told() {
    let folder = Folder::new();
    let store = filled(&folder, eager()).await;
    store.tidy().await.expect("tidied");
    let own = folder.files("bodies");
    flip(&own[0], 77);
    let faults = all(&store).await.faults;
    assert!(faults.len() == 1 && faults[0].contains("CRC"), "{faults:?}");
    drop(store);
    fs::remove_file(&own[0]).expect("removed");
    let store = folder.open_with(eager());
    let faults = all(&store).await.faults;
    assert!(faults.len() == 1 && faults[0].contains("missing"), "{faults:?}");
    drop(store);

    // In the middle of a file that no start would read, since the snapshot covers it.
    let files = folder.journal();
    flip(&files[1], 30_000);
    let faults = journal(&folder).faults;
    assert!(faults.len() == 1 && faults[0].contains("CRC"), "{faults:?}");
    flip(&folder.files("snapshot")[0], 100);
    let faults = journal(&folder).faults;
    assert!(faults.iter().any(|fault| fault.contains("snapshot")), "{faults:?}");

    let folder = Folder::new();
    drop(
        filled(
            &folder,
            Options {
                snapshot_octets: u64::MAX,
                ..eager()
            },
        )
        .await,
    );
    fs::remove_file(&folder.journal()[1]).expect("removed");
    let faults = journal(&folder).faults;
    assert!(faults.len() == 1 && faults[0].contains("are missing"), "{faults:?}");
}

#[tokio::test]
async fn what_cannot_be_compared_is_no_fault_and_bodies_are_read() {
    let folder = Folder::new();
    let store = filled(
        &folder,
        Options {
            snapshot_octets: u64::MAX,
            ..eager()
        },
    )
    .await;
    flip(&folder.files("bodies")[0], 77);
    // A file that does not read.
    let first = &folder.journal()[0];
    fs::remove_file(first).expect("removed");
    fs::create_dir(first).expect("a folder");
    let Checked { faults, unread, .. } = all(&store).await;
    assert!(faults.len() == 1 && faults[0].contains("CRC"), "{faults:?}");
    assert!(unread[0].starts_with("index: not compared"), "{unread:?}");
    assert!(
        unread[1..].iter().all(|body| body.starts_with("body not read")),
        "{unread:?}"
    );
    assert!(!*store.failed().borrow());
}

/// Writes another format into a file's header.
fn later(path: &Path) {
    let mut bytes = fs::read(path).expect("read");
    bytes[8..12].copy_from_slice(&9u32.to_be_bytes());
    let crc = crc32fast::hash(&bytes[..36]);
    bytes[36..40].copy_from_slice(&crc.to_be_bytes());
    fs::write(path, bytes).expect("written");
}

#[tokio::test]
async fn what_a_later_version_wrote_is_refused_and_left_alone() {
    for kind in ["journal", "snapshot", "store.id"] {
        let folder = Folder::new();
        let store = filled(&folder, eager()).await;
        store.tidy().await.expect("tidied");
        store.close().await.expect("closed");
        drop(store);
        if kind == "store.id" {
            let path = folder.path().join(kind);
            let text = fs::read_to_string(&path).expect("read");
            fs::write(path, text.replace("postroom store 1", "postroom store 2")).expect("written");
        } else {
            later(&folder.files(kind)[0]);
        }
        let before = folder.contents();
        let refused = folder.try_open();
        assert!(matches!(refused, Err(OpenError::Format { .. })), "{kind}: {refused:?}");
        assert!(folder.contents() == before, "{kind}: something was changed");
    }
}
