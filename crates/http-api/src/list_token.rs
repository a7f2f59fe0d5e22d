//! Tokens for places in lists.
//!
//! What always holds: a token names a place in one list; for any other it is none.

use crate::model::{from_hex, hex};
use sha2::{Digest, Sha256};

/// Octets of a token that tell its list.
const LIST_OCTETS: usize = 8;

/// A list, told from all others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListToken([u8; LIST_OCTETS]);

impl ListToken {
    /// The list that these texts tell from others: which it is, whose, and under which filters.
    pub(crate) fn of<T: AsRef<str>>(parts: impl IntoIterator<Item = T>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            let part = part.as_ref();
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(*hash.finalize().first_chunk().expect("8 of 32 octets"))
    }

    /// The token of a place in it.
    pub(crate) fn write(self, place: &[u8]) -> String {
        hex(&[&self.0, place].concat())
    }

    /// The place that a token names; `None` if it is of another list, or no token at all.
    pub(crate) fn read(self, token: &str) -> Option<Vec<u8>> {
        let octets = from_hex(token)?;
        octets.strip_prefix(&self.0).map(<[u8]>::to_vec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_of_its_list() {
        let list = ListToken::of(["messages", "", "x"]);
        let token = list.write(b"here");
        assert_eq!(list.read(&token).as_deref(), Some(&b"here"[..]));
        assert_eq!(list.read(&list.write(b"")).as_deref(), Some(&b""[..]));
        for other in [
            ListToken::of(["messages", "x", ""]),
            ListToken::of(["messages", "x"]),
            ListToken::of(["messagesx"]),
        ] {
            assert_eq!(other.read(&token), None);
        }
        for bad in ["", "00", "zz", &token[..15], &token[..token.len() - 1]] {
            assert_eq!(list.read(bad), None, "{bad}");
        }
    }
}
