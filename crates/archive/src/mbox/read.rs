//! Reading: also what others wrote, with any line ends, and whether or not they marked lines.

use super::{FROM, FromLine};
use crate::ArchiveError;
use std::io::BufRead;

/// What is next in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MboxEntry {
    /// A message.
    Message {
        /// The line above it.
        from: FromLine,
        /// Octet by octet, without the marks of lines.
        content: Vec<u8>,
    },
    /// A message that is larger than wanted; it was passed over.
    TooLarge,
}

/// Reads messages one after the other.
pub struct MboxReader<R> {
    input: R,
    max_octets: usize,
    /// The line above the next message, once it was read.
    next: Option<FromLine>,
    begun: bool,
    line: Vec<u8>,
}

impl<R: BufRead> MboxReader<R> {
    /// Reads this; messages above so many octets are passed over.
    pub const fn new(input: R, max_octets: usize) -> Self {
        Self {
            input,
            max_octets,
            next: None,
            begun: false,
            line: Vec::new(),
        }
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// [`ArchiveError::Format`] if the file does not begin as an mbox does; [`ArchiveError::Io`].
    #[expect(clippy::should_implement_trait, reason = "it may fail, and then goes no further")]
    pub fn next(&mut self) -> Result<Option<MboxEntry>, ArchiveError> {
        if !self.begun {
            self.next = self.first()?;
            self.begun = true;
        }
        let Some(from) = self.next.take() else {
            return Ok(None);
        };
        let mut content = Vec::new();
        let (mut is_too_large, mut after_empty) = (false, false);
        while let Some(is_whole) = self.read_line()? {
            if is_whole && after_empty && is_separator(&self.line) {
                self.next = Some(from_line(&self.line));
                break;
            }
            is_too_large |= !is_whole || content.len() + self.line.len() > self.max_octets.saturating_add(2);
            if is_too_large {
                content.clear();
            } else {
                after_empty = is_empty(&self.line);
                content.extend_from_slice(unmarked(&self.line));
                continue;
            }
            after_empty = is_empty(&self.line);
        }
        drop_empty_line(&mut content);
        if is_too_large || content.len() > self.max_octets {
            return Ok(Some(MboxEntry::TooLarge));
        }
        Ok(Some(MboxEntry::Message { from, content }))
    }

    /// The line above the first message; `None` of an empty file.
    fn first(&mut self) -> Result<Option<FromLine>, ArchiveError> {
        while let Some(is_whole) = self.read_line()? {
            if is_empty(&self.line) {
                continue;
            }
            return match is_whole && is_separator(&self.line) {
                true => Ok(Some(from_line(&self.line))),
                false => Err(ArchiveError::Format("mbox")),
            };
        }
        Ok(None)
    }

    /// Reads a line with its end, and whether it was kept whole: what is longer than a message may be is not. `None` at
    /// the end.
    fn read_line(&mut self) -> Result<Option<bool>, ArchiveError> {
        self.line.clear();
        let (mut is_whole, mut any) = (true, false);
        loop {
            let buffer = match self.input.fill_buf() {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                return Ok(any.then_some(is_whole));
            }
            any = true;
            let end = memchr::memchr(b'\n', buffer).map(|at| at + 1);
            let taken = end.unwrap_or(buffer.len());
            is_whole &= self.line.len() + taken <= self.max_octets.saturating_add(2);
            if is_whole {
                self.line.extend_from_slice(&buffer[..taken]);
            }
            self.input.consume(taken);
            if end.is_some() {
                return Ok(Some(is_whole));
            }
        }
    }
}

fn is_empty(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

/// Some write nothing behind `From `; who writes something, a time.
fn is_separator(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(FROM) else {
        return false;
    };
    let is_time = |window: &[u8]| {
        matches!(window, [a, b, b':', c, d]
            if [a, b, c, d].iter().all(|octet| octet.is_ascii_digit()))
    };
    rest.trim_ascii().is_empty() || rest.windows(5).any(is_time)
}

fn from_line(line: &[u8]) -> FromLine {
    FromLine(line[FROM.len()..].trim_ascii().to_vec())
}

/// A line without its mark.
fn unmarked(line: &[u8]) -> &[u8] {
    let marks = line.iter().take_while(|octet| **octet == b'>').count();
    match marks {
        0 => line,
        _ if line[marks..].starts_with(FROM) => &line[1..],
        _ => line,
    }
}

/// The empty line below a message is not part of it.
fn drop_empty_line(content: &mut Vec<u8>) {
    let end = match content.as_slice() {
        [before @ .., b'\r', b'\n'] if before.is_empty() || before.ends_with(b"\n") => before.len(),
        [before @ .., b'\n'] if before.is_empty() || before.ends_with(b"\n") => before.len(),
        all => all.len(),
    };
    content.truncate(end);
}
