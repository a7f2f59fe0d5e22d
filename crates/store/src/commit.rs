//! What a commit says.

use crate::{Key, Topic, Value};
use bytes::Bytes;
use postroom_types::BlobId;

/// Longest key.
pub const MAX_KEY_OCTETS: usize = 256;
/// Longest value.
pub const MAX_VALUE_OCTETS: usize = 4096;
/// Most conditions, puts, deletes and counter operations of one commit together, unless it is `bulk`.
pub const MAX_COMMIT_OPERATIONS: usize = 1000;
/// Most octets of the keys and values of one commit together; bodies do not count.
pub const MAX_BULK_OCTETS: usize = 64 * 1024 * 1024;
/// Lanes of a counter record.
pub const COUNTER_LANES: usize = 8;

/// Conditions, and what to do if all hold. Conditions and counters see the earlier commits of the same group.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// What must hold.
    pub conditions: Vec<(Key, Condition)>,
    /// Pairs to write; their patches are applied first.
    pub puts: Vec<Put>,
    /// Keys to remove; a missing one is no error.
    pub deletes: Vec<Key>,
    /// Counters to move, applied in order. A missing record is a conflict on its key; so is a lane that would leave 0..2^63.
    pub counters: Vec<CounterOp>,
    /// Bodies to keep.
    pub blobs: Vec<BlobPut>,
    /// Topics to wake when the commit is visible.
    pub topics: Vec<Topic>,
    /// All-or-nothing beyond [`MAX_COMMIT_OPERATIONS`], up to 64 MiB: for COPY and MULTIAPPEND alone. Applied in
    /// slices in the order of `puts`, the counters last, so that rows above a counter are to be ignored by readers.
    pub bulk: bool,
}

/// A condition on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The key has no value. Only on keys this commit puts.
    Absent,
    /// The key has exactly this value.
    Equals(Value),
}

/// One pair to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The key, before patching.
    pub key: Key,
    /// The value, before patching.
    pub value: Value,
    /// Numbers to be filled in when the commit is resolved.
    pub patches: Vec<Patch>,
}

/// Eight bytes, big-endian, to be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Which number.
    pub source: PatchSource,
    /// Taken off the number, for the earlier ones of several numbers that one counter operation allotted.
    pub minus: u64,
    /// Where it goes.
    pub place: PatchPlace,
}

/// Which number a patch writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchSource {
    /// The result of the counter operation with this index in [`Commit::counters`].
    Counter(usize),
    /// The commit's lsn.
    Lsn,
}

/// Where a patch writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchPlace {
    /// At this offset of the key.
    Key(usize),
    /// At this offset of the value.
    Value(usize),
}

/// Moves one lane of a counter record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterOp {
    /// The record's key.
    pub key: Key,
    /// Which of its lanes, below [`COUNTER_LANES`].
    pub lane: usize,
    /// How far.
    pub delta: i64,
}

/// A body to keep, for as long as a key that begins with `witness` exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobPut {
    /// Its name.
    pub id: BlobId,
    /// Its bytes. Empty and `adopt`: the blob exists already and gets one more witness (the commit must hold an
    /// `Equals` condition on a key of an existing owner).
    pub bytes: Bytes,
    /// Prefix of the keys that keep it alive.
    pub witness: Key,
    /// See `bytes`.
    pub adopt: bool,
}

/// The value of a counter record: a format byte and eight lanes of eight bytes, big-endian. To make a record, put this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterRecord(pub [u64; COUNTER_LANES]);

impl CounterRecord {
    const FORMAT: u8 = 1;

    /// The record as it is stored.
    #[must_use]
    pub fn to_value(self) -> Value {
        let mut value = vec![Self::FORMAT];
        for lane in self.0 {
            value.extend(lane.to_be_bytes());
        }
        value
    }

    /// Reads a stored record; `None` if it is not one.
    #[must_use]
    pub fn from_value(value: &[u8]) -> Option<Self> {
        let (format, rest) = value.split_first()?;
        if *format != Self::FORMAT || rest.len() != COUNTER_LANES * 8 {
            return None;
        }
        let mut lanes = [0; COUNTER_LANES];
        for (lane, bytes) in lanes.iter_mut().zip(rest.chunks_exact(8)) {
            *lane = u64::from_be_bytes(bytes.try_into().ok()?);
        }
        Some(Self(lanes))
    }
}

/// Lets several crates add to one commit.
#[derive(Clone, Debug, Default)]
pub struct CommitBuilder {
    commit: Commit,
}

impl CommitBuilder {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to what is there already.
    #[must_use]
    pub fn from_commit(commit: Commit) -> Self {
        Self { commit }
    }

    /// Asks that the key has no value, and puts one.
    pub fn put_new(&mut self, key: Key, value: Value) -> &mut Self {
        self.commit.conditions.push((key.clone(), Condition::Absent));
        self.put(key, value)
    }

    /// Asks that the key has this value.
    pub fn require(&mut self, key: Key, value: Value) -> &mut Self {
        self.commit.conditions.push((key, Condition::Equals(value)));
        self
    }

    /// Puts a pair.
    pub fn put(&mut self, key: Key, value: Value) -> &mut Self {
        self.put_patched(key, value, Vec::new())
    }

    /// Puts a pair with numbers to be filled in.
    pub fn put_patched(&mut self, key: Key, value: Value, patches: Vec<Patch>) -> &mut Self {
        self.commit.puts.push(Put { key, value, patches });
        self
    }

    /// Asks that the key has the old value, and puts the new one.
    pub fn replace(&mut self, key: Key, old: Value, new: Value) -> &mut Self {
        self.require(key.clone(), old);
        self.put(key, new)
    }

    /// Removes a key.
    pub fn delete(&mut self, key: Key) -> &mut Self {
        self.commit.deletes.push(key);
        self
    }

    /// Moves a lane and names the operation, for [`PatchSource::Counter`] and [`Receipt::numbers`](crate::Receipt::numbers).
    pub fn count(&mut self, key: Key, lane: usize, delta: i64) -> usize {
        self.commit.counters.push(CounterOp { key, lane, delta });
        self.commit.counters.len() - 1
    }

    /// Keeps a body.
    pub fn blob(&mut self, blob: BlobPut) -> &mut Self {
        self.commit.blobs.push(blob);
        self
    }

    /// Wakes a topic.
    pub fn wake(&mut self, topic: Topic) -> &mut Self {
        if !self.commit.topics.contains(&topic) {
            self.commit.topics.push(topic);
        }
        self
    }

    /// Marks the commit as bulk.
    pub fn bulk(&mut self) -> &mut Self {
        self.commit.bulk = true;
        self
    }

    /// The pairs to write so far.
    #[must_use]
    pub fn puts(&self) -> &[Put] {
        &self.commit.puts
    }

    /// How many operations there are so far.
    #[must_use]
    pub fn operations(&self) -> usize {
        let commit = &self.commit;
        commit.conditions.len() + commit.puts.len() + commit.deletes.len() + commit.counters.len()
    }

    /// The commit.
    #[must_use]
    pub fn build(self) -> Commit {
        self.commit
    }
}
