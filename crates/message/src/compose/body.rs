//! The MIME tree of a new message (RFC 2045, RFC 2046, RFC 2387).
//!
//! What always holds: each leaf is 7-bit; no boundary occurs in what it bounds.

use super::{ComposeError, Outgoing, OutgoingAttachment, message_id, one_line};
use crate::complete::check_lines;
use crate::encode::{add_base64_lines, add_quoted_printable};
use crate::field_writer::FieldWriter;
use crate::mime_value::MimeValue;
use aws_lc_rs::digest::{SHA256, digest};
use std::borrow::Cow;

const OCTET_STREAM: &str = "application/octet-stream";

/// A part to be written.
pub(super) enum Node<'a> {
    Leaf {
        fields: Vec<u8>,
        content: Content<'a>,
    },
    Multipart {
        subtype: &'static str,
        parameters: &'static [(&'static str, &'static str)],
        children: Vec<Self>,
    },
}

/// The content of a leaf, and how it is made 7-bit.
pub(crate) enum Content<'a> {
    /// As it stands.
    Plain(Cow<'a, [u8]>),
    QuotedPrintable(Vec<u8>),
    Base64(Cow<'a, [u8]>),
}

impl Content<'_> {
    pub(crate) const fn encoding(&self) -> &'static str {
        match self {
            Self::Plain(_) => "7bit",
            Self::QuotedPrintable(_) => "quoted-printable",
            Self::Base64(_) => "base64",
        }
    }
}

/// The tree: mixed(alternative(text, related(html, images)), files), without the multiparts that have one part.
pub(super) fn tree(message: &Outgoing) -> Result<Node<'_>, ComposeError> {
    let shown_in_html = |file: &&OutgoingAttachment| file.inline && file.content_id.is_some() && message.html.is_some();
    let (images, files): (Vec<_>, Vec<_>) = message.attachments.iter().partition(shown_in_html);
    let mut texts = Vec::new();
    if message.text.is_some() || message.html.is_none() {
        texts.push(text("text/plain", message.text.as_deref().unwrap_or_default()));
    }
    if let Some(html) = &message.html {
        let mut related = vec![text("text/html", html)];
        related.extend(attachments(images)?);
        texts.push(multipart("related", &[("type", "text/html")], related));
    }
    let mut mixed = vec![multipart("alternative", &[], texts)];
    mixed.extend(attachments(files)?);
    Ok(multipart("mixed", &[], mixed))
}

/// A multipart, or its only child.
fn multipart<'a>(
    subtype: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    children: Vec<Node<'a>>,
) -> Node<'a> {
    match <[Node<'a>; 1]>::try_from(children) {
        Ok([only]) => only,
        Err(children) => Node::Multipart {
            subtype,
            parameters,
            children,
        },
    }
}

fn text<'a>(media_type: &str, text: &str) -> Node<'a> {
    let content = text_content(text);
    let mut fields = FieldWriter::default();
    fields.with_parameters("Content-Type", media_type, &[("charset", "utf-8")]);
    fields.plain("Content-Transfer-Encoding", content.encoding());
    Node::Leaf {
        fields: fields.finish(),
        content,
    }
}

/// Text with CRLF line ends, in the encoding that suits it.
pub(crate) fn text_content<'a>(text: &str) -> Content<'a> {
    let text = with_crlf(text);
    let good = |byte: &u8| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=b'~');
    // White space at the end could be cut away with the blank lines there.
    let trimmed = text.trim_end_matches(['\r', '\n']);
    let firm = !trimmed.ends_with([' ', '\t']);
    if firm && text.as_bytes().iter().all(good) && check_lines(text.as_bytes()).is_ok() {
        return Content::Plain(Cow::Owned(text.into_bytes()));
    }
    let costly = text.bytes().filter(|byte| !byte.is_ascii()).count();
    if costly * 3 > text.len() {
        Content::Base64(Cow::Owned(text.into_bytes()))
    } else {
        Content::QuotedPrintable(text.into_bytes())
    }
}

/// Every line end as CRLF, whichever it was.
fn with_crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    let mut rest = text;
    while let Some(at) = rest.find(['\r', '\n']) {
        out.push_str(&rest[..at]);
        out.push_str("\r\n");
        let octets = if rest[at..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[at + octets..];
    }
    out.push_str(rest);
    out
}

fn attachments(files: Vec<&OutgoingAttachment>) -> Result<Vec<Node<'_>>, ComposeError> {
    files.into_iter().map(attachment).collect()
}

