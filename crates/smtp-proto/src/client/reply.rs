//! Replies as a client hears them (RFC 5321 §4.2, RFC 2034), bounded.
//!
//! A reply is kept as lines of at most [`LINE_KEPT`] printable ASCII characters; whatever else a server sends is shown
//! as `?`, so that a reply can stand in a log, a notice or a reply of ours.

use postroom_wire::{LineBuffer, LineError};
use std::fmt;

/// So much of each line, and of the text of a [`RemoteReply`], is kept.
const LINE_KEPT: usize = 512;

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteReply {
    /// 200 to 599.
    pub code: u16,
    /// `5.1.1`, if the server gave one that fits the code (RFC 2034 §4).
    pub enhanced: Option<String>,
    /// The rest, as one line of at most 512 printable ASCII characters.
    pub text: String,
}

impl RemoteReply {
    /// 4xx: trying again may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self.code, 400..=499)
    }

    /// 5xx: trying again will not help.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self.code, 500..=599)
    }
}

impl fmt::Display for RemoteReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        for part in [self.enhanced.as_deref().unwrap_or(""), &self.text] {
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
        }
        Ok(())
    }
}

/// A whole reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) lines: Vec<String>,
}

impl Reply {
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.code, 200..=299)
    }

    /// 4xx or 5xx.
    pub(crate) const fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// The reply without its lines. The enhanced status code may be repeated in each line (RFC 2034 §4) and is told
    /// once.
    pub(crate) fn remote(&self) -> RemoteReply {
        let enhanced = self.lines.iter().find_map(|line| enhanced_of(self.code, line));
        let mut text = String::new();
        for line in &self.lines {
            let rest = enhanced.and_then(|code| line.strip_prefix(code)).unwrap_or(line).trim();
            if !text.is_empty() && !rest.is_empty() {
                text.push(' ');
            }
            text.push_str(rest);
        }
        text.truncate(LINE_KEPT);
        RemoteReply {
            code: self.code,
            enhanced: enhanced.map(str::to_owned),
            text,
        }
    }
}

/// The enhanced status code at the start of a line: its class is that of the reply (RFC 2034 §4).
fn enhanced_of(code: u16, line: &str) -> Option<&str> {
    let word = line.split(' ').next()?;
    let mut parts = word.split('.');
    let class = parts.next()?;
    let good = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let fits = class.len() == 1
        && class.parse() == Ok(code / 100)
        && parts.next().is_some_and(good)
        && parts.next().is_some_and(good)
        && parts.next().is_none();
    fits.then_some(word)
}

/// Puts lines together; at most one reply is held.
#[derive(Debug, Default)]
pub(crate) struct ReplyReader {
    begun: Option<Reply>,
}

impl ReplyReader {
    /// Takes the next reply out of the buffer. `None`: it has not ended yet.
    ///
    /// # Errors
    /// What is wrong with it. Nothing that follows can be understood.
    pub(crate) fn next(
        &mut self,
        input: &mut LineBuffer,
        line_octets: usize,
        most_lines: usize,
    ) -> Option<Result<Reply, &'static str>> {
        loop {
            let line = match input.next_line(line_octets) {
                // Not waited for: the line might never end.
                None if input.is_skipping() => return Some(Err("reply line too long")),
                None => return None,
                Some(Ok(line)) => line,
                Some(Err(LineError::TooLong)) => return Some(Err("reply line too long")),
                Some(Err(LineError::BareLineFeed | LineError::BareCarriageReturn)) => {
                    return Some(Err("bare CR or LF in a reply"));
                }
            };
            match self.line(&line, most_lines) {
                Ok(None) => {}
                Ok(Some(reply)) => return Some(Ok(reply)),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn line(&mut self, line: &[u8], most_lines: usize) -> Result<Option<Reply>, &'static str> {
        let (code, last, text) = parse_line(line).ok_or("not an SMTP reply")?;
        let mut reply = self.begun.take().unwrap_or(Reply {
            code,
            lines: Vec::new(),
        });
        if reply.code != code {
            return Err("a reply with two codes");
        }
        if reply.lines.len() == most_lines {
            return Err("endless reply");
        }
        reply.lines.push(printable(text));
        if last {
            return Ok(Some(reply));
        }
        self.begun = Some(reply);
        Ok(None)
    }

    pub(crate) fn clear(&mut self) {
        self.begun = None;
    }
}

/// Code, whether it is the last line, text.
fn parse_line(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (code, rest) = line.split_at_checked(3)?;
    if !code.iter().all(u8::is_ascii_digit) || !(b'2'..=b'5').contains(&code[0]) {
        return None;
    }
    let code = code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        None => Some((code, true, rest)),
        Some((b' ', text)) => Some((code, true, text)),
        Some((b'-', text)) => Some((code, false, text)),
        Some(_) => None,
    }
}

