//! The IMAP server as a value: bytes and answers in, actions out.

mod question;

pub use question::*;
