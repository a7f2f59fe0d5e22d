//! What upkeep asks of the committer, decided between two groups.

use crate::index::{Entry, Index, Location};
use crate::record::{Op, Place, Seed, encode};
use bytes::Bytes;
use postroom_store::StoreError;
use postroom_types::{BlobId, Lsn};

/// A thing to be done to a body.
pub(crate) enum Chore {
    /// Forget it, which snapshot and journal have as dead, if it has not come to life since.
    Forget(BlobId),
    /// Write it to the journal's end, if it is still where it was read.
    Move { id: BlobId, from: Location, bytes: Bytes },
}

/// The bodies that an entry forgets.
pub(super) fn forgotten(entry: &Entry) -> Vec<BlobId> {
    let forgotten = entry.ops.iter().filter_map(|op| match op {
        Op::Forget(id) => Some(*id),
        _ => None,
    });
    forgotten.collect()
}

/// The record of what is to be done, with its entry; `None` if nothing is.
pub(super) fn record_of(
    chores: Vec<Chore>,
    index: &Index,
    seed: Seed,
    lsn: Lsn,
) -> Result<Option<(Vec<u8>, Entry)>, StoreError> {
    let (mut ops, mut bodies, mut offset) = (Vec::new(), Vec::new(), 0);
    for chore in chores {
        match chore {
            Chore::Forget(id) if index.is_alive(id)? => {}
            Chore::Forget(id) => {
                let witnesses = index.witnesses(id)?.unwrap_or_default().into_iter();
                // The first one lies with the blob itself.
                ops.extend(witnesses.skip(1).map(|witness| Op::Unwitness { id, witness }));
                ops.push(Op::Forget(id));
            }
            Chore::Move { id, from, bytes } => {
                if index.location(id)?.as_ref() != Some(&from) {
                    continue;
                }
                let Some(witness) = index.witnesses(id)?.and_then(|all| all.into_iter().next()) else {
                    continue;
                };
                let Location { octets, crc, .. } = from;
                ops.push(Op::Body {
                    id,
                    witness,
                    place: Place::Inline(offset),
                    octets,
                    crc,
                });
                offset += octets;
                bodies.push(bytes);
            }
        }
    }
    if ops.is_empty() {
        return Ok(None);
    }
    let mut record = Vec::new();
    let bodies_at = encode(&mut record, seed, lsn, lsn, &ops, &bodies);
    Ok(Some((
        record,
        Entry {
            lsn,
            file: Lsn(0),
            bodies_at,
            ops,
        },
    )))
}
