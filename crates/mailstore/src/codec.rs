//! Compact binary values: a format version byte, then fields in a fixed order. Reading is total: corrupt bytes are an
//! error, never a panic, and nothing is allocated beyond the length of the value.

use postroom_store::StoreError;

/// The format version every value of this crate begins with.
pub(crate) const FORMAT: u8 = 1;

/// Writes a value.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A value with its format version.
    pub(crate) fn value(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.push(FORMAT);
        Self(bytes)
    }

    /// A value in a later version of its format.
    pub(crate) fn version(version: u8, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.push(version);
        Self(bytes)
    }

    /// How many octets there are so far: the offset of what comes next.
    pub(crate) fn octets(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.0.extend(number.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, number: i64) {
        self.0.extend(number.to_be_bytes());
    }

    /// Seven bits an octet, the low ones first.
    pub(crate) fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Bytes whose length the format fixes.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.raw(bytes);
    }

    /// `None` is 0, `Some` is the length plus one and the bytes.
    pub(crate) fn maybe_bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.varint(0),
            Some(bytes) => {
                self.varint(bytes.len() as u64 + 1);
                self.raw(bytes);
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Stored bytes are not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt(pub(crate) &'static str);

impl From<Corrupt> for StoreError {
    fn from(Corrupt(what): Corrupt) -> Self {
        Self::Corrupt(format!("a {what} does not decode").into())
    }
}

/// Reads a value.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads a value of this kind, checking its format version.
    pub(crate) fn value(bytes: &'a [u8], what: &'static str) -> Result<Self, Corrupt> {
        let mut reader = Self { rest: bytes, what };
        match reader.u8()? {
            FORMAT => Ok(reader),
            _ => Err(reader.corrupt()),
        }
    }

    /// Reads a value of a kind that has several versions, up to `newest`; and which it is.
    pub(crate) fn versions(bytes: &'a [u8], what: &'static str, newest: u8) -> Result<(u8, Self), Corrupt> {
        let mut reader = Self { rest: bytes, what };
        let version = reader.u8()?;
        if (FORMAT..=newest).contains(&version) {
            Ok((version, reader))
        } else {
            Err(reader.corrupt())
        }
    }

    pub(crate) fn corrupt(&self) -> Corrupt {
        Corrupt(self.what)
    }

    pub(crate) fn raw(&mut self, octets: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.rest.split_at_checked(octets).ok_or(Corrupt(self.what))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Corrupt(self.what))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Corrupt> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Corrupt> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Corrupt> {
        self.array().map(i64::from_be_bytes)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Corrupt> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.u8()?;
            let bits = u64::from(octet & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if octet < 0x80 {
                return Ok(number);
            }
        }
        Err(self.corrupt())
    }

    /// A number of things of which each takes at least one octet, so it cannot be more than what is left.
    pub(crate) fn count(&mut self) -> Result<usize, Corrupt> {
        let count = usize::try_from(self.varint()?).map_err(|_| self.corrupt())?;
        if count > self.rest.len() {
            return Err(self.corrupt());
        }
        Ok(count)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let octets = self.count()?;
        self.raw(octets)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Corrupt> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.corrupt())
    }

    pub(crate) fn maybe_bytes(&mut self) -> Result<Option<&'a [u8]>, Corrupt> {
        match self.varint()? {
            0 => Ok(None),
            more => {
                let octets = usize::try_from(more - 1).map_err(|_| self.corrupt())?;
                self.raw(octets).map(Some)
            }
        }
    }

    /// What [`maybe_bytes`](Self::maybe_bytes) reads, of a length that the format fixes.
    pub(crate) fn maybe_array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Corrupt> {
        let bytes = self.maybe_bytes()?;
        bytes
            .map(|bytes| bytes.try_into().map_err(|_| self.corrupt()))
            .transpose()
    }

    /// All that is left.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), Corrupt> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.corrupt())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_round_trip(number: u64) {
            let mut writer = Writer::value(16);
            writer.varint(number);
            let bytes = writer.finish();
            let mut reader = Reader::value(&bytes, "test").unwrap();
            prop_assert_eq!(reader.varint(), Ok(number));
            prop_assert_eq!(reader.end(), Ok(()));
        }

        #[test]
        fn reading_is_total(bytes: Vec<u8>) {
            if let Ok(mut reader) = Reader::value(&bytes, "test") {
                let _ = reader.varint();
                let _ = reader.maybe_bytes();
                let _ = reader.bytes();
            }
        }
    }
}
