//! Sets of UIDs: ranges, each as its distance from the one before and its length.

use crate::codec::{Corrupt, Reader, Writer};
use postroom_types::Uid;

/// Writes ascending UIDs.
pub(crate) fn write_uids(writer: &mut Writer, uids: &[Uid]) {
    let ranges: Vec<&[Uid]> = uids.chunk_by(|a, b| a.get() + 1 == b.get()).collect();
    writer.varint(ranges.len() as u64);
    let mut above = 0;
    for range in ranges {
        let first = u64::from(range[0].get());
        writer.varint(first - above);
        writer.varint(range.len() as u64);
        above = first + range.len() as u64 - 1;
    }
}

/// Most UIDs one row names; more than any piece, so that corrupt lengths cannot make a huge list.
const MAX_UIDS: u64 = 100_000;

/// Reads ascending UIDs.
pub(crate) fn read_uids(reader: &mut Reader<'_>) -> Result<Vec<Uid>, Corrupt> {
    let ranges = reader.count()?;
    let mut uids = Vec::new();
    let mut above = 0u64;
    for _ in 0..ranges {
        let first = above.checked_add(reader.varint()?).ok_or(reader.corrupt())?;
        let length = reader.varint()?;
        if length == 0 || length > MAX_UIDS || uids.len() as u64 + length > MAX_UIDS {
            return Err(reader.corrupt());
        }
        above = first.checked_add(length - 1).ok_or(reader.corrupt())?;
        for uid in first..=above {
            let uid = u32::try_from(uid).ok().and_then(Uid::new).ok_or(reader.corrupt())?;
            uids.push(uid);
        }
    }
    Ok(uids)
}
