//! The pairs of the index: which one an operation changes, and what one says. Snapshots hold the same pairs.

use super::location::{At, Location, decode_location, encode_location};
use super::{BLOB, USER, WITNESS, prefixed};
use crate::record::{Op, Place};
use postroom_store::Key;
use postroom_types::{BlobId, Lsn};
use std::borrow::Cow;

/// A pair as it lies in the index.
pub(crate) type RawRow = (Vec<u8>, Vec<u8>);

/// What a pair says. In the order of the keys, bodies come first.
pub(crate) enum Row<'a> {
    /// Where a body is, and its first witness.
    Body(BlobId, Location, &'a [u8]),
    /// A user's key.
    Key(&'a [u8]),
    /// A further witness of a body.
    Witness(BlobId, &'a [u8]),
}

impl<'a> Row<'a> {
    /// `None` if it is none of these.
    pub(crate) fn of(key: &'a [u8], value: &'a [u8]) -> Option<Self> {
        let (space, key) = key.split_first()?;
        match *space {
            BLOB => {
                let (location, witness) = decode_location(value)?;
                Some(Self::Body(BlobId(key.try_into().ok()?), location, witness))
            }
            USER => Some(Self::Key(key)),
            WITNESS => {
                let (id, witness) = key.split_first_chunk()?;
                Some(Self::Witness(BlobId(*id), witness))
            }
            _ => None,
        }
    }
}

/// The key of the pair that an operation changes, and its value then; `None` if it is removed. The record of the operation
/// is in this journal file, its bodies at this offset.
pub(crate) fn change(op: &Op, file: Lsn, bodies_at: u64) -> (Key, Option<Cow<'_, [u8]>>) {
    const NOTHING: Option<Cow<'_, [u8]>> = Some(Cow::Borrowed(&[]));
    match op {
        Op::Put(key, value) => (prefixed(USER, key), Some(Cow::Borrowed(value))),
        Op::Delete(key) => (prefixed(USER, key), None),
        Op::Witness { id, witness } => (witness_key(*id, witness), NOTHING),
        Op::Unwitness { id, witness } => (witness_key(*id, witness), None),
        Op::Forget(id) => (prefixed(BLOB, &id.0), None),
        Op::Body {
            id,
            witness,
            place,
            octets,
            crc,
        } => {
            let at = match place {
                Place::Inline(offset) => At::Journal {
                    file,
                    offset: bodies_at + offset,
                },
                Place::Own(number) => At::Own(*number),
            };
            let location = Location {
                at,
                octets: *octets,
                crc: *crc,
            };
            let row = encode_location(&location, witness);
            (prefixed(BLOB, &id.0), Some(Cow::Owned(row)))
        }
    }
}

fn witness_key(id: BlobId, witness: &[u8]) -> Key {
    [&[WITNESS], id.0.as_slice(), witness].concat()
}
