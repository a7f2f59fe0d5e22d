//! The relaxed canonicalisations (RFC 6376 §3.4.2, §3.4.4).

use crate::header::Field;
use aws_lc_rs::digest::{Context, Digest, SHA256};

/// How much canonical body is gathered before it is hashed.
const CHUNK_OCTETS: usize = 32 << 10;

/// Adds a field in canonical form: name in lower case, unfolded, white space reduced, CRLF at the end.
pub(super) fn add_field(out: &mut Vec<u8>, field: &Field<'_>) {
    out.extend(field.name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    add_value(out, field.value);
    out.extend_from_slice(b"\r\n");
}

/// Adds a folded value on one line, runs of white space as one space and none at either end.
pub(super) fn add_value(out: &mut Vec<u8>, value: &[u8]) {
    let words = value
        .split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
        .filter(|word| !word.is_empty());
    for (number, word) in words.enumerate() {
        if number > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// The SHA-256 of a body in canonical form: white space in lines reduced, none at their ends, no empty lines at the end
/// of the body, CRLF after the last line.
pub(super) fn body_hash(body: &[u8]) -> Digest {
    let mut hash = BodyHash {
        context: Context::new(&SHA256),
        chunk: Vec::with_capacity(CHUNK_OCTETS.min(body.len()) + 1_024),
        empty_lines: 0,
    };
    let mut rest = body;
    while !rest.is_empty() {
        let (line, after) = match memchr::memchr(b'\n', rest) {
            Some(newline) => (&rest[..newline], &rest[newline + 1..]),
            None => (rest, &rest[..0]),
        };
        hash.line(line.strip_suffix(b"\r").unwrap_or(line));
        rest = after;
    }
    hash.context.update(&hash.chunk);
    hash.context.finish()
}

struct BodyHash {
    context: Context,
    chunk: Vec<u8>,
    /// Empty lines that count only if another line follows.
    empty_lines: usize,
}

impl BodyHash {
    fn line(&mut self, line: &[u8]) {
        let end = line.iter().rposition(|byte| !is_white(byte)).map_or(0, |last| last + 1);
        if end == 0 {
            self.empty_lines += 1;
            return;
        }
        for _ in 0..std::mem::take(&mut self.empty_lines) {
            self.chunk.extend_from_slice(b"\r\n");
            self.flush_full();
        }
        let mut rest = &line[..end];
        while let Some(at) = memchr::memchr2(b' ', b'\t', rest) {
            self.chunk.extend_from_slice(&rest[..at]);
            self.chunk.push(b' ');
            rest = &rest[at..];
            let run = rest.iter().take_while(|byte| is_white(byte)).count();
            rest = &rest[run..];
        }
        self.chunk.extend_from_slice(rest);
        self.chunk.extend_from_slice(b"\r\n");
        self.flush_full();
    }

    fn flush_full(&mut self) {
        if self.chunk.len() >= CHUNK_OCTETS {
            self.context.update(&self.chunk);
            self.chunk.clear();
        }
    }
}

const fn is_white(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::fields;
    use aws_lc_rs::digest::digest;
    use proptest::prelude::*;

    #[test]
    fn fields_of_rfc_6376_3_4_5() {
        let mut out = Vec::new();
        fields(b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n").for_each(|field| add_field(&mut out, &field));
        assert_eq!(out, b"a:X\r\nb:Y Z\r\n");
    }

    /// RFC 6376 §3.4.4: trailing lines count as empty only after their white space is gone, which mail-auth 0.13 (our
    /// verifier's library) has the other way round.
    #[test]
    fn bodies() {
        let long = "word  word\t\r\n\r\n".repeat(10_000);
        let canonical_long = "word word\r\n\r\n".repeat(10_000);
        let cases: [(&str, &str); 12] = [
            (" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"),
            ("", ""),
            ("\r\n", ""),
            ("\r\n\r\n", ""),
            (" \t\r\n", ""),
            ("hello", "hello\r\n"),
            ("hello\r\n \r\n\t\r\n", "hello\r\n"),
            ("hello\r\n \r\nworld\r\n", "hello\r\n\r\nworld\r\n"),
            ("hello \t", "hello\r\n"),
            ("\r\n\r\nx", "\r\n\r\nx\r\n"),
            ("caf\u{e9}  x\r\n", "caf\u{e9} x\r\n"),
            (&long, canonical_long.strip_suffix("\r\n").unwrap()),
        ];
        for (body, canonical) in cases {
            let expected = digest(&SHA256, canonical.as_bytes());
            assert_eq!(body_hash(body.as_bytes()).as_ref(), expected.as_ref(), "{body:.40?}");
        }
    }

    /// As RFC 6376 §3.4.4 tells it, step by step, without regard to speed.
    fn by_the_letter(body: &str) -> String {
        let mut lines: Vec<String> = body.split("\r\n").map(str::to_owned).collect();
        for line in &mut lines {
            let words: Vec<_> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            let lead = if line.starts_with([' ', '\t']) && !words.is_empty() {
                " "
            } else {
                ""
            };
            *line = format!("{lead}{}", words.join(" "));
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.iter().map(|line| format!("{line}\r\n")).collect()
    }

    proptest! {
        #[test]
        fn any_body_is_hashed_by_the_letter(lines in proptest::collection::vec("[a\u{e9} \t]{0,6}", 0..12)) {
            let body = lines.join("\r\n");
            let expected = digest(&SHA256, by_the_letter(&body).as_bytes());
            prop_assert_eq!(body_hash(body.as_bytes()).as_ref().to_vec(), expected.as_ref().to_vec());
        }
    }
}
