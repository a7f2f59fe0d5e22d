//! What can be set.

use postroom_smtp_proto as smtp;

/// Settings of port 25.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The protocol's own: host name, size limit, time-outs.
    pub protocol: smtp::Options,
}
