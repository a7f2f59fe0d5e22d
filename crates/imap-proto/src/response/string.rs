//! Strings (RFC 3501 §4.3): quoted where the grammar lets them, else literals.

/// Longer strings go as literals: some clients have line buffers.
const QUOTED_OCTETS: usize = 1_000;

/// `nstring`, `None` being NIL.
pub(crate) fn write_nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => write_string(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// `string`. CR, LF and NUL, which no header value has by rights, are left out: with them a client would see lines
/// that the sender of the mail wrote.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    let allowed = |byte: &u8| !matches!(byte, b'\r' | b'\n' | 0);
    let quotable = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    if text.len() <= QUOTED_OCTETS && text.iter().filter(|byte| allowed(byte)).all(quotable) {
        out.push(b'"');
        for byte in text.iter().copied().filter(allowed) {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
        return;
    }
    let octets = text.iter().filter(|byte| allowed(byte)).count();
    out.extend_from_slice(format!("{{{octets}}}\r\n").as_bytes());
    out.extend(text.iter().copied().filter(allowed));
}

/// Parameters: `("name" "value" …)`, none being NIL.
pub(crate) fn write_params(out: &mut Vec<u8>, params: &[(Vec<u8>, Vec<u8>)]) {
    if params.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for (index, (name, value)) in params.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        write_string(out, name);
        out.push(b' ');
        write_string(out, value);
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
        let check = |text: &[u8], expected: &[u8]| {
            let mut out = Vec::new();
            write_string(&mut out, text);
            assert_eq!(out, expected);
        };
        check(b"", b"\"\"");
        check(b"a \"b\" \\", b"\"a \\\"b\\\" \\\\\"");
        check(b"a\r\n b\0", b"\"a b\"");
        check(b"caf\xe9\r\n", b"{4}\r\ncaf\xe9");
        check(b"\x1b[0m", b"{4}\r\n\x1b[0m");
    }

    proptest! {
        #[test]
        fn a_client_reads_what_was_meant(bytes: Vec<u8>) {
            let mut out = Vec::new();
            write_string(&mut out, &bytes);
            let mut scanner = Scanner::new(&out);
            let read = scanner.string().unwrap().into_owned();
            scanner.end().unwrap();
            let meant: Vec<u8> = bytes.into_iter().filter(|byte| !b"\r\n\0".contains(byte)).collect();
            prop_assert_eq!(read, meant);
        }
    }
}
