//! Writing: piece by piece, whatever the pieces are.

use super::FROM;
use std::io::{self, Write};

/// How much of a line is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// It is only `>`s so far, or nothing.
    Start,
    /// Then so many octets of `From `, which are held back.
    Matching(usize),
    /// It is another one.
    Other,
}

/// Writes messages one after the other.
pub struct MboxWriter<W> {
    out: W,
    line: Line,
    ends_with_newline: bool,
}

impl<W: Write> MboxWriter<W> {
    /// Writes to this.
    pub const fn new(out: W) -> Self {
        Self {
            out,
            line: Line::Start,
            ends_with_newline: true,
        }
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// What is written to.
    pub const fn inner(&mut self) -> &mut W {
        &mut self.out
    }

    /// Begins a message that came from this address at this time, in seconds since 1970 UTC. White space and control
    /// characters of the address are left out.
    ///
    /// # Errors
    /// Those of writing.
    pub fn begin(&mut self, sender: &str, seconds: i64) -> io::Result<()> {
        let sender: String = sender
            .chars()
            .filter(|c| !c.is_whitespace() && !c.is_control())
            .collect();
        let sender = if sender.is_empty() { "MAILER-DAEMON" } else { &sender };
        writeln!(self.out, "From {sender} {}", asctime(seconds))?;
        self.line = Line::Start;
        self.ends_with_newline = true;
        Ok(())
    }

    /// Writes a piece of the message.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut rest = piece;
        while let [octet, ..] = rest {
            match self.line {
                Line::Other => {
                    let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
                    let (line, after) = rest.split_at(end);
                    self.out.write_all(line)?;
                    if line.ends_with(b"\n") {
                        self.line = Line::Start;
                    }
                    rest = after;
                    continue;
                }
                Line::Start if *octet == b'>' => self.out.write_all(b">")?,
                Line::Start if *octet == FROM[0] => self.line = Line::Matching(1),
                Line::Start => {
                    self.line = Line::Other;
                    continue;
                }
                Line::Matching(held) if *octet == FROM[held] => {
                    if held + 1 == FROM.len() {
                        self.out.write_all(b">")?;
                        self.out.write_all(FROM)?;
                        self.line = Line::Other;
                    } else {
                        self.line = Line::Matching(held + 1);
                    }
                }
                Line::Matching(held) => {
                    self.out.write_all(&FROM[..held])?;
                    self.line = Line::Other;
                    continue;
                }
            }
            rest = &rest[1..];
        }
        if let Some(last) = piece.last() {
            self.ends_with_newline = *last == b'\n';
        }
        Ok(())
    }

    /// Ends the message, with a line end if it has none.
    ///
    /// # Errors
    /// Those of writing.
    pub fn end(&mut self) -> io::Result<()> {
        if let Line::Matching(held) = self.line {
            self.out.write_all(&FROM[..held])?;
        }
        self.line = Line::Start;
        self.out.write_all(if self.ends_with_newline { b"\n" } else { b"\n\n" })
    }
}

/// A time as `asctime` of C writes it, in UTC; what is no date of mail as the next that is one.
fn asctime(seconds: i64) -> String {
    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_128_000;
    let timestamp = jiff::Timestamp::from_second(seconds.clamp(FIRST, LAST)).unwrap_or_default();
    timestamp.strftime("%a %b %e %H:%M:%S %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, expected) in [
            (0, "Thu Jan  1 00:00:00 1970"),
            (951_826_154, "Tue Feb 29 12:09:14 2000"),
            (1_700_000_000, "Tue Nov 14 22:13:20 2023"),
            (-1, "Wed Dec 31 23:59:59 1969"),
            (i64::MAX, "Thu Dec 30 00:00:00 9999"),
            (i64::MIN, "Mon Jan  1 00:00:00 0001"),
        ] {
            assert_eq!(asctime(seconds), expected);
        }
    }

    #[test]
    fn an_address_is_one_word() {
        let mut writer = MboxWriter::new(Vec::new());
        writer.begin("a b\n@c", 0).unwrap();
        writer.write(b"x").unwrap();
        writer.end().unwrap();
        let text = String::from_utf8(writer.into_inner()).unwrap();
        assert_eq!(text, "From ab@c Thu Jan  1 00:00:00 1970\nx\n\n");
    }
}
