//! The arguments of MAIL FROM and RCPT TO (RFC 5321 §4.1.1.2, §4.1.1.3).

use crate::address::EmailAddress;
use std::fmt;

/// Where bounces go. `Null` is `MAIL FROM:<>`: it gets no failure notice, ever (RFC 5321 §6.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`
    Null,
    /// `<local-part@domain>`
    Mailbox(EmailAddress),
}

/// Where the message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<postmaster>`, the one path that may lack a domain (RFC 5321 §4.1.1.3).
    Postmaster,
    /// `<local-part@domain>`
    Mailbox(EmailAddress),
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(address) => write!(f, "<{address}>"),
        }
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<postmaster>"),
            Self::Mailbox(address) => write!(f, "<{address}>"),
        }
    }
}
