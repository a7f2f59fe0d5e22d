//! The limits of the trait, checked before a commit goes anywhere, so that each backend refuses the same ones.

use crate::{
    COUNTER_LANES, Commit, Condition, Key, MAX_BULK_OCTETS, MAX_COMMIT_OPERATIONS, MAX_KEY_OCTETS, MAX_VALUE_OCTETS,
    PatchPlace, PatchSource, Put, StoreError,
};
use std::collections::HashSet;

/// Whether a commit keeps the limits of the trait.
///
/// # Errors
/// [`StoreError::Invalid`] says which limit it breaks.
pub fn check_limits(commit: &Commit) -> Result<(), StoreError> {
    check(commit).map_err(|why| StoreError::Invalid(why.into()))
}

fn check(commit: &Commit) -> Result<(), &'static str> {
    let operations = commit.conditions.len() + commit.puts.len() + commit.deletes.len() + commit.counters.len();
    if operations > MAX_COMMIT_OPERATIONS && !commit.bulk {
        return Err("more than 1,000 operations");
    }
    if octets(commit) > MAX_BULK_OCTETS {
        return Err("keys and values of more than 64 MiB");
    }
    for key in keys(commit) {
        if key.is_empty() || key.len() > MAX_KEY_OCTETS {
            return Err("a key of no octets or more than 256");
        }
    }
    for put in &commit.puts {
        check_put(put, commit)?;
    }
    if commit.counters.iter().any(|op| op.lane >= COUNTER_LANES) {
        return Err("a counter lane beyond the eighth");
    }
    check_keys(commit)?;
    check_blobs(commit)
}

fn octets(commit: &Commit) -> usize {
    let puts: usize = commit.puts.iter().map(|put| put.key.len() + put.value.len()).sum();
    let deletes: usize = commit.deletes.iter().map(Vec::len).sum();
    puts + deletes
}

fn keys(commit: &Commit) -> impl Iterator<Item = &Key> {
    let conditions = commit.conditions.iter().map(|(key, _)| key);
    let puts = commit.puts.iter().map(|put| &put.key);
    let counters = commit.counters.iter().map(|op| &op.key);
    let witnesses = commit.blobs.iter().map(|blob| &blob.witness);
    conditions
        .chain(puts)
        .chain(&commit.deletes)
        .chain(counters)
        .chain(witnesses)
}

fn check_put(put: &Put, commit: &Commit) -> Result<(), &'static str> {
    if put.value.len() > MAX_VALUE_OCTETS {
        return Err("a value of more than 4 KiB");
    }
    for patch in &put.patches {
        let (offset, octets) = match patch.place {
            PatchPlace::Key(offset) => (offset, put.key.len()),
            PatchPlace::Value(offset) => (offset, put.value.len()),
        };
        if offset.checked_add(8).is_none_or(|end| end > octets) {
            return Err("a patch beyond the end");
        }
        if let PatchSource::Counter(index) = patch.source
            && index >= commit.counters.len()
        {
            return Err("a patch from a counter operation that is not there");
        }
    }
    Ok(())
}

fn check_keys(commit: &Commit) -> Result<(), &'static str> {
    let is_fixed = |put: &&Put| {
        !put.patches
            .iter()
            .any(|patch| matches!(patch.place, PatchPlace::Key(_)))
    };
    let put: HashSet<&Key> = commit.puts.iter().filter(is_fixed).map(|put| &put.key).collect();
    for (key, condition) in &commit.conditions {
        // On PostgreSQL, only the insert of the key itself can tell that no other transaction is making it.
        if *condition == Condition::Absent && !put.contains(key) {
            return Err("Absent on a key that is not put");
        }
    }
    if commit.counters.iter().any(|op| put.contains(&op.key)) {
        return Err("a counter record put and counted in one commit");
    }
    Ok(())
}

fn check_blobs(commit: &Commit) -> Result<(), &'static str> {
    let proves_an_owner = commit
        .conditions
        .iter()
        .any(|(_, condition)| matches!(condition, Condition::Equals(_)));
    for (index, blob) in commit.blobs.iter().enumerate() {
        let is_put_before = || {
            commit.blobs[..index]
                .iter()
                .any(|other| other.id == blob.id && !other.adopt)
        };
        if blob.adopt && !blob.bytes.is_empty() {
            return Err("an adopted blob with bytes");
        }
        if blob.adopt && !proves_an_owner && !is_put_before() {
            return Err("an adopted blob without Equals on a key of an owner");
        }
        if !blob.adopt && is_put_before() {
            return Err("a blob put twice");
        }
        if u32::try_from(blob.bytes.len()).is_err() {
            return Err("a blob of 4 GiB or more");
        }
    }
    Ok(())
}
