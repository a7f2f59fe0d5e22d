//! One body that is damaged, or an index that is, harms nothing else.

mod support;

use postroom_store::{BlobReader, CommitBuilder, Outcome, Store, StoreError};
use postroom_store_sled::{Damaged, Options, SledStore, backup, restore};
use postroom_types::BlobId;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::rows::{body, done, put, row, rows};
use support::{Folder, eager, options};

/// In the data folder of a new folder, which holds the backup too.
struct World(Folder);

impl World {
    fn new() -> Self {
        let folder = Folder::new();
        fs::create_dir_all(folder.path().join("data")).expect("a folder");
        Self(folder)
    }

    fn at(&self, place: &str) -> PathBuf {
        self.0.path().join(place)
    }

    fn open(&self) -> Arc<SledStore> {
        SledStore::open(&self.at("data/store"), options(), |_| ()).expect("opens")
    }

    fn own(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.at("data/store/bodies")).expect("a folder");
        let mut files: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
        files.sort();
        files
    }

    fn backup(&self) -> Vec<Damaged> {
        let made = backup(&self.at("data/store"), &[], &self.at("backup"), false, |_| ());
        made.expect("a backup").damaged
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("read");
    bytes[at] ^= 0x40;
    fs::write(path, bytes).expect("written");
}

/// Changes one octet of a body that lies in the journal.
fn flip_inline(journal: &Path, body: &[u8]) {
    let mut bytes = fs::read(journal).expect("read");
    let at = bytes.windows(body.len()).position(|window| window == body);
    bytes[at.expect("it is there") + 100] ^= 1;
    fs::write(journal, bytes).expect("written");
}

#[tokio::test]
async fn each_body_has_its_own_answer() {
    let world = World::new();
    let store = world.open();
    let mut ids = Vec::new();
    for n in [1, 2, 3, 7, 57, 4] {
        ids.push(put(&store, n).await);
    }
    // So that the next start reads no journal, which it would find damaged.
    store.close().await.expect("closed");
    drop(store);
    let own = world.own();
    fs::remove_file(&own[0]).expect("removed");
    flip(&own[1], 70_000);
    flip_inline(&world.at("data/store/journal/00000000000000000001.log"), &body(2));
    let store = world.open();
    let wanted: Vec<_> = ids.iter().map(|id| (*id, 0..u64::MAX)).collect();
    let found = store.blobs(&wanted).await;
    for (place, (found, n)) in found.into_iter().zip([1, 2, 3, 7, 57, 4]).enumerate() {
        match [1, 3, 4].contains(&place) {
            true => assert!(matches!(found, Err(StoreError::Corrupt(_))), "{place}"),
            false => assert!(matches!(found, Ok(Some(bytes)) if bytes == body(n)), "{place}"),
        }
    }
}

/// Reads in pieces; what came, and how it ended.
async fn read_on(store: &SledStore, id: BlobId, from: u64, octets: u64) -> (Vec<u8>, Result<(), StoreError>) {
    let (mut reader, mut all) = (BlobReader::at(id, from), Vec::new());
    loop {
        match reader.next(store, octets).await {
            Ok(piece) if piece.as_ref().is_some_and(|piece| piece.is_empty()) => return (all, Ok(())),
            Ok(piece) => all.extend(piece.expect("it is there")),
            Err(error) => return (all, Err(error)),
        }
    }
}

#[tokio::test]
async fn a_damaged_body_never_comes_to_its_end() {
    let world = World::new();
    let store = world.open();
    let (small, large) = (put(&store, 1).await, put(&store, 7).await);
    for (id, n) in [(small, 1), (large, 7)] {
        let whole = body(n);
        assert!(matches!(read_on(&store, id, 0, 900).await, (all, Ok(())) if all == whole));
        let (tail, ended) = read_on(&store, id, 5, 700).await;
        assert!(ended.is_ok() && tail == whole[5..]);
    }
    flip(&world.own()[0], 0);
    flip_inline(&world.at("data/store/journal/00000000000000000001.log"), &body(1));
    for (id, n, octets) in [(small, 1, 900), (large, 7, 1 << 18), (large, 7, 1 << 30)] {
        let (all, ended) = read_on(&store, id, 0, octets).await;
        assert!(matches!(ended, Err(StoreError::Corrupt(_))), "{n}: {ended:?}");
        assert!(all.len() < body(n).len(), "{n}: {} octets", all.len());
    }
}

