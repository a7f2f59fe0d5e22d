//! Handles: what agents are called on this server (inkbox.md §4).
//!
//! What always holds: a handle is folded before anything else looks at it; a handle could be the local-part of an address,
//! since it shares the names of the server's own domain.

use crate::IdentityError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;
use std::str::FromStr;

const MIN_CHARACTERS: usize = 3;
const MAX_CHARACTERS: usize = 63;

/// A handle; folded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(String);

impl Handle {
    /// Reads a handle, with or without one `@` in front, in any case: 3 to 63 of `a-z`, `0-9` and `-`, neither end a hyphen,
    /// no two hyphens together.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`].
    pub fn parse(given: &str) -> Result<Self, IdentityError> {
        let name = given.strip_prefix('@').unwrap_or(given).to_ascii_lowercase();
        let allowed = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
        if !(MIN_CHARACTERS..=MAX_CHARACTERS).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(IdentityError::Invalid(
                "a handle consists of 3 to 63 of a-z, 0-9 and `-`",
            ));
        }
        if name.starts_with('-') || name.ends_with('-') || name.contains("--") {
            return Err(IdentityError::Invalid(
                "a handle neither begins nor ends with `-`, and has no `--`",
            ));
        }
        Ok(Self(name))
    }

    /// It.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Handle {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        Self::parse(text)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good_and_bad() {
        let longest = "x".repeat(63);
        for (given, folded) in [
            ("abc", "abc"),
            ("@Sales-Bot", "sales-bot"),
            ("0-9", "0-9"),
            (longest.as_str(), longest.as_str()),
        ] {
            assert_eq!(Handle::parse(given).unwrap().as_str(), folded);
        }
        let too_long = "x".repeat(64);
        for bad in [
            "",
            "ab",
            "@ab",
            "@@abc",
            "-abc",
            "abc-",
            "a--b",
            "a.b",
            "a_b",
            "a b",
            "abcä",
            "abc\n",
            "a\0b",
            "\u{212a}abc",
            &too_long,
        ] {
            assert!(Handle::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_handle_is_read_as_it_is_written(text in ".{0,70}") {
            if let Ok(handle) = Handle::parse(&text) {
                prop_assert_eq!(Handle::parse(handle.as_str()).unwrap(), handle);
            }
        }
    }
}
