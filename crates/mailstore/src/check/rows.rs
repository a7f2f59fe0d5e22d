//! All rows of an inbox, decoded and sorted by kind.

use super::{counters_of, email_of, mailbox_of};
use crate::FeedEntry;
use crate::codec::{Corrupt, Reader};
use crate::keys;
use crate::once::OnceRow;
use crate::rows::{FeedRow, FlagsRow, InboxRow, IndexRow, MailboxRow, MessageRow, MetaRow, read_number};
use crate::shared::read_expunged;
use crate::subscriptions::read_subscription;
use postroom_store::CounterRecord;
use postroom_types::{BlobId, EmailId, InternalDate, MailboxId, ModSeq, ThreadId, Uid};
use std::collections::{BTreeMap, BTreeSet};

/// Octets of a key before its kind: `m` and the inbox id.
const KIND: usize = 17;

/// What is compared of a metadata row.
pub(super) struct FoundMeta {
    pub(super) email_id: EmailId,
    pub(super) thread_id: ThreadId,
    pub(super) internal_date: InternalDate,
    pub(super) size_octets: u64,
    pub(super) summary_blob: Option<BlobId>,
}

#[derive(Default)]
pub(super) struct Found {
    pub(super) inbox_row: Option<InboxRow>,
    pub(super) inbox_counters: Option<CounterRecord>,
    pub(super) tree: Option<ModSeq>,
    pub(super) mailboxes: BTreeMap<MailboxId, MailboxRow>,
    pub(super) counters: BTreeMap<MailboxId, CounterRecord>,
    pub(super) highest: BTreeMap<MailboxId, ModSeq>,
    pub(super) condemned: BTreeSet<MailboxId>,
    /// Up to which modseq expunges are not known any more.
    pub(super) floors: BTreeMap<MailboxId, ModSeq>,
    pub(super) flags: BTreeMap<(MailboxId, Uid), FlagsRow>,
    pub(super) metadata: BTreeMap<(MailboxId, Uid), FoundMeta>,
    pub(super) messages: BTreeMap<EmailId, MessageRow>,
    /// Hash of the Message-ID and of the body, and the row.
    pub(super) index: BTreeMap<Vec<u8>, IndexRow>,
    pub(super) threads: BTreeSet<(ThreadId, EmailId)>,
    pub(super) feed: BTreeMap<ModSeq, FeedEntry>,
    pub(super) expunged: BTreeSet<(MailboxId, Uid)>,
}

impl Found {
    /// Sorts a row in.
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let kind = *key.get(KIND).ok_or("a key without a kind")?;
        match kind {
            b'#' => self.inbox_counters = Some(counters_of(value)?),
            b'!' => self.inbox_row = Some(InboxRow::read(value).map_err(say)?),
            b'v' => self.tree = Some(ModSeq(read_number(value).map_err(say)?)),
            b'b' => {
                self.mailboxes
                    .insert(mailbox_of(key)?, MailboxRow::read(value).map_err(say)?);
            }
            b'c' => {
                self.counters.insert(mailbox_of(key)?, counters_of(value)?);
            }
            b'h' => {
                self.highest
                    .insert(mailbox_of(key)?, ModSeq(read_number(value).map_err(say)?));
            }
            b'y' => {
                self.floors
                    .insert(mailbox_of(key)?, ModSeq(read_number(value).map_err(say)?));
            }
            b'z' => {
                self.condemned.insert(mailbox_of(key)?);
            }
            b'f' => {
                self.flags.insert(place(key)?, FlagsRow::read(value).map_err(say)?);
            }
            b'd' => {
                self.metadata.insert(place(key)?, meta(value).map_err(say)?);
            }
            b'e' => {
                self.messages
                    .insert(email_of(key)?, MessageRow::read(value).map_err(say)?);
            }
            b'i' => {
                let hashes = key.get(KIND + 1..).filter(|hashes| hashes.len() == 24);
                let hashes = hashes.ok_or("a key of the wrong length")?;
                self.index.insert(hashes.to_vec(), IndexRow::read(value).map_err(say)?);
            }
            b't' => {
                let thread = key.get(KIND + 1..).and_then(<[u8]>::first_chunk::<16>);
                let thread = ThreadId::from_bytes(*thread.ok_or("a key that is too short")?);
                self.threads.insert((thread, email_of(key)?));
            }
            b'j' => {
                let modseq = ModSeq(keys::trailing_number(key).unwrap_or(0));
                self.feed.insert(modseq, FeedRow::read(modseq, value).map_err(say)?);
            }
            b'x' => {
                let mailbox = mailbox_of(&key[..key.len().saturating_sub(8)])?;
                let uids = read_expunged(value).map_err(say)?.1;
                self.expunged.extend(uids.into_iter().map(|uid| (mailbox, uid)));
            }
            b's' => read_subscription(value).map(|_| ()).map_err(say)?,
            b'w' => Reader::value(value, "mark of undated messages")
                .and_then(|reader| reader.end())
                .map_err(say)?,
            b'o' => OnceRow::read(value).map(|_| ()).map_err(say)?,
            _ => return Err("of an unknown kind".into()),
        }
        Ok(())
    }

    /// Whether going up from a mailbox ends.
    pub(super) fn has_root(&self, id: MailboxId) -> bool {
        let mut next = Some(id);
        for _ in 0..=self.mailboxes.len() {
            match next {
                None => return true,
                Some(id) => next = self.mailboxes.get(&id).and_then(|row| row.parent),
            }
        }
        false
    }
}

fn say(Corrupt(what): Corrupt) -> String {
    format!("a {what} that does not decode")
}

fn place(key: &[u8]) -> Result<(MailboxId, Uid), String> {
    let uid = keys::trailing_uid(key).ok_or("a key without a UID")?;
    Ok((mailbox_of(&key[..key.len() - 8])?, uid))
}

fn meta(value: &[u8]) -> Result<FoundMeta, Corrupt> {
    let row = MetaRow::raw(value)?;
    row.summary()?;
    Ok(FoundMeta {
        email_id: row.email_id,
        thread_id: row.thread_id,
        internal_date: row.internal_date,
        size_octets: row.size_octets,
        summary_blob: row.blob(),
    })
}
