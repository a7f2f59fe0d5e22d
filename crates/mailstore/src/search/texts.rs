//! Folded texts, each kept once: most messages of a mailbox share their addresses, and answers share their subjects.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// The number of a text in [`Texts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TextId(u32);

impl TextId {
    /// There is no such field.
    pub(super) const NONE: Self = Self(u32::MAX);
    /// There is one, but it is too long to be kept.
    pub(super) const LONG: Self = Self(u32::MAX - 1);
    /// The empty text.
    pub(super) const EMPTY: Self = Self(0);

    /// As an index; meaningful for texts that are kept.
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Whether there is a text, and one that says something.
    pub(super) fn says_something(self) -> bool {
        !matches!(self, Self::NONE | Self::EMPTY)
    }
}

/// See the module.
pub(super) struct Texts {
    bytes: Vec<u8>,
    /// Where each text ends; it begins where the one before ends.
    ends: Vec<usize>,
    /// Open addressing: number plus one, 0 for a free slot. A power of two, at most half full.
    slots: Vec<u32>,
    hasher: RandomState,
}

impl Default for Texts {
    fn default() -> Self {
        let mut texts = Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            slots: vec![0; 64],
            hasher: RandomState::new(),
        };
        texts.intern(b"");
        texts
    }
}

impl Texts {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// A text that is kept; empty for the other ids.
    pub(super) fn get(&self, id: TextId) -> &[u8] {
        let Some(end) = self.ends.get(id.index()) else {
            return b"";
        };
        let start = id.index().checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..*end]
    }

    /// The number of a text, which is added if it is new.
    pub(super) fn intern(&mut self, text: &[u8]) -> TextId {
        let mut slot = self.slot(text);
        while let Some(number) = self.slots[slot].checked_sub(1) {
            if self.get(TextId(number)) == text {
                return TextId(number);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        let number = self.ends.len() as u32;
        if number >= TextId::LONG.0 {
            return TextId::LONG;
        }
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        self.slots[slot] = number + 1;
        if 2 * self.ends.len() > self.slots.len() {
            self.grow();
        }
        TextId(number)
    }

    fn slot(&self, text: &[u8]) -> usize {
        self.hasher.hash_one(text) as usize & (self.slots.len() - 1)
    }

    fn grow(&mut self) {
        self.slots = vec![0; 2 * self.slots.len()];
        for number in 0..self.ends.len() as u32 {
            let mut slot = self.slot(self.get(TextId(number)));
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = number + 1;
        }
    }

    /// About how much memory it takes.
    pub(super) fn octets(&self) -> usize {
        self.bytes.capacity() + 8 * self.ends.capacity() + 4 * self.slots.capacity()
    }
}

/// The place of each text among all, in ascending order of their octets (i;octet over what is folded, RFC 5051 §2).
#[derive(Clone, Default)]
pub(super) struct Ranks {
    /// The texts, ascending.
    order: Vec<u32>,
    ranks: Arc<Vec<u32>>,
}

impl Ranks {
    /// The place of a text; the empty one is the first, and so is what is not there (RFC 5256 §3).
    pub(super) fn of(&self, id: TextId) -> u32 {
        self.ranks.get(id.index()).copied().unwrap_or(0)
    }

    /// Takes in the texts that have come since.
    pub(super) fn extend(&mut self, texts: &Texts) {
        let known = self.order.len();
        if known == texts.len() {
            return;
        }
        let get = |number: &u32| texts.get(TextId(*number));
        // Most texts differ in their first octets, which are compared as one number.
        let key = |number: u32| {
            let text = get(&number);
            let mut head = [0; 8];
            let octets = text.len().min(8);
            head[..octets].copy_from_slice(&text[..octets]);
            (u64::from_be_bytes(head), number)
        };
        let mut fresh: Vec<(u64, u32)> = (known as u32..texts.len() as u32).map(key).collect();
        fresh.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| get(&a.1).cmp(get(&b.1))));
        let mut fresh = fresh.into_iter().map(|(_, number)| number).peekable();
        let mut order = Vec::with_capacity(texts.len());
        for number in std::mem::take(&mut self.order) {
            while let Some(new) = fresh.next_if(|new| get(new) < get(&number)) {
                order.push(new);
            }
            order.push(number);
        }
        order.extend(fresh);
        let mut ranks = vec![0; order.len()];
        for (rank, number) in order.iter().enumerate() {
            ranks[*number as usize] = rank as u32;
        }
        self.order = order;
        self.ranks = Arc::new(ranks);
    }

    /// About how much memory it takes.
    pub(super) fn octets(&self) -> usize {
        4 * (self.order.capacity() + self.ranks.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_have_one_number_and_their_order(first in proptest::collection::vec("[a-c\u{e9}]{0,6}", 0..40), second in proptest::collection::vec("[a-c]{0,6}", 0..40)) {
            let mut texts = Texts::default();
            let mut ranks = Ranks::default();
            let mut ids = Vec::new();
            for words in [&first, &second] {
                for word in words {
                    ids.push((texts.intern(word.as_bytes()), word));
                }
                ranks.extend(&texts);
            }
            for (id, word) in &ids {
                prop_assert_eq!(texts.get(*id), word.as_bytes());
                for (other, word2) in &ids {
                    prop_assert_eq!(id == other, word == word2);
                    prop_assert_eq!(ranks.of(*id).cmp(&ranks.of(*other)), word.cmp(word2));
                }
            }
            prop_assert_eq!((ranks.of(TextId::EMPTY), ranks.of(TextId::NONE)), (0, 0));
            prop_assert_eq!(texts.get(TextId::NONE), b"");
        }
    }
}
