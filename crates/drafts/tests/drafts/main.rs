//! Drafts over a whole server without sockets, on a store in memory.

mod crashes;
mod imap;
mod lists;
mod replies;
mod schedule;
mod setup;
mod versions;
mod writing;
