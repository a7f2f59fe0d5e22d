//! From what a commit asks to what is written: conditions checked, counters moved, numbers patched in.
//!
//! What always holds:
//! - The result is absolute: it depends on nothing that is read later, so writing it twice is harmless.
//! - Every backend resolves here, so all of them agree on what a commit means.
//! - Writes come in the order deletes, puts, counters; a later write of one key wins, and a deleted counter stays deleted.

use crate::{
    BlobPut, Commit, Condition, CounterOp, CounterRecord, Key, Patch, PatchPlace, PatchSource, Put, Receipt,
    StoreError, Topic, Value,
};
use postroom_types::{BlobId, Lsn};
use std::collections::{HashMap, HashSet};

/// What resolving reads: the store with all earlier commits done, also those of the same group.
pub trait View {
    /// The value of a key.
    ///
    /// # Errors
    /// What kept the backend from answering.
    fn value(&mut self, key: &[u8]) -> Result<Option<Value>, StoreError>;

    /// The witnesses of a blob, or `None` if there is no such blob.
    ///
    /// # Errors
    /// What kept the backend from answering.
    fn witnesses(&mut self, id: BlobId) -> Result<Option<Vec<Key>>, StoreError>;
}

/// A commit as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Pairs to write (`Some`) and keys to remove (`None`), in order.
    pub writes: Vec<(Key, Option<Value>)>,
    /// Bodies and new witnesses.
    pub blobs: Vec<BlobPut>,
    /// Topics to wake.
    pub topics: Vec<Topic>,
    /// What the caller gets once all this is durable.
    pub receipt: Receipt,
}

/// Why a commit was not resolved. Nothing was done.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The condition on this key, or this counter, does not hold.
    Conflict(Key),
    /// The backend could not answer, or the commit means nothing.
    Failed(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// Resolves a commit that passed [`check_limits`](crate::check_limits).
///
/// # Errors
/// [`Refusal::Conflict`] names the first key that does not hold: conditions in their order, then counters in theirs.
pub fn resolve(commit: Commit, lsn: Lsn, view: &mut dyn View) -> Result<Resolved, Refusal> {
    for (key, condition) in &commit.conditions {
        let value = view.value(key)?;
        let holds = match condition {
            Condition::Absent => value.is_none(),
            Condition::Equals(wanted) => value.as_ref() == Some(wanted),
        };
        if !holds {
            return Err(Refusal::Conflict(key.clone()));
        }
    }
    check_adoptions(&commit, view)?;
    let Counted { records, numbers } = count(&commit.counters, view)?;

    let deleted: HashSet<&Key> = commit.deletes.iter().collect();
    let counted = records.into_iter().filter(|(key, _)| !deleted.contains(key));
    let counted: Vec<_> = counted.map(|(key, record)| (key, Some(record.to_value()))).collect();

    let mut writes = Vec::with_capacity(commit.deletes.len() + commit.puts.len() + counted.len());
    writes.extend(commit.deletes.into_iter().map(|key| (key, None)));
    for put in commit.puts {
        let (key, value) = patched(put, lsn, &numbers)?;
        writes.push((key, Some(value)));
    }
    writes.extend(counted);
    Ok(Resolved {
        writes,
        blobs: commit.blobs,
        topics: commit.topics,
        receipt: Receipt { lsn, numbers },
    })
}

/// A blob gets one more witness only from a commit that proves an owner is alive, so it cannot die under the new one.
fn check_adoptions(commit: &Commit, view: &mut dyn View) -> Result<(), Refusal> {
    for (index, adopted) in commit.blobs.iter().enumerate().filter(|(_, blob)| blob.adopt) {
        if commit.blobs[..index]
            .iter()
            .any(|blob| blob.id == adopted.id && !blob.adopt)
        {
            continue;
        }
        let witnesses = view.witnesses(adopted.id)?.unwrap_or_default();
        let owned = commit.conditions.iter().any(|(key, condition)| {
            matches!(condition, Condition::Equals(_)) && witnesses.iter().any(|witness| key.starts_with(witness))
        });
        if !owned {
            return Err(invalid(format!("adopting {:?} without Equals on an owner's key", adopted.id)).into());
        }
    }
    Ok(())
}

/// The records in the order of their first use, and the result of each operation.
struct Counted {
    records: Vec<(Key, CounterRecord)>,
    numbers: Vec<u64>,
}

/// Moves the lanes.
fn count(ops: &[CounterOp], view: &mut dyn View) -> Result<Counted, Refusal> {
    let mut records: Vec<(Key, CounterRecord)> = Vec::new();
    let mut places: HashMap<&Key, usize> = HashMap::new();
    let mut numbers = Vec::with_capacity(ops.len());
    for op in ops {
        let place = match places.get(&op.key) {
            Some(place) => *place,
            None => {
                let value = view.value(&op.key)?.ok_or_else(|| Refusal::Conflict(op.key.clone()))?;
                let record = CounterRecord::from_value(&value)
                    .ok_or_else(|| invalid(format!("{} is not a counter record", op.key.escape_ascii())))?;
                records.push((op.key.clone(), record));
                places.insert(&op.key, records.len() - 1);
                records.len() - 1
            }
        };
        let lane = &mut records[place].1.0[op.lane];
        *lane = lane
            .checked_add_signed(op.delta)
            .filter(|result| *result < 1 << 63)
            .ok_or_else(|| Refusal::Conflict(op.key.clone()))?;
        numbers.push(*lane);
    }
    Ok(Counted { records, numbers })
}

fn patched(put: Put, lsn: Lsn, numbers: &[u64]) -> Result<(Key, Value), StoreError> {
    let Put {
        mut key,
        mut value,
        patches,
    } = put;
    for Patch { source, minus, place } in patches {
        let number = match source {
            PatchSource::Counter(index) => numbers[index],
            PatchSource::Lsn => lsn.0,
        };
        let number = number
            .checked_sub(minus)
            .ok_or_else(|| invalid("a patch takes off more than there is".into()))?;
        let (target, offset) = match place {
            PatchPlace::Key(offset) => (&mut key, offset),
            PatchPlace::Value(offset) => (&mut value, offset),
        };
        target[offset..offset + 8].copy_from_slice(&number.to_be_bytes());
    }
    Ok((key, value))
}

fn invalid(why: String) -> StoreError {
    StoreError::Invalid(why.into())
}
