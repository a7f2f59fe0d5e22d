//! The trait's calls.

use crate::blobs::{Bodies, INLINE_OCTETS, INLINE_OCTETS_OF_COMMIT, OwnBody};
use crate::committer::{Order, Request};
use crate::error::Trouble;
use crate::files::free_octets;
use crate::index::{Index, Location};
use crate::{SledStore, lock};
use bytes::Bytes;
use postroom_store::{
    BlobSum, BoxFuture, Commit, FoundBlob, Key, Outcome, Page, Store, StoreError, Topic, Value, check_limits,
};
use postroom_types::{BlobId, Lsn};
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

impl Store for SledStore {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        Box::pin(async move {
            if let Some(value) = self.index()?.recall(key) {
                return Ok(value);
            }
            let key = key.to_vec();
            self.read(move |index, _| index.get(&key)).await
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        Box::pin(async move {
            let index = self.index()?;
            if let Some(values) = keys.iter().map(|key| index.recall(key)).collect() {
                return Ok(values);
            }
            drop(index);
            let keys = Joined::of(keys);
            self.read(move |index, _| index.get_many(keys.iter())).await
        })
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        let (low, high) = (low.to_vec(), high.to_vec());
        Box::pin(self.read(move |index, _| index.page(&low, &high, reverse, limit)))
    }

    fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(self.read(move |index, bodies| read_blob(index, bodies, id, index.location(id)?, &range)))
    }

    /// One visit to a blocking thread for all of them: that costs more than reading a small body.
    fn blobs<'a>(&'a self, wanted: &'a [(BlobId, Range<u64>)]) -> BoxFuture<'a, Vec<FoundBlob>> {
        let (count, wanted) = (wanted.len(), wanted.to_vec());
        let all = self.read(move |index, bodies| {
            let locations = index.locations(wanted.iter().map(|(id, _)| *id))?;
            let ranges = wanted.iter().map(|(_, range)| range);
            let together = bodies.read_together(ranges.zip(locations.iter().map(Option::as_ref)));
            let one = |(((id, range), location), found): (((&BlobId, &Range<u64>), _), Option<Bytes>)| match found {
                Some(bytes) => Ok(Some(bytes)),
                None => read_blob(index, bodies, *id, location, range),
            };
            let wanted = wanted.iter().map(|(id, range)| (id, range));
            Ok(wanted.zip(locations).zip(together).map(one).collect())
        });
        Box::pin(async move { all.await.unwrap_or_else(|error| vec![Err(error); count]) })
    }

    fn blob_piece(
        &self,
        id: BlobId,
        range: Range<u64>,
        BlobSum(sum): BlobSum,
    ) -> BoxFuture<'_, Result<Option<(Bytes, BlobSum)>, StoreError>> {
        Box::pin(self.read(move |index, bodies| {
            let Some(location) = index.location(id)? else {
                return Ok(None);
            };
            let Some(bytes) = read_blob(index, bodies, id, Some(location.clone()), &range)? else {
                return Ok(None);
            };
            let mut crc = crc32fast::Hasher::new_with_initial(sum);
            crc.update(&bytes);
            let sum = crc.finalize();
            // Wherever it was moved meanwhile, its length and CRC are the same.
            if range.start.saturating_add(bytes.len() as u64) == location.octets && sum != location.crc {
                return Err(bodies.wrong_crc(id, &location));
            }
            Ok(Some((bytes, BlobSum(sum))))
        }))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.do_commit(commit))
    }

    fn stable_lsn(&self) -> Lsn {
        self.shared.stable()
    }

    fn watch(&self, topic: Topic) -> watch::Receiver<Lsn> {
        self.shared.topics.watch(topic, self.shared.stable())
    }
}

