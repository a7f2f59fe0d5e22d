//! What can be set.

use crate::limits::SendLimits;
use postroom_mailstore::Clock;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What intake needs to know.
#[derive(Clone)]
pub struct Options {
    /// Our name in trace fields.
    pub hostname: String,
    /// Largest message, octets. Default 50 MiB.
    pub max_message_octets: u64,
    /// Most Received fields before a message counts as looping. Default 100, as RFC 5321 §6.3 advises.
    pub max_received: usize,
    /// What an inbox may send in a day unless its record says otherwise. `None` is without limit, for trying out.
    pub send_limits: Option<SendLimits>,
    /// Answers of a machine to a machine within 24 hours, in one thread to one peer; the next is kept back until the
    /// operator lets it go. Default 8.
    pub max_automated_turns: u32,
    /// Whether what is submitted over SMTP is also put into Sent. Default [`SaveSent::Auto`].
    pub save_sent: SaveSent,
    /// What time it is, in milliseconds since 1970 UTC.
    pub clock: Clock,
}

/// See [`Options::save_sent`]. What is sent over HTTP always has a copy: its id is the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaveSent {
    /// Yes; a client that then appends its own copy gets the one that is there.
    #[default]
    Auto,
    /// No; clients do it.
    Never,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hostname: "localhost".into(),
            max_message_octets: 50 << 20,
            max_received: 100,
            send_limits: Some(SendLimits::default()),
            max_automated_turns: 8,
            save_sent: SaveSent::Auto,
            clock: Arc::new(system_milliseconds),
        }
    }
}

fn system_milliseconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
