//! FETCH responses (RFC 3501 §7.4.2, RFC 9051 §7.5.2), straight into the output buffer: this is what a mailbox of
//! 100,000 messages is listed with.

use super::body_structure::write_structure;
use super::envelope::write_envelope;
use super::flags::write_flags;
use super::number::write_number;
use super::object_id::{write_email_id, write_thread_id};
use super::string::write_text;
use crate::grammar::date::write_date_time;
use crate::grammar::fetch_items::Item;
use crate::output::Output;
use crate::question::{Fetched, SectionData, Summarized};
use crate::session::Enabled;
use crate::view::View;
use postroom_types::{Envelope, InternalDate, MessageFlags, ModSeq, Part, Piece, SeqNum, Uid, pieces_octets};

/// What could not be told of a message: the command has to end with NO.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lacking {
    /// A transfer encoding is not known (RFC 3516 §4.3).
    pub(crate) unknown_cte: bool,
    /// What is kept of the message cannot be read.
    pub(crate) unreadable: bool,
}

/// Writes what was asked of one message, in the order it was asked. A message the client was not told of is left out.
pub(crate) fn write_fetched(
    out: &mut Output,
    view: &View,
    items: &[Item],
    enabled: Enabled,
    mut fetched: Fetched,
) -> Lacking {
    let mut lacking = Lacking::default();
    let Some(seq) = view.seq_of(fetched.uid) else {
        return lacking;
    };
    begin(out.buffer(), seq);
    let mut separator = b'(';
    for item in items {
        match item {
            Item::Section { index, .. } if has(&fetched, *index, &SectionData::UnknownEncoding) => {
                lacking.unknown_cte = true;
                continue;
            }
            // An empty body would be taken for the message's.
            Item::Section { index, .. } if has(&fetched, *index, &SectionData::Unreadable) => {
                lacking.unreadable = true;
                continue;
            }
            _ => {}
        }
        out.buffer().push(separator);
        separator = b' ';
        lacking.unreadable |= !write_item(out, view, item, enabled, &mut fetched);
    }
    let buffer = out.buffer();
    if let Some(flags) = fetched.flags.as_ref().filter(|_| fetched.flags_changed) {
        // RFC 3501 §6.4.5: when \Seen is set by this command, the flags are part of the response; RFC 7162 §3.1: and the
        // modseq, if the client asked for such.
        if !items.contains(&Item::Flags) {
            buffer.push(separator);
            separator = b' ';
            write_own_flags(buffer, view, enabled, fetched.uid, flags);
        }
        if enabled.condstore && !items.contains(&Item::ModSeq) {
            buffer.push(separator);
            separator = b' ';
            write_modseq(buffer, fetched.modseq);
        }
        // RFC 7162 §3.2.4: and the UID.
        if enabled.condstore && !items.contains(&Item::Uid) {
            buffer.extend_from_slice(b" UID ");
            write_number(buffer, fetched.uid.get().into());
        }
    }
    if separator == b'(' {
        // Nothing could be told: a response has at least one item.
        buffer.extend_from_slice(b"(UID ");
        write_number(buffer, fetched.uid.get().into());
    }
    out.line(")");
    lacking
}

/// `* n FETCH `.
fn begin(buffer: &mut Vec<u8>, seq: SeqNum) {
    buffer.extend_from_slice(b"* ");
    write_number(buffer, seq.get().into());
    buffer.extend_from_slice(b" FETCH ");
}

fn has(fetched: &Fetched, index: usize, data: &SectionData) -> bool {
    fetched.sections.get(index) == Some(data)
}

/// `false`: it cannot be read, and is told as empty.
fn write_item(out: &mut Output, view: &View, item: &Item, enabled: Enabled, fetched: &mut Fetched) -> bool {
    let utf8 = enabled.utf8_names();
    let summary = fetched.summary.as_deref();
    let buffer = out.buffer();
    match item {
        Item::Uid => {
            buffer.extend_from_slice(b"UID ");
            write_number(buffer, fetched.uid.get().into());
        }
        Item::Flags => match &fetched.flags {
            Some(flags) => write_own_flags(buffer, view, enabled, fetched.uid, flags),
            None => write_own_flags(buffer, view, enabled, fetched.uid, &MessageFlags::default()),
        },
        Item::InternalDate => {
            buffer.extend_from_slice(b"INTERNALDATE ");
            write_date_time(buffer, fetched.internal_date);
        }
        Item::Size => {
            buffer.extend_from_slice(b"RFC822.SIZE ");
            write_number(buffer, fetched.size_octets);
        }
        Item::ModSeq => write_modseq(buffer, fetched.modseq),
        Item::Envelope => {
            buffer.extend_from_slice(b"ENVELOPE ");
            let envelope = summary.and_then(Summarized::envelope);
            write_envelope(buffer, envelope.as_ref().unwrap_or(&Envelope::default()), utf8);
            return summary.is_none() || envelope.is_some();
        }
        Item::Body => {
            buffer.extend_from_slice(b"BODY ");
            let root = summary.and_then(Summarized::root);
            write_structure(buffer, root.as_ref().unwrap_or(&Part::default()), false, enabled);
            return summary.is_none() || root.is_some();
        }
        Item::BodyStructure => {
            buffer.extend_from_slice(b"BODYSTRUCTURE ");
            let root = summary.and_then(Summarized::root);
            write_structure(buffer, root.as_ref().unwrap_or(&Part::default()), true, enabled);
            return summary.is_none() || root.is_some();
        }
        Item::EmailId => {
            buffer.extend_from_slice(b"EMAILID ");
            write_email_id(buffer, fetched.email_id);
        }
        Item::ThreadId => {
            buffer.extend_from_slice(b"THREADID ");
            write_thread_id(buffer, fetched.thread_id);
        }
        Item::SaveDate => {
            buffer.extend_from_slice(b"SAVEDATE ");
            match fetched.save_date {
                Some(seconds) => write_date_time(buffer, InternalDate::utc(seconds)),
                None => buffer.extend_from_slice(b"NIL"),
            }
        }
        Item::Preview { lazy } => write_preview(buffer, fetched.preview.as_deref(), *lazy, utf8),
        Item::Section { label, index } => {
            buffer.extend_from_slice(label.as_bytes());
            let data = fetched.sections.get_mut(*index);
            let data = data.map_or(SectionData::Nothing, |data| {
                std::mem::replace(data, SectionData::Nothing)
            });
            write_section(out, label, data);
        }
    }
    true
}

