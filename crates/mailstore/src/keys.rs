//! Each key layout, with an example. All keys of an inbox begin with `m` and the inbox id, so an inbox is one
//! contiguous range, and within it each kind is one.
//!
//! `I` is the inbox id, `M` a mailbox id, `E` an email id, `T` a thread id, 16 octets each; numbers are eight octets,
//! big-endian, so that they sort.
//!
//! | key | example | value |
//! |---|---|---|
//! | `m` I `#` | `m` I `#` | counter record of the inbox: [`inbox_lane`] |
//! | `m` I `!` | `m` I `!` | inbox row: quota and the ids of the mailboxes with a role |
//! | `m` I `v` | `m` I `v` | tree row: modseq of the last change to the mailbox tree; each such change asks that it is unchanged |
//! | `m` I `b` mailbox | `m` I `b` M | mailbox record: parent, UIDVALIDITY, leaf name |
//! | `m` I `c` mailbox | `m` I `c` M | counter record of the mailbox: [`mailbox_lane`] |
//! | `m` I `h` mailbox | `m` I `h` M | modseq of the mailbox's last change (HIGHESTMODSEQ) |
//! | `m` I `w` | `m` I `w` | a format byte: some messages came at other times than their ids tell |
//! | `m` I `s` hash of a name | `m` I `s` `SHA-256("Sent")[..16]` | subscription: the name |
//! | `m` I `f` mailbox UID | `m` I `f` M `0000000000000007` | flags row: modseq, flags, email id, date, size, time of saving, the blob that is the message |
//! | `m` I `d` mailbox UID | `m` I `d` M `0000000000000007` | metadata row: ids, date, size, summary |
//! | `m` I `e` email id | `m` I `e` E | message row: body, origin, placements; once-key of delivery, witness of the body |
//! | `m` I `i` hash of Message-ID, zeros | `m` I `i` `SHA-256("x@y")[..16]` `0000000000000000` | which message is called by that Message-ID |
//! | `m` I `i` hash of Message-ID, hash of body | `m` I `i` `SHA-256("x@y")[..16]` `SHA-256(body)[..8]` | which other message has that Message-ID and body |
//! | `m` I `t` thread, email id | `m` I `t` T E | thread member |
//! | `m` I `j` modseq | `m` I `j` `0000000000000102` | feed row |
//! | `m` I `x` mailbox modseq | `m` I `x` M `0000000000000102` | UIDs that one commit expunged |
//! | `m` I `y` mailbox | `m` I `y` M | up to which modseq the mailbox's expunge rows were removed |
//! | `m` I `z` mailbox | `m` I `z` M | the mailbox is deleted, its rows are still being purged |
//! | `m` I `o` random | `m` I `o` E | once-key of a change, with its result: [`OnceRow`](crate::once::OnceRow) |
//!
//! The longest is 50 octets.

use postroom_store::Key;
use postroom_types::{EmailId, InboxId, MailboxId, ModSeq, ThreadId, Uid};

/// Lanes of the inbox counter record.
pub(crate) mod inbox_lane {
    /// The last modseq given out.
    pub(crate) const MODSEQ: usize = 0;
    /// The last UIDVALIDITY given out.
    pub(crate) const UID_VALIDITY: usize = 1;
    /// Octets of all messages, each counted once however many placements it has.
    pub(crate) const OCTETS: usize = 2;
    /// Number of messages.
    pub(crate) const MESSAGES: usize = 3;
}

/// Lanes of a mailbox counter record.
pub(crate) mod mailbox_lane {
    /// The last UID given out.
    pub(crate) const UID: usize = 0;
    /// Messages in it.
    pub(crate) const EXISTS: usize = 1;
    /// Messages without `\Seen`.
    pub(crate) const UNSEEN: usize = 2;
    /// Messages with `\Deleted`.
    pub(crate) const DELETED: usize = 3;
    /// Octets of its messages.
    pub(crate) const OCTETS: usize = 4;
}

/// Where a UID or a modseq stands in a key of a mailbox: after `m`, inbox, kind, mailbox.
pub(crate) const NUMBER_OF_MAILBOX_KEY: usize = 34;
/// Where the modseq stands in a feed key: after `m`, inbox, kind.
pub(crate) const NUMBER_OF_FEED_KEY: usize = 18;

/// `m` inbox: the prefix of all keys of an inbox.
pub(crate) fn inbox_prefix(inbox: InboxId) -> Key {
    let mut key = Vec::with_capacity(64);
    key.push(b'm');
    key.extend(inbox.as_bytes());
    key
}

/// `m` inbox kind: the prefix of all keys of one kind.
pub(crate) fn kind(inbox: InboxId, kind: u8) -> Key {
    let mut key = inbox_prefix(inbox);
    key.push(kind);
    key
}

fn of_mailbox(inbox: InboxId, letter: u8, mailbox: MailboxId) -> Key {
    let mut key = kind(inbox, letter);
    key.extend(mailbox.as_bytes());
    key
}

fn numbered(mut key: Key, number: u64) -> Key {
    key.extend(number.to_be_bytes());
    key
}

pub(crate) fn inbox_counters(inbox: InboxId) -> Key {
    kind(inbox, b'#')
}

pub(crate) fn inbox_row(inbox: InboxId) -> Key {
    kind(inbox, b'!')
}

pub(crate) fn tree(inbox: InboxId) -> Key {
    kind(inbox, b'v')
}

pub(crate) fn undated(inbox: InboxId) -> Key {
    kind(inbox, b'w')
}

pub(crate) fn mailbox(inbox: InboxId, id: MailboxId) -> Key {
    of_mailbox(inbox, b'b', id)
}

