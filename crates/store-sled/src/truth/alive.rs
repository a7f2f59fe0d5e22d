//! Which bodies somebody owns.

use super::Truth;
use crate::error::OpenError;
use crate::index::Row;
use crate::record::Op;
use postroom_store::Key;
use postroom_types::BlobId;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The witnesses of a body.
#[derive(Default)]
struct Owners {
    /// The one that lies with the body itself; `None` if the body cannot be found.
    first: Option<Key>,
    further: BTreeSet<Key>,
}

impl Owners {
    fn all(&self) -> impl Iterator<Item = &Key> {
        let further = self.first.iter().flat_map(|_| &self.further);
        self.first.iter().chain(further)
    }
}

/// Some keys, of which those are wanted that another key begins with.
struct Prefixes<'a> {
    all: HashSet<&'a [u8]>,
    /// Their lengths: few, since owners have keys of few kinds.
    lengths: BTreeSet<usize>,
}

impl<'a> Prefixes<'a> {
    fn of_key(&self, key: &[u8]) -> impl Iterator<Item = &'a [u8]> {
        let prefixes = self.lengths.iter().map_while(|length| key.get(..*length));
        prefixes.filter_map(|prefix| self.all.get(prefix).copied())
    }
}

impl Truth<'_> {
    /// Those of these bodies that a key keeps alive.
    pub(crate) fn alive(&self, ids: &HashSet<BlobId>) -> Result<HashSet<BlobId>, OpenError> {
        let owners = self.owners(ids)?;
        let all: HashSet<&[u8]> = owners.values().flat_map(Owners::all).map(Vec::as_slice).collect();
        let prefixes = Prefixes {
            lengths: all.iter().map(|witness| witness.len()).collect(),
            all,
        };
        // The journal first: of the snapshot, only what was not written since counts.
        let mut written: HashMap<Key, bool> = HashMap::new();
        self.records(&mut |record| {
            for op in record.ops {
                let (key, is_there) = match op {
                    Op::Put(key, _) => (key, true),
                    Op::Delete(key) => (key, false),
                    Op::Body { .. } | Op::Witness { .. } | Op::Forget(_) | Op::Unwitness { .. } => continue,
                };
                if prefixes.of_key(&key).next().is_some() {
                    written.insert(key, is_there);
                }
            }
            Ok(())
        })?;
        let mut found: HashSet<&[u8]> = HashSet::new();
        self.rows(&mut |row| {
            if let Row::Key(key) = row
                && !written.contains_key(key)
            {
                found.extend(prefixes.of_key(key));
            }
            true
        })?;
        let there = written.iter().filter(|(_, is_there)| **is_there);
        there.for_each(|(key, _)| found.extend(prefixes.of_key(key)));
        let is_alive = |owners: &Owners| owners.all().any(|witness| found.contains(witness.as_slice()));
        let alive = owners.iter().filter(|(_, owners)| is_alive(owners));
        Ok(alive.map(|(id, _)| *id).collect())
    }

    fn owners(&self, ids: &HashSet<BlobId>) -> Result<HashMap<BlobId, Owners>, OpenError> {
        let mut all: HashMap<BlobId, Owners> = ids.iter().map(|id| (*id, Owners::default())).collect();
        self.rows(&mut |row| {
            match row {
                Row::Body(id, _, witness) => {
                    if let Some(owners) = all.get_mut(&id) {
                        owners.first = Some(witness.to_vec());
                    }
                }
                Row::Witness(id, witness) => {
                    if let Some(owners) = all.get_mut(&id) {
                        owners.further.insert(witness.to_vec());
                    }
                }
                Row::Key(_) => {}
            }
            true
        })?;
        self.records(&mut |record| {
            for op in record.ops {
                let (Op::Body { id, .. } | Op::Forget(id) | Op::Witness { id, .. } | Op::Unwitness { id, .. }) = &op
                else {
                    continue;
                };
                let Some(owners) = all.get_mut(id) else { continue };
                match op {
                    Op::Body { witness, .. } => owners.first = Some(witness),
                    Op::Forget(_) => owners.first = None,
                    Op::Witness { witness, .. } => _ = owners.further.insert(witness),
                    Op::Unwitness { witness, .. } => _ = owners.further.remove(&witness),
                    Op::Put(..) | Op::Delete(_) => {}
                }
            }
            Ok(())
        })?;
        Ok(all)
    }
}
