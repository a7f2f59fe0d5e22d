//! Replies (RFC 5321 §4.2) with enhanced status codes (RFC 2034).

use std::borrow::Cow;
use std::fmt;

/// One reply. Its text is one line of printable ASCII; multi-line replies (EHLO) are the machine's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// `5.1.1`, or empty where RFC 2034 §4 has none (greetings, HELO, 354).
    pub enhanced: Cow<'static, str>,
    /// For people.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with a fixed text.
    #[must_use]
    pub const fn new(code: u16, enhanced: &'static str, text: &'static str) -> Self {
        Self {
            code,
            enhanced: Cow::Borrowed(enhanced),
            text: Cow::Borrowed(text),
        }
    }

    /// Whether the reply accepts (2xx or 3xx).
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// The reply as it is sent. Whatever could break the line is shown as `?`.
    pub(crate) fn to_line(&self) -> String {
        let mut line = self.to_string();
        if !line.bytes().all(|b| matches!(b, b' '..=b'~')) {
            line = line.replace(|c: char| !matches!(c, ' '..='~'), "?");
        }
        line.push_str("\r\n");
        line
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.enhanced.is_empty() {
            true => write!(f, "{} {}", self.code, self.text),
            false => write!(f, "{} {} {}", self.code, self.enhanced, self.text),
        }
    }
}

