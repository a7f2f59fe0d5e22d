//! What can be set.

use std::time::Duration;

/// Settings of the SMTP server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Our name in the greeting and the answer to EHLO. Default `localhost`; a real server has to set it.
    pub hostname: String,
    /// Whether STARTTLS is offered. Default off, since it needs a certificate.
    pub starttls: bool,
    /// Largest message, octets, with CRLF counted as two (RFC 1870 §5). Default 50 MiB.
    pub size_octets: u64,
    /// Most recipients of one message. Default 100, the least RFC 5321 §4.5.3.1.8 asks for.
    pub recipients: usize,
    /// Replies of 5xx without an accepted message between them, before we close. Default 20.
    pub errors: u32,
    /// Failed logins before we close. Default 5.
    pub login_attempts: u32,
    /// Commands that bring no message nearer (NOOP, RSET, EHLO, …), without an accepted message between them, before
    /// we close. Default 100.
    pub idle_commands: u32,
    /// Commands of any kind without an accepted message between them, before we close. Default 10,000: a client may
    /// try far more recipients than one message takes.
    pub commands: u32,
    /// Longest command line, octets, with CRLF. Default 2,048; RFC 5321 §4.5.3.1.4 asks for 512 and what the
    /// parameters add.
    pub command_octets: usize,
    /// Idle limit between two commands. Default 5 min, the least RFC 5321 §4.5.3.2.7 asks for.
    pub command_timeout: Duration,
    /// Idle limit within a message. Default 5 min.
    pub data_timeout: Duration,
    /// Longest time for a whole message, so that no client holds us by sending a byte at a time. Default 1 h.
    pub message_timeout: Duration,
    /// What becomes of a CR or LF that stands alone in a message. Default: the message is refused.
    pub bare_newline: BareNewline,
}

/// See [`Options::bare_newline`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BareNewline {
    /// The message gets 554: it means different things to different servers (RFC 5321 §2.3.8, SMTP smuggling).
    #[default]
    Reject,
    /// Each becomes CRLF. It still ends no message and begins no line as far as dots are concerned.
    Normalize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hostname: "localhost".to_owned(),
            starttls: false,
            size_octets: 50 * 1024 * 1024,
            recipients: 100,
            errors: 20,
            login_attempts: 5,
            idle_commands: 100,
            commands: 10_000,
            command_octets: 2_048,
            command_timeout: Duration::from_secs(300),
            data_timeout: Duration::from_secs(300),
            message_timeout: Duration::from_secs(3_600),
            bare_newline: BareNewline::Reject,
        }
    }
}
