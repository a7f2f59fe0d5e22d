//! THREAD (RFC 5256 §3): what both algorithms have of the messages, and how threads are written down.

mod ordered_subject;
mod references;

pub(super) use ordered_subject::ordered_subject;
pub(super) use references::by_references;

use super::cache::MailboxColumns;
use crate::shared::Row;
use postroom_types::{Threads, Uid};

/// A message that is threaded. In a slice of them the index is the order in the mailbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) uid: Uid,
    /// Sent date, or INTERNALDATE where that is not known (RFC 5256 §2.2).
    pub(super) sent_at: i64,
    /// Which base subject it has; `None` if that is empty.
    pub(super) subject: Option<u32>,
    /// Where its base subject comes among all.
    pub(super) subject_rank: u32,
    /// The subject is that of a reply or forward.
    pub(super) is_reply: bool,
    /// Hash of its Message-ID; 0 if it has none.
    pub(super) message_id: u64,
    /// Hashes of its references, the parent last.
    pub(super) references: &'a [u64],
}

/// Threads messages, ascending by UID. Those without a line are gone and left out.
pub(super) fn threads(rows: &[Row], mailbox: &MailboxColumns, thread: impl Fn(&[Member<'_>]) -> Threads) -> Threads {
    let columns = mailbox.read();
    let ranks = mailbox.ranks(&columns);
    let mut hint = 0;
    let member = |row: &Row| {
        let line = columns.find(row.uid, &mut hint)?;
        Some(Member {
            uid: row.uid,
            sent_at: line.sent_at.unwrap_or(row.internal_seconds),
            subject: line
                .base_subject
                .says_something()
                .then_some(line.base_subject.index() as u32),
            subject_rank: ranks.of(line.base_subject),
            is_reply: line.is_reply,
            message_id: line.message_id,
            references: columns.references(line),
        })
    };
    let members: Vec<Member<'_>> = rows.iter().filter_map(member).collect();
    thread(&members)
}

/// The members in the order of their sent dates.
fn by_date(members: &[Member<'_>]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..members.len() as u32).collect();
    order.sort_unstable_by_key(|index| (members[*index as usize].sent_at, *index));
    order
}

#[cfg(test)]
mod tests;
