//! Responses that `imap-codec` reads: random messages, told by FETCH.

use crate::outside::{Connection, fetched};
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use imap_codec::imap_types::body::{
    BasicFields, Body, BodyStructure, Disposition as TheirDisposition, Language, Location, SpecificFields,
};
use imap_codec::imap_types::core::{IString, NString, NString8};
use imap_codec::imap_types::envelope::{Address, Envelope as TheirEnvelope};
use imap_codec::imap_types::fetch::MessageDataItem;
use imap_codec::imap_types::flag::FlagFetch;
use imap_codec::imap_types::response::{Data, Response};
use postroom_imap_proto::SectionData;
use postroom_types::{
    AddressEntry, Disposition, Envelope, Flag, Flags, InternalDate, Keyword, MessageFlags, ModSeq, Part, PartBody,
    Piece, Summary,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::sync::Arc;

/// The items of the only FETCH among what was said.
fn read(said: &[u8]) -> Vec<MessageDataItem<'_>> {
    let mut rest = said;
    let mut items = Vec::new();
    while !rest.is_empty() {
        let (after, response) = ResponseCodec::default()
            .decode(rest)
            .unwrap_or_else(|error| panic!("{error:?}: {}", rest.escape_ascii()));
        rest = after;
        if let Response::Data(Data::Fetch { seq, items: found }) = response {
            assert_eq!((seq.get(), items.len()), (3, 0));
            items = found.into_inner();
        }
    }
    items
}

type Bytes = Vec<u8>;

/// Header values as hostile mail has them.
fn text() -> BoxedStrategy<Bytes> {
    prop_oneof![
        4 => "[ -~]{0,12}".prop_map(String::into_bytes),
        1 => "=\\?utf-8\\?q\\?[a-z=0-9]{1,9}\\?=".prop_map(String::into_bytes),
        1 => "\\PC{0,6}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..9),
    ]
    .boxed()
}

fn addresses() -> BoxedStrategy<Option<Vec<AddressEntry>>> {
    let entry =
        (of(text()), of(text()), of(text()), of(text())).prop_map(|(name, route, mailbox, host)| AddressEntry {
            name,
            route,
            mailbox,
            host,
        });
    of(vec(entry, 0..3)).boxed()
}

fn envelope() -> BoxedStrategy<Envelope> {
    let texts = (of(text()), of(text()), of(text()), of(text()));
    let lists = (
        addresses(),
        addresses(),
        addresses(),
        addresses(),
        addresses(),
        addresses(),
    );
    (texts, lists)
        .prop_map(|(texts, lists)| Envelope {
            date: texts.0,
            subject: texts.1,
            from: lists.0,
            sender: lists.1,
            reply_to: lists.2,
            to: lists.3,
            cc: lists.4,
            bcc: lists.5,
            in_reply_to: texts.2,
            message_id: texts.3,
        })
        .boxed()
}

fn params() -> BoxedStrategy<Vec<(Bytes, Bytes)>> {
    vec((text(), text()), 0..3).boxed()
}

/// All of a part but its type.
fn fields() -> BoxedStrategy<Part> {
    let disposition = of((text(), params()).prop_map(|(kind, params)| Disposition { kind, params }));
    let encoding = select(vec!["", "7bit", "BASE64", "x-own"]);
    let texts = (of(text()), of(text()), of(text()), of(text()));
    (
        params(),
        texts,
        encoding,
        disposition,
        vec(text(), 0..3),
        0..5_000_000_u64,
        0..9_000_u64,
    )
        .prop_map(|(params, texts, encoding, disposition, language, octets, lines)| Part {
            params,
            content_id: texts.0,
            description: texts.1,
            encoding: encoding.into(),
            md5: texts.2,
            disposition,
            language,
            location: texts.3,
            end_offset: octets,
            lines,
            ..Part::default()
        })
        .boxed()
}

