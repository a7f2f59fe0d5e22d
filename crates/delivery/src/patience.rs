//! How long other servers may take: as long as RFC 5321 §4.5.3.2 asks, and less when they hold most connections, so that
//! those who accept and stay silent do not keep everybody's mail.

use crate::options::Options;
use postroom_smtp_proto::client::ClientOptions;
use std::sync::Arc;
use std::time::Duration;

/// The waits of one connection.
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    pub(crate) client: Arc<ClientOptions>,
    /// For each block that is written.
    pub(crate) write: Duration,
}

/// The waits for good and for bad times.
pub(crate) struct Patiences {
    connections: usize,
    usual: Patience,
    short: Patience,
}

impl Patiences {
    pub(crate) fn of(options: &Options) -> Self {
        let client = ClientOptions {
            hostname: options.hostname.clone(),
            handshake_timeout: options.handshake_timeout,
            drain_timeout: options.drain_timeout,
            ..ClientOptions::default()
        };
        let half_minute = Duration::from_secs(30);
        let minute = Duration::from_secs(60);
        let hasty = ClientOptions {
            greeting_timeout: half_minute,
            command_timeout: half_minute,
            handshake_timeout: half_minute.min(options.handshake_timeout),
            // Not that for the reply to the final dot: who gives up there sends twice (RFC 5321 §4.5.3.2.6).
            data_timeout: half_minute,
            ..client.clone()
        };
        Self {
            connections: options.connections.max(1),
            usual: Patience {
                connect: options.connect_timeout,
                client: Arc::new(client),
                // RFC 5321 §4.5.3.2.5.
                write: Duration::from_secs(180),
            },
            short: Patience {
                connect: Duration::from_secs(10).min(options.connect_timeout),
                client: Arc::new(hasty),
                write: minute,
            },
        }
    }

    /// The waits of a connection beside which so many more could be made.
    pub(crate) fn with_free(&self, free: usize) -> &Patience {
        if free.saturating_mul(4) <= self.connections {
            &self.short
        } else {
            &self.usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_quarter_is_short() {
        for (connections, free, expected) in [
            (100, 99, 300),
            (100, 26, 300),
            (100, 25, 30),
            (100, 0, 30),
            (4, 2, 300),
            (4, 1, 30),
            (2, 1, 300),
            (2, 0, 30),
        ] {
            let patiences = Patiences::of(&Options {
                connections,
                ..Options::new("us.example")
            });
            let patience = patiences.with_free(free);
            assert_eq!(
                patience.client.greeting_timeout.as_secs(),
                expected,
                "{free} of {connections}"
            );
            assert_eq!(patience.write.as_secs(), if expected == 300 { 180 } else { 60 });
        }
    }
}
