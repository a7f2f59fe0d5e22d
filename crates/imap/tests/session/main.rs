//! Sessions from bytes to bytes, on the in-memory store: the machine, its answers, and the mail below.

mod append;
mod client;
mod contexts;
mod damage;
mod fetch;
mod ghosts;
mod login;
mod mail;
mod mailboxes;
mod mirror;
mod news;
mod notify;
mod own;
mod rights;
mod search;
#[path = "../server/mod.rs"]
mod server;
mod sync;
mod transfer;
