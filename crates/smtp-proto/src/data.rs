//! Finds the end of message text and undoes dot-stuffing (RFC 5321 §4.1.1.4, §4.5.2).
//!
//! The scanner looks at what is buffered and says what its front is. Where the next bytes decide (a CR or a dot at the
//! very end), it asks for more instead of remembering half a thing, so its only state is whether a line begins here.
//! A line begins at the start of the text and after CRLF: a bare CR or LF begins none, so no mixture of them with dots
//! can end a message (SMTP smuggling).

use memchr::memchr2;

/// What the front of the buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// So many octets of the message, at least one.
    Text(usize),
    /// One dot that the client added.
    StuffedDot,
    /// One octet, a CR or LF that stands alone.
    BareNewline,
    /// Three octets: the end.
    End,
    /// The octets that are there do not decide.
    NeedMore,
}

/// Where in the text we are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanner {
    line_begins: bool,
}

impl Scanner {
    pub(crate) const fn new() -> Self {
        Self { line_begins: true }
    }

    /// Looks at the front. The caller takes as many octets from the buffer as the answer covers.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Front {
        if self.line_begins && bytes.first() == Some(&b'.') {
            return self.dot(bytes);
        }
        let mut line_begins = self.line_begins;
        let mut text = 0;
        while let Some(at) = memchr2(b'\r', b'\n', &bytes[text..]).map(|at| text + at) {
            line_begins &= at == text;
            match (bytes[at], bytes.get(at + 1)) {
                (b'\r', Some(b'\n')) => {
                    text = at + 2;
                    line_begins = true;
                    if bytes.get(text) == Some(&b'.') {
                        return self.text(text, line_begins);
                    }
                }
                (b'\r', None) if at == 0 => return Front::NeedMore,
                _ if at == 0 => {
                    self.line_begins = false;
                    return Front::BareNewline;
                }
                _ => return self.text(at, line_begins),
            }
        }
        match bytes.len() {
            0 => Front::NeedMore,
            all => self.text(all, line_begins && text == all),
        }
    }

    fn text(&mut self, octets: usize, line_begins: bool) -> Front {
        self.line_begins = line_begins;
        Front::Text(octets)
    }

    fn dot(&mut self, bytes: &[u8]) -> Front {
        match bytes {
            [_] | [_, b'\r'] => Front::NeedMore,
            [_, b'\r', b'\n', ..] => Front::End,
            _ => {
                self.line_begins = false;
                Front::StuffedDot
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the scanner makes of a text: message octets with `^` for a bare newline, and what follows the end.
    fn scan(pieces: &[&[u8]]) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut scanner, mut message, mut buffer) = (Scanner::new(), Vec::new(), Vec::new());
        let mut ended = false;
        for piece in pieces {
            buffer.extend_from_slice(piece);
            while !ended {
                let octets = match scanner.next(&buffer) {
                    Front::NeedMore => break,
                    Front::Text(octets) => {
                        message.extend_from_slice(&buffer[..octets]);
                        octets
                    }
                    Front::StuffedDot => 1,
                    Front::BareNewline => {
                        message.push(b'^');
                        1
                    }
                    Front::End => {
                        ended = true;
                        3
                    }
                };
                buffer.drain(..octets);
            }
            assert!(ended || buffer.len() <= 2, "no more than a dot and a CR is held back");
        }
        (message, ended.then_some(buffer))
    }

    /// The same, said in the plainest way: line by line, over the whole text.
    fn reference(text: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
        let mut message = Vec::new();
        let mut rest = text;
        loop {
            if let Some(after) = rest.strip_prefix(b".\r\n") {
                return (message, Some(after.to_vec()));
            }
            let end = rest.windows(2).position(|two| two == b"\r\n");
            let line = &rest[..end.unwrap_or(rest.len())];
            let unstuffed = line.strip_prefix(b".").unwrap_or(line);
            message.extend(
                unstuffed
                    .iter()
                    .map(|&b| if matches!(b, b'\r' | b'\n') { b'^' } else { b }),
            );
            let Some(end) = end else {
                return (message, None);
            };
            message.extend_from_slice(b"\r\n");
            rest = &rest[end + 2..];
        }
    }

    #[test]
    fn ends_only_at_a_dot_on_its_own_line() {
        let check = |text: &[u8], message: &[u8], after: Option<&[u8]>| {
            assert_eq!(scan(&[text]), (message.to_vec(), after.map(<[u8]>::to_vec)), "{text:?}");
        };
        check(b".\r\n", b"", Some(b""));
        check(b"a\r\n.\r\nQUIT\r\n", b"a\r\n", Some(b"QUIT\r\n"));
        check(b"..a\r\n..\r\n.\r\n", b".a\r\n.\r\n", Some(b""));
        check(b".a\r\n.\r\n", b"a\r\n", Some(b""));
        check(b"a\n.\r\n.\r\n", b"a^.\r\n", Some(b""));
        check(b"a\n.\n.\r\n", b"a^.^.\r\n", None);
        check(b"a\r.\r\r\n.\r\n", b"a^.^\r\n", Some(b""));
        check(b"a\r\n.\r\r\nb\r\n.\r\n", b"a\r\n^\r\nb\r\n", Some(b""));
        check(b"a\r\n.\n.\r\n", b"a\r\n^.\r\n", None);
        check(b"a\r\n.\rb.\r\n.\r\n", b"a\r\n^b.\r\n", Some(b""));
        check(b"\r\n\r\n.\r\n", b"\r\n\r\n", Some(b""));
        check(b"\0\r\n.\r\n", b"\0\r\n", Some(b""));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn agrees_with_the_reference_however_cut(
            text in "[ab.\r\n]{0,24}",
            end in prop::sample::select(vec!["", "\r\n.\r\n", ".\r\n", "\r\n.\r\nx\r\n"]),
            cuts in prop::collection::vec(0usize..30, 0..6),
        ) {
            let text = format!("{text}{end}").into_bytes();
            let (message, after) = reference(&text);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let mut start = 0;
            let pieces: Vec<_> = cuts.iter().map(|&cut| &text[std::mem::replace(&mut start, cut)..cut]).collect();
            for (got, got_after) in [scan(&[&text]), scan(&pieces), scan(&text.chunks(1).collect::<Vec<_>>())] {
                if after.is_some() {
                    prop_assert_eq!((&got, &got_after), (&message, &after));
                } else {
                    // An unfinished text may hold back a CR or a dot.
                    prop_assert!(message.starts_with(&got) && got_after.is_none());
                }
            }
        }
    }
}
