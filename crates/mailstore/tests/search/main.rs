//! Searches against a naive reader of the same messages: every key, in random programs, on random mailboxes; and what a
//! mailbox of a few messages shows better.

mod columns;
#[path = "../common/mod.rs"]
mod common;
mod mailbox;
mod naive;
mod orders;
mod pool;
mod programs;
mod random;
