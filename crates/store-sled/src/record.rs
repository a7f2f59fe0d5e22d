//! A journal record: one commit, resolved.
//!
//! ```text
//! "prR1"  header CRC  payload octets  operations octets  lsn  group  payload CRC  0      (40 octets, big-endian)
//!    4        4             4                4            8     8         4       4
//! operations, then bodies
//! ```
//! What always holds:
//! - `group` is the lsn of the first record that went to disk by the same write. So a broken record followed by a good
//!   one of the same group is a torn write, and one followed by a later group is corruption: a group is written only
//!   after the one before it was synced.
//! - CRCs start from a number made of the store's id, so bytes that a peer sends (they lie in bodies) are no record.
//!
//! CRC-32 is that of IEEE 802.3, not CRC-32C: sled brings `crc32fast` already, and both detect the same kinds of damage.

use postroom_store::{Key, Value};
use postroom_types::{BlobId, Lsn};

/// Octets before the payload.
pub(crate) const HEADER_OCTETS: usize = 40;
/// How a record begins.
pub(crate) const MAGIC: &[u8; 4] = b"prR1";

/// Where CRCs start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn of_store(id: &[u8; 16]) -> Self {
        Self(crc32fast::hash(id))
    }

    /// CRC-32 of `bytes`, from this start.
    pub(crate) fn crc(self, bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// One thing a commit does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Put(Key, Value),
    Delete(Key),
    /// A body, and the keys that keep it alive.
    Body {
        id: BlobId,
        witness: Key,
        place: Place,
        octets: u64,
        crc: u32,
    },
    /// One more witness for a body.
    Witness {
        id: BlobId,
        witness: Key,
    },
    /// A body that no key keeps alive is not to be found any more.
    Forget(BlobId),
    /// Nor is one of its further witnesses.
    Unwitness {
        id: BlobId,
        witness: Key,
    },
}

impl Op {
    /// The key whose value it changes.
    pub(crate) fn written(&self) -> Option<&[u8]> {
        match self {
            Self::Put(key, _) | Self::Delete(key) => Some(key),
            Self::Body { .. } | Self::Witness { .. } | Self::Forget(_) | Self::Unwitness { .. } => None,
        }
    }
}

/// Where a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the record, this many octets after its operations.
    Inline(u64),
    /// In a file of its own, with this number in its name.
    Own(u64),
}

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) payload_octets: u32,
    pub(crate) ops_octets: u32,
    pub(crate) lsn: Lsn,
    pub(crate) group: Lsn,
    payload_crc: u32,
}

impl Head {
    /// Reads a head; `None` if it is not one of this store.
    pub(crate) fn read(bytes: &[u8], seed: Seed) -> Option<Self> {
        let (head, _) = bytes.split_at_checked(HEADER_OCTETS)?;
        let mut input = Input(head);
        let magic = input.take(4)?;
        if magic != MAGIC || input.u32()? != seed.crc(&head[8..]) {
            return None;
        }
        let head = Self {
            payload_octets: input.u32()?,
            ops_octets: input.u32()?,
            lsn: Lsn(input.u64()?),
            group: Lsn(input.u64()?),
            payload_crc: input.u32()?,
        };
        (head.ops_octets <= head.payload_octets).then_some(head)
    }

    /// Whether this is the payload that was written.
    pub(crate) fn fits(&self, payload: &[u8], seed: Seed) -> bool {
        payload.len() == self.payload_octets as usize && seed.crc(payload) == self.payload_crc
    }
}

