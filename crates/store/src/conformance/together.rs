//! Many commits at once.

use super::{PATIENCE, done, get, key, receipt, stable, try_done};
use crate::{
    CommitBuilder, Committed, CounterRecord, Patch, PatchPlace, PatchSource, SharedStore, commit_once, scan_prefix,
};
use std::collections::HashSet;
use std::sync::Arc;

pub(super) async fn numbers_are_handed_out_once(store: SharedStore) {
    const TASKS: u8 = 24;
    const EACH: u8 = 12;
    done(&store, |commit| {
        _ = commit.put(key("uid"), CounterRecord::default().to_value())
    })
    .await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut lsns = Vec::new();
                for n in 0..EACH {
                    let build = move |commit: &mut CommitBuilder| {
                        let index = commit.count(key("uid"), 0, 1);
                        let source = PatchSource::Counter(index);
                        let patch = Patch {
                            source,
                            minus: 0,
                            place: PatchPlace::Key(2),
                        };
                        commit.put_patched([b"m/".as_slice(), &[0; 8]].concat(), vec![task, n], vec![patch]);
                    };
                    lsns.extend(try_done(&store, &build).await.map(|receipt| receipt.lsn));
                }
                assert!(
                    lsns.is_sorted_by(|a, b| a < b),
                    "lsns ascend for one who waits: {lsns:?}"
                );
                lsns
            })
        })
        .collect();
    let mut lsns = HashSet::new();
    for task in tasks {
        for lsn in task.await.expect("no task panics") {
            assert!(lsns.insert(lsn), "{lsn} twice");
        }
    }
    let rows = scan_prefix(&*store, b"m/").collect().await.expect("a scan");
    let uids: Vec<_> = rows.iter().map(|(key, _)| key[2..].to_vec()).collect();
    let expected: Vec<_> = (1..=u64::from(TASKS) * u64::from(EACH))
        .map(|n| n.to_be_bytes().to_vec())
        .collect();
    assert_eq!(uids, expected, "no number missing, none twice");
    let who: HashSet<_> = rows.iter().map(|(_, value)| value).collect();
    assert_eq!(who.len(), rows.len(), "every commit done once");
}

pub(super) async fn one_of_many_wins(store: SharedStore) {
    let racers: Vec<_> = (0..20u8)
        .map(|racer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut commit = CommitBuilder::new();
                commit.put_new(key("name"), vec![racer]);
                match commit_once(&*store, commit.build(), b"name").await.expect("an outcome") {
                    Committed::Done(_) => true,
                    Committed::AlreadyDone => false,
                    other => panic!("{other:?}"),
                }
            })
        })
        .collect();
    let mut winners = Vec::new();
    for (racer, task) in (0u8..).zip(racers) {
        if task.await.expect("no task panics") {
            winners.push(racer);
        }
    }
    let name = get(&store, b"name").await.expect("somebody won");
    // A winner whose commit was done with an unknown outcome learns "already done".
    assert!(
        winners.is_empty() || winners == name,
        "{winners:?} won, but {name:?} is there"
    );
}

pub(super) async fn watchers_hear(store: SharedStore) {
    let (mine, other) = ([1; 16], [2; 16]);
    let mut heard = store.watch(mine);
    let mut silent = store.watch(other);
    for n in 0..20u8 {
        let receipt = receipt(&store, |commit| {
            commit.put(key("k"), vec![n]).wake(mine);
        })
        .await;
        let wait = async {
            while *heard.borrow_and_update() < receipt.lsn {
                heard.changed().await.expect("the store is open");
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .expect("a wake-up for each commit that nobody has told");
        assert_eq!(get(&store, b"k").await, Some(vec![n]), "visible when told");
        stable(&store, receipt.lsn).await;
        assert!(store.stable_lsn() >= receipt.lsn);
    }
    assert!(
        !silent.has_changed().expect("the store is open"),
        "no commit had this topic"
    );
    silent.mark_unchanged();
}
