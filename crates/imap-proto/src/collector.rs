//! Puts commands together: lines and the literals between them, in one buffer with a bound.
//!
//! Any split of the bytes gives the same commands. What exceeds the bound is dropped as it comes, so memory is at most
//! the bound plus what the driver hands in at once.

use bytes::Bytes;
use memchr::memchr;
use postroom_wire::LineBuffer;
use zeroize::Zeroizing;

/// The announcement at the end of a line: `{octets}`, or `{octets+}` when the client does not wait (RFC 7888). After a
/// tilde it is a literal8, which may hold any octets (RFC 4466 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LiteralMark {
    pub(crate) octets: u64,
    pub(crate) waits: bool,
    pub(crate) binary: bool,
}

impl LiteralMark {
    /// Longest mark: `~{`, 20 digits, `+}`.
    const OCTETS: usize = 24;

    pub(crate) fn at_end_of(line: &[u8]) -> Option<Self> {
        let inside = line.strip_suffix(b"}")?;
        let open = memchr::memrchr(b'{', inside)?;
        let binary = inside[..open].ends_with(b"~");
        let inside = &inside[open + 1..];
        let (digits, waits) = match inside.strip_suffix(b"+") {
            Some(digits) => (digits, false),
            None => (inside, true),
        };
        if digits.is_empty() || digits.len() > 20 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let octets = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
        Some(Self { octets, waits, binary })
    }
}

/// What has come in.
#[derive(Debug)]
pub(crate) enum Event {
    /// A whole command, without the last CRLF. It may hold a password.
    Command(Zeroizing<Vec<u8>>),
    /// A line that announces a literal; it is to be accepted, taken as a body, or refused.
    Literal(LiteralMark),
    /// A command over the bound; all of it is gone but its beginning.
    TooLong {
        /// The first octets, for the tag.
        head: Vec<u8>,
        /// The literal at its end, which follows in any case if the client does not wait.
        literal: Option<LiteralMark>,
    },
    /// The rest of a refused command has gone by.
    Skipped,
    /// A refused command goes on with a literal that is larger than what is skipped.
    Endless,
}

#[derive(Debug, Default)]
enum Mode {
    #[default]
    Line,
    /// So many octets of a literal belong to the command.
    Literal(usize),
    /// So many octets of a refused literal are dropped, then the rest of its line.
    SkipLiteral(u64),
    /// The rest of a line is dropped; `tail` holds its end so far.
    SkipLine { tail: Vec<u8>, refused: bool },
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    input: LineBuffer,
    /// So many octets of `input` hold no line feed.
    scanned: usize,
    command: Zeroizing<Vec<u8>>,
    mode: Mode,
    /// Largest literal of a refused command that is skipped.
    skip_octets: u64,
}

/// How much of an over-long command is kept, for its tag.
const HEAD_OCTETS: usize = 160;

impl Collector {
    pub(crate) fn new(skip_octets: u64) -> Self {
        Self {
            skip_octets,
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
    }

    /// Forgets everything, for STARTTLS.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.skip_octets);
    }

    /// Takes all that was not read, for COMPRESS.
    pub(crate) fn take_unread(&mut self) -> Bytes {
        self.scanned = 0;
        self.input.take(self.input.len())
    }

    /// The command so far; ends with the mark of a literal after [`Event::Literal`].
    pub(crate) fn so_far(&self) -> &[u8] {
        &self.command
    }

    /// Whether a literal of this size fits into the bound.
    pub(crate) fn has_room(&self, octets: u64, limit: usize) -> bool {
        octets <= limit.saturating_sub(self.command.len()) as u64
    }

    /// The literal just announced belongs to the command; it was seen to have room.
    pub(crate) fn accept(&mut self, mark: LiteralMark) {
        self.command.extend_from_slice(b"\r\n");
        self.mode = Mode::Literal(usize::try_from(mark.octets).unwrap_or(usize::MAX));
    }

    /// The literal just announced is a body that the caller takes with [`take_body`](Self::take_body); the command
    /// ends with it.
    pub(crate) fn begin_body(&mut self) {
        self.command = Zeroizing::default();
        self.mode = Mode::Line;
    }

