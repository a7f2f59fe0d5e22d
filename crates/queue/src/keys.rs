//! Each key layout, with an example. All keys of the queue begin with `q` and a letter for their kind.
//!
//! `M` is the id of a message, 16 octets, so that rows stand in the order in which messages came; `r` is a recipient's
//! number, two octets; numbers are big-endian, so that they sort. `S` is a shard, one octet, and `D` the hash of a
//! destination, 16 octets.
//!
//! | key | example | value |
//! |---|---|---|
//! | `qm` M | `qm` M | message row: envelope, prefix, where the body is; once-key of enqueueing, witness of the body; gone when all recipients are final |
//! | `qi` M r | `qi` M `0003` | item row: one recipient and where it stands; stays as history |
//! | `qh` M r number | `qh` M `0003` `00000001` | one attempt |
//! | `qr` M r number | `qr` M `0003` `00` | a report that came later |
//! | `qd` S D due M r | `qd` `17` D `000001970a3b5c00` M `0003` | due index of what is queued or being attempted: the destination |
//! | `ql` S | `ql` `17` | who works on the shard: holder and fencing number; every commit of a worker asks that it is unchanged |
//! | `qt` S | `qt` `17` | until when that lease lasts; renewing touches this row alone |
//! | `qc` M r | `qc` M `0003` | captured message: envelope, prefix, body; witness of the body |
//! | `qk` | `qk` | the key that signs bounce addresses |
//!
//! The longest is 45 octets.

use crate::codec::{Reader, Writer};
use crate::model::{Destination, ItemId};
use postroom_store::{Key, Value};
use postroom_types::EmailId;
use sha2::{Digest, Sha256};

/// Number of shards.
pub(crate) const SHARDS: u8 = 64;

/// The key that signs bounce addresses.
pub(crate) const MAC_KEY: &[u8] = b"qk";

/// A line of work: all items of one destination. In the order of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LineId {
    pub(crate) shard: u8,
    pub(crate) hash: [u8; 16],
}

impl LineId {
    pub(crate) fn of(destination: &Destination) -> Self {
        let mut writer = Writer::value();
        writer.destination(destination);
        let digest: [u8; 32] = Sha256::digest(writer.finish()).into();
        let hash = *digest.first_chunk::<16>().expect("16 of 32 octets");
        Self {
            shard: hash[0] % SHARDS,
            hash,
        }
    }
}

fn of_message(kind: &[u8; 2], message: EmailId) -> Key {
    let mut key = Vec::with_capacity(24);
    key.extend(kind);
    key.extend(message.as_bytes());
    key
}

fn of_item(kind: &[u8; 2], item: ItemId) -> Key {
    let mut key = of_message(kind, item.message);
    key.extend(item.recipient.to_be_bytes());
    key
}

pub(crate) fn message(message: EmailId) -> Key {
    of_message(b"qm", message)
}

pub(crate) const MESSAGES: &[u8] = b"qm";

pub(crate) fn item(item: ItemId) -> Key {
    of_item(b"qi", item)
}

pub(crate) fn items(message: EmailId) -> Key {
    of_message(b"qi", message)
}

pub(crate) const ITEMS: &[u8] = b"qi";

pub(crate) fn attempt(item: ItemId, number: u32) -> Key {
    let mut key = attempts(item);
    key.extend(number.to_be_bytes());
    key
}

pub(crate) fn attempts(item: ItemId) -> Key {
    of_item(b"qh", item)
}

pub(crate) fn report(item: ItemId, number: u8) -> Key {
    let mut key = reports(item);
    key.push(number);
    key
}

pub(crate) fn reports(item: ItemId) -> Key {
    of_item(b"qr", item)
}

/// All reports of recipients of a message.
pub(crate) fn reports_of(message: EmailId) -> Key {
    of_message(b"qr", message)
}

pub(crate) fn captured(item: ItemId) -> Key {
    of_item(b"qc", item)
}

pub(crate) const CAPTURED: &[u8] = b"qc";

pub(crate) const ATTEMPTS: &[u8] = b"qh";

pub(crate) const REPORTS: &[u8] = b"qr";

pub(crate) const DUE: &[u8] = b"qd";

pub(crate) fn lease(shard: u8) -> Key {
    vec![b'q', b'l', shard]
}

pub(crate) fn lease_expiry(shard: u8) -> Key {
    vec![b'q', b't', shard]
}

pub(crate) fn due_shard(shard: u8) -> Key {
    vec![b'q', b'd', shard]
}

pub(crate) fn due_line(line: LineId) -> Key {
    let mut key = Vec::with_capacity(45);
    key.extend(due_shard(line.shard));
    key.extend(line.hash);
    key
}

/// Times before 1970 do not occur; they would sort first.
pub(crate) fn due(line: LineId, due_at: i64, item: ItemId) -> Key {
    let mut key = due_line(line);
    key.extend(due_at.max(0).to_be_bytes());
    key.extend(item.message.as_bytes());
    key.extend(item.recipient.to_be_bytes());
    key
}

/// A row of the due index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DueRow {
    pub(crate) line: LineId,
    pub(crate) due_at: i64,
    pub(crate) item: ItemId,
    pub(crate) destination: Destination,
}

impl DueRow {
    pub(crate) fn value(destination: &Destination) -> Value {
        let mut writer = Writer::value();
        writer.destination(destination);
        writer.finish()
    }

    /// `None` if it is not one.
    pub(crate) fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let rest = key.strip_prefix(b"qd")?;
        let (shard, rest) = rest.split_first()?;
        let (hash, rest) = rest.split_first_chunk::<16>()?;
        let (due_at, rest) = rest.split_first_chunk::<8>()?;
        let mut reader = Reader::value(value, "due row").ok()?;
        Some(Self {
            line: LineId {
                shard: *shard,
                hash: *hash,
            },
            due_at: i64::from_be_bytes(*due_at),
            item: read_item(rest)?,
            destination: reader.destination().ok()?,
        })
    }
}

fn read_item(bytes: &[u8]) -> Option<ItemId> {
    let (message, recipient) = bytes.split_first_chunk::<16>()?;
    Some(ItemId {
        message: EmailId::from_bytes(*message),
        recipient: u16::from_be_bytes(recipient.try_into().ok()?),
    })
}

/// The item whose row of this kind has this key.
pub(crate) fn item_of(key: &[u8], kind: &[u8]) -> Option<ItemId> {
    read_item(key.strip_prefix(kind)?)
}

/// The message whose row has this key.
pub(crate) fn message_of(key: &[u8]) -> Option<EmailId> {
    let id = key.strip_prefix(MESSAGES)?;
    Some(EmailId::from_bytes(id.try_into().ok()?))
}

/// The number at the end of the key of an attempt.
pub(crate) fn attempt_number(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*key.last_chunk::<4>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_types::{Domain, InboxId};

    #[test]
    fn due_rows_round_trip_and_sort_by_time() {
        let item = ItemId {
            message: EmailId::from_bytes([3; 16]),
            recipient: 258,
        };
        let destinations = [
            Destination::Inbox(InboxId::from_bytes([9; 16])),
            Destination::Domain(Domain::parse("example.test").unwrap()),
        ];
        for destination in destinations {
            let line = LineId::of(&destination);
            let key = due(line, 77, item);
            assert_eq!(key.len(), 45);
            let row = DueRow::read(&key, &DueRow::value(&destination)).unwrap();
            assert_eq!(
                row,
                DueRow {
                    line,
                    due_at: 77,
                    item,
                    destination
                }
            );
            assert!(due(line, 78, item) > key && due(line, 1 << 40, item) > due(line, 255, item));
        }
    }
}
