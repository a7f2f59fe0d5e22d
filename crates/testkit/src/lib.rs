//! For tests only: transcripts played against protocol machines; with the feature `driven`, whole sessions without sockets;
//! with the feature `remote`, another mail server that misbehaves as told.
//!
//! A transcript is a text file that reads like the dialogue. Every line is one step:
//!
//! | step | meaning |
//! |---|---|
//! | `# …` | comment; `# options: …` goes to [`Dialect::machine`], `# modes: line byte` names the ways to play the file |
//! | `C: …` | the client sends this line; CRLF is added |
//! | `S: …` | the server sends this line; CRLF is added |
//! | `R: "…"` | the machine's peer sends these bytes: `\r \n \t \0 \\ \" \xHH`, and `"ab"*1000` repeats |
//! | `L: "…"` | the machine sends these bytes, without any line structure |
//! | `BLOB: 7 0+512` | the machine streams 512 octets from offset 0 of the blob with this number (hexadecimal) |
//! | `B: "…"` | the machine hands on these bytes of a body; several such lines add up |
//! | `BODYEND` | the body is complete |
//! | `COMPRESS` | what follows is compressed by the driver; the file shows it as it is |
//! | `Q: …` / `A: …` | a question, and its answer; several `A:` lines are one answer |
//! | `N: …` | news |
//! | `T: +5m` | time passes (`s`, `m`, `h`) |
//! | `TLS` | the handshake that the machine asked for is done; as the first step: the port is a TLS port |
//! | `TLS: binding` | the same, with a channel binding of 32 octets `\x07` |
//! | `SYNC` | a pipelining peer waits here |
//! | `E:` | the peer closes its sending half |
//! | `SHUTDOWN` | our process is going down |
//! | `X:` | the machine closes |
//!
//! The machine is one of the two sides ([`Dialect::SIDE`]), usually the server. What it says is expected, what the other
//! side, its peer, says is given to it.
//!
//! [`play_dir`] plays each file three ways: a line at a time, a byte at a time, and with all bytes of the peer of a
//! stretch sent at once. A stretch ends where the peer has to wait: at `T:`, `N:`, `TLS`, `SYNC`, `E:` and `SHUTDOWN`.
//! Whatever the machine does and the file does not expect is a failure.

#[cfg(feature = "remote")]
pub mod anyone;
#[cfg(feature = "driven")]
mod driven;
mod escape;
mod output;
mod play;
#[cfg(feature = "remote")]
pub mod remote;
mod script;
mod stage;

#[cfg(feature = "driven")]
pub use driven::Driven;
pub use escape::{escape, unescape};
pub use play::{Dialect, play, play_dir};
pub use script::{Side, peer_bytes};
