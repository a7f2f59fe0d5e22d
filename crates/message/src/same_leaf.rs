//! Whether two parts hold the same, however each of them is written.

use crate::decode::charset_decode;
use crate::text::{filename, is_attachment, param};
use crate::transfer::{legible, transfer_decode};
use postroom_types::Part;

/// Longest text that is compared. Nobody writes one that is longer.
const MAX_TEXT_OCTETS: u64 = 4 << 20;
/// How many times as long as another way of writing the same words one may be: a Cyrillic letter is one octet, or six.
const MAX_GROWTH: u64 = 8;
/// What may come on top: line ends, spaces, what mailing programs write around a text.
const SLACK_OCTETS: u64 = 1 << 10;

/// Whether so many octets may hold the same as so many others, as far apart as ways of writing are.
#[must_use]
pub const fn may_be_as_long(octets: u64, other_octets: u64) -> bool {
    let (least, most) = match octets < other_octets {
        true => (octets, other_octets),
        false => (other_octets, octets),
    };
    most <= least.saturating_mul(MAX_GROWTH).saturating_add(SLACK_OCTETS)
}

/// Whether two leaves may be the same for [`same_leaf`], as far as is known without their bodies. Then comparing them costs
/// at most some times as much as the smaller one is long.
#[must_use]
pub fn may_be_same_leaf(one: &Part, other: &Part) -> bool {
    let octets = |part: &Part| part.end_offset.saturating_sub(part.body_offset);
    let has_fitting_size = match is_attachment(one) {
        true => one.decoded_octets == other.decoded_octets,
        false => octets(one).max(octets(other)) <= MAX_TEXT_OCTETS,
    };
    has_fitting_size
        && may_be_as_long(octets(one), octets(other))
        && one.media_type.eq_ignore_ascii_case(&other.media_type)
        && one.subtype.eq_ignore_ascii_case(&other.subtype)
        && filename(one) == filename(other)
        && is_attachment(one) == is_attachment(other)
}

/// Whether two leaves hold the same, each given with its body as it stands in its message. Texts that are read in place do
/// if they are the same words in the same order: how they are encoded, where lines break and how wide gaps are may
/// differ. Of all else the name and each decoded octet are the same. What [`may_be_same_leaf`] excludes is not.
#[must_use]
pub fn same_leaf(one: (&Part, &[u8]), other: (&Part, &[u8])) -> bool {
    let ((one, one_body), (other, other_body)) = (one, other);
    if !may_be_same_leaf(one, other) {
        return false;
    }
    let is_base64 = |part: &Part| part.encoding.eq_ignore_ascii_case(b"base64");
    let is_raw_attachment = is_attachment(one) && is_base64(one) && is_base64(other);
    // Large ones are usually written alike but for the line ends, and then need not be decoded.
    if is_raw_attachment && written(one_body).eq(written(other_body)) {
        return true;
    }
    if is_attachment(one) {
        return transfer_decode(&one.encoding, one_body) == transfer_decode(&other.encoding, other_body);
    }
    let octets = legible(&one.encoding, one_body);
    let other_octets = legible(&other.encoding, other_body);
    let text_of =
        |part: &Part, octets: &[u8]| charset_decode(param(&part.params, "charset").unwrap_or_default(), octets);
    let (text, other_text) = (text_of(one, &octets), text_of(other, &other_octets));
    // What could not be read looks the same whatever it was.
    let is_readable = !text.contains(char::REPLACEMENT_CHARACTER);
    (is_readable || octets == other_octets) && text.split_whitespace().eq(other_text.split_whitespace())
}

