//! What SEARCH looks into: header and body of a message as folded text.
//!
//! What always holds: a message has one search text, [`search_text`]. Where [`standing`] says that the text is the
//! content as it stands, [`fold_standing`] gives exactly that text, without parsing or decoding.

use crate::decode::charset_decode;
use crate::fold::fold;
use crate::header::{fields, unfold};
use crate::summary::summarize;
use crate::text::{add_inner_headers, add_text, header_text, is_searched, param, text_octets};
use crate::transfer::legible;
use postroom_types::{Part, PartBody};
use std::borrow::Cow;

/// A message as it is searched, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchText {
    /// All header fields, decoded, a line each, and those of parts and enclosed messages: for TEXT.
    pub header: String,
    /// All text parts, decoded, also of enclosed messages, and reports: for BODY and TEXT.
    pub body: String,
}

/// A message of which only the header's beginning is in `prefix`, and the rest in `body`: as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct RawMessage<'a> {
    /// What stands before the body; ends with a whole header field, or is empty.
    pub prefix: &'a [u8],
    /// The rest.
    pub body: &'a [u8],
}

impl<'a> RawMessage<'a> {
    /// The first `octets` of the message.
    fn head(&self, octets: usize) -> Cow<'a, [u8]> {
        match octets.checked_sub(self.prefix.len()) {
            _ if self.prefix.is_empty() => Cow::Borrowed(&self.body[..octets.min(self.body.len())]),
            Some(rest) => Cow::Owned([self.prefix, &self.body[..rest.min(self.body.len())]].concat()),
            None => Cow::Borrowed(&self.prefix[..octets]),
        }
    }

    /// What comes after the first `octets` of the message.
    fn tail(&self, octets: usize) -> &'a [u8] {
        let from = octets.saturating_sub(self.prefix.len());
        self.body.get(from..).unwrap_or_default()
    }
}

fn to_usize(octets: u64) -> usize {
    usize::try_from(octets).unwrap_or(usize::MAX)
}

/// The search text of a message with this part tree.
#[must_use]
pub fn search_text(message: RawMessage<'_>, root: &Part) -> SearchText {
    let header_octets = to_usize(root.body_offset);
    let mut header = header_text(&message.head(header_octets));
    let mut body = String::new();
    let (content, base) = if header_octets < message.prefix.len() {
        // An empty line in the prefix: then the parts may begin there, too.
        (Cow::Owned([message.prefix, message.body].concat()), 0)
    } else {
        (Cow::Borrowed(message.body), message.prefix.len())
    };
    add_inner_headers(&content, base, root, &mut header);
    add_text(&content, base, root, &mut body);
    SearchText {
        header: fold(&header),
        body: fold(&body),
    }
}

/// The search text of a message of which nothing else is known.
#[must_use]
pub fn parse_search_text(message: RawMessage<'_>) -> SearchText {
    let content = message.head(message.prefix.len() + message.body.len());
    let root = summarize(&content).root;
    search_text(
        RawMessage {
            prefix: b"",
            body: &content,
        },
        &root,
    )
}

/// How many octets of text a message has to decode for its search text, about.
#[must_use]
pub fn search_octets(root: &Part) -> u64 {
    root.body_offset.saturating_add(text_octets(root))
}

/// How the text of a message stands in its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Header and body are ASCII and need no decoding.
    HeaderAndBody,
    /// So is the header; and the body has no text.
    HeaderAlone,
    /// It has to be decoded.
    Encoded,
}

