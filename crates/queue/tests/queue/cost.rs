//! Finding the next item costs the same however much waits.

use crate::setup::*;
use bytes::Bytes;
use postroom_queue::{Options, Queue};
use postroom_store::{BoxFuture, CommitBuilder, Front, Key, Outcome, Page, SharedStore, Store, StoreError, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is read.
struct Counting {
    store: SharedStore,
    reads: AtomicUsize,
    pairs: AtomicUsize,
}

impl Front for Counting {
    fn behind(&self) -> &dyn Store {
        &*self.store
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.get(key)
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.get_many(keys)
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let page = self.store.range(low, high, reverse, limit).await?;
            self.pairs.fetch_add(page.pairs.len(), Ordering::Relaxed);
            Ok(page)
        })
    }
}

/// Reads and pairs that it takes to find 100 jobs when this much waits, and to defer each.
async fn cost(options: &Options, items: u64, destinations: u64) -> (usize, usize) {
    let counting = Arc::new(Counting {
        store: store(),
        reads: AtomicUsize::new(0),
        pairs: AtomicUsize::new(0),
    });
    let queue = Queue::new(Arc::clone(&counting) as SharedStore, options.clone());
    let mut builder = CommitBuilder::new();
    for n in 0..items {
        let new = message(options, n, &[&format!("a@peer{}.test", n % destinations)]);
        queue
            .enqueue(&mut builder, &new, Some(Bytes::from_static(BODY)))
            .unwrap();
        if builder.operations() > 900 || n + 1 == items {
            let commit = std::mem::take(&mut builder).build();
            assert!(matches!(
                Store::commit(&*counting, commit).await.unwrap(),
                Outcome::Done(_)
            ));
        }
    }
    queue.start().await.unwrap();
    assert_eq!(queue.in_memory().destinations as u64, destinations);
    counting.reads.store(0, Ordering::Relaxed);
    counting.pairs.store(0, Ordering::Relaxed);
    for _ in 0..100 {
        work(&queue, deferred()).await;
    }
    assert_eq!(queue.in_memory().destinations as u64, destinations);
    (
        counting.reads.load(Ordering::Relaxed),
        counting.pairs.load(Ordering::Relaxed),
    )
}

/// Compares a thousand items with `many`.
async fn compare(many: u64) {
    let options = options();
    let few = cost(&options, 1_000, 10).await;
    assert_eq!(cost(&options, many, 10).await, few);
    // With one item a destination, a look finds one row instead of a page.
    let alone = cost(&options, 1_000, 1_000).await;
    assert_eq!(cost(&options, many, many).await, alone);
    assert!(few.0 <= 100 * 10 && alone.0 <= 100 * 10, "{few:?} {alone:?}");
}

#[tokio::test(start_paused = true)]
async fn finding_work_costs_the_same_for_a_thousand_and_for_twenty_thousand() {
    compare(20_000).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "a minute in a debug build, most of it to fill the store"]
async fn finding_work_costs_the_same_for_a_hundred_thousand() {
    compare(100_000).await;
}
