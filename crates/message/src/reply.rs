//! What replies and forwards take over from the message they answer.

use crate::compose::OutgoingAttachment;
use crate::decode::guarded;
use crate::header::{fields, unfold};
use crate::references::message_ids;
use crate::text::{attachments, decoded_body, header_values, html_text, leaf, plain_text};
use bytes::Bytes;
use mail_parser::decoders::html::html_to_text;
use postroom_types::{Part, PartBody};
use std::borrow::Cow;

/// What begins a reply in the languages of common mail programs, lower case.
const REPLY_PREFIXES: [&str; 9] = ["re", "aw", "antw", "sv", "vs", "odp", "rif", "回复", "答复"];
/// What begins a forward.
const FORWARD_PREFIXES: [&str; 9] = ["fwd", "fw", "wg", "vl", "vb", "vs", "tr", "rv", "转发"];
/// How many of the newest References are kept, beside the oldest.
const NEWEST_REFERENCES: usize = 20;

/// `Re: …`, once, whatever reply prefixes of whatever language the subject begins with.
#[must_use]
pub fn reply_subject(subject: &str) -> String {
    format!("Re: {}", without_prefixes(subject, &REPLY_PREFIXES))
        .trim_end()
        .to_owned()
}

/// `Fwd: …`, once.
#[must_use]
pub fn forward_subject(subject: &str) -> String {
    format!("Fwd: {}", without_prefixes(subject, &FORWARD_PREFIXES))
        .trim_end()
        .to_owned()
}

