//! A group of commits, resolved one after the other, each on what those before it leave.

use super::Order;
use crate::blobs::OwnBody;
use crate::index::{Entry, Index};
use crate::record::{Op, Place, Seed, encode};
use bytes::Bytes;
use postroom_store::resolve::{Refusal, View, resolve};
use postroom_store::{BlobPut, Commit, Key, Outcome, StoreError, Topic, Topics, Value};
use postroom_types::{BlobId, Lsn};
use std::collections::HashMap;
use tokio::sync::oneshot;

/// A group that grows.
pub(super) struct Group<'a> {
    view: Overlay<'a>,
    seed: Seed,
    first: Lsn,
    finished: Finished,
}

/// A group to be written.
#[derive(Default)]
pub(super) struct Finished {
    /// The bytes for the journal.
    pub(super) records: Vec<u8>,
    /// How many records these are.
    pub(super) commits: usize,
    pub(super) members: Vec<Member>,
}

/// A commit of the group, and what its caller is to hear once the group is durable.
pub(super) struct Member {
    /// For the index, if it was resolved; its places count from the beginning of the records.
    pub(super) entry: Option<Entry>,
    outcome: Result<Outcome, StoreError>,
    topics: Vec<Topic>,
    own: Vec<OwnBody>,
    reply: oneshot::Sender<Result<Outcome, StoreError>>,
}

impl<'a> Group<'a> {
    pub(super) fn new(index: &'a Index, seed: Seed, first: Lsn) -> Self {
        let view = Overlay {
            index,
            values: HashMap::new(),
            witnesses: HashMap::new(),
        };
        Self {
            view,
            seed,
            first,
            finished: Finished::default(),
        }
    }

    /// Resolves a commit and adds its record, if it holds.
    pub(super) fn add(&mut self, order: Order, has_room: impl FnOnce(&Commit) -> bool) {
        let Order { commit, own, reply, .. } = order;
        let mut member = Member {
            entry: None,
            outcome: Ok(Outcome::Full),
            topics: Vec::new(),
            own,
            reply,
        };
        if has_room(&commit) {
            self.resolve(commit, &mut member);
        }
        self.finished.members.push(member);
    }

    fn resolve(&mut self, commit: Commit, member: &mut Member) {
        let lsn = Lsn(self.first.0 + self.finished.commits as u64);
        member.outcome = match resolve(commit, lsn, &mut self.view) {
            Err(Refusal::Conflict(key)) => Ok(Outcome::Conflict(key)),
            Err(Refusal::Failed(error)) => Err(error),
            Ok(resolved) => {
                self.view.note(&resolved.writes, &resolved.blobs);
                member.entry = Some(self.encode(lsn, resolved.writes, resolved.blobs, &member.own));
                member.topics = resolved.topics;
                self.finished.commits += 1;
                Ok(Outcome::Done(resolved.receipt))
            }
        };
    }

    pub(super) fn finish(self) -> Finished {
        self.finished
    }

    fn encode(&mut self, lsn: Lsn, writes: Vec<(Key, Option<Value>)>, blobs: Vec<BlobPut>, own: &[OwnBody]) -> Entry {
        // Bodies first: whoever sees a slice of a bulk commit can read the bodies of its rows.
        let mut inline: Vec<Bytes> = Vec::new();
        let mut offset = 0;
        let mut ops = Vec::with_capacity(writes.len() + blobs.len());
        for BlobPut {
            id,
            bytes,
            witness,
            adopt,
        } in blobs
        {
            ops.push(match own.iter().find(|own| own.id == id) {
                _ if adopt => Op::Witness { id, witness },
                Some(own) => Op::Body {
                    id,
                    witness,
                    place: Place::Own(own.number),
                    octets: own.octets,
                    crc: own.crc,
                },
                None => {
                    let (place, octets) = (Place::Inline(offset), bytes.len() as u64);
                    let crc = crc32fast::hash(&bytes);
                    offset += octets;
                    inline.push(bytes);
                    Op::Body {
                        id,
                        witness,
                        place,
                        octets,
                        crc,
                    }
                }
            });
        }
        ops.extend(writes.into_iter().map(|(key, value)| match value {
            Some(value) => Op::Put(key, value),
            None => Op::Delete(key),
        }));
        let start = self.finished.records.len() as u64;
        let bodies_at = start + encode(&mut self.finished.records, self.seed, lsn, self.first, &ops, &inline);
        // The file is known once the group is written.
        Entry {
            lsn,
            file: Lsn(0),
            bodies_at,
            ops,
        }
    }
}

impl Member {
    /// Tells what came of it. `unknown`: the group was perhaps written, perhaps not.
    pub(super) fn answer(self, unknown: bool, topics: &Topics) {
        let done = match &self.outcome {
            Ok(Outcome::Done(receipt)) => Some(receipt.lsn),
            _ => None,
        };
        // What no commit names is removed before anybody hears of it.
        match done {
            Some(_) => self.own.into_iter().for_each(OwnBody::keep),
            None => drop(self.own),
        }
        if let Some(lsn) = done.filter(|_| !unknown) {
            topics.wake(&self.topics, lsn);
        }
        let outcome = match self.outcome {
            Ok(_) if unknown => Ok(Outcome::Unknown),
            outcome => outcome,
        };
        // Nobody waits if the caller was dropped; what is done is done.
        let _ = self.reply.send(outcome);
    }

    /// Tells that nothing can be said of it, and that nothing was written.
    pub(super) fn give_up(self) {
        drop(self.own);
        let _ = self.reply.send(self.outcome.and(Ok(Outcome::Unknown)));
    }

    /// Tells that there is no space for the group.
    pub(super) fn refuse(self) {
        drop(self.own);
        let _ = self.reply.send(Ok(Outcome::Full));
    }
}

/// The index with the earlier commits of the group.
struct Overlay<'a> {
    index: &'a Index,
    values: HashMap<Key, Option<Value>>,
    witnesses: HashMap<BlobId, Vec<Key>>,
}

impl Overlay<'_> {
    fn note(&mut self, writes: &[(Key, Option<Value>)], blobs: &[BlobPut]) {
        self.values.extend(writes.iter().cloned());
        for blob in blobs {
            self.witnesses.entry(blob.id).or_default().push(blob.witness.clone());
        }
    }
}

impl View for Overlay<'_> {
    fn value(&mut self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        match self.values.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.index.get(key),
        }
    }

    fn witnesses(&mut self, id: BlobId) -> Result<Option<Vec<Key>>, StoreError> {
        let mut stored = self.index.witnesses(id)?;
        if let Some(new) = self.witnesses.get(&id) {
            stored.get_or_insert_default().extend_from_slice(new);
        }
        Ok(stored)
    }
}
