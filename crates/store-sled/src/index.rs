//! The index: sled, as a disposable picture of the journal.
//!
//! What always holds:
//! - The lsn of a commit is written in the same batch as its last pairs, so what is in the index is the journal up to
//!   that lsn, or (within a bulk commit) something that replaying from there makes so.
//! - sled is named here, in `index/` and in `error.rs` alone; another engine can be built from the journal instead.
//! - What sled tells of damage in it is kept, whoever met it: the index is of no use from then on, see
//!   [`Index::damage`].
//! - All calls may block, but for [`Index::recall`]; none of the others is made on the async executor.

mod engine;
mod location;
mod rows;
mod upkeep;
mod walk;

pub(crate) use location::{At, Location};
pub(crate) use rows::{RawRow, Row, change};
pub(crate) use upkeep::{BlobRow, Rows};

use crate::error::{IndexError, index_error};
use crate::hot::Hot;
use crate::quiet::catch_quietly;
use crate::record::Op;
use engine::Engine;
use location::decode_location;
use postroom_store::{Key, Page, StoreError, Value};
use postroom_types::{BlobId, Lsn};
use std::collections::{HashMap, hash_map};
use std::ops::Bound;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use walk::Walk;

/// Keys of the users, after this octet.
const USER: u8 = b'k';
/// Where a blob is and its first witness, by its id.
const BLOB: u8 = b'b';
/// Further witnesses: the blob's id, then the witness.
const WITNESS: u8 = b'w';
/// When a blob was found dead, by its id.
const DEAD: u8 = b'd';
/// What the index says of itself.
const META: u8 = b'm';
/// The last lsn applied.
const APPLIED: &[u8] = b"meta/applied";
/// The store that this is a picture of.
const STORE: &[u8] = b"meta/store";

/// Writes that become visible together in a commit that is larger.
const SLICE: usize = 1000;
/// So many values asked for at once are not kept in memory: they would push out what is asked for again and again.
const MANY: usize = 32;
/// Most pairs and octets of one page.
const PAGE_PAIRS: usize = 1000;
const PAGE_OCTETS: usize = 512 * 1024;

/// A commit to be applied, and where its record is.
pub(crate) struct Entry {
    pub(crate) lsn: Lsn,
    pub(crate) file: Lsn,
    pub(crate) bodies_at: u64,
    pub(crate) ops: Vec<Op>,
}

/// The index of one store.
#[derive(Debug)]
pub(crate) struct Index {
    db: Engine,
    hot: Hot,
    damage: OnceLock<String>,
}

impl Index {
    /// Opens or makes the index of this store.
    ///
    /// # Errors
    /// A text that says why; the index is then to be moved aside.
    pub(crate) fn open(path: &Path, store: &[u8; 16], cache_octets: u64, hot_octets: usize) -> Result<Self, String> {
        let open = || {
            let config = sled::Config::default().path(path).cache_capacity(cache_octets);
            let begin = Instant::now();
            loop {
                match config.open() {
                    // sled lets its lock go in a thread of its own, a moment after it was dropped.
                    Err(sled::Error::Io(error))
                        if error.to_string().contains("lock") && begin.elapsed() < Duration::from_secs(5) =>
                    {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    other => return other,
                }
            }
        };
        // sled panics on some damage that it finds while it recovers, or reads.
        let panicked = |why| format!("sled panicked: {why}");
        let db = Engine::new(
            catch_quietly(open)
                .map_err(panicked)?
                .map_err(|error| error.to_string())?,
        );
        catch_quietly(|| name_it(&db, store)).map_err(panicked)??;
        Ok(Self {
            db,
            hot: Hot::new(hot_octets),
            damage: OnceLock::new(),
        })
    }

    /// The damage that was met first, if any was.
    pub(crate) fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// sled's error for the caller; damage is kept.
    fn failed(&self, error: sled::Error) -> StoreError {
        match index_error(&error) {
            IndexError::Damaged => self.damaged(&error.to_string()),
            IndexError::Refused => StoreError::Unavailable(format!("index: {error}").into()),
        }
    }

    fn damaged(&self, what: &str) -> StoreError {
        let what = self.damage.get_or_init(|| what.to_owned());
        StoreError::Unavailable(format!("the index is damaged: {what}").into())
    }

    fn location_of<'r>(&self, row: &'r [u8]) -> Result<(Location, &'r [u8]), StoreError> {
        decode_location(row).ok_or_else(|| self.damaged("not the row of a body"))
    }

