//! Kill a process at random moments while many tasks commit; all that was acknowledged is there.

mod support;

use bytes::Bytes;
use postroom_store::{
    BlobPut, CommitBuilder, CounterRecord, Outcome, Patch, PatchPlace, PatchSource, Store, scan_prefix,
};
use postroom_store_sled::{Options, SledStore};
use postroom_types::BlobId;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use support::{Folder, eager};

const COMMITTERS: u64 = 16;
const KILLS: u64 = 8;
const CHILD: &str = "POSTROOM_TEST_KILL_FOLDER";

/// Bodies die, snapshots are taken and files go all the time.
fn small_files() -> Options {
    Options {
        roll_octets: 256 << 10,
        ..eager()
    }
}

fn body(number: u64) -> Bytes {
    let octets = if number.is_multiple_of(97) {
        (1 << 20) + 5
    } else {
        300 + number as usize % 5000
    };
    (0..octets).map(|n| (n as u64 * 31 + number) as u8).collect()
}

/// The killed side: prints a line for each acknowledged commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let store = SledStore::open(&PathBuf::from(folder), small_files(), |_| ()).expect("opens");
    let mut commit = CommitBuilder::new();
    commit.put_new(b"uid".to_vec(), CounterRecord::default().to_value());
    store.commit(commit.build()).await.expect("committed");
    let tasks: Vec<_> = (0..COMMITTERS)
        .map(|task| tokio::spawn(commit_for_ever(Arc::clone(&store), task)))
        .collect();
    while !tasks.iter().any(tokio::task::JoinHandle::is_finished) {
        store.tidy().await.expect("tidied");
    }
    panic!("a task has ended");
}

async fn commit_for_ever(store: Arc<SledStore>, task: u64) {
    for number in (task..).step_by(COMMITTERS as usize) {
        let id = BlobId::new();
        let mut commit = CommitBuilder::new();
        let index = commit.count(b"uid".to_vec(), 0, 1);
        let patch = Patch {
            source: PatchSource::Counter(index),
            minus: 0,
            place: PatchPlace::Key(2),
        };
        let value = [id.0.as_slice(), &number.to_be_bytes()].concat();
        commit.put_patched([b"m/".as_slice(), &[0; 8]].concat(), value, vec![patch]);
        commit.blob(BlobPut {
            id,
            bytes: body(number),
            witness: b"m/".to_vec(),
            adopt: false,
        });
        // A body that dies with the next commit.
        let passing = |number: u64| [b"t/".as_slice(), &number.to_be_bytes()].concat();
        commit.put(passing(number), vec![1]).blob(BlobPut {
            id: BlobId::new(),
            bytes: vec![7; 20_000].into(),
            witness: passing(number),
            adopt: false,
        });
        if let Some(last) = number.checked_sub(COMMITTERS) {
            commit.delete(passing(last));
        }
        match store.commit(commit.build()).await.expect("committed") {
            Outcome::Done(receipt) => {
                // One write, so that a killed process leaves no half line.
                let line = format!("acknowledged {} {number}\n", receipt.numbers[0]);
                std::io::stdout().write_all(line.as_bytes()).expect("the parent reads");
            }
            outcome => panic!("{outcome:?}"),
        }
    }
}

/// Runs a child and kills it; the uid and number of each acknowledged commit.
fn run_and_kill(folder: &Path, after: Duration) -> Vec<(u64, u64)> {
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args(["child", "--exact", "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let reader = std::thread::spawn(move || {
        let lines = output.lines().map_while(Result::ok);
        let numbers = |line: String| {
            let (_, numbers) = line.split_once("acknowledged ")?;
            let (uid, number) = numbers.split_once(' ')?;
            Some((uid.parse().ok()?, number.parse().ok()?))
        };
        lines.filter_map(numbers).collect()
    });
    std::thread::sleep(after);
    child.kill().expect("killed");
    child.wait().expect("waited");
    reader.join().expect("read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = Folder::new();
    let mut acknowledged: HashSet<(u64, u64)> = HashSet::new();
    for kill in 0..KILLS {
        let after = Duration::from_millis(150 + kill * 7919 % 400);
        let path = folder.path().to_path_buf();
        let new = tokio::task::spawn_blocking(move || run_and_kill(&path, after))
            .await
            .expect("ran");
        // The numbers begin anew in each child, the uids go on.
        acknowledged.extend(new);

        // Every other time the child itself has to recover.
        if kill % 2 == 1 {
            let store = SledStore::open(folder.path(), small_files(), |_| ()).expect("opens");
            check(&store, &acknowledged).await;
        }
    }
    let first = folder.journal().remove(0);
    assert!(
        !first.ends_with("00000000000000000001.log"),
        "upkeep has removed files: {first:?}"
    );
    assert!(acknowledged.len() > 100, "only {} commits", acknowledged.len());
    println!("{KILLS} kills, {} acknowledged commits", acknowledged.len());
}

async fn check(store: &SledStore, acknowledged: &HashSet<(u64, u64)>) {
    let rows = scan_prefix(store, b"m/").collect().await.expect("a scan");
    let mut there = HashSet::new();
    for (expected, (key, value)) in (1..).zip(&rows) {
        let uid = u64::from_be_bytes(key[2..].try_into().expect("eight octets"));
        let (id, number) = value.split_at(16);
        let number = u64::from_be_bytes(number.try_into().expect("eight octets"));
        assert_eq!(uid, expected, "no uid missing, none twice");
        let id = BlobId(id.try_into().expect("sixteen octets"));
        let found = store.blob(id, 0..u64::MAX).await.expect("answers");
        assert!(found == Some(body(number)), "the body of uid {uid}");
        there.insert((uid, number));
    }
    let count = store.get(b"uid").await.expect("answers").expect("the record is there");
    assert_eq!(
        CounterRecord::from_value(&count).map(|record| record.0[0]),
        Some(rows.len() as u64)
    );
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "{} acknowledged commits lost: {lost:?}", lost.len());
}
