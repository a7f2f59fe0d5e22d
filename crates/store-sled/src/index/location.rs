//! Where a body is, and how the index says so.

use crate::record::Input;
use postroom_store::Value;
use postroom_types::Lsn;

/// Where a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) at: At,
    pub(crate) octets: u64,
    pub(crate) crc: u32,
}

/// In which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    /// In the journal file with this first lsn, at this offset.
    Journal { file: Lsn, offset: u64 },
    /// In a file of its own, with this number in its name.
    Own(u64),
}

const IN_JOURNAL: u8 = 1;
const IN_OWN_FILE: u8 = 2;

/// The row of a blob: its place and its first witness.
pub(super) fn encode_location(location: &Location, witness: &[u8]) -> Value {
    let (tag, numbers) = match location.at {
        At::Journal { file, offset } => (IN_JOURNAL, [file.0, offset]),
        At::Own(number) => (IN_OWN_FILE, [number, 0]),
    };
    let mut row = vec![tag];
    numbers.iter().for_each(|number| row.extend(number.to_be_bytes()));
    row.extend(location.octets.to_be_bytes());
    row.extend(location.crc.to_be_bytes());
    row.extend_from_slice(witness);
    row
}

/// Reads such a row; `None` if it is not one.
pub(super) fn decode_location(row: &[u8]) -> Option<(Location, &[u8])> {
    let mut input = Input(row);
    let tag = input.take(1)?[0];
    let numbers = [input.u64()?, input.u64()?];
    let at = match tag {
        IN_JOURNAL => At::Journal {
            file: Lsn(numbers[0]),
            offset: numbers[1],
        },
        IN_OWN_FILE => At::Own(numbers[0]),
        _ => return None,
    };
    let location = Location {
        at,
        octets: input.u64()?,
        crc: input.u32()?,
    };
    Some((location, input.0))
}
