//! Which bytes a section of a message is (RFC 3501 §6.4.5, RFC 9051 §6.4.5.1).

use crate::transfer::Encoding;
use bytes::Bytes;
use postroom_imap_proto::{Fault, Section, SectionText};
use postroom_message::fields;
use postroom_types::{Part, PartBody, Piece};
use std::collections::HashSet;
use std::ops::Range;

/// Headers up to this size are read for their fields without room being held for them.
pub(crate) const HEADER_OCTETS: u64 = 256 << 10;

/// What has to be read for a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// These octets of the message.
    Octets(Range<u64>),
    /// Some fields of the header at these octets.
    Fields(Range<u64>),
    /// What these octets are without their transfer encoding.
    Decoded(Range<u64>, Encoding),
    /// There is no such part: NIL.
    Nothing,
}

/// Whether a section is the whole message as it stands, so that nothing has to be known of its structure.
pub(crate) fn is_whole(section: &Section) -> bool {
    section.part.is_empty() && section.text == SectionText::All
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
    match (&section.text, message) {
        (SectionText::All, _) if is_whole(section) => Wanted::Octets(0..part.end_offset),
        (SectionText::All, _) if section.is_decoded() => {
            Wanted::Decoded(part.body_offset..part.end_offset, Encoding::of(part))
        }
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

/// The header fields with these names (or, with `not`, the others), and the empty line. Of a large header they are chosen
/// where that holds nobody up.
///
/// # Errors
/// [`Fault::Internal`]: the server is stopping.
pub(crate) async fn choose_fields(header: Bytes, names: &[String], not: bool) -> Result<Bytes, Fault> {
    if header.len() as u64 <= HEADER_OCTETS {
        return Ok(header_fields(&header, names, not).into());
    }
    let names = names.to_vec();
    let chosen = tokio::task::spawn_blocking(move || header_fields(&header, &names, not)).await;
    Ok(chosen.map_err(|_| Fault::Internal)?.into())
}

fn header_fields(header: &[u8], names: &[String], not: bool) -> Vec<u8> {
    const EMPTY_LINE: &[u8] = b"\r\n";
    let names: HashSet<Vec<u8>> = names
        .iter()
        .map(|name| name.to_ascii_lowercase().into_bytes())
        .collect();
    let mut name = Vec::new();
    let mut out = Vec::with_capacity(header.len() + EMPTY_LINE.len());
    for field in fields(header) {
        name.clear();
        name.extend(field.name.iter().map(u8::to_ascii_lowercase));
        if names.contains(&name) != not && !name.is_empty() {
            out.extend_from_slice(&header[field.start..field.end]);
        }
    }
    out.extend_from_slice(EMPTY_LINE);
    // It is held until it was sent.
    out.shrink_to_fit();
    out
}

/// `<origin.count>`: only these octets of the section, as many as there are.
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
            Piece::Inline(bytes) => Piece::Inline(bytes.slice(from as usize..(from + take) as usize)),
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
    use postroom_imap_proto::SectionForm;
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
                form: SectionForm::Body,
                partial: None,
            },
        ) {
            Wanted::Nothing => None,
            Wanted::Octets(range) => Some(slice(range).to_owned()),
            Wanted::Decoded(..) => panic!("BODY is never decoded"),
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

    /// What a FETCH asks for must not multiply with what somebody has sent.
    #[test]
    fn many_names_cost_no_more_than_their_number() {
        let names: Vec<String> = (0..5_000).map(|name| format!("X-Absent-{name}")).collect();
        let header = "x-present: 1\r\n".repeat(300_000);
        let begun = std::time::Instant::now();
        assert_eq!(header_fields(header.as_bytes(), &names, false), b"\r\n");
        let all = header_fields(header.as_bytes(), &names, true);
        assert_eq!(all, format!("{header}\r\n").as_bytes());
        assert!(all.capacity() < all.len() + 100, "nothing is held in vain");
        // It was minutes when each field was compared with each name.
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(15),
            "{:?}",
            begun.elapsed()
        );
        let named = [names.as_slice(), &["X-PRESENT".to_owned()]].concat();
        assert_eq!(
            header_fields(b"x-Present: 1\r\nA: b\r\n\r\n", &named, false),
            b"x-Present: 1\r\n\r\n"
        );
    }

    #[test]
    fn only_bodies_of_parts_are_decoded() {
        let message = "Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=";
        let root = summarize(message.as_bytes()).root;
        let check = |part: &[u32], text: SectionText, decoded: bool| {
            let of = |form| {
                let (part, text) = (part.to_vec(), text.clone());
                find(
                    &root,
                    &Section {
                        part,
                        text,
                        form,
                        partial: None,
                    },
                )
            };
            let as_body = of(SectionForm::Body);
            for form in [SectionForm::Binary, SectionForm::BinarySize] {
                match (of(form), &as_body) {
                    (Wanted::Decoded(range, encoding), Wanted::Octets(octets)) if decoded => {
                        assert_eq!((&range, encoding), (octets, Encoding::Base64));
                    }
                    (other, _) => assert_eq!((&other, decoded), (&as_body, false), "{part:?} {text:?}"),
                }
            }
        };
        check(&[1], SectionText::All, true);
        check(&[2], SectionText::All, false);
        check(&[], SectionText::All, false);
        check(&[], SectionText::Text, false);
        check(&[], SectionText::Header, false);
        check(&[1], SectionText::Mime, false);
        check(&[1], SectionText::Text, false);
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
                    form: SectionForm::Body,
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
        let pieces = || vec![Piece::Inline(Bytes::from_static(b"abc")), stored(10, 5)];
        assert_eq!(
            partial(pieces(), 1, 4),
            [Piece::Inline(Bytes::from_static(b"bc")), stored(10, 2)]
        );
        assert_eq!(partial(pieces(), 4, 100), [stored(11, 4)]);
        assert_eq!(partial(pieces(), 8, 1), []);
        assert_eq!(partial(pieces(), u64::MAX, u64::MAX), []);
    }
}
