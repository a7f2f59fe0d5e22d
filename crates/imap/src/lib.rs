//! Ports 143 and 993: answers the IMAP machine's questions from mailstore.
//!
//! What always holds: a session holds no lock and no cursor between two questions; what it is told of a mailbox it is
//! told from the feed, so nothing is missed; it knows UIDs, never sequence numbers.

mod answer;
mod fault;
mod fetch;
mod news;
mod options;
mod recent;
mod search;
mod section;

pub use answer::{Service, Session};
pub use options::Options;
