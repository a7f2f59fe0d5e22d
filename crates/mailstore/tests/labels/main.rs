//! Labels are a view of placements, flags and origin: whatever is done over the API or over IMAP, both faces agree.

mod changes;
#[path = "../common/mod.rs"]
mod common;
mod events;
mod faces;
mod names;
mod setup;
