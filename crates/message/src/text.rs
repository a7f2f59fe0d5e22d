//! What people read: decoded text, for the API, for previews and for search.

use crate::decode::{charset_decode, decode_words, guarded, without_controls};
use crate::header::{fields, unfold};
use crate::transfer::{legible, transfer_decode};
use mail_parser::decoders::html::html_to_text;
use postroom_types::{Part, PartBody};
use std::borrow::Cow;

/// How much of a part is decoded for the preview, octets.
const PREVIEW_OCTETS: u64 = 8 << 10;
/// Longest preview, characters.
const PREVIEW_CHARS: usize = 200;

/// An attachment, or another leaf that is not the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its place among the message's leaves, from 0; stable, so it serves as an id.
    pub index: usize,
    /// Its name, decoded, if it has one.
    pub filename: Option<String>,
    /// `type/subtype`, lower case.
    pub content_type: String,
    /// Size with its transfer encoding undone.
    pub size_octets: u64,
    /// Its Content-ID without angle brackets.
    pub content_id: Option<String>,
    /// `Content-Disposition: inline`.
    pub inline: bool,
}

/// The bytes of a part's body as they stand.
fn body<'a>(content: &'a [u8], part: &Part, at_most: u64) -> &'a [u8] {
    let end = part.end_offset.min(part.body_offset.saturating_add(at_most));
    let range = usize::try_from(part.body_offset).ok().zip(usize::try_from(end).ok());
    range.and_then(|(from, to)| content.get(from..to)).unwrap_or_default()
}

pub(crate) fn param<'a>(params: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    params
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value.as_slice())
}

pub(crate) fn is_type(part: &Part, media_type: &str, subtype: &str) -> bool {
    part.media_type.eq_ignore_ascii_case(media_type.as_bytes())
        && (subtype == "*" || part.subtype.eq_ignore_ascii_case(subtype.as_bytes()))
}

/// A part's body with its transfer encoding undone.
#[must_use]
pub fn decoded_body<'a>(content: &'a [u8], part: &Part) -> Cow<'a, [u8]> {
    transfer_decode(&part.encoding, body(content, part, u64::MAX))
}

/// A text part as text.
fn part_text(content: &[u8], part: &Part, at_most: u64) -> String {
    let decoded = legible(&part.encoding, body(content, part, at_most));
    charset_decode(param(&part.params, "charset").unwrap_or_default(), &decoded)
}

/// All leaves in order; an attached message counts as one leaf.
fn leaves<'a>(part: &'a Part, out: &mut Vec<&'a Part>) {
    match &part.body {
        PartBody::Multipart(children) => children.iter().for_each(|child| leaves(child, out)),
        PartBody::Leaf | PartBody::Message(_) => out.push(part),
    }
}

fn all_leaves(root: &Part) -> Vec<&Part> {
    let mut out = Vec::new();
    leaves(root, &mut out);
    out
}

pub(crate) fn is_attachment(part: &Part) -> bool {
    let disposed = part
        .disposition
        .as_ref()
        .is_some_and(|disposition| disposition.kind.eq_ignore_ascii_case(b"attachment"));
    disposed || filename(part).is_some() || !is_type(part, "text", "*")
}

/// The first text of this kind that is not an attachment.
pub(crate) fn first_text<'a>(root: &'a Part, subtype: &str) -> Option<&'a Part> {
    all_leaves(root)
        .into_iter()
        .find(|part| is_type(part, "text", subtype) && !is_attachment(part))
}

/// The first `text/plain` that is not an attachment; or, if there is no `text/html` either, the first text of another
/// kind, which people can read as it stands (RFC 2046 §4.1.4).
#[must_use]
pub fn plain_part(root: &Part) -> Option<&Part> {
    let other = || match html_part(root) {
        Some(_) => None,
        None => first_text(root, "*"),
    };
    first_text(root, "plain").or_else(other)
}

/// The first `text/html` that is not an attachment.
#[must_use]
pub fn html_part(root: &Part) -> Option<&Part> {
    first_text(root, "html")
}

/// The text of [`plain_part`].
#[must_use]
pub fn plain_text(content: &[u8], root: &Part) -> Option<String> {
    plain_part(root).map(|part| part_text(content, part, u64::MAX))
}

/// The text of [`html_part`], as it was written.
#[must_use]
pub fn html_text(content: &[u8], root: &Part) -> Option<String> {
    html_part(root).map(|part| part_text(content, part, u64::MAX))
}

