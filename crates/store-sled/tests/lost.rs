//! A journal that has lost its end is never taken for whole, unless somebody says so.

mod support;

use postroom_store::Store;
use postroom_store_sled::{BackedUp, BackupError, Loss, OpenError, Options, SledStore, backup, check_journal, restore};
use postroom_types::Lsn;
use std::fs;
use std::path::{Path, PathBuf};
use support::rows::{done, put, row, rows};
use support::{Folder, eager};

const ROWS: u32 = 120;
/// Lsns that are left out after the last that is known to be lost.
const MARGIN: u64 = 1 << 32;

/// A store with that many rows, of which the first files have a snapshot if there is `tidy`, closed well.
async fn filled(tidy: bool) -> Folder {
    let folder = Folder::new();
    let store = folder.open_with(eager());
    for n in 0..ROWS {
        put(&store, n).await;
    }
    if tidy {
        assert!(store.tidy().await.expect("tidied").snapshot);
    }
    store.close().await.expect("closed");
    folder
}

/// As on another run of the machine.
fn reboot(n: u32) -> Options {
    Options {
        boot_id: Some(format!("boot {n}")),
        ..eager()
    }
}

fn cut(path: &Path, octets: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("opens");
    let length = file.metadata().expect("a file").len();
    file.set_len(length - octets).expect("cut");
}

/// Removes the last files of the journal; the first lsn of the first of them.
fn remove_last(folder: &Folder, count: usize) -> u64 {
    let files = folder.journal();
    let gone = &files[files.len() - count..];
    gone.iter().for_each(|file| fs::remove_file(file).expect("removed"));
    gone[0]
        .file_stem()
        .and_then(|name| name.to_str()?.parse().ok())
        .expect("a name")
}

fn remove(folder: &Folder, name: &str) {
    let path = folder.path().join(name);
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    removed.expect("removed");
}

/// What the error says: the last lsn there is, what knows of more, and of which lsn.
fn lost(error: OpenError) -> (u64, PathBuf, u64) {
    match error {
        OpenError::Lost { end, by, known, .. } => (end.0, by, known.0),
        other => panic!("{other}"),
    }
}

/// Makes a backup of a copy of it, in `backup`.
fn backed_up(folder: &Folder, place: &Folder) -> Result<BackedUp, BackupError> {
    let store = place.path().join("data/store");
    folder.copy_to(&store);
    backup(&store, &[], &place.path().join("backup"), false, |_| ())
}

/// Neither opening, nor making the index anew, nor a backup takes it for whole, and none of them changes anything.
fn refused(folder: &Folder, options: &Options, by: &Path, end: u64, known: u64) {
    let expected = (end, by.to_path_buf(), known);
    let before = folder.contents();
    for _ in 0..2 {
        let error = SledStore::open(folder.path(), options.clone(), |_| ()).expect_err("it has lost its end");
        assert_eq!(lost(error), expected);
    }
    assert_eq!(
        lost(SledStore::discard_index(folder.path(), options).expect_err("lost")),
        expected
    );
    assert!(folder.contents() == before, "something was changed");
    let faults = check_journal(folder.path(), |_| ()).expect("a check").faults;
    assert!(
        faults.len() == 1 && faults[0].contains(&format!("knows of lsn {known}")),
        "{faults:?}"
    );
    let place = Folder::new();
    match backed_up(folder, &place) {
        Err(BackupError::Files(OpenError::Lost { end, known, .. })) => {
            assert_eq!((end.0, known.0), (expected.0, expected.2))
        }
        other => panic!("{other:?}"),
    }
    assert!(!place.path().join("backup/manifest").exists());
}

#[tokio::test]
async fn a_snapshot_beyond_the_end_stops_the_start() {
    let folder = filled(true).await;
    let newest = folder.files("snapshot").remove(0);
    let end = remove_last(&folder, 2) - 1;
    remove(&folder, "clean");
    refused(&folder, &eager(), &newest, end, u64::from(ROWS));
    remove(&folder, "index");
    refused(&folder, &reboot(1), &newest, end, u64::from(ROWS));
}

#[tokio::test]
async fn a_clean_mark_beyond_the_end_stops_the_start() {
    for harm in [
        (|folder| cut(&folder.journal().pop().expect("a file"), 7)) as fn(&Folder),
        |folder| _ = remove_last(folder, 1),
    ] {
        let folder = filled(false).await;
        let last = folder.journal().pop().expect("a file");
        let whole = fs::read(&last).expect("read");
        harm(&folder);
        let clean = folder.path().join("clean");
        let error = SledStore::open(folder.path(), reboot(1), |_| ()).expect_err("it has lost its end");
        let (end, by, known) = lost(error);
        assert!(
            by == clean && known == u64::from(ROWS) && end < known,
            "{by:?}: {end} of {known}"
        );
        refused(&folder, &reboot(2), &clean, end, known);
        // Put back, it is as it was, and the index is still good.
        fs::write(&last, whole).expect("written");
        fs::write(folder.path().join("index/mark"), "").expect("written");
        let store = folder.open_with(reboot(3));
        assert_eq!(rows(&store).await, (0..ROWS).collect::<Vec<_>>());
        assert!(folder.path().join("index/mark").exists(), "the index was made anew");
    }
}