/// Whether the search text of a message is its content as it stands.
#[must_use]
pub fn standing(message: RawMessage<'_>, root: &Part) -> Standing {
    let header_octets = to_usize(root.body_offset);
    if header_octets < message.prefix.len() || !matches!(root.body, PartBody::Leaf) {
        return Standing::Encoded;
    }
    let header = message.head(header_octets);
    if !header.is_ascii() || memchr::memmem::find(&header, b"=?").is_some() {
        return Standing::Encoded;
    }
    if !is_searched(root) {
        return Standing::HeaderAlone;
    }
    let body = message.tail(header_octets);
    let charset = param(&root.params, "charset").unwrap_or_default();
    let plain = body.is_ascii()
        && matches!(legible(&root.encoding, body), Cow::Borrowed(_))
        // There are charsets in which ASCII octets are other characters.
        && (is_ascii_charset(charset) || charset_decode(charset, body).as_bytes() == body);
    if plain {
        Standing::HeaderAndBody
    } else {
        Standing::Encoded
    }
}

fn is_ascii_charset(charset: &[u8]) -> bool {
    charset.is_empty()
        || [&b"us-ascii"[..], b"utf-8", b"iso-8859-1"]
            .iter()
            .any(|name| charset.eq_ignore_ascii_case(name))
}

