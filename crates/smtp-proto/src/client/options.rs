//! What can be set.

use std::time::Duration;

/// Settings of the SMTP client. The waits are those of RFC 5321 §4.5.3.2; that for each block of the content is the
/// driver's write time-out.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Our name in EHLO. Default `localhost`; a real server has to set it.
    pub hostname: String,
    /// Longest wait for the greeting. Default 5 min (§4.5.3.2.1).
    pub greeting_timeout: Duration,
    /// Longest wait for the reply to EHLO, STARTTLS, AUTH, RSET, MAIL and RCPT. Default 5 min (§4.5.3.2.2, .3).
    pub command_timeout: Duration,
    /// Longest wait for TLS to come up. Default 1 min.
    pub handshake_timeout: Duration,
    /// Longest wait for the reply to DATA. Default 2 min (§4.5.3.2.4).
    pub data_timeout: Duration,
    /// Longest time from MAIL to the final dot, so that no server holds us for long by answering or reading slowly.
    /// Default 2 h.
    pub transaction_timeout: Duration,
    /// Longest wait for the reply to the final dot. Default 10 min (§4.5.3.2.6): shorter ones make doubles.
    pub final_timeout: Duration,
    /// Longest wait for the reply to QUIT, on which nothing depends. Default 5 s.
    pub quit_timeout: Duration,
    /// Longest wait of any kind once the driver told of a shutdown. Default 10 s.
    pub drain_timeout: Duration,
    /// Longest reply line taken, octets, with CRLF. Default 4,096; RFC 5321 §4.5.3.1.5 asks for 512.
    pub reply_line_octets: usize,
    /// Most lines of one reply. Default 128.
    pub reply_lines: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            hostname: "localhost".to_owned(),
            greeting_timeout: minutes(5),
            command_timeout: minutes(5),
            handshake_timeout: minutes(1),
            data_timeout: minutes(2),
            transaction_timeout: minutes(120),
            final_timeout: minutes(10),
            quit_timeout: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(10),
            reply_line_octets: 4_096,
            reply_lines: 128,
        }
    }
}