#[tokio::test]
async fn an_index_beyond_the_end_stops_the_start() {
    let folder = filled(false).await;
    remove(&folder, "clean");
    let end = remove_last(&folder, 1) - 1;
    let expected = (end, folder.path().join("index"), u64::from(ROWS));
    let error = SledStore::discard_index(folder.path(), &eager()).expect_err("lost");
    assert_eq!(lost(error), expected);
    remove(&folder, "lost");
    assert_eq!(lost(folder.try_open().expect_err("lost")), expected);
    // The index is not asked any more, or gone, and it is known for all that.
    let mark = folder.path().join("lost");
    refused(&folder, &eager(), &mark, end, u64::from(ROWS));
    remove(&folder, "index");
    refused(&folder, &reboot(1), &mark, end, u64::from(ROWS));
    let accepted = SledStore::accept_loss(folder.path(), &reboot(2)).expect("accepted");
    assert_eq!(accepted, loss(end + 1, u64::from(ROWS)));
    assert!(!mark.exists());
    goes_on(&folder, end, u64::from(ROWS)).await;
}

/// A backup from before knows the lsns that are lost; nothing of them is in the next one.
#[tokio::test]
async fn a_further_backup_after_a_loss_is_of_what_was_kept() {
    let (folder, place) = (filled(true).await, Folder::new());
    backed_up(&folder, &place).expect("a backup");
    let end = remove_last(&folder, 1) - 1;
    let accepted = SledStore::accept_loss(folder.path(), &eager()).expect("accepted");
    assert_eq!(accepted, loss(end + 1, u64::from(ROWS)));
    let store = folder.open_with(eager());
    let mut all: Vec<u32> = (0..u32::try_from(end).expect("few")).collect();
    for n in ROWS..2 * ROWS {
        put(&store, n).await;
        all.push(n);
        if n == ROWS + 60 {
            assert!(store.tidy().await.expect("tidied").snapshot);
        }
    }
    drop(store);
    fs::remove_dir_all(place.path().join("data")).expect("removed");
    let made = backed_up(&folder, &place).expect("a backup");
    assert_eq!(
        (made.lsn, made.damaged),
        (Lsn(2 * u64::from(ROWS) + MARGIN), Vec::new())
    );
    let restored = place.path().join("restored");
    restore(&place.path().join("backup"), &restored, |_| ()).expect("restored");
    let store = SledStore::open(&restored.join("store"), eager(), |_| ()).expect("opens");
    assert_eq!(rows(&store).await, all);
}

#[tokio::test]
async fn a_loss_that_was_mended_is_forgotten() {
    let folder = filled(false).await;
    remove(&folder, "clean");
    let last = folder.journal().pop().expect("a file");
    let whole = fs::read(&last).expect("read");
    remove_last(&folder, 1);
    lost(folder.try_open().expect_err("lost"));
    fs::write(&last, whole).expect("written");
    let store = folder.open_with(reboot(1));
    assert_eq!(rows(&store).await, (0..ROWS).collect::<Vec<_>>());
    assert!(!folder.path().join("lost").exists());
}

/// Only once the newest was read to its end.
#[tokio::test]
async fn a_start_leaves_an_older_snapshot() {
    let folder = filled(true).await;
    let older = folder.files("snapshot").remove(0);
    let kept = fs::read(&older).expect("read");
    let store = folder.open_with(eager());
    for n in ROWS..2 * ROWS {
        put(&store, n).await;
    }
    assert!(store.tidy().await.expect("tidied").snapshot);
    drop(store);
    fs::write(&older, kept).expect("written");
    let store = folder.open_with(reboot(1));
    assert_eq!(folder.files("snapshot").len(), 2);
    assert_eq!(rows(&store).await, (0..2 * ROWS).collect::<Vec<_>>());
    for n in 2 * ROWS..3 * ROWS {
        put(&store, n).await;
    }
    assert!(store.tidy().await.expect("tidied").snapshot);
    assert_eq!(folder.files("snapshot").len(), 1);
}