fn printable(text: &[u8]) -> String {
    let shown = |b: &u8| match b {
        b' '..=b'~' => char::from(*b),
        b'\t' => ' ',
        _ => '?',
    };
    text.iter().take(LINE_KEPT).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Option<Result<String, &'static str>> {
        let (mut input, mut reader) = (LineBuffer::new(), ReplyReader::default());
        input.push(text);
        let reply = reader.next(&mut input, 40, 3)?;
        Some(reply.map(|reply| reply.remote().to_string()))
    }

    #[test]
    fn replies() {
        let check = |text: &str, expected: Option<Result<&str, &'static str>>| {
            assert_eq!(
                read(text.as_bytes()),
                expected.map(|e| e.map(str::to_owned)),
                "{text:?}"
            );
        };
        check("250 OK\r\n", Some(Ok("250 OK")));
        check("250\r\n", Some(Ok("250")));
        check("250 \r\n", Some(Ok("250")));
        check("250 OK", None);
        check("250-a\r\n250-b\r\n250 c\r\n", Some(Ok("250 a b c")));
        check("250-a\r\n250-b\r\n", None);
        check(
            "550-5.1.1 No\r\n550 5.1.1 such user\r\n",
            Some(Ok("550 5.1.1 No such user")),
        );
        check("550 4.1.1 Class\r\n", Some(Ok("550 4.1.1 Class")));
        check("550 5.1.1\r\n", Some(Ok("550 5.1.1")));
        check("421 \u{e4}\t\u{0}x\r\n", Some(Ok("421 ?? ?x")));
        check("250-a\r\n251 b\r\n", Some(Err("a reply with two codes")));
        check("250-\r\n250-\r\n250-\r\n250 \r\n", Some(Err("endless reply")));
        for bad in [
            "\r\n",
            "25\r\n",
            "2500 x\r\n",
            "150 x\r\n",
            "650 x\r\n",
            "+OK\r\n",
            "250_x\r\n",
            " 250\r\n",
            "2\u{0}0 x\r\n",
        ] {
            check(bad, Some(Err("not an SMTP reply")));
        }
        check("250 x\n", Some(Err("bare CR or LF in a reply")));
        check("250 x\ry\r\n", Some(Err("bare CR or LF in a reply")));
        check(&format!("250 {}\r\n", "x".repeat(40)), Some(Err("reply line too long")));
        check(&"x".repeat(40), Some(Err("reply line too long")));
    }

    #[test]
    fn enhanced_codes() {
        for (code, line, expected) in [
            (550, "5.1.1 No", Some("5.1.1")),
            (250, "2.123.456 x", Some("2.123.456")),
            (450, "5.1.1 x", None),
            (550, "5.1 x", None),
            (550, "5.1.1.1 x", None),
            (550, "5.1.1234 x", None),
            (550, "5..1 x", None),
            (550, "5.1.1: x", None),
            (550, "", None),
        ] {
            assert_eq!(enhanced_of(code, line), expected, "{line}");
        }
    }

    #[test]
    fn the_text_is_bounded() {
        let reply = Reply {
            code: 250,
            lines: vec!["x".repeat(LINE_KEPT); 9],
        };
        assert_eq!(reply.remote().text.len(), LINE_KEPT);
    }
}
