//! Sessions from bytes to bytes, on the in-memory store: the machine, its answers, and the mail below.

mod client;
mod login;
mod mail;
mod news;
mod search;