#[tokio::test]
async fn a_backup_has_all_that_is_not_damaged() {
    let world = World::new();
    let store = world.open();
    put(&store, 7).await;
    assert_eq!(world.backup(), []);
    for n in [57, 107, 157, 207, 1, 2] {
        put(&store, n).await;
    }
    let own = world.own();
    // The first is in the earlier backup, and stays there.
    flip(&own[0], 9);
    flip(&own[1], 9);
    fs::remove_file(&own[2]).expect("removed");
    fs::OpenOptions::new()
        .write(true)
        .open(&own[3])
        .and_then(|file| file.set_len(1000))
        .expect("cut");
    let damaged = world.backup();
    let names: Vec<_> = own[1..4]
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    for (damaged, (name, what)) in damaged.iter().zip(names.iter().zip(["CRC", "missing", "1000 octets"])) {
        assert_eq!(damaged.name, format!("store/bodies/{name}"));
        assert!(damaged.what.contains(what), "{damaged}");
    }
    assert_eq!(damaged.len(), 3);
    assert_eq!(fs::read_dir(world.at("backup/bodies")).expect("a folder").count(), 2);
    assert_eq!(world.backup(), damaged, "the next says it again");

    let restored = restore(&world.at("backup"), &world.at("restored"), |_| ()).expect("restored");
    assert_eq!(restored.damaged, damaged);
    let store = SledStore::open(&world.at("restored/store"), options(), |_| ()).expect("opens");
    for n in [57, 107, 157] {
        done(&store, |commit| _ = commit.delete(row(n))).await;
    }
    assert_eq!(rows(&store).await, [1, 2, 7, 207]);
}

#[tokio::test]
async fn upkeep_goes_on() {
    let folder = Folder::new();
    let store = folder.open_with(eager());
    for n in 0..90 {
        put(&store, n).await;
    }
    store.tidy().await.expect("tidied");
    flip_inline(&folder.journal()[0], &body(0));
    fs::remove_file(&folder.files("bodies")[0]).expect("removed");
    for n in (1..90).filter(|n| n % 20 != 0) {
        done(&store, |commit| _ = commit.delete(row(n))).await;
    }
    let tidied = store.tidy().await.expect("tidied");
    assert_eq!((tidied.forgotten, folder.files("bodies").len()), (85, 0));
    assert!(tidied.moved > 0 && tidied.removed_files > 0, "{tidied:?}");
    let faults = store.check(|_, _| ()).await.expect("a check").faults;
    assert!(faults.len() == 1 && faults[0].contains("CRC"), "{faults:?}");
    // What was found damaged is not read again while the store is open.
    while store.tidy().await.expect("tidied").moved > 0 {}
    let sparse = folder.journal()[0].clone();
    let mut bytes = fs::read(&sparse).expect("read");
    let at = bytes.windows(100).position(|window| window == &body(0)[..100]);
    bytes[at.expect("it is there") + 100] ^= 1;
    fs::write(&sparse, bytes).expect("written");
    assert_eq!(store.tidy().await.expect("tidied").moved, 0);
    drop(store);
    assert_eq!(folder.open_with(eager()).tidy().await.expect("tidied").moved, 1);
}

#[tokio::test]
async fn an_index_that_is_damaged_is_made_anew_and_told() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.renewed(), None);
    for n in 0..200 {
        put(&store, n).await;
    }
    store.close().await.expect("closed");
    drop(store);
    let path = folder.path().join("index/db");
    let good = fs::read(&path).expect("read");
    // Wherever it is hit, the rows are all there.
    let mut renewed = 0;
    for part in 0..16 {
        let mut bytes = good.clone();
        let from = bytes.len() / 16 * part;
        bytes[from..from + 400].iter_mut().for_each(|octet| *octet ^= 0x55);
        fs::write(&path, bytes).expect("written");
        let store = folder.open();
        let checked = store.check(|_, _| ()).await.expect("a check");
        if store.renewed().is_some() {
            renewed += 1;
            assert_eq!(checked.faults, Vec::<String>::new(), "{part}");
        }
        let was_told = store.renewed().is_some() || !checked.faults.is_empty();
        let failed = *store.failed().borrow();
        assert!(!failed || was_told, "{part}: {checked:?}");
        drop(store);
        let store = folder.open();
        assert!(!failed || store.renewed().is_some(), "{part}");
        assert_eq!(rows(&store).await.len(), 200, "{part}");
        let _ = store.close().await;
    }
    assert!(renewed > 0, "none was of no use");
}

