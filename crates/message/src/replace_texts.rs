//! Other text in place of what a message says, with everything else as it stands.

use crate::encode::{add_base64_lines, add_quoted_printable};
use crate::header::fields;
use crate::seven_bit::{is_better_in_base64, is_sealed};
use crate::text::first_text;
use postroom_types::{Part, PartBody};
use std::ops::Range;

/// A message whose text and HTML, the first `text/plain` and the first `text/html` that are no attachments, are these
/// instead; `None` leaves one as it is, and what the message has not is not made. Text of another kind, which
/// [`plain_text`](crate::plain_text) finds too, is for programs to read and stays. `root` is that of `content`.
///
/// `None` if something in the message is signed or encrypted: that would not hold any more.
#[must_use]
pub fn replace_texts(content: &[u8], root: &Part, plain: Option<&str>, html: Option<&str>) -> Option<Vec<u8>> {
    if has_sealed(root) {
        return None;
    }
    let texts = [(first_text(root, "plain"), plain), (first_text(root, "html"), html)].into_iter();
    // Within a multipart that is one text nothing has a header that could say how it is encoded.
    let has_header = |(part, _): &(&Part, &str)| part.header_offset < part.body_offset || std::ptr::eq(*part, root);
    let mut changed: Vec<(&Part, &str)> = texts
        .filter_map(|(part, text)| Some((part?, text?)))
        .filter(has_header)
        .collect();
    changed.sort_by_key(|(part, _)| part.header_offset);
    let mut out = Vec::with_capacity(content.len() + content.len() / 4);
    let mut from = 0;
    for (part, text) in changed {
        let (header, body) = (
            place(part.header_offset, part.body_offset),
            place(part.body_offset, part.end_offset),
        );
        out.extend_from_slice(content.get(from..header.start)?);
        let text = with_crlf(text);
        let encoding = match is_better_in_base64(text.as_bytes()) {
            true => "base64",
            false => "quoted-printable",
        };
        add_header(
            &mut out,
            content.get(header)?,
            part,
            (encoding, std::ptr::eq(part, root)),
        );
        let then = match content.get(body.end..)?.first() {
            None => Then::Nothing,
            Some(b'\r' | b'\n') => Then::LineEnd,
            Some(_) => Then::Delimiter,
        };
        add_body(&mut out, text.as_bytes(), encoding == "base64", then);
        from = body.end;
    }
    out.extend_from_slice(content.get(from..)?);
    Some(out)
}

fn has_sealed(part: &Part) -> bool {
    is_sealed(part)
        || match &part.body {
            PartBody::Multipart(children) => children.iter().any(has_sealed),
            PartBody::Leaf | PartBody::Message(_) => false,
        }
}

/// Offsets of what is in memory.
fn place(from: u64, to: u64) -> Range<usize> {
    let offset = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    offset(from)..offset(to)
}

fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

