//! From bytes on the wire to text: charsets and encoded words (RFC 2047).

use crate::transfer::base64_word;
use mail_parser::decoders::charsets::map::charset_decoder;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Text in a charset; unknown charsets and broken text are read as UTF-8 with replacement characters.
#[must_use]
pub(crate) fn charset_decode(charset: &[u8], text: &[u8]) -> String {
    let utf8 = charset.is_empty()
        || [&b"utf-8"[..], b"utf8", b"us-ascii"]
            .iter()
            .any(|name| charset.eq_ignore_ascii_case(name));
    let decoder = if utf8 { None } else { charset_decoder(charset) };
    decoder
        .and_then(|decoder| guarded(|| decoder(text)))
        .unwrap_or_else(|| String::from_utf8_lossy(text).into_owned())
}

/// A header value as people read it: encoded words decoded, the white space between two of them removed (RFC 2047 §6.2).
/// Decoding brings no line ends and other control characters in: a value of one line stays one.
#[must_use]
pub fn decode_words(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    let mut after_word = false;
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let Some((text, length)) = encoded_word(&rest[at..]) else {
            let (plain, tail) = rest.split_at(at + 2);
            out.push_str(&String::from_utf8_lossy(plain));
            rest = tail;
            after_word = false;
            continue;
        };
        let between = &rest[..at];
        if !(after_word && between.iter().all(u8::is_ascii_whitespace)) {
            out.push_str(&String::from_utf8_lossy(between));
        }
        out.push_str(&text);
        rest = &rest[at + length..];
        after_word = true;
    }
    out.push_str(&String::from_utf8_lossy(rest));
    out
}

/// `=?charset?encoding?text?=` at the beginning: its text and its length.
fn encoded_word(from: &[u8]) -> Option<(String, usize)> {
    /// RFC 2047 §2 allows 75; real ones are longer.
    const MAX_OCTETS: usize = 1_000;
    let from = &from[..from.len().min(MAX_OCTETS)];
    let mut pieces = from[2..].splitn(3, |byte| *byte == b'?');
    let (charset, encoding, rest) = (pieces.next()?, pieces.next()?, pieces.next()?);
    let end = memchr::memmem::find(rest, b"?=")?;
    let text = &rest[..end];
    if charset.is_empty() || text.contains(&b' ') {
        return None;
    }
    let bytes = match encoding {
        b"B" | b"b" => base64_word(text)?,
        b"Q" | b"q" => q_decode(text),
        _ => return None,
    };
    // RFC 2231 §5: a language may follow the charset.
    let charset = charset.split(|byte| *byte == b'*').next().unwrap_or_default();
    let length = 2 + charset_length(from) + 1 + encoding.len() + 1 + end + 2;
    Some((without_controls(charset_decode(charset, &bytes)), length))
}

/// Text on one line: each run of control characters and line or paragraph separators is one space. A tab may stay, as
/// it may stand in a field unencoded.
pub(crate) fn without_controls(text: String) -> String {
    let unwanted = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(unwanted) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut in_run = false;
    for c in text.chars() {
        match (unwanted(c), in_run) {
            (false, _) => out.push(c),
            (true, false) => out.push(' '),
            (true, true) => {}
        }
        in_run = unwanted(c);
    }
    out
}

fn charset_length(from: &[u8]) -> usize {
    from[2..].iter().position(|byte| *byte == b'?').unwrap_or(0)
}

/// RFC 2047 §4.2: `_` is a space, `=XX` a byte.
fn q_decode(text: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let pair = text.get(at + 1).zip(text.get(at + 2));
        match (byte, pair.and_then(|(high, low)| Some(hex(*high)? * 16 + hex(*low)?))) {
            (b'=', Some(decoded)) => {
                out.push(decoded);
                at += 3;
                continue;
            }
            (b'_', _) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    out
}

/// A library's panic on hostile input ends here.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words() {
        for (value, text) in [
            ("plain", "plain"),
            ("=?utf-8?q?caf=C3=A9_x?= y", "café x y"),
            ("=?UTF-8?B?w6k=?= =?utf-8?b?w6k=?=", "éé"),
            ("a =?iso-8859-1?Q?=E9?= b", "a é b"),
            ("=?utf-8*en?q?x?=", "x"),
            ("=?utf-8?x?y?=", "=?utf-8?x?y?="),
            ("=?broken", "=?broken"),
            ("=?utf-8?q?a b?=", "=?utf-8?q?a b?="),
            ("=?utf-8?q?=4?=", "=4"),
            ("=?nonsense?q?x=C3=A9?=", "xé"),
            // Base64 as in bodies: what is not of its alphabet is passed over.
            ("=?utf-8?b?SGVs*bG8=?=", "Hello"),
            ("=?utf-8?b?éSGVsbG8?=", "Hello"),
            ("=?utf-8?b?SGVsbG8=-?= =?utf-8?b?IQ?=", "Hello!"),
            ("a =?utf-8?b??= b", "a  b"),
            ("=?utf-8?b?*!?=", "=?utf-8?b?*!?="),
            // Nothing that is decoded makes a second line.
            ("=?utf-8?q?a=0D=0Ab=00=1B=7Fc?=", "a b c"),
            ("=?utf-8?b?YQ0KQmNjOiB4QHk=?= d", "a Bcc: x@y d"),
            ("=?utf-8?q?a=E2=80=A8b=E2=80=A9=C2=85c?=", "a b c"),
            ("=?utf-16be?b?AGEADQAKAGI=?=", "a b"),
            ("=?utf-8?q?a=09b=E2=80=AEc?=", "a\tb\u{202e}c"),
        ] {
            assert_eq!(decode_words(value.as_bytes()), text, "{value}");
        }
    }

    #[test]
    fn charsets() {
        assert_eq!(charset_decode(b"koi8-r", b"\xd0\xd2"), "пр");
    }

    proptest! {
        #[test]
        fn any_bytes_decode(value in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode_words(&value);
            let coded: String = value.iter().map(|byte| format!("={byte:02X}")).collect();
            for charset in ["utf-8", "iso-8859-1", "utf-7"] {
                let text = decode_words(format!("=?{charset}?q?{coded}?=").as_bytes());
                prop_assert!(!text.chars().any(|c| c.is_control() && c != '\t'), "{text:?}");
            }
            let _ = (charset_decode(b"iso-2022-jp", &value), charset_decode(b"utf-7", &value));
        }
    }
}
