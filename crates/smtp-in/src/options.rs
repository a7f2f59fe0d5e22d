//! What can be set.

use postroom_smtp_proto as smtp;

/// Settings of port 25.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The protocol's own: host name, size limit, time-outs.
    pub protocol: smtp::Options,
}

/// Most inboxes one message is delivered to in the commit that accepts it. Further recipients get 452, and the client
/// sends them a copy of its own (RFC 5321 §4.5.3.1.10).
pub(crate) const MAX_INBOXES: usize = 16;
