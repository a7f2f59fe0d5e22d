//! Backups of a store that is busy, and what is restored of them.

mod support;

use postroom_store_sled::{
    BackedUp, BackupError, Beside, OpenError, Options, SledStore, backup, check_journal, restore,
};
use proptest::prelude::*;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use support::rows::{done, put, row, rows};
use support::{Folder, eager, options};

async fn remove(store: &SledStore, n: u32) {
    done(store, |commit| _ = commit.delete(row(n))).await;
}

/// A data folder with a store in it, and a folder for its backups.
struct World {
    folder: Folder,
}

impl World {
    fn new() -> Self {
        let folder = Folder::new();
        fs::create_dir_all(folder.path()).expect("a folder");
        Self { folder }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("data/store")
    }

    fn to(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    fn open(&self, options: Options) -> Arc<SledStore> {
        fs::create_dir_all(self.folder.path().join("data")).expect("a folder");
        SledStore::open(&self.store(), options, |_| ()).expect("opens")
    }

    fn try_backup(&self) -> Result<BackedUp, BackupError> {
        backup(&self.store(), &[], &self.to(), false, |_| ())
    }

    fn backup(&self) -> BackedUp {
        self.try_backup().expect("a backup")
    }

    /// Restores into a new folder and opens it; the check finds nothing.
    async fn restored(&self, name: &str) -> Arc<SledStore> {
        let data = self.folder.path().join(name);
        restore(&self.to(), &data, |_| ()).expect("restored");
        let store = data.join("store");
        let checked = check_journal(&store, |_| ()).expect("a check");
        assert_eq!(checked.faults, Vec::<String>::new());
        let store = SledStore::open(&store, options(), |_| ()).expect("opens");
        let checked = store.check(|_, _| ()).await.expect("a check");
        assert_eq!(checked.faults, Vec::<String>::new());
        store
    }

    /// The files of one of the backup's folders.
    fn copies(&self, kind: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.to().join(kind)).expect("a folder");
        let mut files: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
        files.sort();
        files
    }
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(path).expect("a file");
    file.write_all(bytes).expect("written");
}

/// Commits, deletions and upkeep go on all the time; each backup has what was done before it began.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_was_acknowledged_before_is_in_it() {
    let world = World::new();
    let store = world.open(eager());
    let (next, gone, running) = (
        Arc::new(AtomicU32::new(0)),
        Arc::new(AtomicU32::new(0)),
        Arc::new(AtomicBool::new(true)),
    );
    let commits = {
        let (store, next, gone, running) = (store.clone(), next.clone(), gone.clone(), running.clone());
        tokio::spawn(async move {
            for n in 0.. {
                if !running.load(Ordering::SeqCst) {
                    break;
                }
                put(&store, n).await;
                next.store(n + 1, Ordering::SeqCst);
                // All but the newest hundred and every tenth go again.
                if n >= 100 && (n - 100) % 10 != 0 {
                    gone.store(n - 99, Ordering::SeqCst);
                    remove(&store, n - 100).await;
                }
            }
        })
    };
    let upkeep = {
        let (store, running) = (store.clone(), running.clone());
        tokio::spawn(async move {
            let mut removed = 0;
            while running.load(Ordering::SeqCst) {
                removed += store.tidy().await.expect("tidied").removed_files;
            }
            removed
        })
    };
    for number in 0..6 {
        tokio::time::sleep(std::time::Duration::from_millis(120)).await;
        let before = next.load(Ordering::SeqCst);
        let (from, to) = (world.store(), world.to());
        let made = tokio::task::spawn_blocking(move || backup(&from, &[], &to, false, |_| ())).await;
        made.expect("no panic").expect("a backup");
        // Deletions that may have happened before the end of the backup.
        let gone = gone.load(Ordering::SeqCst);
        let restored = world.restored(&format!("restored-{number}")).await;
        let found = rows(&restored).await;
        for n in (0..before).filter(|n| *n >= gone || n.is_multiple_of(10)) {
            assert!(
                found.binary_search(&n).is_ok(),
                "row {n} of {before} in backup {number}"
            );
        }
        let last = found.last().copied().unwrap_or_default();
        assert!(last <= next.load(Ordering::SeqCst));
        restored.close().await.expect("closed");
    }
    running.store(false, Ordering::SeqCst);
    commits.await.expect("committed");
    let removed = upkeep.await.expect("tidied");
    assert!(removed > 3, "upkeep removed {removed} files meanwhile");
}

