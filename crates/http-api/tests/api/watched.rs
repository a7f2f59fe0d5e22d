//! A store that notes what a request reads, so that two requests can be compared by more than their answers.

use postroom_store::{BoxFuture, Commit, Key, Outcome, Page, SharedStore, Store, StoreError, Topic, Value};
use postroom_types::{BlobId, Lsn};
use std::cell::RefCell;
use std::ops::Range;
use tokio::sync::watch;

tokio::task_local! {
    static VISITS: RefCell<Vec<String>>;
}

/// What a task itself asked a watched store for meanwhile, each time by the kinds of the rows.
pub(crate) async fn visits<T>(task: impl Future<Output = T>) -> (T, Vec<String>) {
    let noted = async {
        let done = task.await;
        (done, VISITS.with(|visits| visits.borrow().clone()))
    };
    VISITS.scope(RefCell::default(), noted).await
}

fn note(visit: impl FnOnce() -> String) {
    // Others have nobody who listens.
    let _ = VISITS.try_with(|visits| visits.borrow_mut().push(visit()));
}

/// The first letters of a key say what kind of row it is.
fn kind(key: &[u8]) -> String {
    String::from_utf8_lossy(&key[..key.len().min(2)]).into_owned()
}

pub(crate) struct Watched(pub(crate) SharedStore);

impl Store for Watched {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        note(|| kind(key));
        self.0.get(key)
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        note(|| keys.iter().map(|key| kind(key)).collect::<Vec<_>>().join("+"));
        self.0.get_many(keys)
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        note(|| format!("{}..", kind(low)));
        self.0.range(low, high, reverse, limit)
    }

    fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<bytes::Bytes>, StoreError>> {
        note(|| "a blob".into());
        self.0.blob(id, range)
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        note(|| "a commit".into());
        self.0.commit(commit)
    }

    fn stable_lsn(&self) -> Lsn {
        self.0.stable_lsn()
    }

    fn watch(&self, topic: Topic) -> watch::Receiver<Lsn> {
        self.0.watch(topic)
    }
}
