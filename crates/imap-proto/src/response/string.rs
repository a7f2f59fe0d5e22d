//! Strings (RFC 3501 §4.3): quoted where the grammar lets them, else literals.

use super::number::write_number;

/// Longer strings go as literals: some clients have line buffers.
const QUOTED_OCTETS: usize = 1_000;

/// `nstring`, `None` being NIL.
pub(crate) fn write_nstring(out: &mut Vec<u8>, text: Option<&[u8]>, utf8: bool) {
    match text {
        Some(text) => write_text(out, text, utf8),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// `string` for a client that has not said that it reads UTF-8 in quoted strings.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    write_text(out, text, false);
}

/// `string`; with `utf8`, what is UTF-8 can be quoted (RFC 9051 §4.3, RFC 6855 §3).
///
/// CR, LF and NUL, which no header value has by rights, are left out: with them a client would see lines that the sender
/// of the mail wrote.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &[u8], utf8: bool) {
    let kinds = text.iter().fold(0, |kinds, byte| kinds | KIND[usize::from(*byte)]);
    if kinds & DROPPED == 0 {
        return write_kept(out, text, kinds, utf8);
    }
    let is_kept = |byte: &u8| KIND[usize::from(*byte)] & DROPPED == 0;
    let kept: Vec<u8> = text.iter().copied().filter(is_kept).collect();
    write_kept(out, &kept, kinds, utf8);
}

/// Kinds of octets that need care.
const DROPPED: u8 = 1;
const ESCAPED: u8 = 2;
const HIGH: u8 = 4;
const CONTROL: u8 = 8;

/// The kind of each octet; looked up, since most of what FETCH ENVELOPE does is to look at octets.
static KIND: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'\r' | b'\n' | 0 => DROPPED,
            b'"' | b'\\' => ESCAPED,
            b'\t' | b' '..=b'~' => 0,
            0x80.. => HIGH,
            _ => CONTROL,
        };
        byte += 1;
    }
    kinds
};

fn write_kept(out: &mut Vec<u8>, text: &[u8], kinds: u8, utf8: bool) {
    let can_be_quoted = text.len() <= QUOTED_OCTETS
        && kinds & CONTROL == 0
        && (kinds & HIGH == 0 || (utf8 && std::str::from_utf8(text).is_ok_and(|text| !text.contains(is_separator))));
    out.reserve(text.len() + 2);
    if !can_be_quoted {
        out.push(b'{');
        write_number(out, text.len() as u64);
        out.extend_from_slice(b"}\r\n");
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    if kinds & ESCAPED == 0 {
        out.extend_from_slice(text);
    } else {
        for byte in text {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(*byte);
        }
    }
    out.push(b'"');
}

/// What may be taken for the end of a line: C1 controls and the line and paragraph separators (RFC 5198 §2).
fn is_separator(c: char) -> bool {
    c.is_control() && c != '\t' || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Parameters: `("name" "value" …)`, none being NIL.
pub(crate) fn write_params(out: &mut Vec<u8>, params: &[(Vec<u8>, Vec<u8>)], utf8: bool) {
    if params.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for (index, (name, value)) in params.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        write_text(out, name, utf8);
        out.push(b' ');
        write_text(out, value, utf8);
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Scanner;
    use proptest::prelude::*;

    #[test]
    fn forms() {
        let check = |text: &[u8], utf8: bool, expected: &[u8]| {
            let mut out = Vec::new();
            write_text(&mut out, text, utf8);
            assert_eq!(out, expected);
        };
        check(b"", false, b"\"\"");
        check(b"a \"b\" \\", false, b"\"a \\\"b\\\" \\\\\"");
        check(b"a\r\n b\0", false, b"\"a b\"");
        check(b"caf\xe9\r\n", false, b"{4}\r\ncaf\xe9");
        check(b"caf\xe9\r\n", true, b"{4}\r\ncaf\xe9");
        check("café".as_bytes(), false, "{5}\r\ncafé".as_bytes());
        check("\"café\"".as_bytes(), true, "\"\\\"café\\\"\"".as_bytes());
        check(
            "a\u{85}b\u{2028}".as_bytes(),
            true,
            "{7}\r\na\u{85}b\u{2028}".as_bytes(),
        );
        check(b"\x1b[0m", true, b"{4}\r\n\x1b[0m");
        check(
            &[b'x'; 1_001],
            false,
            format!("{{1001}}\r\n{}", "x".repeat(1_001)).as_bytes(),
        );
    }

    proptest! {
        #[test]
        fn a_client_reads_what_was_meant(bytes: Vec<u8>, utf8: bool) {
            let mut out = Vec::new();
            write_text(&mut out, &bytes, utf8);
            let mut scanner = Scanner::new(&out);
            let read = scanner.string().unwrap().into_owned();
            scanner.end().unwrap();
            let meant: Vec<u8> = bytes.into_iter().filter(|byte| !b"\r\n\0".contains(byte)).collect();
            prop_assert_eq!(read, meant);
        }
    }
}