    /// The command is refused. A literal that the client sends anyway is dropped with the rest of its line, after
    /// which comes [`Event::Skipped`]; otherwise the next command begins here.
    pub(crate) fn refuse(&mut self, mark: LiteralMark) {
        self.command = Zeroizing::default();
        self.mode = if mark.waits {
            Mode::Line
        } else {
            Mode::SkipLiteral(mark.octets)
        };
    }

    /// The command is refused in the middle of a body, of which so many octets are still to come. They are dropped with
    /// all that follows, as by [`refuse`](Self::refuse).
    pub(crate) fn skip(&mut self, left: u64) {
        self.mode = Mode::SkipLiteral(left);
    }

    /// Takes octets of a body, at most `limit`. `None`: there are none now.
    pub(crate) fn take_body(&mut self, limit: u64) -> Option<Bytes> {
        let count = usize::try_from(limit).unwrap_or(usize::MAX).min(self.input.len());
        self.scanned = 0;
        (count > 0).then(|| self.input.take(count))
    }

    /// Takes the next event. `limit` is the bound of a command; `literals` says whether lines may announce them.
    pub(crate) fn next(&mut self, limit: usize, literals: bool) -> Option<Event> {
        loop {
            match &mut self.mode {
                Mode::Line => return self.line(limit, literals),
                Mode::Literal(left) => {
                    let count = (*left).min(self.input.len());
                    *left -= count;
                    let done = *left == 0;
                    self.command.extend_from_slice(&self.input.bytes()[..count]);
                    self.input.skip(count);
                    self.scanned = 0;
                    if !done {
                        return None;
                    }
                    self.mode = Mode::Line;
                }
                Mode::SkipLiteral(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(self.input.len());
                    *left -= count as u64;
                    let done = *left == 0;
                    self.input.skip(count);
                    self.scanned = 0;
                    if !done {
                        return None;
                    }
                    self.mode = Mode::SkipLine {
                        tail: Vec::new(),
                        refused: true,
                    };
                }
                Mode::SkipLine { .. } => {
                    let event = self.skip_line();
                    if event.is_some() || !matches!(self.mode, Mode::SkipLiteral(_)) {
                        return event;
                    }
                }
            }
        }
    }

    fn line(&mut self, limit: usize, literals: bool) -> Option<Event> {
        let bytes = self.input.bytes();
        let Some(at) = memchr(b'\n', &bytes[self.scanned..]).map(|at| self.scanned + at) else {
            self.scanned = bytes.len();
            // Two more for the CRLF.
            if self.command.len() + bytes.len() > limit + 2 {
                return self.over_long();
            }
            return None;
        };
        // A line feed alone ends a line too: nothing that was meant otherwise can hide behind it here.
        let line = bytes[..at].strip_suffix(b"\r").unwrap_or(&bytes[..at]);
        if self.command.len() + line.len() > limit {
            return self.over_long();
        }
        self.command.extend_from_slice(line);
        self.input.skip(at + 1);
        self.scanned = 0;
        match LiteralMark::at_end_of(&self.command).filter(|_| literals) {
            Some(mark) => Some(Event::Literal(mark)),
            None => Some(Event::Command(std::mem::take(&mut self.command))),
        }
    }

    fn over_long(&mut self) -> Option<Event> {
        let room = HEAD_OCTETS.saturating_sub(self.command.len()).min(self.input.len());
        self.command.extend_from_slice(&self.input.bytes()[..room]);
        self.command.truncate(HEAD_OCTETS);
        self.mode = Mode::SkipLine {
            tail: Vec::new(),
            refused: false,
        };
        self.skip_line()
    }

