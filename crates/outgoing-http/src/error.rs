//! What can go wrong on the way out.

use std::error::Error;
use std::net::IpAddr;

/// Why a request did not get an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutgoingError {
    /// The client cannot be made.
    #[error("cannot set up outgoing HTTP: {0}")]
    Setup(String),
    /// The URL is not one that is served.
    #[error("{0}")]
    BadUrl(&'static str),
    /// The target is, or has among its addresses, one that users may not make us talk to.
    #[error("{0} is not a public address")]
    Forbidden(IpAddr),
    /// The name has no address, or it could not be looked up.
    #[error("cannot look up {0}")]
    NoAddress(String),
    /// The deadline passed.
    #[error("no answer in time")]
    TimedOut,
    /// No connection, no TLS, or no HTTP on it.
    #[error("{0}")]
    Failed(String),
}

impl OutgoingError {
    /// Our own reasons come back wrapped in those of the client; the innermost says most.
    pub(crate) fn from_client(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TimedOut;
        }
        let mut innermost: &dyn Error = error;
        loop {
            if let Some(own) = innermost.downcast_ref::<Self>() {
                return own.clone();
            }
            match innermost.source() {
                Some(source) => innermost = source,
                None => return Self::Failed(innermost.to_string()),
            }
        }
    }
}
