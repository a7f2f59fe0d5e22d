//! A summary as bytes. Part trees are as deep as `message` makes them; deeper ones are corrupt.

use crate::codec::{Corrupt, Reader, Writer};
use postroom_message::references_of_ancestors;
use postroom_types::{AddressEntry, Disposition, Envelope, Part, PartBody, Summary};

/// Deepest part tree that is read: above what `postroom_message::summarize` produces.
const MAX_DEPTH: usize = 128;

/// The second version of a summary has the references, and the source routes of addresses.
const VERSION: u8 = 2;

pub(crate) fn write_summary(summary: &Summary) -> Vec<u8> {
    let mut writer = Writer::version(VERSION, 1024);
    write_envelope(&mut writer, &summary.envelope);
    write_part(&mut writer, &summary.root, 0);
    writer.bytes(summary.subject_text.as_bytes());
    writer.bytes(summary.preview.as_bytes());
    writer.varint(summary.ancestors.len() as u64);
    for ancestor in &summary.ancestors {
        writer.bytes(ancestor.as_bytes());
    }
    writer.maybe_bytes(summary.message_id.as_deref().map(str::as_bytes));
    match summary.sent_at {
        None => writer.u8(0),
        Some(seconds) => {
            writer.u8(1);
            writer.i64(seconds);
        }
    }
    write_references(&mut writer, summary);
    writer.finish()
}

pub(crate) fn read_summary(value: &[u8]) -> Result<Summary, Corrupt> {
    let (version, mut reader) = Reader::versions(value, "summary", VERSION)?;
    let envelope = read_envelope(&mut reader, version)?;
    let root = read_part(&mut reader, version, 0, 0)?;
    let subject_text = reader.text()?.to_owned();
    let preview = reader.text()?.to_owned();
    let count = reader.count()?;
    let mut ancestors = Vec::with_capacity(count);
    for _ in 0..count {
        ancestors.push(reader.text()?.to_owned());
    }
    let message_id = match reader.maybe_bytes()? {
        None => None,
        Some(bytes) => Some(std::str::from_utf8(bytes).map_err(|_| reader.corrupt())?.to_owned()),
    };
    let sent_at = match reader.u8()? {
        0 => None,
        _ => Some(reader.i64()?),
    };
    let references = if version < VERSION {
        references_of_ancestors(&ancestors, envelope.in_reply_to.as_deref())
    } else {
        read_references(&mut reader, &ancestors)?
    };
    reader.end()?;
    Ok(Summary {
        envelope,
        root,
        subject_text,
        preview,
        ancestors,
        references,
        message_id,
        sent_at,
    })
}

/// The envelope alone: what most clients list, and the first thing in a summary.
pub(crate) fn read_envelope_of(value: &[u8]) -> Result<Envelope, Corrupt> {
    let (version, mut reader) = Reader::versions(value, "summary", VERSION)?;
    read_envelope(&mut reader, version)
}

/// The tree of parts alone.
pub(crate) fn read_root_of(value: &[u8]) -> Result<Part, Corrupt> {
    let (version, mut reader) = Reader::versions(value, "summary", VERSION)?;
    read_envelope(&mut reader, version)?;
    read_part(&mut reader, version, 0, 0)
}

/// A reference is mostly an ancestor: then its place there plus one, else 0 and the text.
fn write_references(writer: &mut Writer, summary: &Summary) {
    writer.varint(summary.references.len() as u64);
    for reference in &summary.references {
        match summary.ancestors.iter().position(|ancestor| ancestor == reference) {
            Some(place) => writer.varint(place as u64 + 1),
            None => {
                writer.varint(0);
                writer.bytes(reference.as_bytes());
            }
        }
    }
}

fn read_references(reader: &mut Reader<'_>, ancestors: &[String]) -> Result<Vec<String>, Corrupt> {
    let count = reader.count()?;
    let mut references = Vec::with_capacity(count);
    for _ in 0..count {
        let reference = match usize::try_from(reader.varint()?)
            .map_err(|_| reader.corrupt())?
            .checked_sub(1)
        {
            Some(place) => ancestors.get(place).ok_or(reader.corrupt())?.clone(),
            None => reader.text()?.to_owned(),
        };
        references.push(reference);
    }
    Ok(references)
}

fn write_envelope(writer: &mut Writer, envelope: &Envelope) {
    for text in [
        &envelope.date,
        &envelope.subject,
        &envelope.in_reply_to,
        &envelope.message_id,
    ] {
        writer.maybe_bytes(text.as_deref());
    }
    for list in [
        &envelope.from,
        &envelope.sender,
        &envelope.reply_to,
        &envelope.to,
        &envelope.cc,
        &envelope.bcc,
    ] {
        match list {
            None => writer.varint(0),
            Some(entries) => {
                writer.varint(entries.len() as u64 + 1);
                for entry in entries {
                    writer.maybe_bytes(entry.name.as_deref());
                    writer.maybe_bytes(entry.route.as_deref());
                    writer.maybe_bytes(entry.mailbox.as_deref());
                    writer.maybe_bytes(entry.host.as_deref());
                }
            }
        }
    }
}

