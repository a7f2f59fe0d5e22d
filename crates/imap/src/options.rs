//! What can be set.

use postroom_imap_proto as imap;
use std::time::Duration;

/// Settings of ports 143 and 993.
#[derive(Clone, Debug)]
pub struct Options {
    /// The protocol's own: host name, limits, time-outs.
    pub protocol: imap::Options,
    /// Whether LOGIN from loopback is taken in clear, for trying out. Default false.
    pub loopback_login: bool,
    /// How long the answer to a first failed login waits; each further one of the connection waits that much longer, up
    /// to five times. Default 1 s.
    pub failure_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            protocol: imap::Options::default(),
            loopback_login: false,
            failure_delay: Duration::from_secs(1),
        }
    }
}