    /// The last lsn applied.
    pub(crate) fn applied(&self) -> Result<Lsn, StoreError> {
        let value = self.db.get(APPLIED).map_err(|error| self.failed(error))?;
        match value.as_deref().map(<[u8; 8]>::try_from) {
            None => Ok(Lsn(0)),
            Some(Ok(lsn)) => Ok(Lsn(u64::from_be_bytes(lsn))),
            Some(Err(_)) => Err(self.damaged("not an lsn")),
        }
    }

    /// The value of a key, if it is in memory: `Some(None)` is a key known to be missing.
    pub(crate) fn recall(&self, key: &[u8]) -> Option<Option<Value>> {
        self.hot.get(key).ok()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let ticket = match self.hot.get(key) {
            Ok(value) => return Ok(value),
            Err(ticket) => ticket,
        };
        let value = self.db.get(prefixed(USER, key)).map_err(|error| self.failed(error))?;
        let value = value.map(|value| value.to_vec());
        self.hot.learn(key, &value, ticket);
        Ok(value)
    }

    /// The values of several keys, in their order.
    pub(crate) fn get_many<'a>(
        &self,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Option<Value>>, StoreError> {
        let mut values = Vec::with_capacity(keys.len());
        if keys.len() < MANY {
            for key in keys {
                values.push(self.get(key)?);
            }
            return Ok(values);
        }
        let mut walk = Walk::new(&self.db, USER);
        for key in keys {
            let row = walk.find(key).map_err(|error| self.failed(error))?;
            values.push(row.map(|row| row.to_vec()));
        }
        Ok(values)
    }

    pub(crate) fn page(&self, low: &[u8], high: &[u8], reverse: bool, limit: usize) -> Result<Page, StoreError> {
        if low >= high {
            return Ok(Page::default());
        }
        let range = (
            Bound::Included(prefixed(USER, low)),
            Bound::Excluded(prefixed(USER, high)),
        );
        let mut iterator = self.db.range::<Key, _>(range);
        let mut step = || if reverse { iterator.next_back() } else { iterator.next() };
        let limit = limit.clamp(1, PAGE_PAIRS);
        let (mut page, mut octets) = (Page::default(), 0);
        while let Some(pair) = step() {
            let (key, value) = pair.map_err(|error| self.failed(error))?;
            if page.pairs.len() == limit || octets > PAGE_OCTETS {
                page.more = true;
                page.resume = page.pairs.last().map(|(key, _)| key.clone());
                break;
            }
            octets += key.len() + value.len();
            page.pairs.push((key[1..].to_vec(), value.to_vec()));
        }
        Ok(page)
    }

    /// Where a blob is.
    pub(crate) fn location(&self, id: BlobId) -> Result<Option<Location>, StoreError> {
        Ok(self.blob_row(id)?.map(|(location, _)| location))
    }

    /// Where blobs are, in the order of the ids.
    pub(crate) fn locations(&self, ids: impl Iterator<Item = BlobId>) -> Result<Vec<Option<Location>>, StoreError> {
        let mut walk = Walk::new(&self.db, BLOB);
        let location = |id: BlobId| {
            let row = walk.find(&id.0).map_err(|error| self.failed(error))?;
            row.map(|row| self.location_of(&row).map(|(location, _)| location))
                .transpose()
        };
        ids.map(location).collect()
    }

    /// Whose keys keep a blob alive; `None` if there is no such blob.
    pub(crate) fn witnesses(&self, id: BlobId) -> Result<Option<Vec<Key>>, StoreError> {
        let Some((_, first)) = self.blob_row(id)? else {
            return Ok(None);
        };
        let mut witnesses = vec![first];
        for row in self.db.scan_prefix(prefixed(WITNESS, &id.0)) {
            let (key, _) = row.map_err(|error| self.failed(error))?;
            witnesses.push(key[1 + id.0.len()..].to_vec());
        }
        Ok(Some(witnesses))
    }

