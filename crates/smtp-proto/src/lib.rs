//! SMTP as a value: bytes and answers in, actions out. This is the server; the [`client`] has a module of its own.
//!
//! What always holds:
//! - At most one question is open, and no command is looked at while one is.
//! - A message ends at CRLF `.` CRLF and at nothing else (RFC 5321 §4.1.1.4); how the bytes were cut on their way
//!   changes nothing.
//! - [`Question::Message`] is asked only for a message that came whole, within the size limit, and, unless they are to
//!   be normalized, without a bare CR or LF. Other messages end in [`Question::Refused`] or with the connection, and
//!   what was handed on of them is void.
//! - Nothing said before STARTTLS is remembered after it (RFC 3207 §4.2).
//! - Where mail is submitted, no transaction begins before a login, and no login before TLS.

pub mod client;
mod command;
mod data;
mod grammar;
mod options;
mod question;
mod reply;
mod server;
mod state;

pub use options::{BareNewline, Options};
pub use question::{Answer, Envelope, MailParams, Question};
pub use reply::Reply;
pub use server::Server;
