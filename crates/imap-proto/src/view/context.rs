//! A search whose result the client follows (RFC 5267 §4.3).
//!
//! Always holds: `result` is what the client has if it has followed all it was told; ascending, unless it is sorted.

use super::difference::Difference;
use crate::grammar::asked_again::{Traits, set_star};
use crate::grammar::fetch_items::FetchSpec;
use postroom_types::{SearchKey, SortKey, Uid};
use std::sync::Arc;

/// A search with UPDATE.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Of the command, by which the client knows it.
    pub(crate) tag: Vec<u8>,
    pub(crate) by_uid: bool,
    pub(crate) program: Arc<SearchKey>,
    pub(crate) traits: Traits,
    /// `None`: in the order of the mailbox.
    pub(crate) keys: Option<Vec<SortKey>>,
    /// What is told of new messages that come into the result.
    pub(crate) fetch: Option<FetchSpec>,
    pub(crate) result: Vec<Uid>,
    /// The last message when it was last asked: what `*` means in its program.
    pub(super) last: Option<Uid>,
    /// No message above it has been looked at.
    pub(super) told_up_to: Option<Uid>,
    /// It is to be asked about what has changed.
    pub(super) is_due: bool,
    /// It was asked about these, ascending, in vain, and waits for the next news to be asked again.
    pub(super) missed: Vec<Uid>,
    pub(super) waits: bool,
    /// The last time it was asked in vain.
    pub(super) has_failed: bool,
}

impl Context {
    pub(crate) fn new(program: Arc<SearchKey>, keys: Option<Vec<SortKey>>) -> Self {
        Self {
            tag: Vec::new(),
            by_uid: false,
            traits: Traits::of(&program),
            program,
            keys,
            fetch: None,
            result: Vec::new(),
            last: None,
            told_up_to: None,
            is_due: false,
            missed: Vec::new(),
            waits: false,
            has_failed: false,
        }
    }

    pub(crate) const fn is_sorted(&self) -> bool {
        self.keys.is_some()
    }

    /// It is about to be asked when this is the last message. About this one and the one that was the last before, if
    /// that matters to its program.
    pub(super) fn has_last(&mut self, last: Uid) -> [Option<Uid>; 2] {
        let before = self.last.replace(last);
        if !self.traits.by_last || before == Some(last) {
            return [None; 2];
        }
        set_star(Arc::make_mut(&mut self.program), last);
        [before, Some(last)]
    }

    /// It was asked and is told of. The message above which all are new to it.
    pub(crate) fn is_told(&mut self) -> Option<Uid> {
        self.has_failed = false;
        std::mem::replace(&mut self.told_up_to, self.last)
    }

    /// Of these messages, ascending, the ones in the result, ascending.
    pub(super) fn has(&self, uids: &[Uid]) -> Vec<Uid> {
        if !self.is_sorted() {
            let is_in = |uid: &Uid| self.result.binary_search(uid).is_ok();
            return uids.iter().copied().filter(is_in).collect();
        }
        let is_asked = |uid: &Uid| uids.binary_search(uid).is_ok();
        let mut has: Vec<Uid> = self.result.iter().copied().filter(is_asked).collect();
        has.sort_unstable();
        has
    }

    /// Of these messages, ascending, of which those match: who leaves the result, and who comes into it.
    pub(crate) fn compare(&self, among: &[Uid], matching: &[Uid]) -> (Vec<Uid>, Vec<Uid>) {
        let has = self.has(among);
        let is_in = |uid: &Uid| has.binary_search(uid).is_ok();
        let matches = |uid: &Uid| matching.binary_search(uid).is_ok();
        let leaves = has.iter().copied().filter(|uid| !matches(uid)).collect();
        let comes = among.iter().copied().filter(|uid| !is_in(uid) && matches(uid));
        (leaves, comes.collect())
    }

    /// All that are in the result, ascending, once these have left it and those have come, both ascending.
    pub(crate) fn with(&self, leaves: &[Uid], comes: &[Uid]) -> Vec<Uid> {
        let stays = self.result.iter().filter(|uid| leaves.binary_search(uid).is_err());
        let mut with: Vec<Uid> = stays.chain(comes).copied().collect();
        with.sort_unstable();
        with
    }

    /// These leave a result, ascending, and those come into one that is in the order of the mailbox. What is to be told of it.
    pub(crate) fn changes(&mut self, leaves: Vec<Uid>, comes: Vec<Uid>) -> Difference {
        let difference = self.is_sorted().then(|| Difference::without(&self.result, &leaves));
        if !leaves.is_empty() {
            self.result.retain(|uid| leaves.binary_search(uid).is_err());
        }
        if let Some(first) = comes.first() {
            let from = self.result.partition_point(|uid| uid < first);
            self.result.extend_from_slice(&comes);
            // Two ascending runs, which this merges.
            self.result[from..].sort();
        }
        difference.unwrap_or_else(|| Difference::of_sets(leaves, comes))
    }

    /// Takes a sorted result as it is now. What is to be told of it.
    pub(crate) fn becomes(&mut self, now: Vec<Uid>) -> Difference {
        let before = std::mem::replace(&mut self.result, now);
        Difference::between(&before, &self.result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn uids(numbers: &BTreeSet<u32>) -> Vec<Uid> {
        numbers.iter().copied().filter_map(Uid::new).collect()
    }

    proptest! {
        #[test]
        fn the_result_is_what_matches(
            before in proptest::collection::btree_set(1_u32..40, 0..30),
            among in proptest::collection::btree_set(1_u32..40, 0..10),
            matching in proptest::collection::btree_set(1_u32..40, 0..30),
            sorted: bool,
        ) {
            let program = Arc::new(SearchKey::All);
            let mut context = Context::new(program, sorted.then(Vec::new));
            context.result = uids(&before);
            if sorted {
                context.result.reverse();
            }
            let now = uids(&before.difference(&among).chain(among.intersection(&matching)).copied().collect());
            let (leaves, comes) = context.compare(&uids(&among), &uids(&matching));
            prop_assert_eq!(context.with(&leaves, &comes), now.clone());
            if sorted {
                context.changes(leaves, Vec::new());
                prop_assert!(context.result.iter().rev().all(|uid| now.contains(uid)));
                prop_assert!(context.result.is_sorted_by(|a, b| a > b));
                prop_assert_eq!(context.result.len() + comes.len(), now.len());
            } else {
                context.changes(leaves, comes);
                prop_assert_eq!(&context.result, &now);
            }
        }
    }
}
