//! What a header section says of its part and of its message: the fields of BODYSTRUCTURE and ENVELOPE (RFC 9051
//! §7.5.2), read leniently.

use crate::address_list::parse_address_list;
use crate::header::{Field, fields, unfold};
use crate::lexer::{Token, tokens};
use crate::mime_value::MimeValue;
use postroom_types::{Disposition, Envelope, Part};

/// Longest raw value kept of a field.
const MAX_VALUE_OCTETS: usize = 16 << 10;

/// What a part is without a Content-Type of its own (RFC 2045 §5.2, RFC 2046 §5.1.5).
#[derive(Clone, Copy, Default)]
pub(crate) enum DefaultType {
    #[default]
    Text,
    Message,
}

/// What a header section says of its part and, for messages, its envelope. Of repeated fields the first counts.
pub(crate) fn describe(header: &[u8], default_type: DefaultType) -> (Part, Envelope) {
    let mut part = Part::default();
    let mut envelope = Envelope::default();
    let mut content_type = None;
    for field in fields(header) {
        if field.name.len() > 8 && field.name[..8].eq_ignore_ascii_case(b"content-") {
            match content_type {
                None if field.is("Content-Type") => content_type = Some(MimeValue::parse(bounded(field.value))),
                _ => describe_content(&mut part, &field),
            }
        } else {
            describe_envelope(&mut envelope, &field);
        }
    }
    let parsed = content_type.and_then(|value| {
        let slash = value.value.iter().position(|byte| *byte == b'/')?;
        let (media_type, subtype) = (value.value[..slash].to_vec(), value.value[slash + 1..].to_vec());
        (!media_type.is_empty() && !subtype.is_empty()).then_some((media_type, subtype, value.params))
    });
    (part.media_type, part.subtype, part.params) = parsed.unwrap_or_else(|| match default_type {
        DefaultType::Text => (
            b"text".into(),
            b"plain".into(),
            vec![(b"charset".into(), b"us-ascii".into())],
        ),
        DefaultType::Message => (b"message".into(), b"rfc822".into(), Vec::new()),
    });
    (part, envelope)
}

fn describe_content(part: &mut Part, field: &Field<'_>) {
    let text = |slot: &mut Option<Vec<u8>>| {
        slot.get_or_insert_with(|| raw(field.value));
    };
    if field.is("Content-Transfer-Encoding") && part.encoding.is_empty() {
        part.encoding = MimeValue::parse(bounded(field.value)).value;
    } else if field.is("Content-ID") {
        text(&mut part.content_id);
    } else if field.is("Content-Description") {
        text(&mut part.description);
    } else if field.is("Content-MD5") {
        text(&mut part.md5);
    } else if field.is("Content-Location") {
        text(&mut part.location);
    } else if field.is("Content-Language") && part.language.is_empty() {
        let tags = tokens(bounded(field.value), b",").filter_map(|token| match token {
            Token::Atom(tag) => Some(tag),
            _ => None,
        });
        part.language = tags.take(32).collect();
    } else if field.is("Content-Disposition") && part.disposition.is_none() {
        let MimeValue { value, params } = MimeValue::parse(bounded(field.value));
        part.disposition = (!value.is_empty()).then_some(Disposition { kind: value, params });
    }
}

fn describe_envelope(envelope: &mut Envelope, field: &Field<'_>) {
    let texts = [
        ("Date", &mut envelope.date),
        ("Subject", &mut envelope.subject),
        ("In-Reply-To", &mut envelope.in_reply_to),
        ("Message-ID", &mut envelope.message_id),
    ];
    for (name, slot) in texts {
        if field.is(name) {
            slot.get_or_insert_with(|| raw(field.value));
            return;
        }
    }
    let lists = [
        ("From", &mut envelope.from),
        ("Sender", &mut envelope.sender),
        ("Reply-To", &mut envelope.reply_to),
        ("To", &mut envelope.to),
        ("Cc", &mut envelope.cc),
        ("Bcc", &mut envelope.bcc),
    ];
    for (name, slot) in lists {
        if field.is(name) {
            // Several fields of a name are against RFC 5322 §3.6 but common; together they are the list meant.
            slot.get_or_insert_default().extend(parse_address_list(field.value));
            slot.as_mut().expect("inserted just above").truncate(MAX_LIST);
            return;
        }
    }
}

/// Most addresses kept of one kind.
const MAX_LIST: usize = 2_000;

fn bounded(value: &[u8]) -> &[u8] {
    &value[..value.len().min(MAX_VALUE_OCTETS)]
}

fn raw(value: &[u8]) -> Vec<u8> {
    unfold(bounded(value)).into_owned()
}