fn part() -> BoxedStrategy<Part> {
    let types = select(vec![
        ("text", "plain"),
        ("text", "html"),
        ("image", "png"),
        ("x-\"odd\"", ""),
        ("message", "global"),
    ]);
    let leaf = (fields(), types).prop_map(|(fields, (media_type, subtype))| Part {
        media_type: media_type.into(),
        subtype: subtype.into(),
        ..fields
    });
    leaf.prop_recursive(3, 8, 3, |inner| {
        let multipart = (fields(), vec(inner.clone(), 1..4), text()).prop_map(|(fields, parts, subtype)| Part {
            media_type: b"multipart".to_vec(),
            subtype,
            body: PartBody::Multipart(parts),
            ..fields
        });
        let message = (fields(), envelope(), inner).prop_map(|(fields, envelope, root)| Part {
            media_type: b"message".to_vec(),
            subtype: b"rfc822".to_vec(),
            body: PartBody::Message(Box::new((envelope, root))),
            ..fields
        });
        prop_oneof![multipart, message]
    })
    .boxed()
}

/// What is told of a value: no CR, LF or NUL.
fn told(text: &[u8]) -> Bytes {
    text.iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n' | 0))
        .collect()
}

fn told_option(text: &Option<Bytes>) -> Option<Bytes> {
    text.as_deref().map(told)
}

fn told_params(params: &[(Bytes, Bytes)]) -> Vec<(Bytes, Bytes)> {
    params.iter().map(|(name, value)| (told(name), told(value))).collect()
}

/// What a client is to understand of an envelope (RFC 9051 §7.5.2).
fn told_envelope(envelope: &Envelope) -> Envelope {
    let list = |list: &Option<Vec<AddressEntry>>| {
        let entries = list.iter().flatten().map(|entry| AddressEntry {
            name: told_option(&entry.name),
            route: told_option(&entry.route),
            mailbox: told_option(&entry.mailbox),
            host: told_option(&entry.host),
        });
        Some(entries.collect::<Vec<_>>()).filter(|list| !list.is_empty())
    };
    let from = list(&envelope.from);
    Envelope {
        date: told_option(&envelope.date),
        subject: told_option(&envelope.subject),
        sender: list(&envelope.sender).or(from.clone()),
        reply_to: list(&envelope.reply_to).or(from.clone()),
        from,
        to: list(&envelope.to),
        cc: list(&envelope.cc),
        bcc: list(&envelope.bcc),
        in_reply_to: told_option(&envelope.in_reply_to),
        message_id: told_option(&envelope.message_id),
    }
}

/// What a client is to understand of a part, with extension data or without.
fn told_part(part: &Part, extended: bool) -> Part {
    let multipart = matches!(part.body, PartBody::Multipart(_));
    let has_lines = part.media_type == b"text" || matches!(part.body, PartBody::Message(_));
    Part {
        media_type: told(&part.media_type),
        subtype: told(&part.subtype),
        params: if extended || !multipart {
            told_params(&part.params)
        } else {
            Vec::new()
        },
        content_id: told_option(&part.content_id).filter(|_| !multipart),
        description: told_option(&part.description).filter(|_| !multipart),
        encoding: match part.encoding.as_slice() {
            _ if multipart => Vec::new(),
            b"" => b"7BIT".to_vec(),
            encoding => encoding.to_vec(),
        },
        md5: told_option(&part.md5).filter(|_| extended && !multipart),
        disposition: part
            .disposition
            .as_ref()
            .filter(|_| extended)
            .map(|disposition| Disposition {
                kind: told(&disposition.kind),
                params: told_params(&disposition.params),
            }),
        language: part.language.iter().filter(|_| extended).map(|tag| told(tag)).collect(),
        location: told_option(&part.location).filter(|_| extended),
        end_offset: if multipart { 0 } else { part.octets() },
        lines: if has_lines { part.lines } else { 0 },
        body: match &part.body {
            PartBody::Leaf => PartBody::Leaf,
            PartBody::Multipart(parts) => {
                PartBody::Multipart(parts.iter().map(|part| told_part(part, extended)).collect())
            }
            PartBody::Message(inner) => {
                PartBody::Message(Box::new((told_envelope(&inner.0), told_part(&inner.1, extended))))
            }
        },
        ..Part::default()
    }
}

fn bytes(text: &IString<'_>) -> Bytes {
    text.as_ref().to_vec()
}

fn option(text: &NString<'_>) -> Option<Bytes> {
    text.0.as_ref().map(bytes)
}