/// The beginning of the readable text on one line.
pub(crate) fn preview(content: &[u8], root: &Part) -> String {
    let plain = plain_part(root).map(|part| part_text(content, part, PREVIEW_OCTETS));
    let from_html = || html_part(root).map(|part| readable_html(&part_text(content, part, PREVIEW_OCTETS)));
    let text = plain
        .filter(|text| !text.trim().is_empty())
        .or_else(from_html)
        .unwrap_or_default();
    let words = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty());
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().count() >= PREVIEW_CHARS {
            break;
        }
    }
    line.chars().take(PREVIEW_CHARS).collect()
}

/// The text of HTML as people read it, roughly.
#[must_use]
pub fn readable_html(html: &str) -> String {
    guarded(|| html_to_text(html)).unwrap_or_else(|| html.to_owned())
}

/// Everything but the text itself, in order.
#[must_use]
pub fn attachments(root: &Part) -> Vec<Attachment> {
    let of = |(index, part): (usize, &Part)| Attachment {
        index,
        filename: filename(part),
        content_type: String::from_utf8_lossy(&[&part.media_type[..], b"/", &part.subtype].concat()).to_lowercase(),
        size_octets: if matches!(part.body, PartBody::Leaf) {
            part.decoded_octets
        } else {
            part.octets()
        },
        content_id: part
            .content_id
            .as_deref()
            .map(|id| String::from_utf8_lossy(id).trim_matches(['<', '>', ' ']).to_owned()),
        inline: part
            .disposition
            .as_ref()
            .is_some_and(|disposition| disposition.kind.eq_ignore_ascii_case(b"inline")),
    };
    all_leaves(root)
        .into_iter()
        .enumerate()
        .filter(|(_, part)| is_attachment(part))
        .map(of)
        .collect()
}

/// The leaf that an [`Attachment::index`] means.
#[must_use]
pub fn leaf(root: &Part, index: usize) -> Option<&Part> {
    all_leaves(root).get(index).copied()
}

/// `filename` of the disposition, else `name` of the type; both in the form of RFC 2231 too.
pub(crate) fn filename(part: &Part) -> Option<String> {
    let disposed = part
        .disposition
        .as_ref()
        .and_then(|disposition| decoded_param(&disposition.params, "filename"));
    disposed
        .or_else(|| decoded_param(&part.params, "name"))
        .map(without_controls)
        .filter(|name| !name.is_empty())
}

/// A parameter that may be continued (`name*0`), extended (`name*=charset'lang'%XX`), or, against the standard but
/// commonly, hold encoded words.
fn decoded_param(params: &[(Vec<u8>, Vec<u8>)], name: &str) -> Option<String> {
    if let Some(plain) = param(params, name) {
        return Some(decode_words(plain));
    }
    if let Some(extended) = param(params, &format!("{name}*")) {
        let (charset, text) = split_charset(extended);
        return Some(charset_decode(charset, &percent_decode(text)));
    }
    let mut charset: &[u8] = b"";
    let mut bytes = Vec::new();
    for number in 0..params.len() {
        if let Some(piece) = param(params, &format!("{name}*{number}")) {
            bytes.extend_from_slice(piece);
        } else if let Some(mut piece) = param(params, &format!("{name}*{number}*")) {
            if number == 0 {
                (charset, piece) = split_charset(piece);
            }
            bytes.extend(percent_decode(piece));
        } else {
            break;
        }
    }
    (!bytes.is_empty()).then(|| charset_decode(charset, &bytes))
}

/// `charset'language'text`
fn split_charset(value: &[u8]) -> (&[u8], &[u8]) {
    let mut pieces = value.splitn(3, |byte| *byte == b'\'');
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(charset), Some(_), Some(text)) => (charset, text),
        _ => (b"", value),
    }
}