/// The search text of a message that has no need of decoding (see [`standing`]) and whose body begins at `body_offset`:
/// the header, whose length is returned, and the body, each if asked for. What is in `out` is overwritten.
pub fn fold_standing(
    message: RawMessage<'_>,
    body_offset: u64,
    (with_header, with_body): (bool, bool),
    out: &mut Vec<u8>,
) -> usize {
    out.clear();
    let header_octets = to_usize(body_offset);
    if with_header {
        for field in fields(&message.head(header_octets)) {
            out.extend_from_slice(field.name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(&unfold(field.value));
            out.push(b'\n');
        }
    }
    let header = out.len();
    if with_body {
        out.extend_from_slice(message.tail(header_octets));
        out.push(b'\n');
    }
    out.make_ascii_uppercase();
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of<'a>(prefix: &'a str, body: &'a [u8]) -> (RawMessage<'a>, Part) {
        let whole = [prefix.as_bytes(), body].concat();
        let root = summarize(&whole).root;
        (
            RawMessage {
                prefix: prefix.as_bytes(),
                body,
            },
            root,
        )
    }

    const PREFIX: &str = "Received: from a\r\n\tby b\r\n";

    #[test]
    fn what_stands_as_it_is() {
        for (content, expected) in [
            ("Subject: a\r\n b\r\n\r\nhello\r\n", Standing::HeaderAndBody),
            ("Subject: a\r\n\r\n", Standing::HeaderAndBody),
            ("Subject: =?utf-8?q?a?=\r\n\r\nhello", Standing::Encoded),
            ("Subject: a\r\n\r\nh\u{e9}", Standing::Encoded),
            ("Subject: \u{e9}\r\n\r\nhello", Standing::Encoded),
            (
                "Content-Type: text/html; charset=utf-8\r\n\r\n<p>",
                Standing::HeaderAndBody,
            ),
            (
                "Content-Type: text/plain; charset=iso-8859-15\r\n\r\nx",
                Standing::HeaderAndBody,
            ),
            (
                "Content-Type: text/plain; charset=utf-7\r\n\r\na+AOk-",
                Standing::Encoded,
            ),
            (
                "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$\"\x1b(B",
                Standing::Encoded,
            ),
            ("Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=", Standing::Encoded),
            (
                "Content-Transfer-Encoding: Quoted-Printable\r\n\r\na=20b",
                Standing::Encoded,
            ),
            (
                "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=",
                Standing::HeaderAlone,
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--",
                Standing::Encoded,
            ),
            (
                "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n",
                Standing::Encoded,
            ),
            (
                "Content-Type: message/feedback-report\r\n\r\nx",
                Standing::HeaderAndBody,
            ),
            (
                "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=",
                Standing::Encoded,
            ),
            ("Content-Type: multipart/mixed\r\n\r\nx", Standing::Encoded),
        ] {
            let (message, root) = of(PREFIX, content.as_bytes());
            assert_eq!(standing(message, &root), expected, "{content:?}");
        }
    }

    #[test]
    fn texts_are_decoded_and_folded() {
        let (message, root) = of(
            PREFIX,
            b"Subject: =?utf-8?q?r=C3=A9sum?=\r\n =?utf-8?q?=C3=A9?=\r\nContent-Transfer-Encoding: quoted-printable\r\n\
              Content-Type: text/plain; charset=utf-8\r\n\r\nHe=\r\nllo\r\n",
        );
        let text = search_text(message, &root);
        let begins = "RECEIVED: FROM A\tBY B\nSUBJECT: RE\u{301}SUME\u{301}\n";
        assert!(text.header.starts_with(begins), "{}", text.header);
        assert_eq!(text.body.trim_end(), "HELLO");
    }

    #[test]
    fn headers_within_are_no_text() {
        let (message, root) = of(
            PREFIX,
            b"Content-Type: multipart/mixed; boundary=o\r\n\r\nbefore\r\n--o\r\nContent-Type: image/png; name=\"=?utf-8?q?=C3=A9?=.png\"\r\n\r\n\
              data\r\n--o\r\nContent-Type: message/rfc822\r\nContent-Description: enclosed\r\n\r\nSubject: inner\r\n\
              Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\nContent-ID: <deep@x>\r\n\r\ntext\r\n--i--\r\n--o--\r\n",
        );
        let text = search_text(message, &root);
        for (word, in_header, in_body) in [
            ("RECEIVED", true, false),
            ("E\u{301}.PNG", true, false),
            ("ENCLOSED", true, false),
            ("<DEEP@X>", true, false),
            ("SUBJECT: INNER", true, false),
            ("TEXT\n", false, true),
            ("BEFORE", false, false),
        ] {
            assert_eq!(text.header.contains(word), in_header, "{word} in {}", text.header);
            assert_eq!(text.body.contains(word), in_body, "{word} in {}", text.body);
        }
    }

    #[test]
    fn an_empty_line_in_the_prefix_ends_the_header() {
        let (message, root) = of("A: b\r\n\r\nbo", b"dy\r\n");
        assert_eq!(standing(message, &root), Standing::Encoded);
        let text = search_text(message, &root);
        assert_eq!((text.header.as_str(), text.body.as_str()), ("A: B\n", "BODY\r\n\n"));
    }

    /// Headers and bodies of all kinds, mostly such that they stand as they are.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        let field = prop_oneof![
            Just("Subject: One\r\n two\r\n".to_owned()),
            Just("X-Fold:\r\n\tthree \r\n \r\n".to_owned()),
            Just("rubbish\r\n".to_owned()),
            Just("Nul: a\0b\n".to_owned()),
            Just("Bare: a\rb\n".to_owned()),
            Just("Subject: =?utf-8?b?w6k=?= x\r\n".to_owned()),
            Just("Content-Type: text/plain; charset=utf-8\r\n".to_owned()),
            Just("Content-Type: text/plain; charset=shift_jis\r\n".to_owned()),
            Just("Content-Type: image/png\r\n".to_owned()),
            Just("Content-Type: message/delivery-status\r\n".to_owned()),
            Just("Content-Type: multipart/mixed\r\n".to_owned()),
            Just("Content-Transfer-Encoding: quoted-printable\r\n".to_owned()),
            Just("Content-Transfer-Encoding: base64\r\n".to_owned()),
            "[A-Z][a-z]{0,5} ?: [ -~]{0,20}\r\n",
        ];
        let body = prop_oneof!["[ -~\r\n]{0,60}", "\\PC{0,20}", "([A-Za-z0-9+/]{4}){0,9}\r\n"];
        (proptest::collection::vec(field, 0..6), any::<bool>(), body).prop_map(|(header, empty_line, body)| {
            let line = if empty_line { "\r\n" } else { "" };
            format!("{}{line}{body}", header.concat()).into_bytes()
        })
    }

    proptest! {
        #[test]
        fn what_stands_is_what_is_decoded(content in content(), with_prefix: bool) {
            let (message, root) = of(if with_prefix { PREFIX } else { "" }, &content);
            let text = search_text(message, &root);
            prop_assert_eq!(&parse_search_text(message), &text);
            let mut folded = vec![7; 9];
            match standing(message, &root) {
                Standing::Encoded => {}
                standing => {
                    let with_body = standing == Standing::HeaderAndBody;
                    let header = fold_standing(message, root.body_offset, (true, with_body), &mut folded);
                    prop_assert_eq!(std::str::from_utf8(&folded[..header]), Ok(text.header.as_str()));
                    prop_assert_eq!(std::str::from_utf8(&folded[header..]), Ok(text.body.as_str()));
                }
            }
        }

        #[test]
        fn a_prefix_is_a_part_of_the_message(content in content()) {
            let whole = [PREFIX.as_bytes(), &content].concat();
            let (message, root) = of(PREFIX, &content);
            prop_assert_eq!(search_text(message, &root), search_text(RawMessage { prefix: b"", body: &whole }, &root));
        }

        /// Whatever way a text is written, any piece of it is found.
        #[test]
        fn what_was_written_is_found(
            text in "[a-zA-Z\u{e0}-\u{ff}=?_. ]{1,60}",
            latin: bool,
            encoding in 0..3u8,
            width in 1..9usize,
            piece in (0..60usize, 1..20usize),
        ) {
            let charset = if latin { "iso-8859-1" } else { "utf-8" };
            let bytes = |text: &str| -> Vec<u8> {
                let octet = |c: char| u8::try_from(u32::from(c)).expect("at most U+00FF");
                if latin { text.chars().map(octet).collect() } else { text.as_bytes().to_vec() }
            };
            let chars: Vec<char> = text.chars().collect();
            let word = |piece: &[char]| {
                let text: String = piece.iter().collect();
                match encoding {
                    0 => format!("=?{charset}?B?{}?=", base64(&bytes(&text))),
                    _ => format!("=?{charset}?q?{}?=", escaped(&bytes(&text), "")),
                }
            };
            // Folded between any two characters.
            let subject = chars.chunks(width).map(word).collect::<Vec<_>>().join("\r\n\t");
            let (name, body) = match encoding {
                0 => ("base64", bytes_in_lines(&base64(&bytes(&text)), 4 * width)),
                1 => ("quoted-printable", escaped(&bytes(&text), if width < 4 { "=\r\n" } else { "" }).into_bytes()),
                _ => ("8bit", bytes(&text)),
            };
            let header = format!(
                "Subject: {subject}\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {name}\r\n\r\n"
            );
            let content = [header.as_bytes(), &body].concat();
            let (message, root) = of(PREFIX, &content);
            let found = search_text(message, &root);
            let piece: String = chars.iter().skip(piece.0 % chars.len()).take(piece.1).collect();
            for piece in [&piece, &piece.to_uppercase(), &piece.to_lowercase()] {
                let piece = fold(piece);
                prop_assert!(found.body.contains(&piece), "{:?} in {:?}", piece, found.body);
                prop_assert!(found.header.contains(piece.trim()), "{:?} in {:?}", piece, found.header);
            }
        }
    }

    fn base64(bytes: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for group in bytes.chunks(3) {
            let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for place in 0..4 {
                let digit = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
                out.push(if place <= group.len() { char::from(digit) } else { '=' });
            }
        }
        out
    }

    fn escaped(bytes: &[u8], after_each: &str) -> String {
        bytes.iter().map(|byte| format!("={byte:02X}{after_each}")).collect()
    }

    fn bytes_in_lines(text: &str, width: usize) -> Vec<u8> {
        let lines: Vec<&[u8]> = text.as_bytes().chunks(width).collect();
        lines.join(&b"\r\n"[..])
    }
}