fn pairs(params: &[(IString<'_>, IString<'_>)]) -> Vec<(Bytes, Bytes)> {
    params.iter().map(|(name, value)| (bytes(name), bytes(value))).collect()
}

fn heard_envelope(envelope: &TheirEnvelope<'_>) -> Envelope {
    let list = |list: &[Address<'_>]| {
        let entries = list.iter().map(|address| AddressEntry {
            name: option(&address.name),
            route: option(&address.adl),
            mailbox: option(&address.mailbox),
            host: option(&address.host),
        });
        Some(entries.collect::<Vec<_>>()).filter(|list| !list.is_empty())
    };
    Envelope {
        date: option(&envelope.date),
        subject: option(&envelope.subject),
        from: list(&envelope.from),
        sender: list(&envelope.sender),
        reply_to: list(&envelope.reply_to),
        to: list(&envelope.to),
        cc: list(&envelope.cc),
        bcc: list(&envelope.bcc),
        in_reply_to: option(&envelope.in_reply_to),
        message_id: option(&envelope.message_id),
    }
}

/// Disposition, language, location.
fn heard_tail(part: &mut Part, tail: Option<&TheirDisposition<'_>>) {
    let Some(TheirDisposition { disposition, tail }) = tail else {
        return;
    };
    part.disposition = disposition.as_ref().map(|(kind, params)| Disposition {
        kind: bytes(kind),
        params: pairs(params),
    });
    let Some(Language { language, tail }) = tail else {
        return;
    };
    part.language = language.iter().map(bytes).collect();
    let Some(Location { location, extensions }) = tail else {
        return;
    };
    part.location = option(location);
    assert!(extensions.is_empty());
}

