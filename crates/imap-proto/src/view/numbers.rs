//! Which messages a client was told of, by number and by UID.
//!
//! Always holds: what was told is `base` without the places in `gone`, then `tail`; ascending throughout. `base` is shared
//! by all sessions that opened the mailbox in the same state, so that a session costs what happened since, and opening
//! copies nothing. Looking up is a few binary searches.

use postroom_types::Uid;
use std::cell::Cell;
use std::sync::Arc;

/// From so many places gone on, and if they are the larger part, the rest is worth a copy of its own.
const REBASE_FROM: usize = 1_024;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    base: Arc<[Uid]>,
    /// Places in `base`, ascending.
    gone: Vec<u32>,
    /// Ascending, all above `base`.
    tail: Vec<Uid>,
    /// The place after the one last found: messages are mostly looked up one after the other.
    near: Cell<usize>,
}

impl Numbers {
    pub(crate) const fn new(base: Arc<[Uid]>) -> Self {
        Self {
            base,
            gone: Vec::new(),
            tail: Vec::new(),
            near: Cell::new(0),
        }
    }

    fn of_base(&self) -> usize {
        self.base.len() - self.gone.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.of_base() + self.tail.len()
    }

    /// The message at this place, counted from 0.
    pub(crate) fn at(&self, index: usize) -> Option<Uid> {
        let of_base = self.of_base();
        if index >= of_base {
            return self.tail.get(index - of_base).copied();
        }
        // The n-th gone place has `gone[n] - n` messages before it: all with no more than `index` lie before ours.
        let (mut low, mut high) = (0, self.gone.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.gone[middle] as usize - middle <= index {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.base.get(index + low).copied()
    }

    /// The place of a message.
    pub(crate) fn index_of(&self, uid: Uid) -> Option<usize> {
        let near = self.near.get();
        let index = if self.at(near) == Some(uid) {
            near
        } else {
            self.search(uid)?
        };
        self.near.set(index + 1);
        Some(index)
    }

    fn search(&self, uid: Uid) -> Option<usize> {
        match self.base.binary_search(&uid) {
            Ok(place) => match self.gone.binary_search(&(place as u32)) {
                Ok(_) => None,
                Err(before) => Some(place - before),
            },
            Err(_) => Some(self.of_base() + self.tail.binary_search(&uid).ok()?),
        }
    }

    /// How many messages have a lower UID.
    pub(crate) fn below(&self, uid: Uid) -> usize {
        let place = self.base.partition_point(|told| *told < uid);
        let gone = self.gone.partition_point(|gone| (*gone as usize) < place);
        place - gone + self.tail.partition_point(|told| *told < uid)
    }

    pub(crate) fn last(&self) -> Option<Uid> {
        self.at(self.len().checked_sub(1)?)
    }

    /// Those from `first` to `last`, both included, at most `limit`.
    pub(crate) fn between(&self, first: Uid, last: Uid, limit: usize) -> impl Iterator<Item = Uid> {
        let place = self.base.partition_point(|told| *told < first);
        let mut gone = self.gone[self.gone.partition_point(|gone| (*gone as usize) < place)..]
            .iter()
            .peekable();
        let there = self.base[place..].iter().enumerate();
        let of_base = there.filter(move |(offset, _)| gone.next_if(|gone| **gone as usize == place + offset).is_none());
        let tail = &self.tail[self.tail.partition_point(|told| *told < first)..];
        of_base
            .map(|(_, uid)| *uid)
            .chain(tail.iter().copied())
            .take_while(move |uid| *uid <= last)
            .take(limit)
    }

    pub(crate) fn to_vec(&self) -> Vec<Uid> {
        let mut all = Vec::with_capacity(self.len());
        if let Some(last) = self.last() {
            all.extend(self.between(Uid::MIN, last, usize::MAX));
        }
        all
    }

    /// Adds a message above all others.
    pub(crate) fn push(&mut self, uid: Uid) {
        debug_assert!(self.last().is_none_or(|last| last < uid), "UIDs ascend");
        self.tail.push(uid);
    }

    /// Takes messages out; ascending, those that are not there are left alone.
    pub(crate) fn remove(&mut self, uids: &[Uid]) {
        let before = self.gone.len();
        for uid in uids {
            if let Ok(place) = self.base.binary_search(uid) {
                self.gone.push(place as u32);
            }
        }
        if self.gone.len() > before {
            self.gone.sort_unstable();
            self.gone.dedup();
        }
        if uids.last() >= self.tail.first() && !self.tail.is_empty() {
            self.tail.retain(|uid| uids.binary_search(uid).is_err());
        }
        if self.gone.len() >= REBASE_FROM && self.gone.len() > self.base.len() / 2 {
            *self = Self::new(self.to_vec().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn uid(number: u32) -> Uid {
        Uid::new(number).unwrap()
    }

    /// Everything that can be asked, against a plain list.
    fn check(numbers: &Numbers, model: &[Uid]) -> Result<(), TestCaseError> {
        prop_assert_eq!(numbers.len(), model.len());
        prop_assert_eq!(numbers.last(), model.last().copied());
        prop_assert_eq!(numbers.to_vec(), model);
        for (index, uid) in model.iter().enumerate() {
            prop_assert_eq!(numbers.at(index), Some(*uid));
        }
        prop_assert_eq!(numbers.at(model.len()), None);
        for number in 1..=model.last().map_or(3, |last| last.get() + 2) {
            let uid = uid(number);
            prop_assert_eq!(numbers.index_of(uid), model.binary_search(&uid).ok());
            prop_assert_eq!(numbers.below(uid), model.partition_point(|told| *told < uid));
        }
        Ok(())
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(u32),
        /// Bits choose who goes.
        Remove(Vec<bool>),
        Between(u32, u32, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1_u32..4).prop_map(Step::Push),
            proptest::collection::vec(proptest::bool::weighted(0.3), 1..40).prop_map(Step::Remove),
            (1_u32..150, 1_u32..150, 0_usize..50).prop_map(|(a, b, limit)| Step::Between(a, b, limit)),
        ]
    }

    proptest! {
        #[test]
        fn as_a_plain_list(base: BTreeSet<u8>, steps in proptest::collection::vec(step(), 0..30)) {
            let mut model: Vec<Uid> = base.iter().filter_map(|n| Uid::new(u32::from(*n))).collect();
            let mut highest = model.last().map_or(0, |uid| uid.get());
            let mut numbers = Numbers::new(model.clone().into());
            for step in steps {
                match step {
                    Step::Push(gap) => {
                        highest += gap;
                        model.push(uid(highest));
                        numbers.push(uid(highest));
                    }
                    Step::Remove(bits) => {
                        let gone: Vec<Uid> = (1..=highest)
                            .filter(|n| bits[*n as usize % bits.len()])
                            .map(uid)
                            .collect();
                        numbers.remove(&gone);
                        model.retain(|uid| gone.binary_search(uid).is_err());
                    }
                    Step::Between(a, b, limit) => {
                        let read: Vec<Uid> = numbers.between(uid(a), uid(b), limit).collect();
                        let there = model.iter().copied().filter(|uid| (a..=b).contains(&uid.get()));
                        prop_assert_eq!(read, there.take(limit).collect::<Vec<_>>());
                    }
                }
                check(&numbers, &model)?;
            }
        }
    }

    #[test]
    fn a_mailbox_that_is_emptied_gives_its_memory_back() {
        let mut numbers = Numbers::new((1..=4_000).map(uid).collect());
        let base = Arc::downgrade(&numbers.base);
        numbers.remove(&(1..=1_900).map(uid).collect::<Vec<_>>());
        assert!(base.upgrade().is_some());
        numbers.remove(&(1_901..=2_100).map(uid).collect::<Vec<_>>());
        assert!(base.upgrade().is_none() && numbers.gone.is_empty());
        assert_eq!((numbers.len(), numbers.at(0)), (1_900, Some(uid(2_101))));
    }
}