pub(crate) fn mailboxes(inbox: InboxId) -> Key {
    kind(inbox, b'b')
}

pub(crate) fn mailbox_counters(inbox: InboxId, id: MailboxId) -> Key {
    of_mailbox(inbox, b'c', id)
}

pub(crate) fn highest(inbox: InboxId, id: MailboxId) -> Key {
    of_mailbox(inbox, b'h', id)
}

pub(crate) fn subscription(inbox: InboxId, name: &str) -> Key {
    let mut key = kind(inbox, b's');
    key.extend(short_hash(name.as_bytes()));
    key
}

pub(crate) fn subscriptions(inbox: InboxId) -> Key {
    kind(inbox, b's')
}

/// The flags row of a placement; UID 0 stands for one that is patched in.
pub(crate) fn flags(inbox: InboxId, mailbox: MailboxId, uid: u64) -> Key {
    numbered(flags_prefix(inbox, mailbox), uid)
}

pub(crate) fn flags_prefix(inbox: InboxId, mailbox: MailboxId) -> Key {
    of_mailbox(inbox, b'f', mailbox)
}

/// The metadata row of a placement; UID 0 stands for one that is patched in.
pub(crate) fn metadata(inbox: InboxId, mailbox: MailboxId, uid: u64) -> Key {
    numbered(of_mailbox(inbox, b'd', mailbox), uid)
}

pub(crate) fn message(inbox: InboxId, email_id: EmailId) -> Key {
    let mut key = messages(inbox);
    key.extend(email_id.as_bytes());
    key
}

pub(crate) fn messages(inbox: InboxId) -> Key {
    kind(inbox, b'e')
}

pub(crate) fn message_ids(inbox: InboxId, message_id: &[u8; 16]) -> Key {
    let mut key = kind(inbox, b'i');
    key.extend(message_id);
    key
}

/// Of a Message-ID there is one of these, so that of several messages that come at once one is called by it.
pub(crate) fn message_name(inbox: InboxId, message_id: &[u8; 16]) -> Key {
    let mut key = message_ids(inbox, message_id);
    key.extend([0; 8]);
    key
}

pub(crate) fn message_id(inbox: InboxId, message_id: &[u8; 16], body: &[u8; 32]) -> Key {
    let mut key = message_ids(inbox, message_id);
    key.extend(&body[..8]);
    key
}

pub(crate) fn thread(inbox: InboxId, thread: ThreadId) -> Key {
    let mut key = kind(inbox, b't');
    key.extend(thread.as_bytes());
    key
}

pub(crate) fn thread_member(inbox: InboxId, thread_id: ThreadId, email_id: EmailId) -> Key {
    let mut key = thread(inbox, thread_id);
    key.extend(email_id.as_bytes());
    key
}

/// The feed row of a commit; modseq 0 stands for one that is patched in.
pub(crate) fn feed(inbox: InboxId, modseq: ModSeq) -> Key {
    numbered(kind(inbox, b'j'), modseq.0)
}

/// The expunges of a commit; modseq 0 stands for one that is patched in.
pub(crate) fn expunged(inbox: InboxId, mailbox: MailboxId, modseq: ModSeq) -> Key {
    numbered(of_mailbox(inbox, b'x', mailbox), modseq.0)
}

pub(crate) fn expunged_prefix(inbox: InboxId, mailbox: MailboxId) -> Key {
    of_mailbox(inbox, b'x', mailbox)
}

/// Up to which modseq the expunges of a mailbox are not known any more.
pub(crate) fn expunge_floor(inbox: InboxId, mailbox: MailboxId) -> Key {
    of_mailbox(inbox, b'y', mailbox)
}

pub(crate) fn condemned(inbox: InboxId, mailbox: MailboxId) -> Key {
    of_mailbox(inbox, b'z', mailbox)
}

pub(crate) fn condemned_prefix(inbox: InboxId) -> Key {
    kind(inbox, b'z')
}

pub(crate) fn once(inbox: InboxId, id: EmailId) -> Key {
    let mut key = kind(inbox, b'o');
    key.extend(id.as_bytes());
    key
}

/// The last eight octets of a key as a number.
pub(crate) fn trailing_number(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*key.last_chunk::<8>()?))
}

/// The last eight octets of a key as a UID.
pub(crate) fn trailing_uid(key: &[u8]) -> Option<Uid> {
    Uid::new(u32::try_from(trailing_number(key)?).ok()?)
}

/// The last sixteen octets of a key as an id.
pub(crate) fn trailing_id(key: &[u8]) -> Option<[u8; 16]> {
    key.last_chunk::<16>().copied()
}

/// Half a SHA-256: enough that two names never meet, by chance or by intent.
pub(crate) fn short_hash(bytes: &[u8]) -> [u8; 16] {
    use sha2::{Digest, Sha256};
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    *digest.first_chunk::<16>().expect("16 of 32 octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_where_patches_put_them() {
        let (inbox, mailbox) = (InboxId::from_bytes([1; 16]), MailboxId::from_bytes([2; 16]));
        let key = flags(inbox, mailbox, 7);
        assert_eq!(key.len(), NUMBER_OF_MAILBOX_KEY + 8);
        assert_eq!(key[NUMBER_OF_MAILBOX_KEY..], [0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(trailing_uid(&key), Uid::new(7));
        assert_eq!(feed(inbox, ModSeq(9))[NUMBER_OF_FEED_KEY..], 9u64.to_be_bytes());
        assert!(key.starts_with(&flags_prefix(inbox, mailbox)) && key.starts_with(&inbox_prefix(inbox)));
    }
}