fn heard_part(structure: &BodyStructure<'_>) -> Part {
    match structure {
        BodyStructure::Multi {
            bodies,
            subtype,
            extension_data,
        } => {
            let mut part = Part {
                media_type: b"multipart".to_vec(),
                subtype: bytes(subtype),
                body: PartBody::Multipart(bodies.as_ref().iter().map(heard_part).collect()),
                ..Part::default()
            };
            if let Some(extension) = extension_data {
                part.params = pairs(&extension.parameter_list);
                heard_tail(&mut part, extension.tail.as_ref());
            }
            part
        }
        BodyStructure::Single {
            body: Body { basic, specific },
            extension_data,
        } => {
            let mut part = heard_fields(basic);
            match specific {
                SpecificFields::Basic { r#type, subtype } => {
                    (part.media_type, part.subtype) = (bytes(r#type), bytes(subtype));
                }
                SpecificFields::Text {
                    subtype,
                    number_of_lines,
                } => {
                    (part.media_type, part.subtype) = (b"text".to_vec(), bytes(subtype));
                    part.lines = (*number_of_lines).into();
                }
                SpecificFields::Message {
                    envelope,
                    body_structure,
                    number_of_lines,
                } => {
                    (part.media_type, part.subtype) = (b"message".to_vec(), b"rfc822".to_vec());
                    part.lines = (*number_of_lines).into();
                    let inner = (heard_envelope(envelope), heard_part(body_structure));
                    part.body = PartBody::Message(Box::new(inner));
                }
            }
            if let Some(extension) = extension_data {
                part.md5 = option(&extension.md5);
                heard_tail(&mut part, extension.tail.as_ref());
            }
            part
        }
    }
}

fn heard_fields(basic: &BasicFields<'_>) -> Part {
    Part {
        params: pairs(&basic.parameter_list),
        content_id: option(&basic.id),
        description: option(&basic.description),
        encoding: bytes(&basic.content_transfer_encoding),
        end_offset: basic.size.into(),
        ..Part::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn envelopes_and_structures(envelope in envelope(), part in part()) {
        let mut connection = Connection::selected();
        let mut message = fetched(6);
        message.summary = Some(Arc::new(Summary {
            envelope: envelope.clone(),
            root: part.clone(),
            ..Summary::default()
        }));
        connection.fetched.push(message);
        connection.send(b"a FETCH 3 (ENVELOPE BODY BODYSTRUCTURE UID)\r\n");
        let items = read(&connection.said);
        let [MessageDataItem::Envelope(e), MessageDataItem::Body(b), MessageDataItem::BodyStructure(s), MessageDataItem::Uid(uid)] =
            items.as_slice()
        else {
            return Err(TestCaseError::fail(format!("{items:?}")));
        };
        prop_assert_eq!(uid.get(), 6);
        prop_assert_eq!(heard_envelope(e), told_envelope(&envelope));
        prop_assert_eq!(heard_part(b), told_part(&part, false));
        prop_assert_eq!(heard_part(s), told_part(&part, true));
    }

    #[test]
    fn flags_dates_and_numbers(
        system in subsequence(Flag::ALL.to_vec(), 0..=5),
        keywords in subsequence(vec!["$Junk", "work", "NonJunk"], 0..=3),
        local in -62_135_596_800_i64..=253_402_300_799,
        zone in -64..=64_i8,
        size: u32,
        modseq in 1..=i64::MAX as u64,
    ) {
        let mut connection = Connection::selected();
        let mut message = fetched(6);
        let date = InternalDate::with_quarters(local - i64::from(zone) * 900, zone);
        message.flags = Some(MessageFlags {
            system: system.iter().copied().collect::<Flags>(),
            keywords: keywords.iter().filter_map(|word| Keyword::new(word)).collect(),
        });
        (message.internal_date, message.size_octets, message.modseq) = (date, size.into(), ModSeq(modseq));
        connection.fetched.push(message);
        connection.send(b"a FETCH 3 (FLAGS INTERNALDATE RFC822.SIZE MODSEQ)\r\n");
        let items = read(&connection.said);
        let [MessageDataItem::Flags(flags), MessageDataItem::InternalDate(d), MessageDataItem::Rfc822Size(s), MessageDataItem::ModSeq(m)] =
            items.as_slice()
        else {
            return Err(TestCaseError::fail(format!("{items:?}")));
        };
        let shown: Vec<String> = flags.iter().map(|flag| match flag {
            FlagFetch::Flag(flag) => flag.to_string(),
            FlagFetch::Recent => "\\Recent".to_owned(),
        }).collect();
        let meant: Vec<&str> = system.iter().map(|flag| flag.name()).chain(keywords.iter().copied()).collect();
        prop_assert_eq!(shown, meant);
        prop_assert_eq!(d.as_ref().timestamp(), date.seconds);
        prop_assert_eq!(d.as_ref().offset().local_minus_utc(), date.zone_minutes() * 60);
        prop_assert_eq!((*s, m.get()), (size, modseq));
    }

    #[test]
    fn sections(body in vec(1_u8.., 0..80), decoded in vec(any::<u8>(), 0..80), size: u32, origin: u32) {
        let mut connection = Connection::selected();
        let mut message = fetched(6);
        message.sections = vec![
            SectionData::Octets(vec![Piece::Inline(body.clone().into()), Piece::Inline(Vec::new().into())]),
            SectionData::Nothing,
            SectionData::Decoded(decoded.clone().into()),
            SectionData::Size(size.into()),
        ];
        connection.fetched.push(message);
        let command = format!("a FETCH 3 (BODY.PEEK[1.MIME]<{origin}.9> BODY.PEEK[HEADER.FIELDS (a \"(b)\")] BINARY.PEEK[2] BINARY.SIZE[2])\r\n");
        connection.send(command.as_bytes());
        let items = read(&connection.said);
        let [
            MessageDataItem::BodyExt { data: first, origin: from, .. },
            MessageDataItem::BodyExt { data: second, origin: None, .. },
            MessageDataItem::Binary { value, .. },
            MessageDataItem::BinarySize { size: octets, .. },
        ] = items.as_slice() else {
            return Err(TestCaseError::fail(format!("{items:?}")));
        };
        prop_assert_eq!(option(first), Some(body));
        prop_assert_eq!((*from, option(second), *octets), (Some(origin), None, size));
        match value {
            NString8::NString(text) => prop_assert_eq!(option(text), Some(decoded)),
            NString8::Literal8(text) => {
                prop_assert!(text.data.contains(&0));
                prop_assert_eq!(text.data.to_vec(), decoded);
            }
        }
    }
}
