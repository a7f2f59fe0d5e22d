//! The SMTP client as a value: replies and answers in, commands out (RFC 5321 §3, §4).
//!
//! What always holds:
//! - At most one question is open. The n-th reply answers the n-th command; how the bytes were cut changes nothing.
//! - Each [`Send`](ClientAnswer::Send) is followed by exactly one [`Result`](ClientQuestion::Result) that says for
//!   each recipient what the server's replies mean for it.
//!   [`Unknown`](RecipientResult::Unknown) is said only if the last octet of the final dot may have left.
//! - Nothing heard in clear is believed once STARTTLS was agreed on, and no password leaves in clear.
//! - A CR or LF outside CRLF never leaves (SMTP smuggling).
//! - Every reply is bounded in lines and octets, every wait in time; a server that goes beyond ends the session with
//!   [`Failure::Protocol`] or [`Failure::Timeout`].

mod auth;
mod content;
mod extensions;
mod machine;
mod options;
mod question;
mod reply;
mod result;
mod session;
mod state;
mod transaction;
mod transfer;

pub use extensions::Extensions;
pub use machine::Client;
pub use options::ClientOptions;
pub use question::{ClientAnswer, ClientQuestion, Transaction};
pub use reply::RemoteReply;
pub use result::{Failure, Phase, RecipientResult, SessionFailure, TransactionResult};