/// The header section of a part that is in UTF-8 and in this encoding from now on.
fn add_header(out: &mut Vec<u8>, header: &[u8], part: &Part, (encoding, is_message): (&str, bool)) {
    let mut from = 0;
    let mut versioned = false;
    for field in fields(header) {
        versioned |= field.is("MIME-Version");
        if field.is("Content-Type") || field.is("Content-Transfer-Encoding") {
            out.extend_from_slice(&header[from..field.start]);
            from = field.end;
        }
    }
    let rest = &header[from..];
    // Without the empty line, which may be missing where there is no body.
    let rest = rest.strip_suffix(b"\r\n").unwrap_or(rest);
    out.extend_from_slice(rest);
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
    if is_message && !versioned {
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    out.extend_from_slice(&content_type(part));
    out.extend_from_slice(format!("Content-Transfer-Encoding: {encoding}\r\n\r\n").as_bytes());
}

/// With the parameters that it had, but for its charset; such as `format=flowed` (RFC 3676).
fn content_type(part: &Part) -> Vec<u8> {
    let mut field = [b"Content-Type: text/", &part.subtype[..], b"; charset=utf-8"].concat();
    for (name, value) in &part.params {
        let is_plain = value
            .iter()
            .all(|byte| (b' '..=b'~').contains(byte) && !b"\"\\".contains(byte));
        if !name.eq_ignore_ascii_case(b"charset") && is_plain {
            field.extend_from_slice(b";\r\n ");
            field.extend_from_slice(name);
            field.extend_from_slice(b"=\"");
            field.extend_from_slice(value);
            field.push(b'"');
        }
    }
    field.extend_from_slice(b"\r\n");
    field
}

/// What comes after a body.
#[derive(Clone, Copy)]
enum Then {
    /// The message is over: the last line ends too.
    Nothing,
    /// The line end that belongs to the delimiter (RFC 2046 §5.1.1).
    LineEnd,
    /// The delimiter, whose line end was that of the header, as nothing was between them; it gets one.
    Delimiter,
}

fn add_body(out: &mut Vec<u8>, text: &[u8], in_base64: bool, then: Then) {
    let start = out.len();
    match in_base64 {
        true => add_base64_lines(out, text),
        false => add_quoted_printable(out, text),
    }
    let has_end = out[start..].ends_with(b"\r\n");
    if in_base64 && has_end {
        out.truncate(out.len() - 2);
    }
    let ends = match then {
        Then::Nothing => in_base64 || !has_end,
        Then::LineEnd => false,
        Then::Delimiter => true,
    };
    if ends {
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{html_text, plain_text, summarize};
    use proptest::prelude::*;

    fn replaced(content: &str, plain: Option<&str>, html: Option<&str>) -> Option<String> {
        let root = summarize(content.as_bytes()).root;
        let made = replace_texts(content.as_bytes(), &root, plain, html)?;
        Some(String::from_utf8(made).expect("ASCII went in, and comes out"))
    }

    #[test]
    fn only_the_texts_change() {
        let mixed = |plain: &str, html: &str| {
            format!(
                "Subject: s\r\nX-Priority: 1\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\
                 Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n{plain}\r\n--i\r\nContent-ID: <1@a>\r\n{html}\r\n--i--\r\n\r\n--o\r\n\
                 Content-Type: text/plain; name=a.txt\r\n\r\nfile\r\n--o--\r\n"
            )
        };
        let before = mixed(
            "Content-Type: text/plain; charset=iso-8859-1; format=flowed\r\nContent-Transfer-Encoding: 8bit\r\n\r\nold",
            "Content-Type: text/html\r\n\r\n<p>old</p>",
        );
        let after = mixed(
            "Content-Type: text/plain; charset=utf-8;\r\n format=\"flowed\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nn=C3=A9w\r\n",
            "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>new</p>",
        );
        assert_eq!(
            replaced(&before, Some("néw\n"), Some("<p>new</p>")).as_deref(),
            Some(&*after)
        );
        assert_eq!(replaced(&before, None, None).as_deref(), Some(&*before));
    }

    #[test]
    fn a_message_that_is_nothing_but_text() {
        let check =
            |before: &str, after: &str| assert_eq!(replaced(before, Some("new"), Some("x")).as_deref(), Some(after));
        let labels = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nnew\r\n";
        check("Subject: s\r\n\r\nold\r\n", &format!("Subject: s\r\n{labels}"));
        check("Subject: s\r\n", &format!("Subject: s\r\n{labels}"));
        check("\r\nold", labels);
        check(
            "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\nSubject: s\r\n\r\nb2xk\r\n",
            &labels.replacen("Content-Type", "Subject: s\r\nContent-Type", 1),
        );
    }

    #[test]
    fn what_programs_read_stays() {
        let reply = "Content-Type: text/calendar; method=REPLY\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n";
        assert_eq!(replaced(reply, Some("new"), Some("new")).as_deref(), Some(reply));
    }

    #[test]
    fn what_is_sealed_stays() {
        for sealed in [
            "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b--\r\n",
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\ntext\r\n--a\r\nContent-Type: multipart/encrypted; boundary=b\r\n\r\n\
             --b\r\n\r\nx\r\n--b--\r\n--a--\r\n",
            "Content-Type: application/pkcs7-mime\r\n\r\nx\r\n",
        ] {
            assert_eq!(replaced(sealed, Some("new"), None), None, "{sealed}");
        }
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_found(
            plain in "[a-z é\n=-]{0,200}", html in "[a-z<>ж\n]{0,200}",
            old in "(old\r\n)?(\r\n)?", end in "(\r\n)?",
        ) {
            let content = format!(
                "Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\n{old}--i\r\nContent-Type: text/html\r\n\r\n{old}--i--{end}"
            );
            let root = summarize(content.as_bytes()).root;
            let made = replace_texts(content.as_bytes(), &root, Some(&plain), Some(&html)).expect("nothing is sealed");
            let root = summarize(&made).root;
            prop_assert_eq!(plain_text(&made, &root), Some(with_crlf(&plain)));
            prop_assert_eq!(html_text(&made, &root), Some(with_crlf(&html)));
        }
    }
}
