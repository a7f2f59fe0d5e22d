//! The API as its clients see it, on a store in memory.

mod captured;
mod domains;
mod errors;
mod idempotency;
mod lifecycle;
mod mail;
mod messages;
mod outcomes;
mod queue;
mod replies;
mod scoping;
mod sending;
mod settings;
mod setup;
