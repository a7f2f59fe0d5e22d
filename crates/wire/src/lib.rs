//! What every protocol machine is built from.
//!
//! A protocol is a value: bytes, answers and the time go in, actions come out. Nothing here opens a socket, reads a
//! clock or knows an executor, so a whole session can be replayed from a text file.

mod lines;
mod machine;
mod sasl;
mod sasl_base64;

pub use lines::{LineBuffer, LineError};
pub use machine::{Action, Input, Machine, Unsent};
pub use sasl::{
    Authenticator, ChannelBinding, Credentials, Evidence, Exchange, Mechanism, Progress, SaslError, ScramOptions,
    ScramProof,
};
pub use sasl_base64::{base64_decode, base64_encode};