/// What base64 is made of.
fn written(body: &[u8]) -> impl Iterator<Item = &u8> {
    body.iter().filter(|octet| !octet.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize;

    fn is_same(one: &[u8], other: &[u8]) -> bool {
        let (one_root, other_root) = (summarize(one).root, summarize(other).root);
        let body = |root: &Part| usize::try_from(root.body_offset).expect("small");
        same_leaf(
            (&one_root, &one[body(&one_root)..]),
            (&other_root, &other[body(&other_root)..]),
        )
    }

    #[test]
    fn texts_are_their_words() {
        let latin = "Content-Type: text/plain; charset=iso-8859-1\r\n";
        let utf8 = "Content-Type: text/plain; charset=utf-8\r\n";
        let qp = "Content-Transfer-Encoding: quoted-printable\r\n";
        let base64 = "Content-Transfer-Encoding: base64\r\n";
        let octets = |head: &str, body: &[u8]| [head.as_bytes(), b"\r\n", body].concat();
        for (one, other, same) in [
            (octets("", b"a b\r\n"), octets("", b"a b"), true),
            (octets("", b"a b \r\nc\r\n"), octets("", b"a b\r\nc \r\n\r\n"), true),
            (octets("", b"a b"), octets("", b"ab"), false),
            (octets("", b"a b"), octets("", b"a c"), false),
            (octets("", b"a b"), octets("", b"a b c"), false),
            (octets("", b"a b"), octets("", b"A b"), false),
            // No base64, whatever they say.
            (octets(base64, b"Dear Sir, no"), octets(base64, b"Dear Sir - no"), false),
            (octets(latin, b"caf\xe9"), octets(utf8, "café".as_bytes()), true),
            (
                octets(latin, b"caf\xe9"),
                octets(&format!("{utf8}{qp}"), b"caf=C3=A9=\r\n"),
                true,
            ),
            (
                octets(&format!("{utf8}{base64}"), b"Y2Fmw6k="),
                octets(latin, b"caf\xe9"),
                true,
            ),
            // One octet, two charsets: two letters.
            (
                octets(latin, b"\xe4"),
                octets(&latin.replace("-1\r", "-5\r"), b"\xe4"),
                false,
            ),
            // Neither is what it says; nobody knows what either means.
            (octets(utf8, b"\xff"), octets(utf8, b"\xfe"), false),
            (octets(utf8, b"\xff"), octets(utf8, b"\xff\r\n"), false),
            (octets(utf8, b"\xff"), octets(utf8, b"\xff"), true),
            (octets("", b"a"), octets("Content-Type: text/html\r\n", b"a"), false),
        ] {
            let shown = (String::from_utf8_lossy(&one), String::from_utf8_lossy(&other));
            assert_eq!(is_same(&one, &other), same, "{shown:?}");
            assert_eq!(is_same(&other, &one), same, "{shown:?}");
        }
    }

    #[test]
    fn all_else_is_its_octets() {
        let file = |head: &str, body: &str| format!("Content-Type: {head}\r\n\r\n{body}").into_bytes();
        let base64 = "image/png; name=a.png\r\nContent-Transfer-Encoding: base64";
        let patch = "text/x-diff; name=a.diff";
        for (one, other, same) in [
            (file(base64, "AAAA"), file(base64, "AA\r\nAA\r\n"), true),
            (file(base64, "AAAA"), file(base64, "BBBB"), false),
            (
                file(base64, "AAAA"),
                file(&base64.replace("a.png", "b.png"), "AAAA"),
                false,
            ),
            // The bits behind the last octet are nobody's.
            (file(base64, "AA=="), file(base64, "AB=="), true),
            (file(base64, "YWJj"), file("image/png; name=a.png", "abc"), true),
            (file(patch, "- a\r\n"), file(patch, "-  a\r\n"), false),
            (file(patch, "- a\r\n"), file(patch, "- a\r\n"), true),
            (file(patch, "- a\r\n"), file("text/x-diff", "- a\r\n"), false),
        ] {
            let shown = (String::from_utf8_lossy(&one), String::from_utf8_lossy(&other));
            assert_eq!(is_same(&one, &other), same, "{shown:?}");
        }
    }
}