fn maybe_vec(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, Corrupt> {
    Ok(reader.maybe_bytes()?.map(<[u8]>::to_vec))
}

fn read_envelope(reader: &mut Reader<'_>, version: u8) -> Result<Envelope, Corrupt> {
    let [date, subject, in_reply_to, message_id] = [
        maybe_vec(reader)?,
        maybe_vec(reader)?,
        maybe_vec(reader)?,
        maybe_vec(reader)?,
    ];
    Ok(Envelope {
        date,
        subject,
        in_reply_to,
        message_id,
        from: read_addresses(reader, version)?,
        sender: read_addresses(reader, version)?,
        reply_to: read_addresses(reader, version)?,
        to: read_addresses(reader, version)?,
        cc: read_addresses(reader, version)?,
        bcc: read_addresses(reader, version)?,
    })
}

fn read_addresses(reader: &mut Reader<'_>, version: u8) -> Result<Option<Vec<AddressEntry>>, Corrupt> {
    let Some(count) = reader.count()?.checked_sub(1) else {
        return Ok(None);
    };
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        entries.push(AddressEntry {
            name: maybe_vec(reader)?,
            route: if version < VERSION { None } else { maybe_vec(reader)? },
            mailbox: maybe_vec(reader)?,
            host: maybe_vec(reader)?,
        });
    }
    Ok(Some(entries))
}

fn write_params(writer: &mut Writer, params: &[(Vec<u8>, Vec<u8>)]) {
    writer.varint(params.len() as u64);
    for (name, value) in params {
        writer.bytes(name);
        writer.bytes(value);
    }
}

type Params = Vec<(Vec<u8>, Vec<u8>)>;

fn read_params(reader: &mut Reader<'_>) -> Result<Params, Corrupt> {
    let count = reader.count()?;
    let mut params = Vec::with_capacity(count);
    for _ in 0..count {
        params.push((reader.bytes()?.to_vec(), reader.bytes()?.to_vec()));
    }
    Ok(params)
}

/// Offsets are written as distances from the parent's, which are small.
fn write_part(writer: &mut Writer, part: &Part, base: u64) {
    writer.bytes(&part.media_type);
    writer.bytes(&part.subtype);
    write_params(writer, &part.params);
    writer.bytes(&part.encoding);
    for text in [&part.content_id, &part.description, &part.md5, &part.location] {
        writer.maybe_bytes(text.as_deref());
    }
    match &part.disposition {
        None => writer.u8(0),
        Some(disposition) => {
            writer.u8(1);
            writer.bytes(&disposition.kind);
            write_params(writer, &disposition.params);
        }
    }
    writer.varint(part.language.len() as u64);
    for tag in &part.language {
        writer.bytes(tag);
    }
    writer.varint(part.header_offset.saturating_sub(base));
    writer.varint(part.body_offset.saturating_sub(part.header_offset));
    writer.varint(part.octets());
    writer.varint(part.lines);
    writer.varint(part.decoded_octets);
    match &part.body {
        PartBody::Leaf => writer.u8(0),
        PartBody::Multipart(parts) => {
            writer.u8(1);
            writer.varint(parts.len() as u64);
            for inner in parts {
                write_part(writer, inner, part.header_offset);
            }
        }
        PartBody::Message(inner) => {
            writer.u8(2);
            write_envelope(writer, &inner.0);
            write_part(writer, &inner.1, part.header_offset);
        }
    }
}

fn read_part(reader: &mut Reader<'_>, version: u8, base: u64, depth: usize) -> Result<Part, Corrupt> {
    if depth > MAX_DEPTH {
        return Err(reader.corrupt());
    }
    let mut part = Part {
        media_type: reader.bytes()?.to_vec(),
        subtype: reader.bytes()?.to_vec(),
        params: read_params(reader)?,
        encoding: reader.bytes()?.to_vec(),
        content_id: maybe_vec(reader)?,
        description: maybe_vec(reader)?,
        md5: maybe_vec(reader)?,
        location: maybe_vec(reader)?,
        ..Part::default()
    };
    if reader.u8()? != 0 {
        part.disposition = Some(Disposition {
            kind: reader.bytes()?.to_vec(),
            params: read_params(reader)?,
        });
    }
    let languages = reader.count()?;
    for _ in 0..languages {
        part.language.push(reader.bytes()?.to_vec());
    }
    let mut offset = base;
    let mut next = |reader: &mut Reader<'_>| {
        offset = offset.checked_add(reader.varint()?).ok_or(reader.corrupt())?;
        Ok(offset)
    };
    part.header_offset = next(reader)?;
    part.body_offset = next(reader)?;
    part.end_offset = next(reader)?;
    part.lines = reader.varint()?;
    part.decoded_octets = reader.varint()?;
    part.body = match reader.u8()? {
        0 => PartBody::Leaf,
        1 => {
            let count = reader.count()?;
            let mut parts = Vec::with_capacity(count.min(64));
            for _ in 0..count {
                parts.push(read_part(reader, version, part.header_offset, depth + 1)?);
            }
            PartBody::Multipart(parts)
        }
        2 => {
            let envelope = read_envelope(reader, version)?;
            let root = read_part(reader, version, part.header_offset, depth + 1)?;
            PartBody::Message(Box::new((envelope, root)))
        }
        _ => return Err(reader.corrupt()),
    };
    Ok(part)
}