/// As many rows as the journal has, and no more; whatever is written from now on is found again.
async fn goes_on(folder: &Folder, count: u64, lost: u64) {
    assert_eq!(SledStore::accept_loss(folder.path(), &eager()).expect("accepted"), None);
    assert_eq!(
        check_journal(folder.path(), |_| ()).expect("a check").faults,
        Vec::<String>::new()
    );
    let store = folder.open_with(eager());
    let kept: Vec<u32> = (0..u32::try_from(count).expect("few")).collect();
    assert_eq!(rows(&store).await, kept);
    let receipt = done(&store, |commit| _ = commit.put(row(0), row(0))).await;
    assert_eq!(receipt.lsn, Lsn(lost + MARGIN + 1), "lsns are not given again");
    done(&store, |commit| _ = commit.delete(row(0))).await;
    for n in ROWS..2 * ROWS {
        put(&store, n).await;
    }
    assert!(store.tidy().await.expect("tidied").snapshot);
    assert_eq!(
        store.check(|_, _| ()).await.expect("a check").faults,
        Vec::<String>::new()
    );
    drop(store);
    let all: Vec<u32> = kept.into_iter().skip(1).chain(ROWS..2 * ROWS).collect();
    assert_eq!(rows(&folder.open_with(reboot(9))).await, all);
    let place = Folder::new();
    backed_up(folder, &place).expect("a backup");
    let restored = place.path().join("restored");
    restore(&place.path().join("backup"), &restored, |_| ()).expect("restored");
    let store = SledStore::open(&restored.join("store"), eager(), |_| ()).expect("opens");
    assert_eq!(rows(&store).await, all);
}

fn loss(first: u64, last: u64) -> Option<Loss> {
    Some(Loss {
        first: Lsn(first),
        last: Lsn(last),
    })
}

#[tokio::test]
async fn a_loss_that_is_accepted_is_all_that_is_lost() {
    const KNOWN: u64 = ROWS as u64;
    // The snapshot knows of it, or the clean mark, or the index alone.
    for (tidy, gone) in [
        (true, &["clean", "index"][..]),
        (false, &["index"]),
        (false, &["clean"]),
    ] {
        let folder = filled(tidy).await;
        let first = remove_last(&folder, 1);
        gone.iter().for_each(|name| remove(&folder, name));
        // What is torn is cut off: the file will not be the last one.
        cut(&folder.journal().pop().expect("a file"), 7);
        let accepted = SledStore::accept_loss(folder.path(), &eager()).expect("accepted");
        assert_eq!(accepted, loss(first - 1, KNOWN), "without {gone:?}");
        assert!(!folder.path().join("clean").exists());
        goes_on(&folder, first - 2, KNOWN).await;
    }
}

#[tokio::test]
async fn a_journal_from_an_older_snapshot_on_does() {
    let folder = filled(true).await;
    let older = folder.files("snapshot").remove(0);
    let kept = fs::read(&older).expect("read");
    let store = folder.open_with(eager());
    for n in ROWS..2 * ROWS {
        put(&store, n).await;
    }
    assert!(store.tidy().await.expect("tidied").snapshot);
    store.close().await.expect("closed");
    drop(store);
    let end = remove_last(&folder, 1) - 1;
    let whole = folder.journal().remove(0);
    fs::rename(&whole, folder.path().join("first")).expect("moved");
    let before = folder.contents();
    let error = SledStore::accept_loss(folder.path(), &reboot(1)).expect_err("it does not reach back");
    assert!(matches!(&error, OpenError::Corrupt { .. }), "{error}");
    assert!(folder.contents() == before, "something was changed");
    fs::write(&older, kept).expect("written");
    let accepted = SledStore::accept_loss(folder.path(), &reboot(1)).expect("accepted");
    assert_eq!(accepted, loss(end + 1, 2 * u64::from(ROWS)));
    fs::rename(folder.path().join("first"), &whole).expect("moved back");
    let store = folder.open_with(reboot(2));
    let expected: Vec<u32> = (0..u32::try_from(end).expect("few")).collect();
    assert_eq!(rows(&store).await, expected);
    assert_eq!(store.stable_lsn(), Lsn(2 * u64::from(ROWS) + MARGIN));
}

#[tokio::test]
async fn what_is_whole_loses_nothing() {
    let folder = filled(true).await;
    assert_eq!(
        SledStore::accept_loss(folder.path(), &eager()).expect("looked at"),
        None
    );
    let store = folder.open_with(eager());
    assert!(matches!(
        SledStore::accept_loss(folder.path(), &eager()),
        Err(OpenError::Locked(_))
    ));
    assert_eq!(rows(&store).await, (0..ROWS).collect::<Vec<_>>());
    store.close().await.expect("closed");
    drop(store);
    let young = Folder::new();
    drop(young.open());
    assert_eq!(SledStore::accept_loss(young.path(), &eager()).expect("looked at"), None);
}

#[tokio::test]
async fn a_folder_with_nothing_but_a_snapshot_is_no_new_store() {
    let folder = filled(true).await;
    remove(&folder, "journal");
    remove(&folder, "store.id");
    let error = folder.try_open().expect_err("the journal is missing");
    assert!(
        matches!(&error, OpenError::Corrupt { what, .. } if what.contains("missing")),
        "{error}"
    );
}
