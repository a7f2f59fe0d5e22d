//! The pairs and bodies of the in-memory backend.
//!
//! What always holds: a blob is marked dead in the same step that removes the last key under its last witness, and
//! revived in the step that puts one again or adopts it.

use crate::resolve::View;
use crate::{BlobPut, Key, Page, StoreError, Value, prefix_end};
use bytes::Bytes;
use postroom_types::{BlobId, Lsn};
use std::collections::{BTreeMap, HashMap};
use std::ops::{Bound, Range};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) lsn: Lsn,
    pairs: BTreeMap<Key, Value>,
    blobs: HashMap<BlobId, Body>,
    /// Which blobs a witness keeps alive.
    witnesses: BTreeMap<Key, Vec<BlobId>>,
}

#[derive(Debug)]
struct Body {
    bytes: Bytes,
    witnesses: Vec<Key>,
    dead_since: Option<Instant>,
}

impl Rows {
    pub(super) fn get(&self, key: &[u8]) -> Option<Value> {
        self.pairs.get(key).cloned()
    }

    pub(super) fn page(&self, low: &[u8], high: &[u8], reverse: bool, limit: usize) -> Page {
        let mut pairs: Vec<(Key, Value)> = Vec::new();
        let mut more = false;
        let mut take = |key: &Key, value: &Value| {
            more = pairs.len() == limit;
            if !more {
                pairs.push((key.clone(), value.clone()));
            }
            more
        };
        if reverse {
            self.between(low, high).rev().any(|(key, value)| take(key, value));
        } else {
            self.between(low, high).any(|(key, value)| take(key, value));
        }
        let resume = pairs.last().filter(|_| more).map(|(key, _)| key.clone());
        Page { pairs, more, resume }
    }

    /// No pairs, and the truth about where nothing was found; a page of one pair if there is no such place.
    pub(super) fn empty_page(&self, low: &[u8], high: &[u8], reverse: bool) -> Page {
        let mut pairs = self.between(low, high);
        let resume = match (reverse, pairs.next_back(), self.between(low, high).next()) {
            (true, Some((last, _)), _) => [last.as_slice(), &[0]].concat(),
            (false, _, Some((first, _))) if first.as_slice() > low => low.to_vec(),
            _ => return self.page(low, high, reverse, 1),
        };
        Page {
            pairs: Vec::new(),
            more: true,
            resume: Some(resume),
        }
    }

    pub(super) fn blob(&mut self, id: BlobId, range: Range<u64>, grace: Duration) -> Option<Bytes> {
        let body = self.blobs.get(&id)?;
        if body.dead_since.is_some_and(|since| since.elapsed() >= grace) {
            self.blobs.remove(&id);
            return None;
        }
        let octets = body.bytes.len() as u64;
        let end = range.end.min(octets);
        let start = range.start.min(end);
        // Both are within the length, which is a usize.
        Some(body.bytes.slice(start as usize..end as usize))
    }

    pub(super) fn keep(&mut self, blobs: Vec<BlobPut>) {
        for BlobPut {
            id,
            bytes,
            witness,
            adopt,
        } in blobs
        {
            self.witnesses.entry(witness.clone()).or_default().push(id);
            let body = Body {
                bytes,
                witnesses: Vec::new(),
                dead_since: Some(Instant::now()),
            };
            if !adopt {
                self.blobs.insert(id, body);
            }
            if let Some(body) = self.blobs.get_mut(&id) {
                body.witnesses.push(witness);
            }
            self.judge(id);
        }
    }

    pub(super) fn write(&mut self, writes: &[(Key, Option<Value>)]) {
        for (key, value) in writes {
            match value {
                Some(value) => self.pairs.insert(key.clone(), value.clone()),
                None => self.pairs.remove(key),
            };
        }
        for (key, _) in writes {
            for end in 1..=key.len() {
                for id in self.witnesses.get(&key[..end]).cloned().unwrap_or_default() {
                    self.judge(id);
                }
            }
        }
    }

    /// Marks a blob dead or alive.
    fn judge(&mut self, id: BlobId) {
        let Some(body) = self.blobs.get(&id) else { return };
        let alive = body
            .witnesses
            .iter()
            .any(|witness| self.between(witness, &prefix_end(witness)).next().is_some());
        let since = body
            .dead_since
            .filter(|_| !alive)
            .or_else(|| (!alive).then(Instant::now));
        if let Some(body) = self.blobs.get_mut(&id) {
            body.dead_since = since;
        }
    }

    fn between(&self, low: &[u8], high: &[u8]) -> impl DoubleEndedIterator<Item = (&Key, &Value)> {
        // A range that ends before it begins would panic in the map.
        let high = high.max(low);
        self.pairs
            .range::<[u8], _>((Bound::Included(low), Bound::Excluded(high)))
    }
}

impl View for Rows {
    fn value(&mut self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        Ok(self.get(key))
    }

    fn witnesses(&mut self, id: BlobId) -> Result<Option<Vec<Key>>, StoreError> {
        Ok(self.blobs.get(&id).map(|body| body.witnesses.clone()))
    }
}