#[tokio::test]
async fn a_further_one_copies_what_is_new() {
    let world = World::new();
    let store = world.open(options());
    for n in 0..60 {
        put(&store, n).await;
    }
    let first = world.backup();
    assert_eq!(first.copied_octets, first.octets);
    assert!(first.octets > 2 << 20, "{first:?}");
    let again = world.backup();
    assert_eq!(
        (again.copied_octets, again.octets, again.lsn),
        (0, first.octets, first.lsn)
    );
    put(&store, 60).await;
    let little = world.backup();
    assert!((2000..4000).contains(&little.copied_octets), "{little:?}");
    put(&store, 107).await;
    let large = world.backup();
    assert!((1 << 20..(1 << 20) + 2000).contains(&large.copied_octets), "{large:?}");

    // What a backup that broke off leaves, in each of its places.
    let journal = world.copies("journal").pop().expect("a file");
    append(&journal, b"the beginning of what would have been appended");
    fs::write(world.to().join("bodies/0.part"), "part").expect("written");
    fs::write(world.to().join("manifest.new"), "postroom").expect("written");
    assert_eq!(rows(&*world.restored("older").await).await.len(), 62);
    let again = world.backup();
    assert_eq!((again.copied_octets, again.octets), (0, large.octets));
    assert_eq!(world.copies("bodies").len(), 3);

    // A copy that has gone is made again.
    fs::remove_file(&journal).expect("removed");
    let again = world.backup();
    assert_eq!(again.octets, large.octets);
    assert!(again.copied_octets > 100_000, "{again:?}");
    assert_eq!(rows(&*world.restored("newer").await).await.len(), 62);
}

/// The journal's end was taken back (the disk was full) after it was copied, and something else was written there.
#[tokio::test]
async fn an_end_that_was_cut_off_is_not_in_the_next() {
    let world = World::new();
    let store = world.open(options());
    for n in 0..10 {
        put(&store, n).await;
    }
    let journal = world.store().join("journal/00000000000000000001.log");
    let octets = fs::metadata(&journal).expect("a file").len();
    put(&store, 10).await;
    world.backup();
    drop(store);
    let file = OpenOptions::new().write(true).open(&journal).expect("a file");
    file.set_len(octets).expect("cut");
    // The index, which knows better, is of another run of the machine and not asked.
    let store = world.open(Options {
        boot_id: Some("another".into()),
        ..options()
    });
    assert_eq!(rows(&store).await.len(), 10);
    for n in [20, 21, 22] {
        put(&store, n).await;
    }
    world.backup();
    assert_eq!(
        rows(&*world.restored("restored").await).await,
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21, 22]
    );
}

/// A store that went back to what it was, or another way since, does not replace the backup that knows more.
#[tokio::test]
async fn a_backup_that_knows_more_stays() {
    let world = World::new();
    let store = world.open(eager());
    for n in 0..40 {
        put(&store, n).await;
    }
    store.close().await.expect("closed");
    drop(store);
    let copy = Folder::new();
    fs::rename(world.store(), copy.path()).expect("moved");
    copy.copy_to(&world.store());
    let store = world.open(eager());
    for n in 40..50 {
        put(&store, n).await;
    }
    assert!(store.tidy().await.expect("tidied").snapshot);
    let made = world.backup();
    drop(store);
    let before = fs::read(world.to().join("manifest")).expect("read");

    fs::remove_dir_all(world.store()).expect("removed");
    copy.copy_to(&world.store());
    match world.try_backup() {
        Err(BackupError::Behind { backup, store, .. }) => assert_eq!((backup, store.0), (made.lsn, 40)),
        other => panic!("{other:?}"),
    }
    let store = world.open(eager());
    for n in 60..70 {
        put(&store, n).await;
    }
    assert!(store.tidy().await.expect("tidied").snapshot);
    put(&store, 70).await;
    match world.try_backup() {
        Err(BackupError::Parted { lsn, .. }) => assert_eq!(lsn.0, 50),
        other => panic!("{other:?}"),
    }
    assert!(fs::read(world.to().join("manifest")).expect("read") == before);
    assert_eq!(
        rows(&*world.restored("restored").await).await,
        (0..50).collect::<Vec<_>>()
    );
}

/// The first file of the journal is covered, and its header is all that the backup has lost.
#[tokio::test]
async fn a_restored_store_opens_without_the_first_header() {
    let world = World::new();
    let store = world.open(eager());
    for n in 0..90 {
        put(&store, n).await;
    }
    assert!(store.tidy().await.expect("tidied").snapshot);
    world.backup();
    let first = world.copies("journal").remove(0);
    let mut bytes = fs::read(&first).expect("read");
    bytes[0] ^= 1;
    fs::write(&first, bytes).expect("written");
    let into = world.folder.path().join("restored");
    let restored = restore(&world.to(), &into, |_| ()).expect("restored");
    assert_eq!(restored.damaged.len(), 1, "{restored:?}");
    let store = SledStore::open(&into.join("store"), options(), |_| ()).expect("opens");
    assert_eq!(rows(&store).await, (0..90).collect::<Vec<_>>());
}

/// What was being written when the server stopped is not in the backup; what is broken before it is corruption.
#[tokio::test]
async fn a_torn_end_is_left_out_and_a_break_is_told() {
    let world = World::new();
    let store = world.open(options());
    for n in 0..30 {
        put(&store, n).await;
    }
    drop(store);
    let journal = world.store().join("journal/00000000000000000001.log");
    append(&journal, b"prR1 the beginning of a record");
    let made = world.backup();
    assert_eq!(made.lsn.0, 30);
    assert_eq!(rows(&*world.restored("restored").await).await.len(), 30);

    let mut bytes = fs::read(&journal).expect("read");
    bytes[30_000] ^= 1;
    fs::write(&journal, &bytes).expect("written");
    let manifest = fs::read(world.to().join("manifest")).expect("read");
    match world.try_backup() {
        Err(BackupError::Files(OpenError::Corrupt { file, .. })) => assert_eq!(file, journal),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(world.to().join("manifest")).expect("read"), manifest);
    assert_eq!(rows(&*world.restored("older").await).await.len(), 30);
}

