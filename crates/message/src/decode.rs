//! From bytes on the wire to text: transfer encodings, charsets, encoded words (RFC 2045 §6, RFC 2047).

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Undoes a Content-Transfer-Encoding. What does not decode is given as it stands.
#[must_use]
pub(crate) fn transfer_decode<'a>(encoding: &[u8], body: &'a [u8]) -> Cow<'a, [u8]> {
    let decoder: fn(&[u8]) -> Option<Vec<u8>> = if encoding.eq_ignore_ascii_case(b"base64") {
        base64_decode
    } else if encoding.eq_ignore_ascii_case(b"quoted-printable") {
        |body| quoted_printable_decode(body).or_else(|| Some(damaged_quoted_printable(body)))
    } else {
        return Cow::Borrowed(body);
    };
    guarded(|| decoder(body))
        .flatten()
        .map_or(Cow::Borrowed(body), Cow::Owned)
}

/// Quoted-printable with an `=` that encodes nothing: that is taken for itself, as RFC 2045 §6.7 advises, and all else is
/// decoded.
fn damaged_quoted_printable(body: &[u8]) -> Vec<u8> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = memchr::memchr(b'=', rest) {
        out.extend_from_slice(&rest[..at]);
        let coded = &rest[at + 1..];
        let blanks = coded.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let line_end = [&b"\r\n"[..], b"\n"]
            .into_iter()
            .find(|end| coded[blanks..].starts_with(end));
        rest = match (hex(coded.first()), hex(coded.get(1)), line_end) {
            (Some(high), Some(low), _) => {
                out.push((high << 4 | low) as u8);
                &coded[2..]
            }
            (_, _, Some(line_end)) => &coded[blanks + line_end.len()..],
            _ => {
                out.push(b'=');
                coded
            }
        };
    }
    out.extend_from_slice(rest);
    out
}

/// How long a body is with its encoding undone, without undoing it.
pub(crate) fn decoded_octets(encoding: &[u8], body: &[u8]) -> u64 {
    let octets = if encoding.eq_ignore_ascii_case(b"base64") {
        let alphabet = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        body.iter().filter(alphabet).count() * 3 / 4
    } else if encoding.eq_ignore_ascii_case(b"quoted-printable") {
        // `=XX` is one octet; `=` and a line end are none.
        let soft = memchr::memmem::find_iter(body, b"=\r\n").count();
        let signs = memchr::memchr_iter(b'=', body).count();
        body.len().saturating_sub(3 * soft + 2 * (signs - soft))
    } else {
        body.len()
    };
    octets as u64
}

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
        b"B" | b"b" => guarded(|| base64_decode(text)).flatten()?,
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
    fn transfer_encodings() {
        assert_eq!(transfer_decode(b"BASE64", b"aGVs\r\nbG8=\r\n").as_ref(), b"hello");
        assert_eq!(transfer_decode(b"quoted-printable", b"a=3Db=\r\nc").as_ref(), b"a=bc");
        assert_eq!(transfer_decode(b"7bit", b"=3D").as_ref(), b"=3D");
        // RFC 2045 §6.7 (2) and (3): what encodes nothing stands for itself.
        for (body, decoded) in [
            ("a=3Db =ZZ c=3d=\r\nd", "a=b =ZZ c=d"),
            ("=ZZ a= \t\r\nb=\nc", "=ZZ abc"),
            ("50% =3D = 3=4", "50% = = 3=4"),
            ("a=3D==41=", "a==A="),
        ] {
            let read = transfer_decode(b"quoted-printable", body.as_bytes());
            assert_eq!(String::from_utf8_lossy(&read), decoded, "{body:?}");
        }
        for (encoding, body) in [
            ("base64", "aGVs\r\nbG8=\r\n"),
            ("base64", "YQ=="),
            ("base64", ""),
            ("Quoted-Printable", "a=3Db=\r\nc\r\n=C3=A9"),
            ("8bit", "a=3D"),
        ] {
            let decoded = transfer_decode(encoding.as_bytes(), body.as_bytes()).len() as u64;
            assert_eq!(
                decoded_octets(encoding.as_bytes(), body.as_bytes()),
                decoded,
                "{encoding} {body:?}"
            );
        }
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
            let _ = (transfer_decode(b"base64", &value), transfer_decode(b"quoted-printable", &value));
            let _ = (charset_decode(b"iso-2022-jp", &value), charset_decode(b"utf-7", &value));
        }
    }
}
