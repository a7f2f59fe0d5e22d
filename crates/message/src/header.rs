//! Header sections: where they end, and their fields (RFC 5322 §2.2).
//!
//! Lines may end in CRLF or, in messages a client appended, in LF alone.

use bytes::Bytes;
use std::borrow::Cow;

/// One header field, as it stands in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, without white space before the colon. Empty for a line that is no field.
    pub name: &'a [u8],
    /// Everything after the colon, folded, without the final line end.
    pub value: &'a [u8],
    /// Where the field begins.
    pub start: usize,
    /// Where the next line after it begins.
    pub end: usize,
}

impl Field<'_> {
    /// Whether the field has this name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Where the body begins: after the empty line that ends the header section, or at the end if there is none.
#[must_use]
pub fn body_offset(content: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match &content[at..] {
            [b'\r', b'\n', ..] => return at + 2,
            [b'\n', ..] => return at + 1,
            rest => match memchr::memchr(b'\n', rest) {
                Some(newline) => at += newline + 1,
                None => return content.len(),
            },
        }
    }
}

/// The fields of a header section, in order; stops at the empty line.
pub fn fields(content: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &content[at..];
        if rest.is_empty() || rest.starts_with(b"\r\n") || rest.starts_with(b"\n") {
            return None;
        }
        let start = at;
        at += field_octets(rest);
        Some(field(content, start, at))
    })
}

/// How long the field at the beginning is, with its continuation lines.
fn field_octets(rest: &[u8]) -> usize {
    let mut end = 0;
    loop {
        match memchr::memchr(b'\n', &rest[end..]) {
            None => return rest.len(),
            Some(newline) => end += newline + 1,
        }
        if !matches!(rest.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
}

fn field(content: &[u8], start: usize, end: usize) -> Field<'_> {
    let line = &content[start..end];
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (name, value) = match memchr::memchr(b':', line) {
        Some(colon) => (line[..colon].trim_ascii_end(), &line[colon + 1..]),
        None => (&line[..0], line),
    };
    Field {
        name,
        value,
        start,
        end,
    }
}

/// A value on one line: line ends removed, white space around it too (RFC 5322 §2.2.3). NULs go as well, since no
/// protocol we speak can carry them.
#[must_use]
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    match memchr::memchr3(b'\r', b'\n', 0, value) {
        None => Cow::Borrowed(value),
        Some(_) => Cow::Owned(
            value
                .iter()
                .copied()
                .filter(|byte| !matches!(byte, b'\r' | b'\n' | 0))
                .collect(),
        ),
    }
}

/// How many Received fields there are: the hops so far (RFC 5321 §6.3).
#[must_use]
pub fn count_received(content: &[u8]) -> usize {
    fields(content).filter(|field| field.is("Received")).count()
}

/// How many From fields there are: one, in a message that can be shown in only one way (RFC 5322 §3.6).
#[must_use]
pub fn count_from(content: &[u8]) -> usize {
    fields(content).filter(|field| field.is("From")).count()
}

/// The content without the header fields that `unwanted(name, value)` names. Copies only if there are any.
#[must_use]
pub fn remove_fields(content: &Bytes, unwanted: impl Fn(&[u8], &[u8]) -> bool) -> Bytes {
    let cuts: Vec<_> = fields(content)
        .filter(|field| unwanted(field.name, field.value))
        .map(|field| field.start..field.end)
        .collect();
    if cuts.is_empty() {
        return content.clone();
    }
    let mut kept = Vec::with_capacity(content.len());
    let mut from = 0;
    for cut in cuts {
        kept.extend_from_slice(&content[from..cut.start]);
        from = cut.end;
    }
    kept.extend_from_slice(&content[from..]);
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_sections_end_at_the_empty_line() {
        for (content, offset) in [
            ("A: b\r\n\r\nbody", 8),
            ("A: b\n\nbody", 6),
            ("\r\nbody", 2),
            ("A: b\r\n", 6),
            ("A: b", 4),
            ("", 0),
            ("A: b\r\n \r\n\r\nx", 11),
        ] {
            assert_eq!(body_offset(content.as_bytes()), offset, "{content:?}");
        }
    }

    #[test]
    fn fields_with_folding_and_rubbish() {
        let content = b"Subject: one\r\n two\r\nrubbish\r\nX-Y : z\n\r\nNo: field\r\n";
        let found: Vec<_> = fields(content)
            .map(|field| (field.name, unfold(field.value).into_owned()))
            .collect();
        let expected: [(&[u8], &[u8]); 3] = [(b"Subject", b"one two"), (b"", b"rubbish"), (b"X-Y", b"z")];
        assert_eq!(found, expected.map(|(name, value)| (name, value.to_vec())));
        assert_eq!(fields(b"").count(), 0);
    }

    #[test]
    fn removing_fields_keeps_the_rest() {
        let content = Bytes::from_static(b"A: 1\r\nB: 2\r\n x\r\nA: 3\r\n\r\nA: body\r\n");
        assert_eq!(
            remove_fields(&content, |name, _| name == b"A"),
            "B: 2\r\n x\r\n\r\nA: body\r\n"
        );
        assert_eq!(
            remove_fields(&content, |_, value| value == b" 2\r\n x"),
            "A: 1\r\nA: 3\r\n\r\nA: body\r\n"
        );
        assert_eq!(remove_fields(&content, |_, _| false), content);
    }
}