fn without_prefixes<'a>(subject: &'a str, prefixes: &[&str]) -> &'a str {
    let mut rest = subject.trim();
    while let Some((word, after)) = rest.split_once([':', '：']) {
        // `Re[2]:` counts the replies.
        let word = word
            .trim_end()
            .trim_end_matches(']')
            .trim_end_matches(|c: char| c.is_ascii_digit());
        let word = word.trim_end_matches('[');
        if word.len() > 8 || !prefixes.contains(&word.to_lowercase().as_str()) {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

/// The References of an answer to this message (RFC 5322 §3.6.4), oldest first, without angle brackets. Of a long
/// chain the first and the last 20 before the message itself are kept, so that the root of the thread stays known.
#[must_use]
pub fn references_for(parent: &[u8]) -> Vec<String> {
    let of = |name: &str| -> Vec<String> {
        let ids = fields(parent)
            .filter(|field| field.is(name))
            .flat_map(|field| message_ids(&unfold(field.value)));
        ids.collect()
    };
    let mut chain = of("References");
    if chain.is_empty() {
        // More than one id there says nothing of their order.
        chain = of("In-Reply-To");
        if chain.len() > 1 {
            chain.clear();
        }
    }
    let own = of("Message-ID");
    if let [own] = own.as_slice() {
        chain.retain(|id| id != own);
    }
    if chain.len() > NEWEST_REFERENCES + 1 {
        chain.drain(1..chain.len() - NEWEST_REFERENCES);
    }
    if let [_] = own.as_slice() {
        chain.extend(own);
    }
    chain
}

/// `On …, … wrote:` and the text of the message, each line after `> `.
#[must_use]
pub fn quote_text(content: &[u8], root: &Part) -> String {
    let text = text_of(content, root);
    let mut out = attribution(content);
    out.push('\n');
    for line in text.trim_end().lines() {
        out.push_str(if line.starts_with('>') { ">" } else { "> " });
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// As [`quote_text`], as HTML, in an element of the class by which programs know a quote. The HTML of the message goes in
/// as it is: it is no safer than it came.
#[must_use]
pub fn quote_html(content: &[u8], root: &Part) -> String {
    format!(
        "<div class=\"gmail_quote\">\n<div class=\"gmail_attr\">{}<br></div>\n\
         <blockquote type=\"cite\">\n{}\n</blockquote>\n</div>\n",
        escaped(&attribution(content)),
        html_of(content, root)
    )
}

/// The forwarded message as text, after a block with its From, Date, Subject, To and Cc.
#[must_use]
pub fn forward_text(content: &[u8], root: &Part) -> String {
    let mut out = String::from("---------- Forwarded message ----------\n");
    for (name, value) in block(content) {
        out.push_str(&format!("{name}: {value}\n"));
    }
    out.push('\n');
    out.push_str(&text_of(content, root));
    out
}

/// As [`forward_text`], as HTML. The HTML of the message goes in as it is: it is no safer than it came.
#[must_use]
pub fn forward_html(content: &[u8], root: &Part) -> String {
    let mut out = String::from("<p>---------- Forwarded message ----------<br>\n");
    for (name, value) in block(content) {
        out.push_str(&format!("<b>{name}:</b> {}<br>\n", escaped(&value)));
    }
    out.push_str("</p>\n");
    out.push_str(&html_of(content, root));
    out
}

/// The attachments of a message, to go along when it is forwarded. Images that its HTML shows keep their Content-ID.
#[must_use]
pub fn forward_attachments(content: &Bytes, root: &Part) -> Vec<OutgoingAttachment> {
    let carried = |attachment: crate::Attachment| {
        let part = leaf(root, attachment.index)?;
        let bytes = match (decoded_body(content, part), &part.body) {
            (Cow::Owned(decoded), PartBody::Leaf) => Bytes::from(decoded),
            // What was not encoded needs no copy.
            (Cow::Borrowed(body), PartBody::Leaf) => content.slice_ref(body),
            (body, _) => Bytes::copy_from_slice(&body),
        };
        let is_id = |id: &String| id.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte));
        Some(OutgoingAttachment {
            filename: attachment.filename.map(|name| on_one_line(&name)),
            content_type: on_one_line(&attachment.content_type),
            content: bytes,
            content_id: attachment.content_id.filter(|id| !id.is_empty() && is_id(id)),
            inline: attachment.inline,
        })
    };
    attachments(root).into_iter().filter_map(carried).collect()
}

/// The text, from the HTML if there is no other.
fn text_of(content: &[u8], root: &Part) -> String {
    let from_html = || html_text(content, root).map(|html| guarded(|| html_to_text(&html)).unwrap_or(html));
    let text = plain_text(content, root).or_else(from_html).unwrap_or_default();
    text.replace("\r\n", "\n")
}

/// The HTML, from the text if there is no other.
fn html_of(content: &[u8], root: &Part) -> String {
    let from_text = || escaped(&text_of(content, root)).replace('\n', "<br>\n");
    html_text(content, root).unwrap_or_else(from_text)
}

fn attribution(content: &[u8]) -> String {
    let first = |name| {
        header_values(content, name)
            .into_iter()
            .next()
            .map(|value| on_one_line(&value))
    };
    let from = first("From").unwrap_or_default();
    match first("Date") {
        Some(date) => format!("On {date}, {from} wrote:"),
        None => format!("{from} wrote:"),
    }
}

/// The fields that people read.
fn block(content: &[u8]) -> Vec<(&'static str, String)> {
    let first = |name| {
        let value = header_values(content, name).into_iter().next()?;
        (!value.is_empty()).then(|| (name, on_one_line(&value)))
    };
    ["From", "Date", "Subject", "To", "Cc"]
        .into_iter()
        .filter_map(first)
        .collect()
}

/// Decoded values may hold line ends that were encoded.
fn on_one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize;

    #[test]
    fn subjects() {
        for (subject, reply, forward) in [
            ("hello", "Re: hello", "Fwd: hello"),
            ("Re: hello", "Re: hello", "Fwd: Re: hello"),
            ("RE: re:hello", "Re: hello", "Fwd: RE: re:hello"),
            ("AW: Hallo", "Re: Hallo", "Fwd: AW: Hallo"),
            ("SV: Hej", "Re: Hej", "Fwd: SV: Hej"),
            ("WG: Hallo", "Re: WG: Hallo", "Fwd: Hallo"),
            ("Fwd: FW: hello", "Re: Fwd: FW: hello", "Fwd: hello"),
            ("Re[2]: hello", "Re: hello", "Fwd: Re[2]: hello"),
            ("回复：你好", "Re: 你好", "Fwd: 回复：你好"),
            ("Report: it", "Re: Report: it", "Fwd: Report: it"),
            ("", "Re:", "Fwd:"),
            (": x", "Re: : x", "Fwd: : x"),
        ] {
            assert_eq!(
                (reply_subject(subject).as_str(), forward_subject(subject).as_str()),
                (reply, forward)
            );
        }
    }

    #[test]
    fn references_of_answers() {
        let check =
            |header: &str, expected: &[&str]| assert_eq!(references_for(header.as_bytes()), expected, "{header}");
        check(
            "Message-ID: <c@x>\r\nReferences: <a@x>\r\n <b@x>\r\n\r\n",
            &["a@x", "b@x", "c@x"],
        );
        check("Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\n\r\n", &["a@x", "b@x"]);
        check("Message-ID: <c@x>\r\nIn-Reply-To: <a@x> <b@x>\r\n\r\n", &["c@x"]);
        check("References: <a@x>\r\n\r\n", &["a@x"]);
        check("Message-ID: <a@x>\r\nReferences: <a@x>\r\n\r\n", &["a@x"]);
        check("Subject: x\r\n\r\n", &[]);
        let long: String = (0..100).map(|number| format!(" <{number}@x>\r\n")).collect();
        let kept = references_for(format!("References:{long}Message-ID: <own@x>\r\n\r\n").as_bytes());
        assert_eq!((kept.len(), kept[0].as_str(), kept[1].as_str()), (22, "0@x", "80@x"));
        assert_eq!(kept.last().map(String::as_str), Some("own@x"));
    }

    const ORIGINAL: &[u8] = b"From: =?utf-8?q?Zo=C3=AB?= <zoe@example.net>\r\nTo: a@b\r\nSubject: 1 < 2\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\n\
        Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nHello & bye\r\n> earlier\r\n\r\n--o\r\n\
        Content-Type: image/png; name=\"=?utf-8?q?a=0D=0Ab=2Epng?=\"\r\nContent-ID: <x@y>\r\nContent-Disposition: inline\r\n\
        Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside\r\n--o--\r\n";

    #[test]
    fn quotes_and_forwards() {
        let root = summarize(ORIGINAL).root;
        assert_eq!(
            quote_text(ORIGINAL, &root),
            "On Fri, 11 Jul 2003 21:00:37 -0700, Zoë <zoe@example.net> wrote:\n> Hello & bye\n>> earlier\n"
        );
        assert_eq!(
            forward_text(ORIGINAL, &root),
            "---------- Forwarded message ----------\nFrom: Zoë <zoe@example.net>\nDate: Fri, 11 Jul 2003 21:00:37 -0700\n\
             Subject: 1 < 2\nTo: a@b\n\nHello & bye\n> earlier\n"
        );
        let html = forward_html(ORIGINAL, &root);
        assert!(html.contains("<b>From:</b> Zoë &lt;zoe@example.net&gt;<br>"), "{html}");
        assert!(html.contains("<b>Subject:</b> 1 &lt; 2<br>") && html.contains("Hello &amp; bye<br>\n&gt; earlier"));
        assert!(quote_html(ORIGINAL, &root).contains("<blockquote type=\"cite\">\nHello &amp; bye<br>"));
    }

    #[test]
    fn html_alone_is_quoted_as_it_reads() {
        let content = b"From: a@b\r\nContent-Type: text/html\r\n\r\n<p>Hi <b>you</b></p>";
        let root = summarize(content).root;
        assert!(quote_text(content, &root).starts_with("a@b wrote:\n> Hi you"));
        assert!(quote_html(content, &root).contains("\n<p>Hi <b>you</b></p>\n"));
    }

    #[test]
    fn attachments_go_along() {
        let content = Bytes::from_static(ORIGINAL);
        let found = forward_attachments(&content, &summarize(ORIGINAL).root);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].filename.as_deref(), found[0].content.as_ref()),
            (Some("a b.png"), &b"hello"[..])
        );
        assert_eq!((found[0].content_id.as_deref(), found[0].inline), (Some("x@y"), true));
        assert_eq!(found[1].content_type, "message/rfc822");
        assert_eq!(found[1].content.as_ref(), b"Subject: inner\r\n\r\ninside");
    }
}
