//! The input of a line-based protocol, bounded.
//!
//! Holds what the peer sent and the machine has not used. A line that is too long is not kept: its bytes are dropped
//! as they come, and it is reported once, when it ends. So the memory of one connection is at most the line limit plus
//! what the driver hands in at once, and any split of the bytes gives the same lines.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

/// Why the bytes up to a line feed are not a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Longer than the limit.
    #[error("line too long")]
    TooLong,
    /// Ended by a line feed without a carriage return.
    #[error("bare line feed")]
    BareLineFeed,
    /// A carriage return inside the line.
    #[error("bare carriage return")]
    BareCarriageReturn,
}

/// What is left of a buffer is copied to one of its own size when at least this much was taken.
const COMPACT_OCTETS: usize = 1024;

/// Bytes of the peer, taken out as lines or, for message text and literals, as they are.
#[derive(Debug, Default)]
pub struct LineBuffer {
    buffer: BytesMut,
    /// So many bytes at the front hold no line feed.
    scanned: usize,
    /// The line that is coming in was too long.
    skipping: bool,
    /// Bytes taken since the buffer last had memory of its own; what is left keeps theirs alive.
    taken: usize,
}

impl LineBuffer {
    /// An empty buffer; it owns no memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes from the peer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the next line, without its CRLF. `None`: it has not ended yet.
    ///
    /// `limit` counts octets with the CRLF, as the limits of RFC 5321 §4.5.3.1 do.
    ///
    /// # Errors
    /// [`LineError`]: the line was dropped up to and with its line feed.
    pub fn next_line(&mut self, limit: usize) -> Option<Result<Bytes, LineError>> {
        let Some(at) = memchr(b'\n', &self.buffer[self.scanned..]).map(|at| self.scanned + at) else {
            self.scanned = self.buffer.len();
            if self.skipping || self.scanned >= limit {
                self.skipping = true;
                self.clear_bytes();
            }
            self.compact();
            return None;
        };
        let line = self.take(at + 1);
        if std::mem::take(&mut self.skipping) || line.len() > limit {
            return Some(Err(LineError::TooLong));
        }
        let Some(text) = line.strip_suffix(b"\r\n") else {
            return Some(Err(LineError::BareLineFeed));
        };
        if memchr(b'\r', text).is_some() {
            return Some(Err(LineError::BareCarriageReturn));
        }
        Some(Ok(line.slice(..text.len())))
    }

    /// Whether the line that is coming in is too long already, though it has not ended; for a reader that will not wait
    /// for its end. Known once [`next_line`](Self::next_line) gave `None`.
    #[must_use]
    pub fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// What is there, for text that is no line.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes `count` bytes; they share their memory with the buffer, nothing is copied.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use = "the bytes are gone from the buffer"]
    pub fn take(&mut self, count: usize) -> Bytes {
        let bytes = self.buffer.split_to(count).freeze();
        self.taken(count);
        bytes
    }

    /// Drops `count` bytes.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn skip(&mut self, count: usize) {
        self.buffer.advance(count);
        self.taken(count);
    }

    /// Gives back the memory of what was taken. For when more has to come, so that a few bytes of a slow client do not
    /// hold a large buffer; [`next_line`](Self::next_line) does it by itself.
    pub fn compact(&mut self) {
        if self.taken >= COMPACT_OCTETS {
            self.buffer = BytesMut::from(&self.buffer[..]);
            self.taken = 0;
        }
    }

    /// Forgets everything, for STARTTLS.
    pub fn clear(&mut self) {
        self.skipping = false;
        self.clear_bytes();
    }

    /// Whether nothing is waiting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// How many bytes are waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    fn clear_bytes(&mut self) {
        self.buffer = BytesMut::new();
        self.scanned = 0;
        self.taken = 0;
    }

    fn taken(&mut self, count: usize) {
        self.scanned = 0;
        self.taken += count;
        if self.buffer.is_empty() {
            // An idle connection owns no buffer.
            self.clear_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]], limit: usize) -> Vec<Result<Bytes, LineError>> {
        let mut buffer = LineBuffer::new();
        let mut lines = Vec::new();
        for piece in pieces {
            buffer.push(piece);
            while let Some(line) = buffer.next_line(limit) {
                lines.push(line);
            }
            assert!(buffer.len() < limit, "an unfinished line is kept within the limit");
        }
        lines
    }

    #[test]
    fn kinds_of_lines() {
        let check = |input: &[u8], expected: &[Result<&'static [u8], LineError>]| {
            let expected: Vec<_> = expected.iter().map(|line| line.map(Bytes::from_static)).collect();
            assert_eq!(lines(&[input], 8), expected, "{input:?}");
        };
        check(b"one\r\ntwo\r\n", &[Ok(b"one"), Ok(b"two")]);
        check(b"\r\n", &[Ok(b"")]);
        check(b"123456\r\n", &[Ok(b"123456")]);
        check(b"1234567\r\nx\r\n", &[Err(LineError::TooLong), Ok(b"x")]);
        check(b"123456789012345678901234567890", &[]);
        check(
            b"123456789012345678901234567890\nx\r\n",
            &[Err(LineError::TooLong), Ok(b"x")],
        );
        check(b"x\ny\r\n", &[Err(LineError::BareLineFeed), Ok(b"y")]);
        check(b"x\ry\r\n", &[Err(LineError::BareCarriageReturn)]);
        check(b"x\r\r\n", &[Err(LineError::BareCarriageReturn)]);
        check(b"x\0\r\n", &[Ok(b"x\0")]);
    }

    #[test]
    fn a_long_line_costs_no_memory() {
        let mut buffer = LineBuffer::new();
        for _ in 0..1_000 {
            buffer.push(&[b'x'; 1_000]);
            assert_eq!(buffer.next_line(100), None);
            assert_eq!(buffer.len(), 0);
            assert!(buffer.is_skipping());
        }
        buffer.push(b"\r\nx\r\n");
        assert_eq!(buffer.next_line(100), Some(Err(LineError::TooLong)));
        assert_eq!(buffer.next_line(100), Some(Ok(Bytes::from_static(b"x"))));
        assert!(!buffer.is_skipping());
    }

    #[test]
    fn a_rest_does_not_hold_what_was_taken() {
        let mut buffer = LineBuffer::new();
        buffer.push(&[&[b'x'; 9_000][..], b"\r\nrest"].concat());
        let line = buffer.next_line(10_000).expect("ended").expect("good");
        assert_eq!((line.len(), buffer.next_line(10_000)), (9_000, None));
        assert_eq!((buffer.bytes(), buffer.taken), (&b"rest"[..], 0));
        assert!(line.is_unique(), "the line alone owns the large buffer now");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(input in "[ab\r\n]{0,60}", cuts in prop::collection::vec(0usize..60, 0..8)) {
            let input = input.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            cuts.push(input.len());
            cuts.sort_unstable();
            let mut start = 0;
            let pieces: Vec<_> = cuts.iter().map(|&cut| &input[std::mem::replace(&mut start, cut)..cut]).collect();
            prop_assert_eq!(lines(&pieces, 8), lines(&[input], 8));
        }
    }
}
