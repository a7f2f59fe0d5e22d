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
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.enhanced.is_empty() {
            true => write!(f, "{} {}", self.code, self.text),
            false => write!(f, "{} {} {}", self.code, self.enhanced, self.text),
        }
    }
}
