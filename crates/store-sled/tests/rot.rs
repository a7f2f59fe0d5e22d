//! Octets that change by themselves, in the store or in its backup: they are found, told, and cost only what they hit.

mod support;

use postroom_store_sled::{BackedUp, BackupError, Beside, Damaged, Restored, SledStore, backup, restore};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::rows::{body, done, put, row, rows};
use support::{Folder, eager, options};

/// A data folder with a store in it that takes a snapshot at each round of upkeep, a small file beside, and a folder for its
/// backups.
struct World(Folder);

impl World {
    fn new() -> Self {
        let folder = Folder::new();
        fs::create_dir_all(folder.path().join("data")).expect("a folder");
        fs::write(folder.path().join("data/secret"), "a key").expect("written");
        Self(folder)
    }

    fn at(&self, place: &str) -> PathBuf {
        self.0.path().join(place)
    }

    /// With rows up to 90, and a snapshot of the first 80.
    async fn filled(&self) -> Arc<SledStore> {
        self.filled_from(0).await
    }

    async fn filled_from(&self, from: u32) -> Arc<SledStore> {
        let store = self.open();
        for n in from..80 {
            put(&store, n).await;
        }
        store.tidy().await.expect("tidied");
        for n in 80..90 {
            put(&store, n).await;
        }
        store
    }

    fn open(&self) -> Arc<SledStore> {
        SledStore::open(&self.at("data/store"), eager(), |_| ()).expect("opens")
    }

    /// The files of a folder, in order.
    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.at(folder)).expect("a folder");
        let mut files: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
        files.sort();
        files
    }

    fn try_backup(&self, verify: bool) -> Result<BackedUp, BackupError> {
        let beside = Beside {
            name: "secret".into(),
            path: self.at("data/secret"),
        };
        backup(&self.at("data/store"), &[beside], &self.at("backup"), verify, |_| ())
    }

    fn backup(&self) -> BackedUp {
        self.try_backup(false).expect("a backup")
    }

    fn verified(&self) -> BackedUp {
        self.try_backup(true).expect("a backup")
    }

    fn try_restore(&self) -> Result<Restored, BackupError> {
        let to = self.at("restored");
        let _ = fs::remove_dir_all(&to);
        restore(&self.at("backup"), &to, |_| ())
    }

    /// What restoring tells, and the rows there are then; those that are named as lost are deleted first.
    async fn restored(&self, lost: &[u32]) -> (Vec<Damaged>, Vec<u32>) {
        let restored = self.try_restore().expect("restored");
        let store = SledStore::open(&self.at("restored/store"), options(), |_| ()).expect("opens");
        for n in lost {
            done(&store, |commit| _ = commit.delete(row(*n))).await;
        }
        let rows = rows(&store).await;
        store.close().await.expect("closed");
        (restored.damaged, rows)
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("read");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("written");
}

/// Changes one octet of a row's body in a journal file; where that body lies.
fn flip_body(path: &Path, n: u32) -> usize {
    let body = body(n);
    let bytes = fs::read(path).expect("read");
    let at = bytes.windows(body.len()).position(|window| window == body);
    let at = at.expect("it is there");
    flip(path, at + 100);
    at
}

fn all_but(lost: &[u32]) -> Vec<u32> {
    (0..90).filter(|n| !lost.contains(n)).collect()
}

fn name_of(path: &Path, at: usize) -> String {
    let file = path.file_name().and_then(|name| name.to_str()).expect("a name");
    format!("store/journal/{file}:{at}")
}