/// What the machine says by itself.
impl Reply {
    pub(crate) const HELP: Self = Self::new(214, "2.0.0", "See RFC 5321");
    pub(crate) const READY_FOR_TLS: Self = Self::new(220, "2.0.0", "Ready to start TLS");
    pub(crate) const BYE: Self = Self::new(221, "2.0.0", "Bye");
    pub(crate) const AUTH_OK: Self = Self::new(235, "2.7.0", "Authentication successful");
    pub(crate) const OK: Self = Self::new(250, "2.0.0", "OK");
    pub(crate) const SENDER_OK: Self = Self::new(250, "2.1.0", "OK");
    pub(crate) const RECIPIENT_OK: Self = Self::new(250, "2.1.5", "OK");
    pub(crate) const ACCEPTED: Self = Self::new(250, "2.0.0", "Accepted");
    pub(crate) const CANNOT_VERIFY: Self = Self::new(252, "2.5.0", "Send some mail, we will try");
    pub(crate) const SEND_MESSAGE: Self = Self::new(354, "", "End data with <CR><LF>.<CR><LF>");
    pub(crate) const SHUTTING_DOWN: Self = Self::new(421, "4.3.2", "Shutting down, try again soon");
    pub(crate) const IDLE: Self = Self::new(421, "4.4.2", "Idle too long, closing");
    pub(crate) const MESSAGE_TOO_SLOW: Self = Self::new(421, "4.4.2", "Message takes too long, closing");
    pub(crate) const TOO_MANY_ERRORS: Self = Self::new(421, "4.7.0", "Too many errors, closing");
    pub(crate) const TOO_MANY_LOGINS: Self = Self::new(421, "4.7.0", "Too many failed logins, closing");
    pub(crate) const NO_PROGRESS: Self = Self::new(421, "4.7.0", "Too many commands without mail, closing");
    pub(crate) const NOT_HTTP: Self = Self::new(421, "4.7.0", "This is not HTTP, closing");
    pub(crate) const WRONG_ANSWER: Self = Self::new(451, "4.3.0", "Local trouble, try later");
    pub(crate) const TOO_MANY_RECIPIENTS: Self = Self::new(452, "4.5.3", "Too many recipients, send them separately");
    pub(crate) const AUTH_UNKNOWN: Self = Self::new(454, "4.7.0", "Cannot check that now, try later");
    pub(crate) const UNKNOWN_COMMAND: Self = Self::new(500, "5.5.2", "Command not recognized");
    pub(crate) const LINE_TOO_LONG: Self = Self::new(500, "5.5.2", "Line too long");
    pub(crate) const AUTH_LINE_TOO_LONG: Self = Self::new(500, "5.5.6", "Authentication exchange line is too long");
    pub(crate) const BARE_NEWLINE_IN_COMMAND: Self = Self::new(500, "5.5.2", "Lines end in CRLF and hold no other");
    pub(crate) const NUL_IN_COMMAND: Self = Self::new(500, "5.5.2", "NUL in command");
    pub(crate) const NO_ARGUMENT: Self = Self::new(501, "5.5.4", "Command takes no argument");
    pub(crate) const BAD_CLIENT_NAME: Self = Self::new(501, "5.5.4", "Need a domain or address literal");
    pub(crate) const AUTH_SYNTAX: Self = Self::new(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]");
    pub(crate) const AUTH_CANCELLED: Self = Self::new(501, "5.7.0", "Authentication cancelled");
    pub(crate) const AUTH_BASE64: Self = Self::new(501, "5.5.2", "Not base64");
    pub(crate) const AUTH_MALFORMED: Self = Self::new(501, "5.5.2", "Not what the mechanism asks for");
    pub(crate) const MAIL_SYNTAX: Self = Self::new(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]");
    pub(crate) const RCPT_SYNTAX: Self = Self::new(501, "5.5.4", "Syntax: RCPT TO:<address>");
    pub(crate) const BAD_PARAMETER: Self = Self::new(501, "5.5.4", "Bad parameter");
    pub(crate) const BAD_SENDER: Self = Self::new(501, "5.1.7", "Bad sender address");
    pub(crate) const BAD_RECIPIENT: Self = Self::new(501, "5.1.3", "Bad recipient address");
    pub(crate) const NOT_IMPLEMENTED: Self = Self::new(502, "5.5.1", "Command not implemented");
    pub(crate) const NEED_EHLO: Self = Self::new(503, "5.5.1", "Say EHLO first");
    pub(crate) const NEED_MAIL: Self = Self::new(503, "5.5.1", "Need MAIL first");
    pub(crate) const NEED_RECIPIENT: Self = Self::new(503, "5.5.1", "Need a recipient first");
    pub(crate) const NESTED_MAIL: Self = Self::new(503, "5.5.1", "A transaction is already open");
    pub(crate) const TLS_ALREADY: Self = Self::new(503, "5.5.1", "TLS is already on");
    pub(crate) const AUTH_ALREADY: Self = Self::new(503, "5.5.1", "You are logged in already");
    pub(crate) const NO_SUCH_MECHANISM: Self = Self::new(504, "5.5.4", "No such mechanism");
    pub(crate) const NEED_TLS: Self = Self::new(530, "5.7.0", "Must issue a STARTTLS command first");
    pub(crate) const NEED_AUTH: Self = Self::new(530, "5.7.0", "Authentication required");
    pub(crate) const AUTH_FAILED: Self = Self::new(535, "5.7.8", "Wrong user or password");
    pub(crate) const AUTH_AS_ANOTHER: Self = Self::new(535, "5.7.8", "Nobody may act as somebody else");
    pub(crate) const AUTH_BINDING: Self = Self::new(535, "5.7.8", "Channel binding does not fit");
    pub(crate) const AUTH_NEEDS_TLS: Self = Self::new(538, "5.7.11", "Encryption required, issue STARTTLS first");
    pub(crate) const TOO_BIG: Self = Self::new(552, "5.3.4", "Message too big");
    pub(crate) const NEED_SMTPUTF8: Self = Self::new(553, "5.6.7", "Address needs the SMTPUTF8 parameter");
    pub(crate) const BARE_NEWLINE: Self = Self::new(554, "5.6.0", "Message has a bare CR or LF");
    pub(crate) const UNKNOWN_PARAMETER: Self = Self::new(555, "5.5.4", "Parameter not recognized");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_stays_on_its_line() {
        let reply = Reply {
            code: 550,
            enhanced: Cow::Borrowed("5.1.1"),
            text: Cow::Owned("no\r\n250 \u{e4}".to_owned()),
        };
        assert_eq!(reply.to_line(), "550 5.1.1 no??250 ?\r\n");
        assert_eq!(Reply::SEND_MESSAGE.to_line(), "354 End data with <CR><LF>.<CR><LF>\r\n");
    }
}
