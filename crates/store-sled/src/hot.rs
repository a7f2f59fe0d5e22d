//! Values that were read or written lately, so that most reads need no blocking thread (tens of µs each).
//!
//! What always holds: a value found here is at least as new as what the index shows, so who has seen one value of a
//! commit sees no older value of another. The committer takes the keys out before it writes the index, and puts them here
//! after it; what a reader found in the index is kept only if no commit was or came here meanwhile.

use postroom_store::{Key, Value};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 16;
/// What an entry costs beside its key and value, about.
const ENTRY_OCTETS: usize = 96;

/// A bounded map, also of keys that are known to be missing.
#[derive(Debug)]
pub(crate) struct Hot {
    shards: [Mutex<Shard>; SHARDS],
    /// What one of the two generations of a shard may hold.
    generation_octets: usize,
    hasher: RandomState,
}

/// Two generations: when the young one is full, the old one goes and the young one takes its place.
#[derive(Debug, Default)]
struct Shard {
    /// Commits that wrote here.
    writes: u64,
    /// Keys that are being written to the index now.
    expected: usize,
    young: HashMap<Key, Option<Value>>,
    old: HashMap<Key, Option<Value>>,
    young_octets: usize,
}

/// The state of a key's shard before the index was read; `None` if it was being written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(Option<u64>);

impl Hot {
    pub(crate) fn new(octets: usize) -> Self {
        let generation_octets = octets / SHARDS / 2;
        Self {
            shards: Default::default(),
            generation_octets,
            hasher: RandomState::new(),
        }
    }

    /// The value, if it is known here; else a ticket for [`learn`](Self::learn).
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Value>, Ticket> {
        let mut shard = self.shard(key);
        if let Some(value) = shard.young.get(key) {
            return Ok(value.clone());
        }
        match shard.old.remove_entry(key) {
            Some((key, value)) => {
                shard.put(key, value.clone(), self.generation_octets);
                Ok(value)
            }
            None => Err(Ticket((shard.expected == 0).then_some(shard.writes))),
        }
    }

    /// Keeps what a reader found in the index after it took the ticket.
    pub(crate) fn learn(&self, key: &[u8], value: &Option<Value>, ticket: Ticket) {
        let mut shard = self.shard(key);
        if ticket.0 == Some(shard.writes) {
            shard.put(key.to_vec(), value.clone(), self.generation_octets);
        }
    }

    /// The committer is about to write this key: until [`write`](Self::write) it is read from the index.
    pub(crate) fn expect(&self, key: &[u8]) {
        let mut shard = self.shard(key);
        shard.writes += 1;
        shard.expected += 1;
        shard.young.remove(key);
        shard.old.remove(key);
    }

    /// Keeps what the committer wrote, after the index shows it. Each call follows one of [`expect`](Self::expect).
    pub(crate) fn write(&self, key: Key, value: Option<Value>) {
        let mut shard = self.shard(&key);
        shard.expected -= 1;
        shard.put(key, value, self.generation_octets);
    }

    /// The committer wrote this key again right away: what it wrote first was never to be seen. Follows a call of
    /// [`expect`](Self::expect), as [`write`](Self::write) does.
    pub(crate) fn give_up(&self, key: &[u8]) {
        self.shard(key).expected -= 1;
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        let place = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn put(&mut self, key: Key, value: Option<Value>, limit: usize) {
        self.young_octets += key.len() + value.as_ref().map_or(0, Vec::len) + ENTRY_OCTETS;
        if self.young_octets > limit {
            self.old = std::mem::take(&mut self.young);
            self.young_octets = 0;
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(hot: &Hot, key: &[u8]) -> Option<Option<Value>> {
        hot.get(key).ok()
    }

    fn commit(hot: &Hot, key: &[u8], value: Option<Value>) {
        hot.expect(key);
        hot.write(key.to_vec(), value);
    }

    #[test]
    fn what_was_read_before_a_write_is_not_kept_after_it() {
        let hot = Hot::new(1 << 20);
        let ticket = hot.get(b"k").expect_err("nothing yet");
        commit(&hot, b"k", Some(vec![2]));
        hot.learn(b"k", &Some(vec![1]), ticket);
        assert_eq!(known(&hot, b"k"), Some(Some(vec![2])));
        commit(&hot, b"k", None);
        assert_eq!(known(&hot, b"k"), Some(None), "known to be missing");

        let ticket = hot.get(b"other").expect_err("nothing yet");
        hot.learn(b"other", &Some(vec![3]), ticket);
        assert_eq!(known(&hot, b"other"), Some(Some(vec![3])));
    }

    #[test]
    fn a_key_written_twice_is_known_by_its_last_value() {
        let hot = Hot::new(1 << 20);
        hot.expect(b"k");
        hot.expect(b"k");
        hot.give_up(b"k");
        assert_eq!(known(&hot, b"k"), None, "the last value is not here yet");
        hot.write(b"k".to_vec(), Some(vec![2]));
        assert_eq!(known(&hot, b"k"), Some(Some(vec![2])));
        let ticket = hot.get(b"other").expect_err("nothing yet");
        hot.learn(b"other", &None, ticket);
        assert_eq!(known(&hot, b"other"), Some(None), "nothing is expected any more");
    }

    #[test]
    fn nothing_is_known_of_a_key_while_the_index_is_written() {
        let hot = Hot::new(1 << 20);
        commit(&hot, b"k", Some(vec![1]));
        hot.expect(b"k");
        let ticket = hot.get(b"k").expect_err("the index may be ahead of this");
        hot.learn(b"k", &Some(vec![1]), ticket);
        assert!(
            known(&hot, b"k").is_none(),
            "what was read meanwhile may be old already"
        );
        hot.write(b"k".to_vec(), Some(vec![2]));
        hot.learn(b"k", &Some(vec![1]), ticket);
        assert_eq!(known(&hot, b"k"), Some(Some(vec![2])));
    }

    #[test]
    fn it_keeps_its_bound_and_what_is_used() {
        let hot = Hot::new(1 << 20);
        for n in 0..50_000u32 {
            commit(&hot, &n.to_be_bytes(), Some(vec![0; 50]));
            assert!(known(&hot, &0u32.to_be_bytes()).is_some(), "used all the time, at {n}");
        }
        let entries: usize = hot
            .shards
            .iter()
            .map(|shard| shard.lock().expect("held by none"))
            .map(|shard| shard.young.len() + shard.old.len())
            .sum();
        assert!(entries * (4 + 50 + ENTRY_OCTETS) <= 1 << 20, "{entries} entries");
        assert!(known(&hot, &1u32.to_be_bytes()).is_none(), "used long ago");
    }
}
