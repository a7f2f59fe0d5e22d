//! Sending, from the submission to the inbox or the next server.

mod announced;
mod appending;
mod blind;
mod handed_out;
mod idempotency;
mod limits;
mod listed;
mod local;
mod loops;
mod onward;
mod organizations;
mod setup;
mod submit;
mod summing;