    fn skip_line(&mut self) -> Option<Event> {
        let Mode::SkipLine { tail, refused } = &mut self.mode else {
            return None;
        };
        let bytes = self.input.bytes();
        let end = memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        // With the CR, the tail is one longer than a mark.
        let keep = LiteralMark::OCTETS + 1;
        tail.extend_from_slice(&part[part.len().saturating_sub(keep)..]);
        tail.drain(..tail.len().saturating_sub(keep));
        let count = end.map_or(bytes.len(), |at| at + 1);
        self.input.skip(count);
        self.scanned = 0;
        end?;
        let literal = LiteralMark::at_end_of(tail.strip_suffix(b"\r").unwrap_or(tail));
        let refused = *refused;
        self.mode = Mode::Line;
        if refused {
            // The refused command may go on with yet another literal.
            return match literal.filter(|mark| !mark.waits) {
                Some(mark) if mark.octets > self.skip_octets => Some(Event::Endless),
                Some(mark) => {
                    self.mode = Mode::SkipLiteral(mark.octets);
                    None
                }
                None => Some(Event::Skipped),
            };
        }
        Some(Event::TooLong {
            head: std::mem::take(&mut *self.command),
            literal,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Plays a client against a bound of 40 octets; literals that have room are accepted.
    fn collect(pieces: &[&[u8]]) -> Vec<String> {
        let mut collector = Collector::new(1_000_000);
        let mut seen = Vec::new();
        for piece in pieces {
            collector.push(piece);
            while let Some(event) = collector.next(40, true) {
                seen.push(match &event {
                    Event::Command(bytes) => format!("command {}", bytes.escape_ascii()),
                    Event::Literal(mark) => format!(
                        "literal{} {} {}",
                        if mark.binary { "8" } else { "" },
                        mark.octets,
                        mark.waits
                    ),
                    Event::TooLong { literal, .. } => format!("too long {literal:?}"),
                    Event::Skipped => "skipped".to_owned(),
                    Event::Endless => "endless".to_owned(),
                });
                match event {
                    Event::Literal(mark) if collector.has_room(mark.octets, 40) => collector.accept(mark),
                    Event::Literal(mark)
                    | Event::TooLong {
                        literal: Some(mark), ..
                    } => collector.refuse(mark),
                    _ => {}
                }
            }
            assert!(collector.input.len() <= 42 && collector.command.len() <= HEAD_OCTETS);
        }
        seen
    }

    #[test]
    fn commands_and_literals() {
        let check = |input: &str, expected: &[&str]| assert_eq!(collect(&[input.as_bytes()]), expected, "{input:?}");
        check("a NOOP\r\nb NOOP\n", &["command a NOOP", "command b NOOP"]);
        check(
            "a X {3}\r\na\r\n y\r\n",
            &["literal 3 true", "command a X {3}\\r\\na\\r\\n y"],
        );
        check("a X {0+}\r\n\r\n", &["literal 0 false", "command a X {0+}\\r\\n"]);
        check("a X {99}\r\nb NOOP\r\n", &["literal 99 true", "command b NOOP"]);
        check("a X {41+}\r\n", &["literal 41 false"]);
        let long = "x".repeat(41);
        check(
            &format!("a X {{41+}}\r\n{long} y\r\nb\r\n"),
            &["literal 41 false", "skipped", "command b"],
        );
        check(
            &format!("a X {{41+}}\r\n{long}{{2+}}\r\nzz\r\nb\r\n"),
            &["literal 41 false", "skipped", "command b"],
        );
        check(&format!("{long}\r\nb\r\n"), &["too long None", "command b"]);
        let expected = [
            "too long Some(LiteralMark { octets: 2, waits: false, binary: false })",
            "skipped",
            "command b",
        ];
        check(&format!("{long}{{2+}}\r\nzz\r\nb\r\n"), &expected);
        check(
            "a X ~{3}\r\na\0b\r\n",
            &["literal8 3 true", "command a X ~{3}\\r\\na\\x00b"],
        );
        let many = "{0+}\r\n".repeat(50_000);
        check(
            &format!("a X {{41+}}\r\n{long}{many}y\r\nb\r\n"),
            &["literal 41 false", "skipped", "command b"],
        );
        check(
            &format!("a X {{41+}}\r\n{long}{{1000001+}}\r\n"),
            &["literal 41 false", "endless"],
        );
        check("{99999999999999999999+}\r\n", &[&format!("literal {} false", u64::MAX)]);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(
            input in "([ab]{0,30}(\\{[0-9]{1,2}\\+?\\})?\r?\n){0,6}",
            cuts in proptest::collection::vec(0_usize..200, 0..8),
        ) {
            let whole: Vec<&[u8]> = input.as_bytes().chunks(40).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            cuts.extend((0..input.len()).step_by(40));
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &input.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(collect(&pieces), collect(&whole));
        }
    }
}
