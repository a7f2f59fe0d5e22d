//! The commands: each handler takes the state, says its reply, and returns the next state.

mod auth;
mod hello;
mod mail;
mod other;
mod text;

pub(crate) use auth::{AUTH_OCTETS, Login};
pub(crate) use text::Text;

/// A command's verb (RFC 5321 §4.5.1, RFC 3207, RFC 4954).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Ehlo,
    Helo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    /// A command of SMTP that we do not have.
    NotImplemented,
    /// A browser was made to talk to us; the lines that follow are not meant for us either.
    Http,
    Unknown,
}

/// Splits a command line into verb and argument. Spaces at the end do not count (RFC 5321 §4.1.1).
pub(crate) fn parse_command(line: &str) -> (Verb, &str) {
    let line = line.trim_end_matches(' ');
    let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
    let verb = match verb.to_ascii_uppercase().as_str() {
        "EHLO" => Verb::Ehlo,
        "HELO" => Verb::Helo,
        "STARTTLS" => Verb::StartTls,
        "AUTH" => Verb::Auth,
        "MAIL" => Verb::Mail,
        "RCPT" => Verb::Rcpt,
        "DATA" => Verb::Data,
        "RSET" => Verb::Rset,
        "NOOP" => Verb::Noop,
        "VRFY" => Verb::Vrfy,
        "HELP" => Verb::Help,
        "QUIT" => Verb::Quit,
        "EXPN" | "BDAT" | "ETRN" | "TURN" | "SEND" | "SOML" | "SAML" => Verb::NotImplemented,
        "GET" | "POST" | "PUT" | "HEAD" | "OPTIONS" | "CONNECT" => Verb::Http,
        _ => Verb::Unknown,
    };
    (verb, argument)
}