/// Small files go along and come back; a backup is for its store alone.
#[tokio::test]
async fn what_lies_beside_and_what_does_not_belong() {
    let world = World::new();
    let store = world.open(options());
    put(&store, 1).await;
    let data = world.folder.path().join("data");
    fs::write(data.join("secret"), "one").expect("written");
    let beside = |name: &str| Beside {
        name: name.into(),
        path: data.join("secret"),
    };
    let missing = Beside {
        name: "missing".into(),
        path: data.join("missing"),
    };
    let all = [beside("secret"), beside("keys/other"), missing];
    let make = |beside: &[Beside]| backup(&world.store(), beside, &world.to(), false, |_| ());
    make(&all).expect("a backup");
    fs::write(data.join("secret"), "two").expect("written");
    make(&all).expect("a backup");
    assert_eq!(world.copies("beside").len(), 1, "one content, one file");
    for name in ["../x", "/x", "store/x", "a\nb"] {
        assert!(
            matches!(make(&[beside(name)]), Err(BackupError::Damaged { .. })),
            "{name:?}"
        );
    }
    drop(world.restored("restored").await);
    let restored = world.folder.path().join("restored");
    assert_eq!(fs::read(restored.join("secret")).expect("read"), b"two");
    assert_eq!(fs::read(restored.join("keys/other")).expect("read"), b"two");
    assert!(!restored.join("missing").exists() && !restored.join("restoring").exists());

    let again = restore(&world.to(), &restored, |_| ());
    assert!(matches!(again, Err(BackupError::NotEmpty(_))), "{again:?}");
    let other = World::new();
    drop(other.open(options()));
    let wrong = backup(&other.store(), &[], &world.to(), false, |_| ());
    assert!(matches!(wrong, Err(BackupError::AnotherStore(_))), "{wrong:?}");
    let wrong = backup(&world.store(), &[], &restored, false, |_| ());
    assert!(matches!(wrong, Err(BackupError::NotABackup(_))), "{wrong:?}");
    for within in [&data, &data.join("sub"), &world.store().join("sub")] {
        let wrong = backup(&world.store(), &[], within, false, |_| ());
        assert!(matches!(wrong, Err(BackupError::Within { .. })), "{wrong:?}");
    }
    let wrong = restore(&world.to(), &world.to().join("data"), |_| ());
    assert!(matches!(wrong, Err(BackupError::Within { .. })), "{wrong:?}");
    assert!(!data.join("sub").exists() && !world.to().join("data").exists());
    let wrong = backup(&world.to(), &[], &world.folder.path().join("new"), false, |_| ());
    assert!(matches!(wrong, Err(BackupError::NoStore(_))), "{wrong:?}");
    let text = fs::read_to_string(world.to().join("manifest")).expect("read");
    fs::write(
        world.to().join("manifest"),
        text.replace("postroom backup 1", "postroom backup 7"),
    )
    .expect("written");
    let later = restore(&world.to(), &world.folder.path().join("later"), |_| ());
    assert!(
        matches!(later, Err(BackupError::Files(OpenError::Format { .. }))),
        "{later:?}"
    );
}

/// One octet of one file is told; and if a replay reads it, nothing is restored.
#[test]
fn damage_is_seen() {
    let world = World::new();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = world.open(eager());
        for n in 0..70 {
            put(&store, n).await;
        }
        store.tidy().await.expect("tidied");
    });
    world.backup();
    let into = world.folder.path().join("restored");
    let config = ProptestConfig::with_cases(100);
    proptest!(config, |(place in 0.0..1.0f64, which in 0..5usize, bit in 0..8u32)| {
        let kind = ["journal", "journal", "bodies", "snapshot", "manifest"][which];
        let files = if kind == "manifest" { vec![world.to().join(kind)] } else { world.copies(kind) };
        let file = &files[(place * 1000.0) as usize % files.len()];
        let good = fs::read(file).expect("read");
        let mut bytes = good.clone();
        let at = (place * bytes.len() as f64) as usize;
        bytes[at] ^= 1 << bit;
        fs::write(file, bytes).expect("written");
        match restore(&world.to(), &into, |_| ()) {
            Ok(restored) => {
                prop_assert_eq!(restored.damaged.len(), 1, "{} at {}", file.display(), at);
                prop_assert!(kind != "manifest" && Some(file) != files.last().filter(|_| kind == "journal"));
                fs::remove_dir_all(&into).expect("removed");
            }
            Err(_) => prop_assert!(!into.exists(), "what is left of it"),
        }
        fs::write(file, good).expect("written");
    });
    restore(&world.to(), &into, |_| ()).expect("what is whole is restored");
}
