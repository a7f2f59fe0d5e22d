//! A store that takes its time, so that others get between any two of its answers.

use bytes::Bytes;
use postroom_store::{BoxFuture, Commit, Front, Key, MemoryStore, Outcome, Page, Store, StoreError, Value};
use postroom_types::BlobId;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// How long every call takes.
pub(crate) const STEP: Duration = Duration::from_millis(2);

pub(crate) struct Slow(pub(crate) Arc<MemoryStore>);

async fn late<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::sleep(STEP / 2).await;
    let answer = answer.await;
    tokio::time::sleep(STEP / 2).await;
    answer
}

impl Front for Slow {
    fn behind(&self) -> &dyn Store {
        &*self.0
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        Box::pin(late(self.0.get(key)))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        Box::pin(late(self.0.get_many(keys)))
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(late(self.0.range(low, high, reverse, limit)))
    }

    fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(late(self.0.blob(id, range)))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            // Longer than it takes to look at a queue of a few messages.
            tokio::time::sleep(10 * STEP).await;
            self.0.commit(commit).await
        })
    }
}