fn write_own_flags(buffer: &mut Vec<u8>, view: &View, enabled: Enabled, uid: Uid, flags: &MessageFlags) {
    buffer.extend_from_slice(b"FLAGS ");
    // RFC 9051 §2.3.2: IMAP4rev2 has no \Recent.
    write_flags(buffer, flags, !enabled.rev2 && view.is_recent(uid));
}

/// RFC 7162 §3.1.4.2.
fn write_modseq(buffer: &mut Vec<u8>, modseq: ModSeq) {
    buffer.extend_from_slice(b"MODSEQ (");
    write_number(buffer, modseq.0);
    buffer.push(b')');
}

/// RFC 8970 §3.2: at most 256 characters; NIL, not known yet, only for who asked lazily.
fn write_preview(buffer: &mut Vec<u8>, preview: Option<&str>, lazy: bool, utf8: bool) {
    buffer.extend_from_slice(b"PREVIEW ");
    match preview {
        None if lazy => buffer.extend_from_slice(b"NIL"),
        preview => {
            let preview = preview.unwrap_or_default();
            let end = preview.char_indices().nth(256).map_or(preview.len(), |(at, _)| at);
            write_text(buffer, &preview.as_bytes()[..end], utf8);
        }
    }
}

fn write_section(out: &mut Output, label: &str, data: SectionData) {
    let buffer = out.buffer();
    buffer.push(b' ');
    match data {
        SectionData::Octets(pieces) => {
            literal(buffer, pieces_octets(&pieces));
            pieces.into_iter().for_each(|piece| out.piece(piece));
        }
        SectionData::Decoded(octets) => {
            // RFC 3516 §4.3: a literal8 only if there is a NUL, which the client need not look for then.
            if memchr::memchr(0, &octets).is_some() {
                buffer.push(b'~');
            }
            literal(buffer, octets.len() as u64);
            out.piece(Piece::Inline(octets));
        }
        SectionData::Size(octets) => write_number(buffer, octets),
        // A size is a number in any case (RFC 3516 §7); where there is nothing, it is zero.
        SectionData::Nothing | SectionData::UnknownEncoding | SectionData::Unreadable => {
            buffer.extend_from_slice(if label.starts_with("BINARY.SIZE") { b"0" } else { b"NIL" });
        }
    }
}

fn literal(buffer: &mut Vec<u8>, octets: u64) {
    buffer.push(b'{');
    write_number(buffer, octets);
    buffer.extend_from_slice(b"}\r\n");
}

/// `* n FETCH (UID … MODSEQ …)`: flags were changed, and the client knows how (RFC 7162 §3.1.3).
pub(crate) fn write_modseq_only(out: &mut Output, seq: SeqNum, uid: Uid, modseq: ModSeq) {
    let buffer = out.buffer();
    begin(buffer, seq);
    buffer.extend_from_slice(b"(UID ");
    write_number(buffer, uid.get().into());
    buffer.push(b' ');
    write_modseq(buffer, modseq);
    out.line(")");
}

/// `* n FETCH (FLAGS …)`, with the UID and the modseq if they are given.
pub(crate) fn write_flags_only(
    out: &mut Output,
    seq: SeqNum,
    uid: Option<Uid>,
    flags: &MessageFlags,
    recent: bool,
    modseq: Option<ModSeq>,
) {
    let buffer = out.buffer();
    begin(buffer, seq);
    buffer.push(b'(');
    if let Some(uid) = uid {
        buffer.extend_from_slice(b"UID ");
        write_number(buffer, uid.get().into());
        buffer.push(b' ');
    }
    if let Some(modseq) = modseq {
        write_modseq(buffer, modseq);
        buffer.push(b' ');
    }
    buffer.extend_from_slice(b"FLAGS ");
    write_flags(buffer, flags, recent);
    out.line(")");
}