fn percent_decode(text: &[u8]) -> Vec<u8> {
    let hex = |byte: &u8| char::from(*byte).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let pair = text.get(at + 1).and_then(hex).zip(text.get(at + 2).and_then(hex));
        match (byte, pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok())) {
            (b'%', Some(decoded)) => {
                out.push(decoded);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

/// The values of a header field as text, for SEARCH HEADER and the like.
#[must_use]
pub fn header_values(content: &[u8], name: &str) -> Vec<String> {
    fields(content)
        .filter(|field| field.is(name))
        .map(|field| decode_words(&unfold(field.value)))
        .collect()
}

/// A whole header section as text, a line for each field, for SEARCH TEXT.
pub(crate) fn header_text(content: &[u8]) -> String {
    let line = |field: crate::header::Field<'_>| {
        let name = String::from_utf8_lossy(field.name).into_owned();
        format!("{name}: {}\n", decode_words(&unfold(field.value)))
    };
    fields(content).map(line).collect()
}

/// Whether a leaf is searched: texts, and what is text by another name, such as delivery reports and messages that were not
/// looked into.
pub(crate) fn is_searched(leaf: &Part) -> bool {
    is_type(leaf, "text", "*") || is_type(leaf, "message", "*")
}

/// Adds all text of a part, decoded, for SEARCH BODY, which finds no header fields (RFC 9051 §6.4.4). `content` is the
/// message from octet `base` on, within which the part lies.
pub(crate) fn add_text(content: &[u8], base: usize, part: &Part, out: &mut String) {
    match &part.body {
        PartBody::Multipart(children) => children.iter().for_each(|child| add_text(content, base, child, out)),
        PartBody::Message(inner) => add_text(content, base, &inner.1, out),
        PartBody::Leaf if is_searched(part) => {
            let body = between(content, base, part.body_offset, part.end_offset);
            let decoded = legible(&part.encoding, body);
            let charset = param(&part.params, "charset").unwrap_or_default();
            out.push_str(&charset_decode(charset, &decoded));
            out.push('\n');
        }
        PartBody::Leaf => {}
    }
}

/// Adds the headers of all that is within a part, of parts and of enclosed messages, for SEARCH TEXT (RFC 9051 §6.4.4).
pub(crate) fn add_inner_headers(content: &[u8], base: usize, part: &Part, out: &mut String) {
    let mut add = |part: &Part| {
        out.push_str(&header_text(between(
            content,
            base,
            part.header_offset,
            part.body_offset,
        )));
        add_inner_headers(content, base, part, out);
    };
    match &part.body {
        PartBody::Multipart(children) => children.iter().for_each(add),
        PartBody::Message(inner) => add(&inner.1),
        PartBody::Leaf => {}
    }
}

/// These octets of a message of which `content` is what comes from octet `base` on.
fn between(content: &[u8], base: usize, from: u64, to: u64) -> &[u8] {
    let place = |offset: u64| usize::try_from(offset).ok()?.checked_sub(base);
    let range = place(from).zip(place(to));
    range.and_then(|(from, to)| content.get(from..to)).unwrap_or_default()
}

/// How many octets [`add_text`] and [`add_inner_headers`] have to decode.
pub(crate) fn text_octets(part: &Part) -> u64 {
    let with_header = |part: &Part| part.body_offset.saturating_sub(part.header_offset) + text_octets(part);
    match &part.body {
        PartBody::Multipart(children) => children.iter().map(with_header).sum(),
        PartBody::Message(inner) => with_header(&inner.1),
        PartBody::Leaf if is_searched(part) => part.octets(),
        PartBody::Leaf => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize;

    const MIXED: &[u8] = b"Subject: =?utf-8?q?r=C3=A9sum=C3=A9?=\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\
        Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9\r\n--i\r\nContent-Type: text/html\r\n\r\n<p>caf&eacute;</p>\r\n--i--\r\n--o\r\n\
        Content-Type: application/pdf; name=\"=?utf-8?b?w6kucGRm?=\"\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <x@y>\r\n\r\naGVsbG8=\r\n--o\r\n\
        Content-Type: text/plain\r\nContent-Disposition: attachment; filename*0*=utf-8'en'%C3%A9; filename*1=\".txt\"\r\n\r\nnote\r\n--o\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside\r\n--o--\r\n";

    #[test]
    fn texts_and_attachments() {
        let root = summarize(MIXED).root;
        assert_eq!(plain_text(MIXED, &root).as_deref(), Some("café"));
        assert_eq!(html_text(MIXED, &root).as_deref(), Some("<p>caf&eacute;</p>"));
        let found = attachments(&root);
        let names: Vec<_> = found
            .iter()
            .map(|a| (a.index, a.filename.as_deref(), a.content_type.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                (2, Some("é.pdf"), "application/pdf"),
                (3, Some("é.txt"), "text/plain"),
                (4, None, "message/rfc822")
            ]
        );
        assert_eq!(decoded_body(MIXED, leaf(&root, 2).unwrap()).as_ref(), b"hello");
        assert_eq!(found[0].content_id.as_deref(), Some("x@y"));
        assert_eq!(leaf(&root, 5), None);
    }

    #[test]
    fn names_are_one_line() {
        for disposition in [
            "filename*=utf-8''a%0D%0Ab",
            "filename*0=a; filename*1*=%0D%0Ab",
            "filename=\"=?utf-8?q?a=0D=0Ab?=\"",
        ] {
            let content = format!("Content-Disposition: attachment; {disposition}\r\n\r\n");
            let found = attachments(&summarize(content.as_bytes()).root);
            assert_eq!(found[0].filename.as_deref(), Some("a b"), "{disposition}");
        }
    }

    #[test]
    fn search_sees_decoded_text() {
        let root = summarize(MIXED).root;
        let mut text = String::new();
        add_text(MIXED, 0, &root, &mut text);
        for word in ["café", "note", "inside", "&eacute;"] {
            assert!(text.contains(word), "{word} in {text}");
        }
        assert!(!text.contains("inner"), "header fields are no text");
        assert!(
            !text.contains("hello"),
            "attachments that are not text are not searched"
        );
        assert_eq!(header_values(MIXED, "subject"), ["résumé"]);
        assert!(header_text(MIXED).starts_with("Subject: résumé\n"));
    }

    #[test]
    fn text_is_shown_whatever_its_name() {
        let shown = |content: &str| {
            let content = content.replace('|', "\r\n");
            let summary = summarize(content.as_bytes());
            let plain = plain_text(content.as_bytes(), &summary.root);
            let html = html_text(content.as_bytes(), &summary.root);
            (plain, html, summary.preview, attachments(&summary.root).len())
        };
        let text = |text: &str| (Some(text.to_owned()), None, text.trim().to_owned(), 0);
        for (content, expected) in [
            ("Content-Type: text/markdown||*hello*", text("*hello*")),
            ("Content-Type: text/unheard-of charset=utf-8||hello", text("hello")),
            // Without a boundary, and without its delimiters.
            ("Content-Type: multipart/mixed||hello", text("hello")),
            ("Content-Type: multipart/mixed; boundary=b||hello", text("hello")),
            (
                "Content-Type: multipart/mixed|Content-Transfer-Encoding: base64||aGVsbG8=",
                text("hello"),
            ),
        ] {
            assert_eq!(shown(content), expected, "{content:?}");
        }
        // A gateway has put this in the place of base64.
        let removed = "Content-Type: text/plain|Content-Transfer-Encoding: base64||This text was removed.";
        assert_eq!(shown(removed), text("This text was removed."));
        let mut searched = String::new();
        let content = removed.replace('|', "\r\n");
        add_text(
            content.as_bytes(),
            0,
            &summarize(content.as_bytes()).root,
            &mut searched,
        );
        assert_eq!(searched, "This text was removed.\n");
        for kind in [
            "text/html charset=utf-8",
            "text/html|\tcharset=utf-8",
            "text/html, charset=utf-8",
        ] {
            let html = Some("<p>hello</p>".to_owned());
            let content = format!("Content-Type: {kind}||<p>hello</p>");
            assert_eq!(shown(&content), (None, html, "hello".into(), 0), "{kind}");
        }
        // Beside HTML it is another form of it, or something else.
        let both = "Content-Type: multipart/mixed; boundary=b||--b|Content-Type: text/calendar||BEGIN|--b|Content-Type: text/html||<p>|--b--";
        assert_eq!(shown(both).0, None);
    }

    #[test]
    fn reports_and_closed_messages_are_searched() {
        let content =
            b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
            Status: 5.1.1\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n\
            U3ViamVjdDogeA0KDQppbnNpZGU=\r\n--b\r\nContent-Type: multipart/mixed\r\n\r\nundivided\r\n--b--\r\n";
        let root = summarize(content).root;
        let mut text = String::new();
        add_text(content, 0, &root, &mut text);
        for word in ["Status: 5.1.1", "inside", "undivided"] {
            assert!(text.contains(word), "{word} in {text}");
        }
        assert!(text_octets(&root) > text.len() as u64);
    }

    #[test]
    fn previews() {
        let of = |content: &str| summarize(content.as_bytes()).preview;
        assert_eq!(of("Content-Type: text/html\r\n\r\n<p>Hi <b>you</b></p>"), "Hi you");
        assert_eq!(of(&format!("\r\n{}", "word ".repeat(100))).chars().count(), 200);
        assert_eq!(of("Content-Type: image/png\r\n\r\nx"), "");
    }
}