#[tokio::test]
async fn a_body_below_the_snapshot_is_told_and_costs_itself() {
    let world = World::new();
    let _store = world.filled().await;
    let journal = world.files("data/store/journal").remove(0);
    let at = [flip_body(&journal, 5), flip_body(&journal, 6)];
    let damaged = world.backup().damaged;
    let names: Vec<_> = damaged.iter().map(|damaged| damaged.name.clone()).collect();
    assert_eq!(names, at.map(|at| name_of(&journal, at)));
    assert!(damaged[0].what.contains("2000 octets"), "{damaged:?}");
    assert_eq!(world.backup().damaged, damaged, "the next says it again");
    let made = world.verified();
    assert_eq!((made.damaged, made.mended), (damaged.clone(), vec![]));
    assert_eq!(world.restored(&[5, 6]).await, (damaged.clone(), all_but(&[5, 6])));
    // The store has it again, from wherever.
    flip(&journal, at[0] + 100);
    assert_eq!(world.backup().damaged, damaged);
    assert_eq!(world.verified().damaged, damaged[1..]);
}

#[tokio::test]
async fn what_an_earlier_copy_has_is_kept() {
    let world = World::new();
    let store = world.open();
    for n in 0..5 {
        put(&store, n).await;
    }
    world.backup();
    drop(store);
    let store = world.filled_from(5).await;
    let journal = world.files("data/store/journal");
    // In the part that was copied, and in a file that was not.
    flip_body(&journal[0], 2);
    assert_eq!(world.backup().damaged, []);
    // In files that were copied whole; one that the store has lost stays too.
    flip_body(&journal[0], 9);
    fs::remove_file(&journal[1]).expect("removed");
    assert_eq!(world.backup().damaged, []);
    assert_eq!(world.restored(&[]).await, (vec![], all_but(&[])));
    // The backup's own file is damaged elsewhere: of the two, each has what the other lacks.
    let copy = world.files("backup/journal").remove(0);
    flip_body(&copy, 12);
    let made = world.verified();
    assert_eq!((made.damaged.len(), made.mended.len()), (0, 1), "{made:?}");
    assert_eq!(world.restored(&[]).await, (vec![], all_but(&[])));
    drop(store);
}

#[tokio::test]
async fn a_journal_file_that_the_store_has_lost_is_told() {
    let world = World::new();
    let _store = world.filled().await;
    fs::remove_file(&world.files("data/store/journal")[0]).expect("removed");
    let damaged = world.backup().damaged;
    assert!(damaged.len() > 10, "{damaged:?}");
    assert!(
        damaged.iter().all(|damaged| damaged.what.contains("missing")),
        "{damaged:?}"
    );
}

#[tokio::test]
async fn rot_in_a_backup_is_found_and_mended() {
    let world = World::new();
    let _store = world.filled().await;
    let first = world.backup();
    let made = world.verified();
    assert_eq!((made.copied_octets, made.mended, made.damaged), (0, vec![], vec![]));
    for (kind, name) in [
        ("journal", "store/journal/"),
        ("bodies", "store/bodies/"),
        ("snapshot", "store/snapshot/"),
        ("beside", "secret"),
    ] {
        for is_gone in [false, true] {
            let files = world.files(&format!("backup/{kind}"));
            match is_gone {
                true => fs::remove_file(&files[0]).expect("removed"),
                false => flip(&files[0], fs::metadata(&files[0]).expect("a file").len() as usize / 2),
            }
            let made = world.verified();
            let names: Vec<_> = made.mended.iter().map(|mended| &mended.name).collect();
            assert!(names.len() == 1 && names[0].starts_with(name), "{kind}: {names:?}");
            assert_eq!((made.damaged, made.octets), (vec![], first.octets), "{kind}");
            assert_eq!(world.restored(&[]).await, (vec![], all_but(&[])), "{kind}");
        }
    }
}

#[tokio::test]
async fn a_broken_manifest_says_what_to_do() {
    let world = World::new();
    let _store = world.filled().await;
    world.backup();
    let manifest = world.at("backup/manifest");
    flip(&manifest, 60);
    let error = world.try_backup(false).expect_err("it is broken").to_string();
    assert!(
        error.contains("remove this file") && error.contains("new folder"),
        "{error}"
    );
    fs::remove_file(&manifest).expect("removed");
    assert!(matches!(world.try_restore(), Err(BackupError::NoneFinished(_))));
    world.backup();
    assert_eq!(world.restored(&[]).await, (vec![], all_but(&[])));
}

