//! The API as its clients see it, on a store in memory.

mod errors;
mod lifecycle;
mod messages;
mod outcomes;
mod scoping;
mod setup;
