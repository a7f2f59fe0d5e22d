//! STATUS responses (RFC 3501 §7.2.4; RFC 9051 §7.3.3).

use super::number::write_number;
use super::object_id::write_mailbox_id;
use crate::grammar::status_items::StatusItem;
use crate::question::StatusData;
use crate::session::Session;

/// `* STATUS name (…)`. `deleted_octets` are those of messages with `\Deleted`.
pub(crate) fn write_status(
    session: &mut Session,
    name: &str,
    items: &[StatusItem],
    data: &StatusData,
    deleted_octets: u64,
) {
    let limit = session.options.append_limit_octets;
    session.out.buffer().extend_from_slice(b"* STATUS ");
    session.write_name(name);
    let out = session.out.buffer();
    for (index, item) in items.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b" (" } else { b" " });
        match item {
            StatusItem::Messages => count(out, "MESSAGES", data.messages.into()),
            StatusItem::Recent => count(out, "RECENT", data.recent.into()),
            StatusItem::UidNext => count(out, "UIDNEXT", data.uid_next.get().into()),
            StatusItem::UidValidity => count(out, "UIDVALIDITY", data.uid_validity.get().into()),
            StatusItem::Unseen => count(out, "UNSEEN", data.unseen.into()),
            StatusItem::Deleted => count(out, "DELETED", data.deleted.into()),
            // RFC 9208 §4.1.4 allows the sum of RFC822.SIZE: so these are octets, not the 1024 of them that quotas count in.
            StatusItem::DeletedStorage => count(out, "DELETED-STORAGE", deleted_octets),
            StatusItem::Size => count(out, "SIZE", data.size_octets),
            // Zero is no modseq on the wire (RFC 7162 §7).
            StatusItem::HighestModSeq => count(out, "HIGHESTMODSEQ", data.highest_modseq.0.max(1)),
            StatusItem::MailboxId => {
                out.extend_from_slice(b"MAILBOXID ");
                write_mailbox_id(out, data.id);
            }
            StatusItem::AppendLimit => count(out, "APPENDLIMIT", limit),
        }
    }
    session.out.line(")");
}

fn count(out: &mut Vec<u8>, name: &str, number: u64) {
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    write_number(out, number);
}