    fn blob_row(&self, id: BlobId) -> Result<Option<(Location, Key)>, StoreError> {
        let row = self.db.get(prefixed(BLOB, &id.0)).map_err(|error| self.failed(error))?;
        row.map(|row| {
            self.location_of(&row)
                .map(|(location, witness)| (location, witness.to_vec()))
        })
        .transpose()
    }

    /// Makes commits visible, in order. Small ones become visible together: sled writes out what it has buffered twice for
    /// each batch.
    ///
    /// # Errors
    /// The commits stay durable in the journal, but this index is of no use any more. sled's panics count as errors.
    pub(crate) fn apply(&self, entries: Vec<Entry>) -> Result<(), StoreError> {
        match catch_quietly(|| self.apply_entries(entries)) {
            Ok(applied) => applied.map_err(|error| self.failed(error)),
            Err(why) => Err(StoreError::Unavailable(format!("the index panicked: {why}").into())),
        }
    }

    fn apply_entries(&self, entries: Vec<Entry>) -> Result<(), sled::Error> {
        let mut slice = Slice::default();
        for Entry {
            lsn,
            file,
            bodies_at,
            mut ops,
        } in entries
        {
            if slice.ops.len() + ops.len() > SLICE {
                self.apply_slice(std::mem::take(&mut slice))?;
            }
            while ops.len() > SLICE {
                let rest = ops.split_off(SLICE);
                let mut part = Slice::default();
                part.add(ops, file, bodies_at);
                self.apply_slice(part)?;
                ops = rest;
            }
            slice.add(ops, file, bodies_at);
            slice.batch.insert(APPLIED, &lsn.0.to_be_bytes());
        }
        self.apply_slice(slice)
    }

    fn apply_slice(&self, slice: Slice) -> Result<(), sled::Error> {
        let written = slice.ops.iter().filter_map(Op::written);
        written.for_each(|key| self.hot.expect(key));
        // If this fails, the store is done for, and nothing is read from it any more.
        self.db.apply_batch(slice.batch)?;
        self.remember(slice.ops);
        Ok(())
    }

    /// Keeps what the index shows: of a key that was written several times, the last.
    fn remember(&self, ops: Vec<Op>) {
        let mut last = HashMap::with_capacity(ops.len());
        for op in ops {
            let (key, value) = match op {
                Op::Put(key, value) => (key, Some(value)),
                Op::Delete(key) => (key, None),
                Op::Body { .. } | Op::Witness { .. } | Op::Forget(_) | Op::Unwitness { .. } => continue,
            };
            match last.entry(key) {
                hash_map::Entry::Occupied(mut known) => {
                    self.hot.give_up(known.key());
                    known.insert(value);
                }
                hash_map::Entry::Vacant(new) => {
                    new.insert(value);
                }
            }
        }
        last.into_iter().for_each(|(key, value)| self.hot.write(key, value));
    }

    /// Hands everything to the operating system. (It is not synced: see `files::sync_tree`.)
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// Closes it; a panic's message, if sled does over it.
    pub(crate) fn close(mut self) -> Result<(), String> {
        self.db.close()
    }
}

/// Whether it is this store's; a new one is from now on.
fn name_it(db: &sled::Db, store: &[u8; 16]) -> Result<(), String> {
    match db.get(STORE).map_err(|error| error.to_string())? {
        Some(id) if id.as_ref() == store => {}
        Some(_) => return Err("it is that of another store".to_owned()),
        None if db.is_empty() => {
            db.insert(STORE, store).map_err(|error| error.to_string())?;
        }
        None => return Err("it has no name".to_owned()),
    }
    Ok(())
}

/// Writes that become visible together.
#[derive(Default)]
struct Slice {
    batch: sled::Batch,
    ops: Vec<Op>,
}

impl Slice {
    fn add(&mut self, ops: Vec<Op>, file: Lsn, bodies_at: u64) {
        for op in &ops {
            match rows::change(op, file, bodies_at) {
                (key, Some(value)) => self.batch.insert(key, value.as_ref()),
                (key, None) => self.batch.remove(key),
            }
        }
        self.ops.extend(ops);
    }
}

fn prefixed(space: u8, key: &[u8]) -> Key {
    let mut bytes = Vec::with_capacity(key.len() + 1);
    bytes.push(space);
    bytes.extend_from_slice(key);
    bytes
}