/// Writes a record after what `out` holds; returns how far behind its start the bodies begin.
///
/// # Panics
/// If a payload is 4 GiB or more; the limits of the trait keep it below 1 GiB.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    seed: Seed,
    lsn: Lsn,
    group: Lsn,
    ops: &[Op],
    bodies: &[impl AsRef<[u8]>],
) -> u64 {
    let start = out.len();
    out.resize(start + HEADER_OCTETS, 0);
    for op in ops {
        encode_op(out, op);
    }
    let bodies_at = out.len();
    for body in bodies {
        out.extend_from_slice(body.as_ref());
    }
    let octets = |from: usize, to: usize| u32::try_from(to - from).expect("a payload is below 4 GiB");
    let payload = start + HEADER_OCTETS;
    let mut head = Vec::with_capacity(HEADER_OCTETS - 8);
    head.extend(octets(payload, out.len()).to_be_bytes());
    head.extend(octets(payload, bodies_at).to_be_bytes());
    head.extend(lsn.0.to_be_bytes());
    head.extend(group.0.to_be_bytes());
    head.extend(seed.crc(&out[payload..]).to_be_bytes());
    head.extend([0; 4]);
    out[start..start + 4].copy_from_slice(MAGIC);
    out[start + 4..start + 8].copy_from_slice(&seed.crc(&head).to_be_bytes());
    out[start + 8..payload].copy_from_slice(&head);
    (bodies_at - start) as u64
}

const PUT: u8 = 1;
const DELETE: u8 = 2;
const BODY_INLINE: u8 = 3;
const BODY_OWN: u8 = 4;
const WITNESS: u8 = 5;
const FORGET: u8 = 6;
const UNWITNESS: u8 = 7;

fn encode_op(out: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Put(key, value) => {
            out.push(PUT);
            encode_bytes(out, key);
            encode_bytes(out, value);
        }
        Op::Delete(key) => {
            out.push(DELETE);
            encode_bytes(out, key);
        }
        Op::Body {
            id,
            witness,
            place,
            octets,
            crc,
        } => {
            let (tag, number) = match place {
                Place::Inline(offset) => (BODY_INLINE, offset),
                Place::Own(number) => (BODY_OWN, number),
            };
            out.push(tag);
            out.extend(id.0);
            encode_bytes(out, witness);
            out.extend(number.to_be_bytes());
            out.extend(octets.to_be_bytes());
            out.extend(crc.to_be_bytes());
        }
        Op::Witness { id, witness } => {
            out.push(WITNESS);
            out.extend(id.0);
            encode_bytes(out, witness);
        }
        Op::Forget(id) => {
            out.push(FORGET);
            out.extend(id.0);
        }
        Op::Unwitness { id, witness } => {
            out.push(UNWITNESS);
            out.extend(id.0);
            encode_bytes(out, witness);
        }
    }
}

/// Keys and values are at most 4 KiB, so two octets hold their length.
pub(crate) fn encode_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let octets = u16::try_from(bytes.len()).expect("keys and values are at most 4 KiB");
    out.extend(octets.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Reads the operations of a payload whose CRC is right; `None` if they mean nothing to this version.
pub(crate) fn decode_ops(bytes: &[u8]) -> Option<Vec<Op>> {
    let mut input = Input(bytes);
    let mut ops = Vec::new();
    while !input.0.is_empty() {
        ops.push(decode_op(&mut input)?);
    }
    Some(ops)
}

fn decode_op(input: &mut Input<'_>) -> Option<Op> {
    Some(match input.take(1)?[0] {
        PUT => Op::Put(input.bytes()?, input.bytes()?),
        DELETE => Op::Delete(input.bytes()?),
        tag @ (BODY_INLINE | BODY_OWN) => {
            let (id, witness, number) = (input.id()?, input.bytes()?, input.u64()?);
            let place = if tag == BODY_OWN {
                Place::Own(number)
            } else {
                Place::Inline(number)
            };
            Op::Body {
                id,
                witness,
                place,
                octets: input.u64()?,
                crc: input.u32()?,
            }
        }
        WITNESS => Op::Witness {
            id: input.id()?,
            witness: input.bytes()?,
        },
        FORGET => Op::Forget(input.id()?),
        UNWITNESS => Op::Unwitness {
            id: input.id()?,
            witness: input.bytes()?,
        },
        _ => return None,
    })
}

/// Bytes that are read from the front.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn take(&mut self, octets: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(octets)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(crate) fn id(&mut self) -> Option<BlobId> {
        Some(BlobId(self.take(16)?.try_into().ok()?))
    }

    pub(crate) fn bytes(&mut self) -> Option<Vec<u8>> {
        let octets = self.u16()?;
        Some(self.take(usize::from(octets))?.to_vec())
    }
}

#[cfg(test)]
mod tests;
