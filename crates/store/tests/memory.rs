//! The in-memory backend: the suite of all backends, quiet and hostile; blob lives; a naive model.

use bytes::Bytes;
use postroom_store::{BlobPut, CommitBuilder, MemoryOptions, MemoryStore, Outcome, Store, StoreError, conformance};
use postroom_types::BlobId;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite() {
    conformance::run(async || MemoryStore::new() as _).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite_when_hostile() {
    for seed in 0..10 {
        conformance::run(async || MemoryStore::hostile(seed) as _).await;
    }
}

async fn keep(store: &MemoryStore, id: BlobId) -> Result<Outcome, StoreError> {
    let mut commit = CommitBuilder::new();
    commit.put(b"m/1".to_vec(), vec![1]).put(b"m/2".to_vec(), vec![1]);
    commit.blob(BlobPut {
        id,
        bytes: Bytes::from_static(b"body"),
        witness: b"m/".to_vec(),
        adopt: false,
    });
    store.commit(commit.build()).await
}

async fn delete(store: &MemoryStore, key: &[u8]) {
    let mut commit = CommitBuilder::new();
    commit.delete(key.to_vec());
    assert!(matches!(store.commit(commit.build()).await, Ok(Outcome::Done(_))));
}

#[tokio::test]
async fn a_blob_dies_with_the_last_key_under_its_witness() {
    for (grace, outlives) in [(Duration::ZERO, false), (Duration::from_secs(3600), true)] {
        let store = MemoryStore::with_options(MemoryOptions {
            blob_grace: grace,
            ..MemoryOptions::default()
        });
        let id = BlobId::new();
        keep(&store, id).await.expect("committed");
        delete(&store, b"m/1").await;
        assert!(
            store.blob(id, 0..4).await.expect("answers").is_some(),
            "one key is left"
        );
        delete(&store, b"m/2").await;
        assert_eq!(
            store.blob(id, 0..4).await.expect("answers").is_some(),
            outlives,
            "after {grace:?} of grace"
        );
    }
}

#[tokio::test]
async fn a_full_store_does_nothing_and_goes_on_later() {
    let store = MemoryStore::new();
    store.set_full(true);
    assert!(matches!(keep(&store, BlobId::new()).await, Ok(Outcome::Full)));
    assert_eq!(store.get(b"m/1").await.expect("answers"), None);
    store.set_full(false);
    assert!(matches!(keep(&store, BlobId::new()).await, Ok(Outcome::Done(_))));
}

mod hostility {
    use super::*;

    /// Every kind of trouble happens, so that tests on the hostile store do test something.
    #[tokio::test]
    async fn everything_happens() {
        let store = MemoryStore::hostile(7);
        let (mut conflicts, mut done, mut unknown_done, mut unknown_not) = (0, 0, 0, 0);
        let mut late = 0;
        for n in 0..1000u16 {
            let key = n.to_be_bytes().to_vec();
            let mut commit = CommitBuilder::new();
            commit.put_new(key.clone(), vec![1]);
            if n > 500 {
                commit.delete(b"x".to_vec());
            }
            let outcome = store.commit(commit.build()).await.expect("answers");
            let there = store.get(&key).await.expect("answers").is_some();
            match outcome {
                Outcome::Done(receipt) => {
                    assert!(there, "done and visible");
                    done += 1;
                    late += u32::from(store.stable_lsn() < receipt.lsn);
                }
                Outcome::Unknown if there => unknown_done += 1,
                Outcome::Unknown => unknown_not += 1,
                outcome => panic!("only Absent conditions: {outcome:?}"),
            }
            let mut commit = CommitBuilder::new();
            if there {
                commit.require(key, vec![1]);
                conflicts += u32::from(matches!(store.commit(commit.build()).await, Ok(Outcome::Conflict(_))));
            }
        }
        let counts = [conflicts, done, unknown_done, unknown_not, late];
        assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
        let mut pages = Vec::new();
        for _ in 0..200 {
            pages.push(store.range(&[0], &[9], false, 10).await.expect("answers").pairs.len());
        }
        assert!([0, 1, 10].iter().all(|octets| pages.contains(octets)), "{pages:?}");
    }
}
