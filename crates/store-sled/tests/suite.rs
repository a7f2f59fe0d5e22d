//! The suite of all backends, large commits, and grouping.

mod support;

use postroom_store::{CommitBuilder, CounterRecord, Outcome, Store, conformance, scan_prefix};
use postroom_store_sled::SledStore;
use std::sync::Arc;
use support::{Folder, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite() {
    let mut folders = Vec::new();
    conformance::run(async || {
        folders.push(Folder::new());
        let path = folders.last().expect("just pushed").path().to_path_buf();
        SledStore::open(&path, options(), |_| ()).expect("a new store opens") as _
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_of_ten_thousand_is_there_whole() {
    let folder = Folder::new();
    let store = folder.open();
    let row = |n: u32| [b"row/".as_slice(), &n.to_be_bytes()].concat();
    let mut commit = CommitBuilder::new();
    commit.put(b"c".to_vec(), CounterRecord::default().to_value());
    assert!(matches!(store.commit(commit.build()).await, Ok(Outcome::Done(_))));
    let mut commit = CommitBuilder::new();
    (0..10_000).for_each(|n| _ = commit.put(row(n), n.to_be_bytes().to_vec()));
    commit.count(b"c".to_vec(), 0, 10_000);
    commit.bulk();
    assert!(matches!(store.commit(commit.build()).await, Ok(Outcome::Done(_))));
    let rows = scan_prefix(&*store, b"row/").collect().await.expect("a scan");
    assert!(rows.len() == 10_000 && rows.iter().zip(0..).all(|((key, _), n)| *key == row(n)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_committers_share_a_sync() {
    const COMMITTERS: u8 = 64;
    const EACH: u8 = 20;
    let folder = Folder::new();
    let store = folder.open();
    let tasks: Vec<_> = (0..COMMITTERS)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..EACH {
                    let mut commit = CommitBuilder::new();
                    commit.put_new(vec![task, n], vec![0; 200]);
                    assert!(matches!(store.commit(commit.build()).await, Ok(Outcome::Done(_))));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no task panics");
    }
    let statistics = store.statistics();
    let syncs_per_commit = statistics.syncs as f64 / statistics.commits as f64;
    println!("{statistics:?}: {syncs_per_commit:.3} syncs a commit");
    assert_eq!(statistics.commits, u64::from(COMMITTERS) * u64::from(EACH));
    assert!(syncs_per_commit < 0.2, "{statistics:?}");
}
