//! Looking at a mailbox as a whole without its messages.

use crate::inbox::counter_record;
use crate::keys::{self, inbox_lane, mailbox_lane};
use crate::rows::{MailboxRow, read_number};
use crate::{MailError, Mailstore, Status, to_u32};
use postroom_store::{CounterRecord, Key, Value, prefix_end, scan};
use postroom_types::{InboxId, MailboxId, ModSeq, Uid};

/// Mailboxes read at once for their counts.
const STATUS_PIECE: usize = 300;

/// The small rows of a mailbox, and the inbox's modseq read before them.
pub(crate) struct MailboxState {
    pub(crate) modseq: ModSeq,
    pub(crate) row: MailboxRow,
    pub(crate) counters: CounterRecord,
    pub(crate) highest: ModSeq,
}

impl MailboxState {
    pub(crate) fn uid_next(&self) -> Uid {
        let next = to_u32(self.counters.0[mailbox_lane::UID]).saturating_add(1);
        Uid::new(next).unwrap_or(Uid::MIN)
    }

    /// Reads the values of [`mailbox_keys`]; `None` if the mailbox is gone.
    fn read(modseq: ModSeq, values: &[Option<Value>]) -> Result<Option<Self>, MailError> {
        let [Some(row), Some(counters), Some(highest)] = values else {
            return Ok(None);
        };
        Ok(Some(Self {
            modseq,
            row: MailboxRow::read(row)?,
            counters: counter_record(counters)?,
            highest: ModSeq(read_number(highest)?),
        }))
    }

    fn status(&self) -> Status {
        let lanes = &self.counters.0;
        Status {
            messages: to_u32(lanes[mailbox_lane::EXISTS]),
            unseen: to_u32(lanes[mailbox_lane::UNSEEN]),
            deleted: to_u32(lanes[mailbox_lane::DELETED]),
            size_octets: lanes[mailbox_lane::OCTETS],
            uid_next: self.uid_next(),
            uid_validity: self.row.uid_validity,
            highest_modseq: self.highest,
        }
    }
}

fn modseq_of(inbox_counters: &[u8]) -> Result<ModSeq, MailError> {
    Ok(ModSeq(counter_record(inbox_counters)?.0[inbox_lane::MODSEQ]))
}

fn mailbox_keys(inbox: InboxId, mailbox: MailboxId) -> [Key; 3] {
    [
        keys::mailbox(inbox, mailbox),
        keys::mailbox_counters(inbox, mailbox),
        keys::highest(inbox, mailbox),
    ]
}

impl Mailstore {
    /// Reads the small rows of a mailbox.
    pub(crate) async fn mailbox_state(&self, inbox: InboxId, mailbox: MailboxId) -> Result<MailboxState, MailError> {
        // The modseq first: what is read after it may be newer, never older.
        let inbox_counters = self.store.get(&keys::inbox_counters(inbox)).await?;
        let inbox_counters = inbox_counters.ok_or(MailError::NoSuchInbox(inbox))?;
        let values = self.store.get_many(&mailbox_keys(inbox, mailbox)).await?;
        MailboxState::read(modseq_of(&inbox_counters)?, &values)?.ok_or(MailError::NoSuchMailbox)
    }

    /// Counts of a mailbox.
    ///
    /// # Errors
    /// [`MailError::NoSuchMailbox`], [`MailError::NoSuchInbox`]; the store's own.
    pub async fn status(&self, inbox: InboxId, mailbox: MailboxId) -> Result<Status, MailError> {
        Ok(self.mailbox_state(inbox, mailbox).await?.status())
    }

    /// Counts of several mailboxes, in the order of their ids; `None` for those that are gone.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn statuses(&self, inbox: InboxId, ids: &[MailboxId]) -> Result<Vec<Option<Status>>, MailError> {
        let counters = self.store.get(&keys::inbox_counters(inbox)).await?;
        let modseq = modseq_of(&counters.ok_or(MailError::NoSuchInbox(inbox))?)?;
        let mut all = Vec::with_capacity(ids.len());
        for piece in ids.chunks(STATUS_PIECE) {
            let keys: Vec<Key> = piece.iter().flat_map(|id| mailbox_keys(inbox, *id)).collect();
            let values = self.store.get_many(&keys).await?;
            for values in values.chunks_exact(3) {
                all.push(MailboxState::read(modseq, values)?.map(|state| state.status()));
            }
        }
        Ok(all)
    }

    /// Up to `limit` UIDs of a mailbox, ascending, whether or not it still has a record.
    pub(crate) async fn some_uids(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        limit: usize,
    ) -> Result<Vec<Uid>, MailError> {
        let prefix = keys::flags_prefix(inbox, mailbox);
        let mut uids = Vec::new();
        let mut scan = scan(&*self.store, prefix.clone(), prefix_end(&prefix)).page_pairs(limit);
        while uids.len() < limit {
            match scan.next().await? {
                Some((key, _)) => uids.extend(keys::trailing_uid(&key)),
                None => break,
            }
        }
        Ok(uids)
    }
}
