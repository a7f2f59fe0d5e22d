//! Once-rows: they say that a change was done, by which of its tries, and with what number.

use crate::change::Change;
use crate::codec::{Corrupt, Reader, Writer};
use postroom_store::{Key, Patch, PatchPlace, PatchSource};

/// Where the number stands.
const NUMBER: usize = 9;

/// See the module.
pub(crate) struct OnceRow {
    /// When: milliseconds since 1970 UTC.
    pub(crate) at: i64,
    /// What a counter gave: the last UID, or the modseq.
    pub(crate) number: u64,
    /// Which try it was, from 0.
    pub(crate) attempt: usize,
}

impl OnceRow {
    /// Adds the row to a change; its number is the result of this counter operation.
    pub(crate) fn add(change: &mut Change, key: &Key, at: i64, operation: usize, attempt: usize) {
        let row = Self { at, number: 0, attempt };
        let patch = Patch {
            source: PatchSource::Counter(operation),
            minus: 0,
            place: PatchPlace::Value(NUMBER),
        };
        change.put_new_patched(key.clone(), row.write(), vec![patch]);
    }

    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::value(32);
        writer.i64(self.at);
        writer.u64(self.number);
        writer.varint(self.attempt as u64);
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::value(value, "once row")?;
        let row = Self {
            at: reader.i64()?,
            number: reader.u64()?,
            attempt: usize::try_from(reader.varint()?).map_err(|_| reader.corrupt())?,
        };
        reader.end()?;
        Ok(row)
    }
}