/// Keys in one piece of memory, on their way to another thread.
struct Joined {
    octets: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Joined {
    fn of(keys: &[Key]) -> Self {
        let mut joined = Self {
            octets: Vec::with_capacity(keys.iter().map(Vec::len).sum()),
            ends: Vec::with_capacity(keys.len()),
        };
        for key in keys {
            joined.octets.extend_from_slice(key);
            joined.ends.push(joined.octets.len());
        }
        joined
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends
            .iter()
            .map(move |end| &self.octets[std::mem::replace(&mut start, *end)..*end])
    }
}

fn read_blob(
    index: &Index,
    bodies: &Bodies,
    id: BlobId,
    mut location: Option<Location>,
    range: &Range<u64>,
) -> Result<Option<Bytes>, StoreError> {
    loop {
        let Some(place) = location else { return Ok(None) };
        let found = bodies.read(id, &place, range.clone());
        if found.is_ok() {
            return found.map(Some);
        }
        // It may have been moved or forgotten meanwhile, and its file removed.
        location = index.location(id)?;
        if location.as_ref() == Some(&place) {
            return found.map(Some);
        }
    }
}

/// About how much room a commit takes in a group.
fn octets(commit: &Commit) -> usize {
    let puts: usize = commit.puts.iter().map(|put| put.key.len() + put.value.len()).sum();
    let deletes: usize = commit.deletes.iter().map(Vec::len).sum();
    let bodies: usize = commit.blobs.iter().map(|blob| blob.bytes.len()).sum();
    puts + deletes + bodies
}

impl SledStore {
    /// Reads on a blocking thread.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Index, &Bodies) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.readers)
            .acquire_owned()
            .await
            .map_err(|_| self.shared.unavailable())?;
        let (index, bodies, shared) = (self.index()?, Arc::clone(&self.bodies), Arc::clone(&self.shared));
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            shared.with_index(&index, || read(&index, &bodies))
        });
        match task.await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Unavailable("the runtime is shutting down".into())),
        }
    }

    async fn do_commit(&self, mut commit: Commit) -> Result<Outcome, StoreError> {
        check_limits(&commit)?;
        let queue = lock(&self.queue).clone().ok_or_else(|| self.shared.unavailable())?;
        let own = match self.write_own_bodies(&mut commit).await {
            Ok(own) => own,
            Err(Trouble::Full) => return Ok(Outcome::Full),
            Err(Trouble::Fatal(why)) => {
                self.shared.fail(&why);
                return Err(self.shared.unavailable());
            }
        };
        let (reply, outcome) = oneshot::channel();
        let order = Order {
            octets: octets(&commit),
            commit,
            own,
            reply,
        };
        let sent = queue.send(Request::Commit(Box::new(order))).await;
        sent.map_err(|_| self.shared.unavailable())?;
        // The thread ended without an answer: it may have written the commit.
        outcome.await.unwrap_or(Ok(Outcome::Unknown))
    }

    /// Writes large bodies to files of their own, and takes their bytes out of the commit.
    async fn write_own_bodies(&self, commit: &mut Commit) -> Result<Vec<OwnBody>, Trouble> {
        let (mut inline, mut own) = (0, Vec::new());
        for blob in commit.blobs.iter_mut().filter(|blob| !blob.adopt) {
            let octets = blob.bytes.len();
            if octets <= INLINE_OCTETS && inline + octets <= INLINE_OCTETS_OF_COMMIT {
                inline += octets;
                continue;
            }
            let (id, bytes, folder) = (blob.id, std::mem::take(&mut blob.bytes), self.folder.clone());
            let floor = self.options.min_free_octets + octets as u64;
            let write = move || match free_octets(folder.path()) {
                Ok(free) if free < floor => Err(Trouble::Full),
                _ => OwnBody::write(&folder.bodies(), id, &bytes),
            };
            let written = tokio::task::spawn_blocking(write).await;
            own.push(written.unwrap_or_else(|_| Err(Trouble::Fatal("a body was not written to its end".into())))?);
        }
        Ok(own)
    }
}
