//! What a client sees, story by story, on a store in which nothing goes wrong.

#[path = "../common/mod.rs"]
mod common;
mod copies;
mod delivery;
mod flags;
mod inboxes;
mod once;
mod reading;
mod sent_copies;
