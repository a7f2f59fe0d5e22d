//! What every protocol machine is built from.
//!
//! A protocol is a value: bytes, answers and the time go in, actions come out. Nothing here opens a socket, reads a
//! clock or knows an executor, so a whole session can be replayed from a text file.

mod machine;

pub use machine::{Action, Input, Machine};
