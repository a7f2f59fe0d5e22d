//! How the queue behaves.

use crate::schedule::Schedule;
use postroom_types::Domain;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time in milliseconds since 1970 UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What becomes of a recipient when the reply to the final dot was lost (RFC 1047).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLostReply {
    /// It is tried again, with the same Message-ID, as RFC 5321 §4.5.3.2.6 asks: it may come twice.
    Retry,
    /// It is not tried again, and the sender is told that the outcome is unknown: it may come never. A crash counts as
    /// that only if content may have been sent, for which one more commit stands before the content of each transaction.
    Hold,
}

/// How the queue behaves.
#[derive(Clone)]
pub struct Options {
    /// When deferred recipients are tried again.
    pub schedule: Schedule,
    /// After this long a recipient is given up. Default 5 days (RFC 5321 §4.5.4.1).
    pub lifetime: Duration,
    /// A recipient deferred when the message is this old gets the sender one notice of delay. Default 4 hours.
    pub delay_notice: Duration,
    /// Default: retry.
    pub on_lost_reply: OnLostReply,
    /// Most turns at one domain at a time. Default 8. An inbox here has one at a time, since its commits stand in line anyway.
    pub per_destination: usize,
    /// How long it is known what became of a recipient. Default 30 days.
    pub keep_history: Duration,
    /// This server's name, as notices show it.
    pub hostname: String,
    /// MAILER-DAEMON of this domain writes the notices.
    pub notice_domain: Domain,
    /// What time it is.
    pub clock: Clock,
    /// No other process works on this store, so its leases are taken at once and for good. Default: yes.
    pub exclusive: bool,
}

impl Options {
    /// The defaults for a server of this name.
    #[must_use]
    pub fn new(hostname: String, notice_domain: Domain) -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            schedule: Schedule::default(),
            lifetime: 120 * HOUR,
            delay_notice: 4 * HOUR,
            on_lost_reply: OnLostReply::Retry,
            per_destination: 8,
            keep_history: 30 * 24 * HOUR,
            hostname,
            notice_domain,
            clock: Arc::new(system_milliseconds),
            exclusive: true,
        }
    }
}

fn system_milliseconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
