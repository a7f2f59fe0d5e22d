//! What a listener can set.

use std::time::Duration;

/// Settings of one connection. Every limit has a default that real clients do not meet.
#[derive(Clone, Debug)]
pub struct Options {
    /// Shown in the greeting.
    pub hostname: String,
    /// What ID tells of the server (RFC 2971 §3.3), for example name and version.
    pub id: Vec<(String, String)>,
    /// Whether STARTTLS is offered while the connection is in clear.
    pub starttls: bool,
    /// Whether a password may be given in clear; otherwise LOGINDISABLED is shown (RFC 3501 §6.2.3).
    pub allow_plaintext_login: bool,
    /// Largest message APPEND takes, shown as APPENDLIMIT (RFC 7889). Default 50 MiB.
    pub append_limit_octets: u64,
    /// Largest command with all its literals but APPEND's message. Default 64 KiB: the longest sequence sets of real
    /// clients are around 8 KiB (RFC 7162 §4).
    pub command_octets: usize,
    /// The same before login, where every connection is a stranger's. Default 32 KiB: the longest ID has 30 fields of 30
    /// and 1,024 octets (RFC 2971 §3.3).
    pub unauthenticated_command_octets: usize,
    /// Largest literal that is read and thrown away, when a client sends one without asking (RFC 7888) and it is
    /// refused; a larger one ends the connection. Default 128 MiB.
    pub skip_octets: u64,
    /// LITERAL- is shown, and literals that the client sends without asking have at most 4,096 octets (RFC 7888 §5); else
    /// LITERAL+. Default off.
    pub literal_minus: bool,
    /// Whether COMPRESS=DEFLATE is offered (RFC 4978). Default on.
    pub compress: bool,
    /// So many BAD commands in a row end the connection. Default 20.
    pub bad_commands: u32,
    /// So many failed logins end the connection. Default 5.
    pub login_attempts: u32,
    /// How long a client may take to log in. Default 3 min.
    pub unauthenticated_timeout: Duration,
    /// How long a client may be silent after login. Default 30 min, the least RFC 3501 §5.4 allows.
    pub autologout: Duration,
    /// During IDLE, say something this often, so that routers keep the connection. Default 2 min.
    pub idle_keepalive: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hostname: "localhost".to_owned(),
            id: vec![("name".to_owned(), "postroom".to_owned())],
            starttls: false,
            allow_plaintext_login: false,
            append_limit_octets: 50 << 20,
            command_octets: 64 << 10,
            unauthenticated_command_octets: 32 << 10,
            skip_octets: 128 << 20,
            literal_minus: false,
            compress: true,
            bad_commands: 20,
            login_attempts: 5,
            unauthenticated_timeout: Duration::from_secs(3 * 60),
            autologout: Duration::from_secs(30 * 60),
            idle_keepalive: Some(Duration::from_secs(2 * 60)),
        }
    }
}
