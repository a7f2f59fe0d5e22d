//! Sessions from bytes to bytes, on the in-memory store: the machine, its answers, and the mail below.

mod append;
mod client;
mod fetch;
mod login;
mod mail;
mod mailboxes;
mod mirror;
mod news;
mod notify;
mod rights;
mod search;
mod sync;
