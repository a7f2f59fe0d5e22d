//! What was used lately: kept as long as there is room, what was used last the longest.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Values by their keys, each with a weight; together they weigh no more than was said. What has to go is given back, so
/// that large values can be freed after the lock around this was.
pub(crate) struct Lately<K, V> {
    most_weight: usize,
    entries: HashMap<K, Entry<V>>,
    /// Keys in the order of their last use.
    order: BTreeMap<u64, K>,
    clock: u64,
    weight: usize,
}

struct Entry<V> {
    value: V,
    used: u64,
    weight: usize,
}

impl<K: Copy + Eq + Hash, V> Lately<K, V> {
    /// Keeps values of this weight together.
    pub(crate) fn new(most_weight: usize) -> Self {
        Self {
            most_weight,
            entries: HashMap::new(),
            order: BTreeMap::new(),
            clock: 0,
            weight: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.entries.get(&key).map(|entry| &entry.value)
    }

    /// The value, from now on the one that was used last.
    pub(crate) fn touch(&mut self, key: K) -> Option<&V> {
        let entry = self.entries.get_mut(&key)?;
        self.clock += 1;
        self.order.remove(&entry.used);
        self.order.insert(self.clock, key);
        entry.used = self.clock;
        Some(&entry.value)
    }

    /// Keeps a value as the one that was used last. Gives back the one it replaces and those that weigh too much now: it
    /// may be one of them.
    #[must_use]
    pub(crate) fn put(&mut self, key: K, value: V, weight: usize) -> Vec<V> {
        let mut gone: Vec<V> = self.remove(key).into_iter().collect();
        self.clock += 1;
        let used = self.clock;
        self.weight += weight;
        self.order.insert(used, key);
        self.entries.insert(key, Entry { value, used, weight });
        while self.weight > self.most_weight
            && let Some((_, oldest)) = self.order.first_key_value()
        {
            let oldest = *oldest;
            gone.extend(self.remove(oldest));
        }
        gone
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let Entry { value, used, weight } = self.entries.remove(&key)?;
        self.order.remove(&used);
        self.weight -= weight;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_not_used_for_longest_go() {
        let mut kept = Lately::new(10);
        for key in 1..=3 {
            assert!(kept.put(key, key, 3).is_empty());
        }
        assert_eq!(kept.touch(1), Some(&1));
        // In place of itself it needs no more room than it takes.
        assert_eq!(kept.put(3, 30, 4), [3]);
        assert_eq!(kept.put(4, 4, 2), [2]);
        assert_eq!((kept.get(2), kept.get(3), kept.len()), (None, Some(&30), 3));
        assert_eq!(kept.put(5, 5, 7), [1, 30]);
        assert_eq!(kept.put(6, 6, 11), [4, 5, 6]);
        assert_eq!((kept.len(), kept.weight, kept.order.len()), (0, 0, 0));
        assert_eq!(kept.remove(6), None);
        assert_eq!(kept.touch(6), None);
    }
}
