//! What can be set.

use postroom_smtp_proto as smtp;
use std::time::Duration;

/// Settings of submission.
#[derive(Clone, Debug)]
pub struct Options {
    /// The protocol's own: host name, size limit, time-outs.
    pub protocol: smtp::Options,
    /// How long a client waits for "wrong password", times the failures so far, up to five. Default 1 s.
    pub failure_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            protocol: smtp::Options::default(),
            failure_delay: Duration::from_secs(1),
        }
    }
}
