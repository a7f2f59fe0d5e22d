//! A place in a feed.

use postroom_types::Lsn;
use std::fmt;
use std::str::FromStr;

/// Octets of a cursor in a key.
pub(crate) const CURSOR_OCTETS: usize = 10;

/// A place in an organization's feed: that of an event, or the end of what was visible when it was given out. What comes
/// after it is what its owner has not seen.
///
/// Its text form is for clients: opaque, safe in URLs, always of the same length, and in the order of the cursors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The commit.
    pub lsn: Lsn,
    /// Which event of the commit.
    pub index: u16,
}

impl Cursor {
    /// Before every event.
    pub const START: Self = Self { lsn: Lsn(0), index: 0 };

    /// The end of a commit.
    pub(crate) const fn end_of(lsn: Lsn) -> Self {
        Self { lsn, index: u16::MAX }
    }

    /// As it stands in keys.
    pub(crate) fn to_octets(self) -> [u8; CURSOR_OCTETS] {
        let mut octets = [0; CURSOR_OCTETS];
        octets[..8].copy_from_slice(&self.lsn.0.to_be_bytes());
        octets[8..].copy_from_slice(&self.index.to_be_bytes());
        octets
    }

    /// Reads it from the end of a key.
    pub(crate) fn from_octets(octets: [u8; CURSOR_OCTETS]) -> Self {
        let [l0, l1, l2, l3, l4, l5, l6, l7, i0, i1] = octets;
        Self {
            lsn: Lsn(u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7])),
            index: u16::from_be_bytes([i0, i1]),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:04x}", self.lsn.0, self.index)
    }
}

/// The text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor")]
pub struct CursorError;

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        // One text for one cursor: no sign, no capital letters.
        let is_digit = |octet: u8| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 2 * CURSOR_OCTETS || !text.bytes().all(is_digit) {
            return Err(CursorError);
        }
        let (lsn, index) = text.split_at(16);
        Ok(Self {
            lsn: Lsn(u64::from_str_radix(lsn, 16).map_err(|_| CursorError)?),
            index: u16::from_str_radix(index, 16).map_err(|_| CursorError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_texts_are_no_cursors() {
        assert_eq!("00000000000000000000".parse(), Ok(Cursor::START));
        for text in [
            "",
            "0000000000000000000",
            "000000000000000000000",
            "+0000000000000000000",
            "0000000000000000000A",
            "0000000000000000000g",
            "000000000000000000é",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn texts_and_keys_keep_the_order(a: (u64, u16), b: (u64, u16)) {
            let [a, b] = [a, b].map(|(lsn, index)| Cursor { lsn: Lsn(lsn), index });
            prop_assert_eq!(a.to_string().parse(), Ok(a));
            prop_assert_eq!(Cursor::from_octets(a.to_octets()), a);
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
            prop_assert_eq!(a.to_octets().cmp(&b.to_octets()), a.cmp(&b));
        }
    }
}
