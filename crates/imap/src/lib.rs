//! Ports 143 and 993: answers the IMAP machine's questions from mailstore.
//!
//! What always holds: an answer that says something was done is given only after the commit is on disk; no change to
//! the selected mailbox is missed, since news are read from the feed and wake-ups only say when to look; a session ends
//! when its inbox is deleted or its credentials no longer count; it knows UIDs, never sequence numbers.

mod answer;
mod append;
mod bodies;
mod catenate;
mod change;
mod damage;
mod fault;
mod fetch;
mod login;
mod mailboxes;
mod options;
mod recent;
mod rights;
mod room;
mod search;
mod section;
mod selected;
mod service;
mod share;
mod transfer;
mod unreadable;
mod url;
mod watch;

pub use answer::Session;
pub use options::Options;
pub use service::Service;
