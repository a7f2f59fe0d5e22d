//! The IMAP server as a value: bytes and answers in, actions out.
//!
//! All of IMAP4rev1 (RFC 3501) with IDLE (RFC 2177), UIDPLUS (RFC 4315), MOVE (RFC 6851), NAMESPACE (RFC 2342),
//! ID (RFC 2971), ENABLE (RFC 5161), LITERAL+ (RFC 7888), SASL-IR (RFC 4959), UNSELECT (RFC 3691), CHILDREN (RFC 3348),
//! SPECIAL-USE (RFC 6154) and APPENDLIMIT (RFC 7889); logins by password, token (RFC 7628) and SCRAM (RFC 7677).
//!
//! Always holds: memory is bounded by [`Options`] and the size of the selected mailbox; no input panics; a tagged
//! response is written only after the answer it depends on; the same input cut differently gives the same output.

mod collector;
mod command;
mod grammar;
mod options;
mod output;
mod question;
mod response;
mod server;
mod session;
mod view;

pub use options::Options;
pub use question::*;
pub use server::Server;
