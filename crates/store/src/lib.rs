//! A narrow waist: all mail logic is written once, above one small trait. A backend is small and knows nothing of mail.
//!
//! What always holds:
//! - [`Store::commit`] resolves only when the commit is durable, or was not done, or its outcome is unknown.
//! - The journal holds resolved operations (absolute values), so replaying it is harmless.
//! - A page of [`Store::range`] is in key order but not a snapshot, and may be short: only `more == false` ends a scan.

mod commit;
pub mod conformance;
mod front;
mod limits;
mod memory;
mod once;
mod reader;
pub mod resolve;
mod scan;
mod topics;

pub use commit::{
    BlobPut, COUNTER_LANES, Commit, CommitBuilder, Condition, CounterOp, CounterRecord, MAX_BULK_OCTETS,
    MAX_COMMIT_OPERATIONS, MAX_KEY_OCTETS, MAX_VALUE_OCTETS, Patch, PatchPlace, PatchSource, Put,
};
pub use front::Front;
pub use limits::check_limits;
pub use memory::{Hostile, MemoryOptions, MemoryStore};
pub use once::{Committed, commit_once};
pub use reader::{BlobReader, BlobSum};
pub use scan::{Scan, prefix_end, scan, scan_prefix};
pub use topics::Topics;

use bytes::Bytes;
use postroom_types::{BlobId, Lsn};
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

/// A future that can be kept in a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A key: at most [`MAX_KEY_OCTETS`] octets, ordered bytewise.
pub type Key = Vec<u8>;

/// A value: at most [`MAX_VALUE_OCTETS`] octets; its first byte is a format version.
pub type Value = Vec<u8>;

/// Any backend.
pub type SharedStore = Arc<dyn Store>;

/// A topic's name; by convention the inbox id.
pub type Topic = [u8; 16];

/// What [`Store::blobs`] says of one blob, as [`Store::blob`] would.
pub type FoundBlob = Result<Option<Bytes>, StoreError>;

/// A small ordered key-value store with conditional, durable commits.
pub trait Store: Send + Sync + 'static {
    /// The value of a key.
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>>;

    /// The values of several keys, in their order.
    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>>;

    /// At most `limit` pairs of `[low, high)` in key order, or from the high end downward if `reverse`.
    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>>;

    /// Bytes of a blob; a range beyond its end is cut. `None` if there is no such blob (any more).
    fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>>;

    /// Ranges of several blobs, in their order: one call where many small bodies are wanted. The caller bounds the sum. Each
    /// has its own answer, so that one that is damaged does not hide the others.
    fn blobs<'a>(&'a self, wanted: &'a [(BlobId, Range<u64>)]) -> BoxFuture<'a, Vec<FoundBlob>> {
        Box::pin(async move {
            let mut found = Vec::with_capacity(wanted.len());
            for (id, range) in wanted {
                found.push(self.blob(*id, range.clone()).await);
            }
            found
        })
    }

    /// [`blob`](Self::blob) for who reads a blob from its beginning, one range after the other: takes the sum of all before
    /// this range, and gives that of all up to its end. If the blob ends there and its octets are not what was written, it
    /// is [`StoreError::Corrupt`]; a backend that cannot tell passes the sum on. [`BlobReader`] keeps it.
    fn blob_piece(
        &self,
        id: BlobId,
        range: Range<u64>,
        sum: BlobSum,
    ) -> BoxFuture<'_, Result<Option<(Bytes, BlobSum)>, StoreError>> {
        Box::pin(async move { Ok(self.blob(id, range).await?.map(|bytes| (bytes, sum))) })
    }

    /// Does all of it or nothing. Resolves only when durable. See [`Outcome`].
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Every commit with an lsn up to this one is visible to reads.
    fn stable_lsn(&self) -> Lsn;

    /// Wake-ups for a topic. They are hints: a receiver must read what it missed from the store itself, and must not
    /// rely on one wake-up per commit.
    fn watch(&self, topic: Topic) -> tokio::sync::watch::Receiver<Lsn>;
}

/// One page of a range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The pairs, in the order asked for.
    pub pairs: Vec<(Key, Value)>,
    /// Whether the range may hold more beyond the last pair. A page may be short, even empty, with `more` set: then
    /// the scan goes on after `resume`.
    pub more: bool,
    /// Where to go on: the last key looked at. Forward scans continue just above it, reverse scans just below.
    pub resume: Option<Key>,
}

/// What came of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done and durable.
    Done(Receipt),
    /// Nothing was done: the condition on this key (or this counter record) does not hold.
    Conflict(Key),
    /// Nothing was done: the store is out of space; it may be tried again later.
    Full,
    /// Not known whether it was done. A commit with a once-key may be sent again: a conflict on that key means it was done.
    Unknown,
}

/// Proof of a durable commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The commit's place in the log.
    pub lsn: Lsn,
    /// The result of each counter operation, in their order: the lane's value after it.
    pub numbers: Vec<u64>,
}

/// Why the store could not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store is closed or failed; nothing will work until a restart.
    #[error("store unavailable: {0}")]
    Unavailable(Arc<str>),
    /// Stored bytes are not what was written.
    #[error("store corrupt: {0}")]
    Corrupt(Arc<str>),
    /// The caller broke a limit of the trait; a fault of ours.
    #[error("invalid commit: {0}")]
    Invalid(Arc<str>),
}