fn attachment(file: &OutgoingAttachment) -> Result<Node<'_>, ComposeError> {
    one_line("attachment content type", &file.content_type)?;
    let filename = file.filename.as_deref().filter(|name| !name.is_empty());
    if let Some(name) = filename {
        one_line("attachment filename", name)?;
    }
    let (media_type, parameters) = media_type(&file.content_type);
    let seven_bit = || file.content.is_ascii() && check_lines(&file.content).is_ok();
    let bytes = Cow::Borrowed(&file.content[..]);
    let is_message = media_type == "message/rfc822";
    let (media_type, content) = match media_type.split('/').next() {
        // RFC 2046 §5.2.1: a message is not to be encoded. One that would need it travels as plain bytes.
        Some("message") if is_message && seven_bit() => (media_type, Content::Plain(bytes)),
        Some("message" | "multipart") => (OCTET_STREAM.to_owned(), Content::Base64(bytes)),
        _ => (media_type, Content::Base64(bytes)),
    };
    let filename = filename.or((is_message && media_type == OCTET_STREAM).then_some("message.eml"));
    let mut fields = FieldWriter::default();
    let parameters: Vec<_> = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    fields.with_parameters("Content-Type", &media_type, &parameters);
    let disposition = if file.inline { "inline" } else { "attachment" };
    let named: Vec<_> = filename.map(|name| ("filename", name)).into_iter().collect();
    fields.with_parameters("Content-Disposition", disposition, &named);
    if let Some(id) = &file.content_id {
        fields.message_ids("Content-ID", [message_id("attachment content id", id)?]);
    }
    fields.plain("Content-Transfer-Encoding", content.encoding());
    Ok(Node::Leaf {
        fields: fields.finish(),
        content,
    })
}

/// `type/subtype` in lower case and its parameters, but for the name, which stands in Content-Disposition.
fn media_type(text: &str) -> (String, Vec<(String, String)>) {
    // RFC 2045 §5.1: no tspecials. Longer names than these are registered nowhere.
    let is_token = |text: &str| {
        let token = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte);
        !text.is_empty() && text.len() <= 127 && text.bytes().all(token)
    };
    let parsed = MimeValue::parse(text.as_bytes());
    let value = String::from_utf8_lossy(&parsed.value).to_ascii_lowercase();
    let good = value
        .split_once('/')
        .is_some_and(|(main, sub)| is_token(main) && is_token(sub));
    if !good {
        return (OCTET_STREAM.to_owned(), Vec::new());
    }
    let text = |(name, value): &(Vec<u8>, Vec<u8>)| {
        let name = String::from_utf8(name.clone()).ok()?.to_ascii_lowercase();
        let value = String::from_utf8(value.clone()).ok()?;
        let wanted = is_token(&name) && !name.contains('*') && name != "name" && !value.is_empty();
        wanted.then_some((name, value))
    };
    (value, parsed.params.iter().filter_map(text).take(10).collect())
}

/// Writes the tree: the fields of the root, the empty line, the body.
pub(super) fn write(root: &Node<'_>, message_id: &str, out: &mut Vec<u8>) {
    let seed = (0_u32..)
        .map(|attempt| boundary(message_id, attempt))
        .find(|seed| !occurs(root, seed.as_bytes()))
        .expect("a finite text holds finitely many of infinitely many boundaries");
    write_node(root, &seed, &mut 0, out);
}

/// Begins with `=_`, which neither base64 nor quoted-printable can hold (RFC 2045 §6.7).
pub(crate) fn boundary(message_id: &str, attempt: u32) -> String {
    let hash = digest(&SHA256, format!("{attempt} {message_id}").as_bytes());
    let hex: String = hash.as_ref()[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("=_{hex}")
}

fn occurs(node: &Node<'_>, seed: &[u8]) -> bool {
    match node {
        Node::Leaf {
            content: Content::Plain(text),
            ..
        } => memchr::memmem::find(text, seed).is_some(),
        Node::Leaf { .. } => false,
        Node::Multipart { children, .. } => children.iter().any(|child| occurs(child, seed)),
    }
}

fn write_node(node: &Node<'_>, seed: &str, count: &mut u32, out: &mut Vec<u8>) {
    match node {
        Node::Leaf { fields, content } => {
            out.extend_from_slice(fields);
            out.extend_from_slice(b"\r\n");
            write_content(content, out);
        }
        Node::Multipart {
            subtype,
            parameters,
            children,
        } => {
            *count += 1;
            let boundary = format!("{seed}_{count}");
            let mut fields = FieldWriter::default();
            let parameters = [parameters, &[("boundary", boundary.as_str())][..]].concat();
            fields.with_parameters("Content-Type", &format!("multipart/{subtype}"), &parameters);
            out.extend(fields.finish());
            for child in children {
                out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
                write_node(child, seed, count, out);
            }
            out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        }
    }
}

pub(crate) fn write_content(content: &Content<'_>, out: &mut Vec<u8>) {
    match content {
        Content::Plain(text) => out.extend_from_slice(text),
        Content::QuotedPrintable(text) => add_quoted_printable(out, text),
        Content::Base64(bytes) => add_base64_lines(out, bytes),
    }
}
