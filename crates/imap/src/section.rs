//! Which bytes a section of a message is (RFC 3501 §6.4.5, RFC 9051 §6.4.5.1).

use postroom_imap_proto::{Section, SectionText};
use postroom_message::fields;
use postroom_types::{Part, PartBody, Piece};
use std::ops::Range;

/// What has to be read for a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// These octets of the message.
    Octets(Range<u64>),
    /// Some fields of the header at these octets.
    Fields(Range<u64>),
    /// There is no such part: NIL.
    Nothing,
}

/// Finds a section in a message with this root.
pub(crate) fn find(root: &Part, section: &Section) -> Wanted {
    let Some(part) = walk(root, &section.part) else {
        return Wanted::Nothing;
    };
    // The message whose header and text are meant: the whole one, or the one inside the part.
    let message = match (&section.part[..], &part.body) {
        ([], _) => Some(part),
        (_, PartBody::Message(inner)) => Some(&inner.1),
        _ => None,
    };
    let whole = section.part.is_empty();
    match (&section.text, message) {
        (SectionText::All, _) if whole => Wanted::Octets(0..part.end_offset),
        (SectionText::All, _) => Wanted::Octets(part.body_offset..part.end_offset),
        (SectionText::Mime, _) => Wanted::Octets(part.header_offset..part.body_offset),
        (SectionText::Header, Some(message)) => Wanted::Octets(message.header_offset..message.body_offset),
        (SectionText::Text, Some(message)) => Wanted::Octets(message.body_offset..message.end_offset),
        (SectionText::HeaderFields { .. }, Some(message)) => Wanted::Fields(message.header_offset..message.body_offset),
        (SectionText::Header | SectionText::Text | SectionText::HeaderFields { .. }, None) => Wanted::Nothing,
    }
}

fn walk<'a>(root: &'a Part, path: &[u32]) -> Option<&'a Part> {
    let Some((first, rest)) = path.split_first() else {
        return Some(root);
    };
    rest.iter()
        .try_fold(part_of_message(root, *first)?, |part, number| match &part.body {
            PartBody::Multipart(children) => nth(children, *number),
            PartBody::Message(inner) => part_of_message(&inner.1, *number),
            PartBody::Leaf => None,
        })
}

/// A message that is not a multipart has exactly part 1: its body.
fn part_of_message(root: &Part, number: u32) -> Option<&Part> {
    match &root.body {
        PartBody::Multipart(children) => nth(children, number),
        PartBody::Leaf | PartBody::Message(_) => (number == 1).then_some(root),
    }
}

fn nth(children: &[Part], number: u32) -> Option<&Part> {
    children.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

/// The header fields with these names (or, with `not`, the others), and the empty line.
pub(crate) fn header_fields(header: &[u8], names: &[String], not: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields(header) {
        let named = names.iter().any(|name| field.is(name));
        if named != not && !field.name.is_empty() {
            out.extend_from_slice(&header[field.start..field.end]);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// `<origin.count>`: only these octets of the section.
pub(crate) fn partial(pieces: Vec<Piece>, origin: u64, count: u64) -> Vec<Piece> {
    let (mut skip, mut left) = (origin, count);
    let mut out = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let octets = piece.octets();
        let from = skip.min(octets);
        let take = left.min(octets - from);
        skip -= from;
        left -= take;
        if take == 0 {
            continue;
        }
        out.push(match piece {
            // Both lie within the piece, whose length is a usize.
            Piece::Inline(bytes) => Piece::Inline(bytes[from as usize..(from + take) as usize].to_vec()),
            Piece::Stored(span) => Piece::Stored(postroom_types::BlobSpan {
                offset: span.offset + from,
                octets: take,
                ..span
            }),
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_message::summarize;
    use postroom_types::{BlobId, BlobSpan};

    const MESSAGE: &str = "Subject: outer\r\nTo: a@b\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nplain\r\n--o\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\none\r\n--i\r\n\
        Content-Type: text/html\r\n\r\ntwo\r\n--i--\r\n--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: single\r\n\r\nbody\r\n--o--\r\n";

    fn section(part: &[u32], text: SectionText) -> Option<String> {
        let root = summarize(MESSAGE.as_bytes()).root;
        let slice = |range: Range<u64>| &MESSAGE[range.start as usize..range.end as usize];
        match find(
            &root,
            &Section {
                part: part.to_vec(),
                text: text.clone(),
                partial: None,
            },
        ) {
            Wanted::Nothing => None,
            Wanted::Octets(range) => Some(slice(range).to_owned()),
            Wanted::Fields(range) => {
                let SectionText::HeaderFields { names, not } = text else {
                    panic!("fields of {text:?}")
                };
                Some(String::from_utf8(header_fields(slice(range).as_bytes(), &names, not)).unwrap())
            }
        }
    }

    #[test]
    fn sections() {
        let fields = |not| SectionText::HeaderFields {
            names: vec!["SUBJECT".into()],
            not,
        };
        let cases: [(&[u32], SectionText, Option<&str>); 17] = [
            (&[], SectionText::All, Some(MESSAGE)),
            (&[1], SectionText::All, Some("plain")),
            (&[1], SectionText::Mime, Some("\r\n")),
            (&[1], SectionText::Header, None),
            (
                &[2],
                SectionText::Header,
                Some("Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"),
            ),
            (&[2], SectionText::Mime, Some("Content-Type: message/rfc822\r\n\r\n")),
            (&[2], fields(false), Some("Subject: inner\r\n\r\n")),
            (&[2, 1], SectionText::All, Some("one")),
            (&[2, 2], SectionText::All, Some("two")),
            (&[2, 3], SectionText::All, None),
            (&[3, 1], SectionText::All, Some("body")),
            (&[3], SectionText::Text, Some("body")),
            (&[3, 1, 1], SectionText::All, None),
            (&[4], SectionText::All, None),
            (&[0], SectionText::All, None),
            (&[], fields(false), Some("Subject: outer\r\n\r\n")),
            (
                &[],
                fields(true),
                Some("To: a@b\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"),
            ),
        ];
        for (part, text, expected) in cases {
            assert_eq!(section(part, text.clone()).as_deref(), expected, "{part:?} {text:?}");
        }
    }

    #[test]
    fn a_single_part_message_has_part_one() {
        let root = summarize(b"Subject: x\r\n\r\nbody").root;
        let all = |part: &[u32]| {
            find(
                &root,
                &Section {
                    part: part.to_vec(),
                    text: SectionText::All,
                    partial: None,
                },
            )
        };
        assert_eq!(all(&[1]), Wanted::Octets(14..18));
        assert_eq!(all(&[2]), Wanted::Nothing);
        assert_eq!(all(&[1, 1]), Wanted::Nothing);
    }

    #[test]
    fn partials_cut_across_pieces() {
        let stored = |offset, octets| {
            Piece::Stored(BlobSpan {
                id: BlobId([7; 16]),
                offset,
                octets,
            })
        };
        let pieces = || vec![Piece::Inline(b"abc".to_vec()), stored(10, 5)];
        assert_eq!(partial(pieces(), 1, 4), [Piece::Inline(b"bc".to_vec()), stored(10, 2)]);
        assert_eq!(partial(pieces(), 4, 100), [stored(11, 4)]);
        assert_eq!(partial(pieces(), 8, 1), []);
        assert_eq!(partial(pieces(), u64::MAX, u64::MAX), []);
    }
}
