//! Sockets, TLS with reload, connection limits, shutdown; drives any Machine.
//!
//! What always holds:
//! - A connection that waits for its peer owns no read buffer and no write buffer of ours; one that is compressed owns
//!   the window that the peer may refer to.
//! - Nothing waits for a peer without an end: reading ends at the machine's deadline, writing, handshakes and the
//!   farewell at a limit of their own, and a shutdown at the drain time.
//! - While a question is open, nothing is read: the peer waits, and memory stays bounded.

mod accept;
mod answerer;
mod compressed;
mod dial;
mod driver;
mod limits;
mod listener;
mod tls;

pub use accept::AcceptFailures;
pub use answerer::{Answerer, Peer};
pub use dial::dial;
pub use limits::Limits;
pub use listener::{ListenerOptions, serve};
pub use tls::{TlsConfig, TlsError};
pub use tokio_util::sync::CancellationToken;
