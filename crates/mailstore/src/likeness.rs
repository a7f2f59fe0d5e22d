//! Whether what a client appends to Sent is the message that it submitted.
//!
//! Told from the summaries alone: the Subject and the addresses in From are the same, and so are the leaf parts in number,
//! media type and decoded size. A text may differ a little in size, since a client and this server may each have cut
//! blanks, encoded it anew or changed its charset; what is larger than that is another text.

use postroom_types::{Part, PartBody, Summary};

/// How much two sizes of one text may differ: by this, and by one part in so many of the larger.
const TEXT_OCTETS: u64 = 64;
const TEXT_SHARE: u64 = 50;

pub(crate) fn is_copy(appended: &Summary, submitted: &Summary) -> bool {
    appended.subject_text.trim() == submitted.subject_text.trim()
        && from(appended) == from(submitted)
        && same_leaves(&appended.root, &submitted.root)
}

/// The addresses in From, folded; display names are left out, which may be encoded in more than one way.
fn from(summary: &Summary) -> Vec<[Option<Vec<u8>>; 2]> {
    let fold = |half: &Option<Vec<u8>>| half.as_ref().map(|half| half.to_ascii_lowercase());
    let entries = summary.envelope.from.iter().flatten();
    entries.map(|entry| [fold(&entry.mailbox), fold(&entry.host)]).collect()
}

fn same_leaves(one: &Part, other: &Part) -> bool {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    leaves(one, &mut ones);
    leaves(other, &mut others);
    ones.len() == others.len() && ones.iter().zip(&others).all(|(one, other)| same_leaf(one, other))
}

/// The leaves in order, also those of enclosed messages. How they are nested may differ: a client may wrap a single text.
fn leaves<'a>(part: &'a Part, found: &mut Vec<&'a Part>) {
    match &part.body {
        PartBody::Leaf => found.push(part),
        PartBody::Multipart(parts) => parts.iter().for_each(|part| leaves(part, found)),
        PartBody::Message(inner) => leaves(&inner.1, found),
    }
}

fn same_leaf(one: &Part, other: &Part) -> bool {
    let (a, b) = (one.decoded_octets, other.decoded_octets);
    let most = if one.media_type.eq_ignore_ascii_case(b"text") {
        TEXT_OCTETS + a.max(b) / TEXT_SHARE
    } else {
        0
    };
    one.media_type.eq_ignore_ascii_case(&other.media_type)
        && one.subtype.eq_ignore_ascii_case(&other.subtype)
        && a.abs_diff(b) <= most
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_message::summarize;

    fn text(subject: &str, from: &str, body: &str) -> String {
        format!("Subject: {subject}\r\nFrom: {from}\r\n\r\n{body}")
    }

    fn with_attachment(data: &str) -> String {
        format!(
            "Subject: s\r\nFrom: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhello\r\n\
             --x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n{data}\r\n--x--\r\n"
        )
    }

    #[test]
    fn what_is_a_copy() {
        let long = "0123456789".repeat(1000);
        let plain = text("hello", "A <a@example.test>", "hello\r\n");
        for (appended, submitted, same) in [
            (plain.clone(), plain.clone(), true),
            (
                text("hello", "a@EXAMPLE.test", "hello\r\n\r\n\r\n"),
                plain.clone(),
                true,
            ),
            (
                text("=?utf-8?q?hello?=", "a@example.test", "hello"),
                plain.clone(),
                true,
            ),
            (text("hello!", "a@example.test", "hello\r\n"), plain.clone(), false),
            (text("hello", "b@example.test", "hello\r\n"), plain.clone(), false),
            (text("hello", "a@example.test", &long), plain.clone(), false),
            (text("s", "a@b", &long), text("s", "a@b", &long[..9740]), true),
            (text("s", "a@b", &long), text("s", "a@b", &long[..9730]), false),
            (with_attachment("AAAA"), with_attachment("BBBB"), true),
            (with_attachment("AAAA"), with_attachment("AAAABBBB"), false),
            (with_attachment("AAAA"), text("s", "a@b", "hello"), false),
            (
                text("s", "a@b", "hello").replace("\r\n\r\n", "\r\nContent-Type: text/html\r\n\r\n"),
                text("s", "a@b", "hello"),
                false,
            ),
        ] {
            let (appended_summary, summary) = (summarize(appended.as_bytes()), summarize(submitted.as_bytes()));
            assert_eq!(is_copy(&appended_summary, &summary), same, "{appended:?} {submitted:?}");
        }
    }
}
