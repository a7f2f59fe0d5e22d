//! Walks a whole range across short pages.

use crate::{Key, MAX_KEY_OCTETS, Store, StoreError, Value};
use std::collections::VecDeque;

/// A walk through a range, page after page. Not a snapshot: commits made meanwhile may be seen or not.
pub struct Scan<'a> {
    store: &'a dyn Store,
    low: Key,
    high: Key,
    reverse: bool,
    page_pairs: usize,
    pairs: VecDeque<(Key, Value)>,
    more: bool,
}

/// Walks `[low, high)` in key order.
#[must_use]
pub fn scan(store: &dyn Store, low: Key, high: Key) -> Scan<'_> {
    Scan {
        store,
        more: low < high,
        low,
        high,
        reverse: false,
        page_pairs: 256,
        pairs: VecDeque::new(),
    }
}

/// Walks all keys that begin with `prefix`, in key order.
#[must_use]
pub fn scan_prefix<'a>(store: &'a dyn Store, prefix: &[u8]) -> Scan<'a> {
    scan(store, prefix.to_vec(), prefix_end(prefix))
}

/// The least key above all keys that begin with `prefix`.
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Key {
    match prefix.iter().rposition(|octet| *octet != u8::MAX) {
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            end
        }
        // Above every key there can be.
        None => vec![u8::MAX; MAX_KEY_OCTETS + 1],
    }
}

impl Scan<'_> {
    /// Walks from the high end downward instead.
    #[must_use]
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// Asks for this many pairs at a time; 256 unless told.
    #[must_use]
    pub fn page_pairs(mut self, pairs: usize) -> Self {
        self.page_pairs = pairs.max(1);
        self
    }

    /// The next pair; `None` at the end.
    ///
    /// # Errors
    /// Those of [`Store::range`]; the walk may go on from the same place.
    pub async fn next(&mut self) -> Result<Option<(Key, Value)>, StoreError> {
        while self.pairs.is_empty() && self.more {
            let page = self
                .store
                .range(&self.low, &self.high, self.reverse, self.page_pairs)
                .await?;
            self.pairs.extend(page.pairs);
            // Without a place to go on from, going on would walk the same pairs for ever.
            self.more = page.more && page.resume.is_some();
            match page.resume {
                Some(mut resume) if !self.reverse => {
                    resume.push(0);
                    self.low = resume;
                }
                Some(resume) => self.high = resume,
                None => {}
            }
        }
        Ok(self.pairs.pop_front())
    }

    /// All the pairs that are left, for ranges known to be small.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn collect(mut self) -> Result<Vec<(Key, Value)>, StoreError> {
        let mut all = Vec::new();
        while let Some(pair) = self.next().await? {
            all.push(pair);
        }
        Ok(all)
    }
}