#[tokio::test]
async fn an_index_that_fails_under_a_commit_is_made_anew() {
    let folder = Folder::new();
    let store = folder.open();
    for n in 0..200 {
        put(&store, n).await;
    }
    store.close().await.expect("closed");
    drop(store);
    let store = folder.open();
    let path = folder.path().join("index/db");
    let octets = fs::metadata(&path).expect("a file").len() as usize;
    let file = fs::OpenOptions::new().write(true).open(&path).expect("opens");
    file.write_all_at(&vec![0x55; octets], 0).expect("written");
    let mut commit = CommitBuilder::new();
    commit.put(b"more".to_vec(), vec![1]);
    let outcome = store.commit(commit.build()).await;
    assert!(matches!(outcome, Ok(Outcome::Unknown)), "{outcome:?}");
    assert!(*store.failed().borrow(), "it has not failed");
    assert!(store.close().await.is_err(), "it is closed as if it were whole");
    drop(store);
    let store = folder.open();
    assert!(store.renewed().is_some(), "the next start would meet it again");
    assert_eq!(rows(&store).await.len(), 200);
    assert_eq!(store.get(b"more").await.expect("answers"), Some(vec![1]));
}

/// Damages every page of an index that is in use.
fn damage_pages(folder: &Folder) {
    let path = folder.path().join("index/db");
    let mut bytes = fs::read(&path).expect("read");
    bytes.iter_mut().step_by(100).for_each(|octet| *octet ^= 0x55);
    let file = fs::OpenOptions::new().write(true).open(&path).expect("opens");
    file.write_all_at(&bytes, 0).expect("written");
}

/// What meets the damage.
#[derive(Clone, Copy, Debug)]
enum Meets {
    Get,
    Range,
    Blobs,
    Commit,
    Upkeep,
    Check,
}

impl Meets {
    async fn run(self, store: &SledStore, ids: &[BlobId]) {
        let all: Vec<_> = ids.iter().map(|id| (*id, 0..9)).collect();
        let is_answered = match self {
            Self::Get => store.get(&row(5)).await.is_ok(),
            Self::Range => store.range(b"a", b"z", false, 1000).await.is_ok(),
            Self::Blobs => store.blobs(&all).await.iter().all(Result::is_ok),
            Self::Commit => {
                let mut commit = CommitBuilder::new();
                commit.require(row(5), ids[5].0.to_vec()).put(row(5), vec![1]);
                let outcome = store.commit(commit.build()).await;
                matches!(outcome, Ok(Outcome::Done(_) | Outcome::Conflict(_)))
            }
            Self::Upkeep => store.tidy().await.is_ok(),
            Self::Check => {
                let faults = store.check(|_, _| ()).await.expect("a check").faults;
                faults.len() != 1 || !faults[0].contains("does not read")
            }
        };
        assert!(!is_answered, "{self:?}");
    }
}

#[tokio::test]
async fn an_index_that_tells_of_damage_is_made_anew_whoever_meets_it() {
    use Meets::*;
    for meets in [Get, Range, Blobs, Commit, Upkeep, Check] {
        let folder = Folder::new();
        let store = folder.open();
        let mut ids = Vec::new();
        for n in 0..200 {
            ids.push(put(&store, n).await);
        }
        store.close().await.expect("closed");
        drop(store);
        // So that pages come from the file.
        let forgetful = Options {
            cache_octets: 4096,
            hot_octets: 0,
            ..eager()
        };
        let store = folder.open_with(forgetful);
        damage_pages(&folder);
        meets.run(&store, &ids).await;
        assert!(*store.failed().borrow(), "{meets:?}: the damaged index is in use");
        assert!(store.get(&row(5)).await.is_err(), "{meets:?}");
        assert!(store.close().await.is_err(), "{meets:?}: closed as if it were whole");
        drop(store);
        let store = folder.open();
        let why = store.renewed().unwrap_or_default();
        assert!(why.contains("corrupted"), "{meets:?}: {why:?}");
        assert_eq!(rows(&store).await.len(), 200, "{meets:?}");
    }
}
