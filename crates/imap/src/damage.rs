//! Bodies that were found to be damaged while they were sent.
//!
//! What always holds: a connection that ends over a damaged body ends once: who asks for that body again is told that it
//! cannot be read, and gets the others.

use postroom_types::BlobId;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// So many are remembered, of 16 octets each.
const MOST: usize = 4096;

/// The damaged bodies that sessions came upon since the start.
#[derive(Default)]
pub(crate) struct Damaged(Mutex<BTreeSet<BlobId>>);

impl Damaged {
    pub(crate) fn note(&self, body: BlobId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.pop_first();
        }
        known.insert(body);
    }

    pub(crate) fn has(&self, body: BlobId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_bounded() {
        let damaged = Damaged::default();
        let body = |n: usize| BlobId((n as u128).to_be_bytes());
        (0..=MOST).for_each(|n| damaged.note(body(n)));
        assert_eq!(
            [0, 1, MOST, MOST + 1].map(|n| damaged.has(body(n))),
            [false, true, true, false]
        );
    }
}
