//! What delivery wants of the outside: names looked up and connections opened. A trait, so that tests script it.

use postroom_store::BoxFuture;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection, of whatever kind.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that can be kept in a trait object.
pub type BoxStream = Box<dyn Stream>;

/// One MX record (RFC 5321 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxRecord {
    /// Lower is tried first.
    pub preference: u16,
    /// The host's name without a dot at its end; empty for the null MX of RFC 7505.
    pub host: String,
}

/// Why a lookup found nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The name does not exist (NXDOMAIN).
    #[error("no such name")]
    NoSuchName,
    /// The name exists, but has no record of this kind.
    #[error("no such record")]
    NoRecords,
    /// Not known at the moment: SERVFAIL, no answer, nonsense.
    #[error("{0}")]
    Failed(String),
}

/// Names and connections. Every call may be dropped at any point; the caller sets the deadlines.
pub trait Network: Send + Sync + 'static {
    /// The MX records of a domain, in any order; never an empty list.
    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Result<Vec<MxRecord>, LookupError>>;

    /// The addresses of a host, IPv4 and IPv6, in any order; never an empty list.
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, LookupError>>;

    /// Opens a connection.
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>>;
}
