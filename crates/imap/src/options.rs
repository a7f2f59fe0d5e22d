//! What can be set.

use postroom_imap_proto as imap;
use std::time::Duration;

/// Settings of the IMAP listeners.
#[derive(Clone, Debug)]
pub struct Options {
    /// The protocol's own: host name, limits, time-outs.
    pub protocol: imap::Options,
    /// How long the answer to a wrong password is held back, times the number of wrong ones in this session. Default 1 s.
    pub login_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { protocol: imap::Options::default(), login_delay: Duration::from_secs(1) }
    }
}
