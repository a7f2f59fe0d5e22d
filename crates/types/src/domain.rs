//! A mail domain or an address literal (RFC 5321 §4.1.2, §4.1.3).

use crate::address::AddressError;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The part of an address after the `@`: a domain name, folded to lower case, or an address literal with its brackets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Box<str>);

impl Domain {
    /// Parses a domain name of letters, digits, hyphens and, for SMTPUTF8 (RFC 6531 §3.3), non-ASCII characters, or
    /// an address literal.
    ///
    /// # Errors
    /// [`AddressError::Domain`] if it is neither, or longer than 255 octets (RFC 5321 §4.5.3.1.2).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let good = text.len() <= 255
            && match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(literal) => is_address_literal(literal),
                None => text.split('.').all(is_label),
            };
        if good {
            Ok(Self(text.to_lowercase().into_boxed_str()))
        } else {
            Err(AddressError::Domain)
        }
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is an address literal such as `[127.0.0.1]`.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.0.starts_with('[')
    }
}

fn is_label(label: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || (!c.is_ascii() && !c.is_control());
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(inside)
}

fn is_address_literal(literal: &str) -> bool {
    match literal.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => literal[5..].parse::<Ipv6Addr>().is_ok(),
        _ => literal.parse::<Ipv4Addr>().is_ok(),
    }
}

impl FromStr for Domain {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_literals() {
        for good in [
            "example.test",
            "EXAMPLE",
            "a-b.c_d",
            "[127.0.0.1]",
            "[IPv6:::1]",
            "bücher.example",
        ] {
            assert!(Domain::parse(good).is_ok(), "{good}");
        }
        let long_label = "x".repeat(64);
        let long_name = ["abcdefg"; 33].join(".");
        for bad in [
            "",
            ".",
            "a..b",
            "a.",
            "-a",
            "a-",
            "a b",
            "[1.2.3]",
            "[::1]",
            "[]",
            "a\0",
            &long_label,
            &long_name,
        ] {
            assert_eq!(Domain::parse(bad), Err(AddressError::Domain), "{bad}");
        }
        assert_eq!(Domain::parse("MiXed.Test").unwrap().as_str(), "mixed.test");
    }
}
