//! Texts whose label is wrong: something has put words in the place of base64 and has kept what was said of it.
//!
//! What always holds: base64 in lines of whole quanta is taken for what it is, whatever words its digits spell.

use super::base64::{LONGER_THAN_WORDS, is_digit, is_word};
use super::transfer_decode;
use std::borrow::Cow;

/// So much is looked at, octets.
const LOOK_OCTETS: usize = 1000;
/// More octets in one line that are of no alphabet are no accident.
const FEW: usize = 3;

/// Undoes the Content-Transfer-Encoding of a text for those who read or search it: what is said to be base64 and cannot be
/// is given as it stands, borrowed.
#[must_use]
pub(crate) fn legible<'a>(encoding: &[u8], body: &'a [u8]) -> Cow<'a, [u8]> {
    match encoding.eq_ignore_ascii_case(b"base64") && is_plain(body) {
        true => Cow::Borrowed(body),
        false => transfer_decode(encoding, body),
    }
}

/// Whether this is text, and no base64. The lines up to the first count that may be base64, as a footer may follow.
fn is_plain(body: &[u8]) -> bool {
    let is_foreign = |octet: &&u8| !is_digit(octet) && **octet != b'=' && !octet.is_ascii_whitespace();
    let start = &body[..body.len().min(LOOK_OCTETS)];
    let (mut spoken, mut is_broken) = (0, false);
    for line in start.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii) {
        if line.is_empty() {
            continue;
        }
        let before = spoken;
        for word in line.split(u8::is_ascii_whitespace).filter(|text| is_spoken(text)) {
            spoken += 1;
            is_broken |= !word.len().is_multiple_of(4);
        }
        if spoken > 1 && is_broken || line.starts_with(b"<") || line.iter().filter(is_foreign).count() > FEW {
            return true;
        }
        if spoken == before {
            return false;
        }
    }
    false
}

/// Whether this looks like a word of a text, perhaps with a comma, and not like base64.
fn is_spoken(text: &[u8]) -> bool {
    let is_short = (1..LONGER_THAN_WORDS).contains(&text.len());
    is_short && !text.ends_with(b"=") && (!text.len().is_multiple_of(4) || is_word(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_shown_as_they_stand() {
        for (body, expected) in [
            ("Hello world", None),
            ("\r\nDear Sir,\r\nthe text was removed.\r\n", None),
            ("Hi,\r\n\r\nremoved\r\n", None),
            ("[Removed:policy-17]", None),
            ("\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}", None),
            ("<html>\r\nx", None),
            ("-- \r\nfooter alone", None),
            ("", Some("")),
            ("aGVsbG8=", Some("hello")),
            ("aGVsbG8", Some("hello")),
            ("aGVs bG8=", Some("hello")),
            ("aGV sbG8=", Some("hello")),
            ("aGVs*bG8=", Some("hello")),
            ("\u{feff}aGVsbG8=", Some("hello")),
            ("aGVsbG8=\r\n-- \r\nlist footer, unsubscribe here\r\n", Some("hello")),
            ("bGlzdGVuIQ==\r\n____\r\nList mailing list\r\n", Some("listen!")),
        ] {
            let read = legible(b"Base64", body.as_bytes());
            assert_eq!(String::from_utf8_lossy(&read), expected.unwrap_or(body), "{body:?}");
            assert_eq!(matches!(read, Cow::Borrowed(_)), expected.is_none(), "{body:?}");
        }
        assert_eq!(&*legible(b"quoted-printable", b"Hello =3D world"), b"Hello = world");
    }

    proptest! {
        #[test]
        fn base64_is_decoded(octets in proptest::collection::vec(any::<u8>(), 0..60), quanta in 1_usize..19) {
            let mut body = Vec::new();
            crate::encode::add_base64_lines(&mut body, &octets);
            body.retain(|octet| !octet.is_ascii_whitespace());
            let lines = body.chunks(quanta * 4).collect::<Vec<_>>().join(&b"\r\n"[..]);
            prop_assert_eq!(legible(b"base64", &lines).into_owned(), octets);
        }
    }
}
