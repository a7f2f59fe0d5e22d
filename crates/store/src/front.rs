//! A store in front of another, for tests: it counts, waits or fails at some of what passes, and the rest just passes.

use crate::{BoxFuture, Commit, Key, Outcome, Page, Store, StoreError, Topic, Value};
use bytes::Bytes;
use postroom_types::{BlobId, Lsn};
use std::ops::Range;

/// A [`Store`] by what it does otherwise than the one behind it: each method does what that one does, unless it is
/// written anew. [`Store::blobs`] and [`Store::blob_piece`] ask [`blob`](Self::blob) for each.
pub trait Front: Send + Sync + 'static {
    /// The store behind.
    fn behind(&self) -> &dyn Store;

    /// See [`Store::get`].
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        self.behind().get(key)
    }

    /// See [`Store::get_many`].
    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        self.behind().get_many(keys)
    }

    /// See [`Store::range`].
    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.behind().range(low, high, reverse, limit)
    }

    /// See [`Store::blob`].
    fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        self.behind().blob(id, range)
    }

    /// See [`Store::commit`].
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.behind().commit(commit)
    }
}

impl<F: Front> Store for F {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        Front::get(self, key)
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        Front::get_many(self, keys)
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Front::range(self, low, high, reverse, limit)
    }

    fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Front::blob(self, id, range)
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Front::commit(self, commit)
    }

    fn stable_lsn(&self) -> Lsn {
        self.behind().stable_lsn()
    }

    fn watch(&self, topic: Topic) -> tokio::sync::watch::Receiver<Lsn> {
        self.behind().watch(topic)
    }
}
