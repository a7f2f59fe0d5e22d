//! Conditions, puts, deletes, limits, once-keys, bulk.

use super::{absent, conflicts, done, expect, get, invalid, key, receipt, stable};
use crate::{
    BlobPut, CommitBuilder, Committed, MAX_COMMIT_OPERATIONS, MAX_KEY_OCTETS, MAX_VALUE_OCTETS, Patch, PatchPlace,
    PatchSource, SharedStore, commit_once, scan_prefix,
};
use bytes::Bytes;
use postroom_types::BlobId;

pub(super) async fn puts_and_deletes(store: SharedStore) {
    expect(&store, b"a", None).await;
    done(&store, |commit| {
        commit
            .put(key("a"), vec![1, 7])
            .put(key("b"), vec![1])
            .put(key("c"), vec![]);
    })
    .await;
    expect(&store, b"a", Some(&[1, 7])).await;
    expect(&store, b"c", Some(&[])).await;
    let many = store
        .get_many(&[key("b"), key("none"), key("a"), key("b")])
        .await
        .expect("get_many answers");
    assert_eq!(
        many,
        [Some(vec![1]), None, Some(vec![1, 7]), Some(vec![1])],
        "in the order asked for"
    );

    done(&store, |commit| {
        commit
            .put(key("a"), vec![2])
            .delete(key("b"))
            .delete(key("never there"));
    })
    .await;
    expect(&store, b"a", Some(&[2])).await;
    expect(&store, b"b", None).await;

    let longest = (vec![b'k'; MAX_KEY_OCTETS], vec![9; MAX_VALUE_OCTETS]);
    done(&store, |commit| {
        commit.put(longest.0.clone(), longest.1.clone());
    })
    .await;
    expect(&store, &longest.0, Some(&longest.1)).await;

    let earlier = receipt(&store, |commit| _ = commit.put(key("a"), vec![3])).await;
    let later = receipt(&store, |commit| _ = commit.put(key("a"), vec![3])).await;
    assert!(earlier.lsn < later.lsn, "lsns ascend");
    assert!(earlier.numbers.is_empty(), "no counters, no numbers");
}

pub(super) async fn conditions(store: SharedStore) {
    done(&store, |commit| _ = commit.put(key("there"), vec![1])).await;

    conflicts(&store, b"there", |commit| {
        commit.put(key("other"), vec![1]).put_new(key("there"), vec![2]);
    })
    .await;
    conflicts(&store, b"there", |commit| {
        commit.put(key("other"), vec![1]).require(key("there"), vec![1, 1]);
    })
    .await;
    conflicts(&store, b"missing", |commit| {
        commit.delete(key("there")).require(key("missing"), vec![]);
    })
    .await;
    expect(&store, b"there", Some(&[1])).await;
    expect(&store, b"other", None).await;

    done(&store, |commit| _ = commit.replace(key("there"), vec![1], vec![2])).await;
    expect(&store, b"there", Some(&[2])).await;
    done(&store, |commit| {
        commit.require(key("there"), vec![2]).delete(key("there"));
    })
    .await;
    done(&store, |commit| _ = commit.put_new(key("there"), vec![3])).await;
    expect(&store, b"there", Some(&[3])).await;
}

pub(super) async fn limits(store: SharedStore) {
    invalid(&store, "long key", |commit| {
        _ = commit.put(vec![1; MAX_KEY_OCTETS + 1], vec![])
    })
    .await;
    invalid(&store, "empty key", |commit| _ = commit.delete(vec![])).await;
    invalid(&store, "long value", |commit| {
        _ = commit.put(key("k"), vec![0; MAX_VALUE_OCTETS + 1])
    })
    .await;
    invalid(&store, "many operations", |commit| {
        (0..=MAX_COMMIT_OPERATIONS).for_each(|n| _ = commit.delete(n.to_be_bytes().to_vec()));
    })
    .await;
    invalid(&store, "Absent on a key not put", |commit| absent(commit, "k")).await;
    invalid(&store, "lane", |commit| _ = commit.count(key("k"), 8, 1)).await;
    let patch = |offset, source| Patch {
        source,
        minus: 0,
        place: PatchPlace::Value(offset),
    };
    invalid(&store, "patch beyond the value", |commit| {
        commit.put_patched(key("k"), vec![0; 8], vec![patch(1, PatchSource::Lsn)]);
    })
    .await;
    invalid(&store, "patch from nowhere", |commit| {
        commit.put_patched(key("k"), vec![0; 8], vec![patch(0, PatchSource::Counter(0))]);
    })
    .await;
    let adopted = BlobPut {
        id: BlobId::new(),
        bytes: Bytes::new(),
        witness: key("w"),
        adopt: true,
    };
    invalid(&store, "adopting without Equals", |commit| {
        _ = commit.blob(adopted.clone())
    })
    .await;

    done(&store, |commit| {
        // The once-key takes two of them.
        (2..MAX_COMMIT_OPERATIONS).for_each(|n| _ = commit.put(n.to_be_bytes().to_vec(), vec![1]));
    })
    .await;
}

pub(super) async fn once_keys(store: SharedStore) {
    let mut commit = CommitBuilder::new();
    commit
        .replace(key("state"), vec![1], vec![2])
        .put_new(key("once"), vec![1]);
    let commit = commit.build();
    done(&store, |commit| _ = commit.put(key("state"), vec![1])).await;

    let mut outcomes = Vec::new();
    for _ in 0..4 {
        // A conflict on the other key may be made up before it is done, never after.
        for _ in 0..super::TRIES {
            match commit_once(&*store, commit.clone(), b"once").await.expect("an outcome") {
                Committed::Conflict(key) if outcomes.is_empty() => assert_eq!(key, b"state"),
                committed => {
                    outcomes.push(committed);
                    break;
                }
            }
        }
    }
    let again = outcomes
        .iter()
        .skip(1)
        .filter(|outcome| **outcome != Committed::AlreadyDone)
        .count();
    assert_eq!((outcomes.len(), again), (4, 0), "done once: {outcomes:?}");
    expect(&store, b"state", Some(&[2])).await;
}

pub(super) async fn bulk(store: SharedStore) {
    const ROWS: u32 = 3000;
    let row = |n: u32| [b"row/".as_slice(), &n.to_be_bytes()].concat();
    done(&store, |commit| {
        _ = commit.put(key("counter"), crate::CounterRecord::default().to_value())
    })
    .await;
    let receipt = receipt(&store, |commit| {
        (0..ROWS).for_each(|n| _ = commit.put(row(n), vec![1; 100]));
        commit.count(key("counter"), 0, 1);
        commit.bulk();
    })
    .await;
    stable(&store, receipt.lsn).await;
    let rows = scan_prefix(&*store, b"row/").collect().await.expect("a scan");
    assert_eq!(rows.len(), ROWS as usize);
    assert!(
        rows.iter()
            .zip(0..)
            .all(|((key, value), n)| *key == row(n) && value.len() == 100)
    );
    assert!(get(&store, b"counter").await.is_some());
    conflicts(&store, &row(7), |commit| {
        (0..ROWS).for_each(|n| _ = commit.put(row(n), vec![2]));
        commit.put_new(row(7), vec![3]).bulk();
    })
    .await;
    expect(&store, &row(0), Some(&[1; 100])).await;
}