/// What is lost of a backup is named; what is not is restored.
#[tokio::test]
async fn restoring_goes_on_where_it_can() {
    let world = World::new();
    let _store = world.filled().await;
    world.backup();
    let journal = world.files("backup/journal").remove(0);
    let body_file = world.files("backup/bodies").remove(0);
    let beside = world.files("backup/beside").remove(0);
    let (good, good_body) = (fs::read(&journal).expect("read"), fs::read(&body_file).expect("read"));

    let at = flip_body(&journal, 3);
    let (damaged, rows) = world.restored(&[3]).await;
    assert_eq!(
        damaged.iter().map(|d| &d.name).collect::<Vec<_>>(),
        [&name_of(&journal, at)]
    );
    assert_eq!(rows, all_but(&[3]));
    // Octets that no body lies in: nothing is lost, and it is told.
    fs::write(&journal, &good).expect("written");
    flip(&journal, at - 20);
    let (damaged, rows) = world.restored(&[]).await;
    assert!(
        damaged.len() == 1 && damaged[0].what.contains("no body is lost"),
        "{damaged:?}"
    );
    assert_eq!(rows, all_but(&[]));
    fs::write(&journal, &good).expect("written");

    flip(&body_file, 70_000);
    flip(&beside, 1);
    let (damaged, rows) = world.restored(&[7]).await;
    let names: Vec<_> = damaged.iter().map(|damaged| damaged.name.as_str()).collect();
    assert!(
        names[0] == "secret" && names[1].starts_with("store/bodies/") && names.len() == 2,
        "{names:?}"
    );
    assert_eq!(rows, all_but(&[7]));
    assert!(!world.at("restored/secret").exists());
    fs::write(&body_file, &good_body).expect("written");
    flip(&beside, 1);

    // The journal has all, but for what is needed to read it without the snapshot.
    let snapshot = world.files("backup/snapshot").remove(0);
    flip(&snapshot, 500);
    let (damaged, rows) = world.restored(&[]).await;
    assert!(
        damaged.len() == 1 && damaged[0].what.contains("nothing is lost"),
        "{damaged:?}"
    );
    assert_eq!(rows, all_but(&[]));
    flip_body(&journal, 3);
    let refused = world.try_restore();
    assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{refused:?}");
    assert!(!world.at("restored").exists(), "what is left of it");
    flip(&snapshot, 500);
    fs::remove_file(&journal).expect("removed");
    let lost: Vec<u32> = (0..30).filter(|n| n % 50 != 7).collect();
    let restored = world.try_restore().expect("restored");
    assert!(restored.damaged.iter().all(|damaged| damaged.what.contains("missing")));
    assert!(restored.damaged.len() > lost.len() / 2, "{restored:?}");

    // What a replay reads must be whole.
    fs::write(&journal, &good).expect("written");
    flip(world.files("backup/journal").last().expect("a file"), 5000);
    fs::remove_dir_all(world.at("restored")).expect("removed");
    fs::create_dir(world.at("restored")).expect("a folder");
    let refused = restore(&world.at("backup"), &world.at("restored"), |_| ());
    assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{refused:?}");
    assert_eq!(world.files("restored"), Vec::<PathBuf>::new());
}

#[test]
fn where_there_is_no_backup() {
    let world = World::new();
    let to = world.at("restored");
    let refused = |from: &str| {
        restore(&world.at(from), &to, |_| ())
            .expect_err("there is none")
            .to_string()
    };
    assert!(refused("nowhere").contains("is not there"));
    fs::create_dir(world.at("empty")).expect("a folder");
    assert!(refused("empty").contains("holds no backup"));
    assert!(refused("data").contains("not a backup"));
    assert!(!to.exists());
}
