//! Addresses as SMTP means them (RFC 5321 §4.1.2, `Mailbox`).

use crate::domain::Domain;
use std::fmt;

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@` between two halves.
    #[error("an address has the form local-part@domain")]
    Form,
    /// The local-part is empty, over 64 octets, or neither a dot-string nor a quoted string.
    #[error("bad local-part")]
    LocalPart,
    /// The domain is neither a domain name nor an address literal.
    #[error("bad domain")]
    Domain,
    /// Over 254 octets in all, the most a path can carry (RFC 5321 §4.5.3.1.3).
    #[error("address over 254 octets")]
    TooLong,
}

/// `local-part@domain`. The local-part is kept as given, quotes included; the domain is folded.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress {
    local_part: Box<str>,
    domain: Domain,
}

impl EmailAddress {
    /// Parses `local-part@domain`, without angle brackets.
    ///
    /// # Errors
    /// [`AddressError`] says which half is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local_part, domain) = text.rsplit_once('@').ok_or(AddressError::Form)?;
        Self::from_parts(local_part, Domain::parse(domain)?)
    }

    /// Joins a local-part and a domain.
    ///
    /// # Errors
    /// [`AddressError`] if the local-part is not one, or the whole is too long.
    pub fn from_parts(local_part: &str, domain: Domain) -> Result<Self, AddressError> {
        if local_part.len() > 64 || !(is_dot_string(local_part) || is_quoted_string(local_part)) {
            return Err(AddressError::LocalPart);
        }
        if local_part.len() + 1 + domain.as_str().len() > 254 {
            return Err(AddressError::TooLong);
        }
        Ok(Self {
            local_part: local_part.into(),
            domain,
        })
    }

    /// The local-part as given, with its quotes if it has them.
    #[must_use]
    pub fn local_part(&self) -> &str {
        &self.local_part
    }

    /// The domain, folded.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The address under which this server looks up its own inboxes: quotes that are not needed are taken off and
    /// the local-part is folded too, as a server may for its own domains (RFC 5321 §2.4).
    #[must_use]
    pub fn folded(&self) -> Self {
        let bare = unquoted(&self.local_part);
        let local_part = if is_dot_string(&bare) {
            bare
        } else {
            self.local_part.to_string()
        };
        Self {
            local_part: local_part.to_lowercase().into(),
            domain: self.domain.clone(),
        }
    }

    /// Splits `user+tag` into `user` and `tag`; the tag is everything after the first `+` (RFC 5233 §1).
    /// `None` when there is no `+`, or nothing before it.
    #[must_use]
    pub fn subaddress(&self) -> Option<(Self, &str)> {
        let (user, tag) = self.local_part.split_once('+')?;
        let base = Self::from_parts(user, self.domain.clone()).ok()?;
        Some((base, tag))
    }

    /// Whether the address needs SMTPUTF8 (RFC 6531 §3.2).
    #[must_use]
    pub fn is_internationalized(&self) -> bool {
        !self.local_part.is_ascii() || !self.domain.as_str().is_ascii()
    }
}

fn is_dot_string(text: &str) -> bool {
    let atext =
        |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !c.is_control());
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext))
}

fn is_quoted_string(text: &str) -> bool {
    let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return false;
    };
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        let good = match c {
            '\\' => chars.next().is_some_and(|next| next == ' ' || next.is_ascii_graphic()),
            '"' => false,
            _ => c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && !c.is_control()),
        };
        if !good {
            return false;
        }
    }
    true
}

fn unquoted(text: &str) -> String {
    let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut bare = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        bare.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    bare
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "a@b",
            "first.last@example.test",
            "\"a b\"@example.test",
            "a+tag@[127.0.0.1]",
            "\"a@b\"@c",
            "用户@例子.测试",
        ] {
            assert_eq!(EmailAddress::parse(good).map(|a| a.to_string()), Ok(good.to_owned()));
        }
        let long = format!("{}@{}", "x".repeat(64), ["abcdefghi"; 19].join("."));
        assert_eq!(long.len(), 254);
        assert!(EmailAddress::parse(&long).is_ok());
        assert_eq!(EmailAddress::parse(&format!("{long}a")), Err(AddressError::TooLong));
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a b@c",
            "\"a\"b@c",
            "\"a\\\"@c",
            "\"\u{1}\"@c",
            "a\r\n@b",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            EmailAddress::parse(&format!("{}@b", "x".repeat(65))),
            Err(AddressError::LocalPart)
        );
    }

    #[test]
    fn folding_removes_needless_quotes() {
        let folded = |text: &str| EmailAddress::parse(text).unwrap().folded().to_string();
        assert_eq!(folded("\"Scout\"@Example.TEST"), "scout@example.test");
        assert_eq!(folded("\"a b\"@c"), "\"a b\"@c");
        assert_eq!(folded("\"a\\bc\"@c"), "abc@c");
    }

    #[test]
    fn subaddresses() {
        let address = EmailAddress::parse("scout+a+b@c").unwrap();
        let (base, tag) = address.subaddress().unwrap();
        assert_eq!((base.to_string().as_str(), tag), ("scout@c", "a+b"));
        assert_eq!(EmailAddress::parse("+a@c").unwrap().subaddress(), None);
        assert_eq!(EmailAddress::parse("a@c").unwrap().subaddress(), None);
    }
}
