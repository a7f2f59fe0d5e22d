//! Makes content into message text: stuffs dots and ends it (RFC 5321 §4.5.2, §4.1.1.4).
//!
//! What leaves has no CR or LF outside CRLF: another server could take one for the end of a line, and what stands
//! behind it for commands (SMTP smuggling). A chunk is looked at whole before any of it leaves, and a CR at its end is
//! held back until the next one shows that LF follows.

use bytes::{Bytes, BytesMut};
use memchr::memchr2_iter;

/// Content that may not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BareNewline;

/// Where in the content we are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stuffer {
    line_begins: bool,
    held_cr: bool,
}

impl Stuffer {
    pub(crate) const fn new() -> Self {
        Self {
            line_begins: true,
            held_cr: false,
        }
    }

    /// The next chunk as it is sent.
    pub(crate) fn chunk(&mut self, chunk: Bytes) -> Result<Bytes, BareNewline> {
        let dots = self.look(&chunk)?;
        if chunk.is_empty() {
            return Ok(chunk);
        }
        let held = std::mem::replace(&mut self.held_cr, chunk.last() == Some(&b'\r'));
        let text = chunk.slice(..chunk.len() - usize::from(self.held_cr));
        self.line_begins = text.ends_with(b"\n");
        if dots.is_empty() && !held {
            return Ok(text);
        }
        let mut stuffed = BytesMut::with_capacity(text.len() + dots.len() + 1);
        if held {
            stuffed.extend_from_slice(b"\r");
        }
        let mut from = 0;
        for dot in dots {
            stuffed.extend_from_slice(&text[from..dot]);
            stuffed.extend_from_slice(b".");
            from = dot;
        }
        stuffed.extend_from_slice(&text[from..]);
        Ok(stuffed.freeze())
    }

    /// What is sent behind the content: the end of its last line, if that lacks one, and the final dot.
    pub(crate) fn end(self) -> Result<&'static [u8], BareNewline> {
        match (self.held_cr, self.line_begins) {
            (true, _) => Err(BareNewline),
            (false, true) => Ok(b".\r\n"),
            (false, false) => Ok(b"\r\n.\r\n"),
        }
    }

    /// Finds the dots at the beginnings of lines. Every LF so far has followed a CR, so a line begins after each.
    fn look(&self, chunk: &[u8]) -> Result<Vec<usize>, BareNewline> {
        let mut dots = Vec::new();
        let begins = self.line_begins && !self.held_cr;
        if begins && chunk.first() == Some(&b'.') {
            dots.push(0);
        }
        if self.held_cr && !chunk.is_empty() && chunk[0] != b'\n' {
            return Err(BareNewline);
        }
        for at in memchr2_iter(b'\r', b'\n', chunk) {
            let good = match chunk[at] {
                b'\r' => matches!(chunk.get(at + 1), Some(b'\n') | None),
                _ if at == 0 => self.held_cr,
                _ => chunk[at - 1] == b'\r',
            };
            if !good {
                return Err(BareNewline);
            }
            if chunk[at] == b'\n' && chunk.get(at + 1) == Some(&b'.') {
                dots.push(at + 1);
            }
        }
        Ok(dots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stuff(chunks: &[&[u8]]) -> Result<Vec<u8>, BareNewline> {
        let mut stuffer = Stuffer::new();
        let mut sent = Vec::new();
        for chunk in chunks {
            sent.extend_from_slice(&stuffer.chunk(Bytes::copy_from_slice(chunk))?);
        }
        sent.extend_from_slice(stuffer.end()?);
        Ok(sent)
    }

    /// The same, said in the plainest way.
    fn reference(content: &str) -> Result<Vec<u8>, BareNewline> {
        let mut sent = String::new();
        let lines = match content {
            "" => Vec::new(),
            _ => content.strip_suffix("\r\n").unwrap_or(content).split("\r\n").collect(),
        };
        for line in lines {
            if line.contains(['\r', '\n']) {
                return Err(BareNewline);
            }
            let dot = if line.starts_with('.') { "." } else { "" };
            sent.push_str(&format!("{dot}{line}\r\n"));
        }
        Ok(format!("{sent}.\r\n").into_bytes())
    }

    #[test]
    fn texts() {
        let check = |content: &[u8], expected: Option<&[u8]>| {
            assert_eq!(stuff(&[content]).ok(), expected.map(<[u8]>::to_vec), "{content:?}");
        };
        check(b"", Some(b".\r\n"));
        check(b"a", Some(b"a\r\n.\r\n"));
        check(b"a\r\n", Some(b"a\r\n.\r\n"));
        check(b"\r\n", Some(b"\r\n.\r\n"));
        check(b".", Some(b"..\r\n.\r\n"));
        check(b".\r\n..\r\na.\r\n", Some(b"..\r\n...\r\na.\r\n.\r\n"));
        check(b"\0\x80\r\n", Some(b"\0\x80\r\n.\r\n"));
        for bad in [
            &b"\n"[..],
            b"\r",
            b"a\n.\nb",
            b"a\n.\r\nb",
            b"a\r\n.\nb",
            b"a\r.\r\nb",
            b"a\r\n.\rb",
            b"a\r.\rb",
            b"a\r\r\n",
            b"a\r\n\n",
            b"a\r\n.\r",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn nothing_leaves_of_a_bad_chunk() {
        let mut stuffer = Stuffer::new();
        assert_eq!(stuffer.chunk(Bytes::from_static(b"a\r")), Ok(Bytes::from_static(b"a")));
        assert_eq!(stuffer.chunk(Bytes::from_static(b".\r\n")), Err(BareNewline));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn agrees_with_the_reference_however_cut(
            words in prop::collection::vec(prop::sample::select(vec!["a", ".", "\r\n", "\r\n.", "\r", "\n"]), 0..16),
            good in any::<bool>(),
            cuts in prop::collection::vec(0usize..30, 0..6),
        ) {
            let content: String = words.into_iter().filter(|word| !good || (*word != "\r" && *word != "\n")).collect();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(content.len())).collect();
            cuts.push(content.len());
            cuts.sort_unstable();
            let mut start = 0;
            let bytes = content.as_bytes();
            let pieces: Vec<_> = cuts.iter().map(|&cut| &bytes[std::mem::replace(&mut start, cut)..cut]).collect();
            for got in [stuff(&[bytes]), stuff(&pieces), stuff(&bytes.chunks(1).collect::<Vec<_>>())] {
                prop_assert_eq!(got, reference(&content));
            }
        }
    }
}
