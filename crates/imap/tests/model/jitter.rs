//! A store that lets others go first now and then, so that sessions meet in every order. The order is the dice's.

use crate::dice::Dice;
use bytes::Bytes;
use postroom_store::{BoxFuture, Commit, Front, Key, Outcome, Page, SharedStore, Store, StoreError, Value};
use postroom_types::BlobId;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) struct Jitter {
    store: SharedStore,
    dice: Mutex<Dice>,
}

impl Jitter {
    pub(crate) fn over(store: SharedStore, seed: u64) -> SharedStore {
        Arc::new(Self {
            store,
            dice: Mutex::new(Dice::new(seed)),
        })
    }

    async fn step_aside(&self) {
        let times = self.dice.lock().unwrap_or_else(PoisonError::into_inner).below(4);
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    }
}

impl Front for Jitter {
    fn behind(&self) -> &dyn Store {
        &*self.store
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        Box::pin(async move {
            self.step_aside().await;
            self.store.get(key).await
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        Box::pin(async move {
            self.step_aside().await;
            self.store.get_many(keys).await
        })
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            self.step_aside().await;
            self.store.range(low, high, reverse, limit).await
        })
    }

    fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            self.step_aside().await;
            self.store.blob(id, range).await
        })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            self.step_aside().await;
            let outcome = self.store.commit(commit).await;
            self.step_aside().await;
            outcome
        })
    }
}
