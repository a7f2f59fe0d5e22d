//! One suite that every backend passes, so that nothing above leans on one of them.
//!
//! It allows all that the trait allows (made-up conflicts, unknown outcomes, short pages, late `stable_lsn`), and
//! panics at the first thing that the trait does not. Each part gets a fresh store.

mod blobs;
mod commits;
mod counters;
mod ranges;
mod together;

use crate::{Commit, CommitBuilder, Condition, Key, Outcome, Receipt, SharedStore, StoreError, Value};
use postroom_types::{BlobId, Lsn};
use std::time::Duration;

/// How often a commit is sent before a conflict or an unknown outcome is believed to be real.
const TRIES: usize = 40;

/// How long `stable_lsn` and a wake-up may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs every part on a store of its own.
///
/// # Panics
/// At the first thing that the trait does not allow.
pub async fn run(mut make: impl AsyncFnMut() -> SharedStore) {
    commits::puts_and_deletes(make().await).await;
    commits::conditions(make().await).await;
    commits::limits(make().await).await;
    commits::once_keys(make().await).await;
    commits::bulk(make().await).await;
    counters::lanes_and_bounds(make().await).await;
    counters::patches(make().await).await;
    counters::order_of_writes(make().await).await;
    ranges::pages(make().await).await;
    ranges::borders(make().await).await;
    blobs::slices(make().await).await;
    blobs::large(make().await).await;
    blobs::adoption(make().await).await;
    together::numbers_are_handed_out_once(make().await).await;
    together::one_of_many_wins(make().await).await;
    together::watchers_hear(make().await).await;
}

/// Commits with a once-key of its own until it is known to be done. The receipt is `None` if only the once-key told.
async fn try_done(store: &SharedStore, build: &(dyn Fn(&mut CommitBuilder) + Sync)) -> Option<Receipt> {
    let once = [b"once/".as_slice(), &BlobId::new().0].concat();
    let mut builder = CommitBuilder::new();
    builder.put_new(once.clone(), vec![1]);
    build(&mut builder);
    let commit = builder.build();
    for _ in 0..TRIES {
        match store
            .commit(commit.clone())
            .await
            .expect("a commit that keeps the limits is answered")
        {
            Outcome::Done(receipt) => return Some(receipt),
            Outcome::Conflict(key) if key == once => return None,
            Outcome::Conflict(_) | Outcome::Unknown => {}
            Outcome::Full => panic!("the store is full"),
        }
    }
    panic!("a commit that should be done is not: {commit:?}");
}

/// Commits what should be done.
async fn done(store: &SharedStore, build: impl Fn(&mut CommitBuilder) + Sync) {
    let _ = try_done(store, &build).await;
}

/// Commits what changes nothing if it is repeated, until there is a receipt.
async fn receipt(store: &SharedStore, build: impl Fn(&mut CommitBuilder) + Sync) -> Receipt {
    for _ in 0..TRIES {
        if let Some(receipt) = try_done(store, &build).await {
            return receipt;
        }
    }
    panic!("never a receipt");
}

/// Commits what should conflict on this key.
async fn conflicts(store: &SharedStore, expected: &[u8], build: impl Fn(&mut CommitBuilder) + Sync) {
    let mut builder = CommitBuilder::new();
    build(&mut builder);
    let commit = builder.build();
    let mut others = 0;
    for _ in 0..TRIES {
        match store
            .commit(commit.clone())
            .await
            .expect("a commit that keeps the limits is answered")
        {
            Outcome::Conflict(key) if key == expected => return,
            Outcome::Conflict(_) => others += 1,
            Outcome::Unknown => {}
            outcome => panic!("expected a conflict on {}, got {outcome:?}", expected.escape_ascii()),
        }
    }
    panic!(
        "never a conflict on {}, but {others} on other keys",
        expected.escape_ascii()
    );
}

/// Commits what breaks a limit.
async fn invalid(store: &SharedStore, why: &str, build: impl Fn(&mut CommitBuilder) + Sync) {
    let mut builder = CommitBuilder::new();
    build(&mut builder);
    let commit: Commit = builder.build();
    for _ in 0..TRIES {
        match store.commit(commit.clone()).await {
            Err(StoreError::Invalid(_)) => return,
            // Made up: some faults show only when the commit is resolved.
            Ok(Outcome::Conflict(_) | Outcome::Unknown) => {}
            other => panic!("{why}: expected Invalid, got {other:?}"),
        }
    }
    panic!("{why}: never Invalid");
}

async fn get(store: &SharedStore, key: &[u8]) -> Option<Value> {
    store.get(key).await.expect("get answers")
}

async fn expect(store: &SharedStore, key: &[u8], value: Option<&[u8]>) {
    assert_eq!(
        get(store, key).await.as_deref(),
        value,
        "value of {}",
        key.escape_ascii()
    );
}

/// Waits until everything up to this lsn is visible.
async fn stable(store: &SharedStore, lsn: Lsn) {
    let wait = async {
        while store.stable_lsn() < lsn {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("stable_lsn gets there");
}

fn key(text: &str) -> Key {
    text.as_bytes().to_vec()
}

fn absent(commit: &mut CommitBuilder, wanted: &str) {
    let mut whole = std::mem::take(commit).build();
    whole.conditions.push((key(wanted), Condition::Absent));
    *commit = CommitBuilder::from_commit(whole);
}
