//! FETCH responses (RFC 3501 §7.4.2).

use super::body_structure::write_structure;
use super::envelope::write_envelope;
use super::flags::write_flags;
use crate::grammar::date::write_date_time;
use crate::grammar::fetch_items::Item;
use crate::output::Output;
use crate::question::Fetched;
use crate::view::View;
use postroom_types::{MessageFlags, SeqNum, Uid, pieces_octets};

/// Writes what was asked of one message, in the order it was asked. A message the client was not told of is left out.
pub(crate) fn write_fetched(out: &mut Output, view: &View, items: &[Item], mut fetched: Fetched) {
    let Some(seq) = view.seq_of(fetched.uid) else { return };
    out.buffer().extend_from_slice(format!("* {seq} FETCH (").as_bytes());
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.buffer().push(b' ');
        }
        write_item(out, view, item, &mut fetched);
    }
    if let Some(flags) = fetched
        .flags
        .as_ref()
        .filter(|_| fetched.flags_changed && !items.contains(&Item::Flags))
    {
        // RFC 3501 §6.4.5: when \Seen is set by this command, the flags are part of the response.
        out.buffer().extend_from_slice(b" FLAGS ");
        write_flags(out.buffer(), flags, view.is_recent(fetched.uid));
    }
    out.line(")");
}

fn write_item(out: &mut Output, view: &View, item: &Item, fetched: &mut Fetched) {
    let buffer = out.buffer();
    match item {
        Item::Uid => buffer.extend_from_slice(format!("UID {}", fetched.uid).as_bytes()),
        Item::Flags => {
            buffer.extend_from_slice(b"FLAGS ");
            write_flags(
                buffer,
                fetched.flags.as_ref().unwrap_or(&MessageFlags::default()),
                view.is_recent(fetched.uid),
            );
        }
        Item::InternalDate => {
            buffer.extend_from_slice(b"INTERNALDATE ");
            write_date_time(buffer, fetched.internal_date);
        }
        Item::Size => buffer.extend_from_slice(format!("RFC822.SIZE {}", fetched.size_octets).as_bytes()),
        Item::Envelope | Item::Body | Item::BodyStructure => {
            let summary = fetched.summary.get_or_insert_default();
            match item {
                Item::Envelope => {
                    buffer.extend_from_slice(b"ENVELOPE ");
                    write_envelope(buffer, &summary.0);
                }
                Item::Body => {
                    buffer.extend_from_slice(b"BODY ");
                    write_structure(buffer, &summary.1, false);
                }
                _ => {
                    buffer.extend_from_slice(b"BODYSTRUCTURE ");
                    write_structure(buffer, &summary.1, true);
                }
            }
        }
        Item::Section { label, index } => {
            buffer.extend_from_slice(label.as_bytes());
            match fetched.sections.get_mut(*index).and_then(Option::take) {
                None => buffer.extend_from_slice(b" NIL"),
                Some(pieces) => {
                    buffer.extend_from_slice(format!(" {{{}}}\r\n", pieces_octets(&pieces)).as_bytes());
                    pieces.into_iter().for_each(|piece| out.piece(piece));
                }
            }
        }
    }
}

/// `* n FETCH (FLAGS …)`, with the UID if `uid` is given.
pub(crate) fn write_flags_only(out: &mut Output, seq: SeqNum, uid: Option<Uid>, flags: &MessageFlags, recent: bool) {
    let buffer = out.buffer();
    buffer.extend_from_slice(format!("* {seq} FETCH (").as_bytes());
    if let Some(uid) = uid {
        buffer.extend_from_slice(format!("UID {uid} ").as_bytes());
    }
    buffer.extend_from_slice(b"FLAGS ");
    write_flags(buffer, flags, recent);
    out.line(")");
}
