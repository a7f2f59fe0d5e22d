//! Looking at a mailbox as a whole: status, and opening it.

use crate::inbox::counter_record;
use crate::keys::{self, inbox_lane, mailbox_lane};
use crate::rows::{FlagsRow, MailboxRow, read_number};
use crate::{Changes, MailError, Mailstore, OpenMailbox, Status, to_u32};
use postroom_store::{CounterRecord, prefix_end, scan};
use postroom_types::{Flag, Flags, InboxId, Keyword, MailboxId, ModSeq, Uid};
use std::collections::{BTreeMap, BTreeSet};

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
}

impl Mailstore {
    /// Reads the small rows of a mailbox.
    pub(crate) async fn mailbox_state(&self, inbox: InboxId, mailbox: MailboxId) -> Result<MailboxState, MailError> {
        // The modseq first: what is read after it may be newer, never older.
        let inbox_counters = self.store.get(&keys::inbox_counters(inbox)).await?;
        let inbox_counters = inbox_counters.ok_or(MailError::NoSuchInbox(inbox))?;
        let keys = [
            keys::mailbox(inbox, mailbox),
            keys::mailbox_counters(inbox, mailbox),
            keys::highest(inbox, mailbox),
        ];
        let values = self.store.get_many(&keys).await?;
        let [Some(row), Some(counters), Some(highest)] = values.as_slice() else {
            return Err(MailError::NoSuchMailbox);
        };
        Ok(MailboxState {
            modseq: ModSeq(counter_record(&inbox_counters)?.0[inbox_lane::MODSEQ]),
            row: MailboxRow::read(row)?,
            counters: counter_record(counters)?,
            highest: ModSeq(read_number(highest)?),
        })
    }

    /// Counts of a mailbox.
    ///
    /// # Errors
    /// [`MailError::NoSuchMailbox`], [`MailError::NoSuchInbox`]; the store's own.
    pub async fn status(&self, inbox: InboxId, mailbox: MailboxId) -> Result<Status, MailError> {
        let state = self.mailbox_state(inbox, mailbox).await?;
        let lanes = &state.counters.0;
        Ok(Status {
            messages: to_u32(lanes[mailbox_lane::EXISTS]),
            unseen: to_u32(lanes[mailbox_lane::UNSEEN]),
            deleted: to_u32(lanes[mailbox_lane::DELETED]),
            size_octets: lanes[mailbox_lane::OCTETS],
            uid_next: state.uid_next(),
            uid_validity: state.row.uid_validity,
            highest_modseq: state.highest,
        })
    }

    /// A mailbox at one moment, from which [`changes_since`](Self::changes_since) goes on without gap.
    ///
    /// # Errors
    /// [`MailError::NoSuchMailbox`], [`MailError::NoSuchInbox`]; the store's own.
    pub async fn open(&self, inbox: InboxId, mailbox: MailboxId) -> Result<OpenMailbox, MailError> {
        let state = self.mailbox_state(inbox, mailbox).await?;
        let mut rows = self.scan_flags(inbox, mailbox, state.uid_next()).await?;
        // The scan was not a snapshot; what happened meanwhile is in the feed.
        let changes = self.changes_since(inbox, mailbox, state.modseq).await?;
        if changes.mailbox_gone {
            return Err(MailError::NoSuchMailbox);
        }
        self.catch_up(inbox, mailbox, &mut rows, &changes).await?;

        let keywords: BTreeSet<&Keyword> = rows.values().flat_map(|(_, keywords)| keywords).collect();
        let unseen = |(uid, (flags, _)): (&Uid, &(Flags, Vec<Keyword>))| (!flags.contains(Flag::Seen)).then_some(*uid);
        let last = rows.keys().next_back().map_or(0, |uid| uid.get());
        let next = state.uid_next().get().max(last.saturating_add(1));
        Ok(OpenMailbox {
            id: mailbox,
            uid_validity: state.row.uid_validity,
            uid_next: Uid::new(next).unwrap_or(Uid::MIN),
            highest_modseq: changes.highest_modseq,
            first_unseen: rows.iter().find_map(unseen),
            keywords: keywords.into_iter().cloned().collect(),
            modseq: changes.now,
            uids: rows.into_keys().collect(),
        })
    }

    /// Flags of all messages below a UID. Rows from it on may belong to a COPY that is not done yet.
    async fn scan_flags(&self, inbox: InboxId, mailbox: MailboxId, below: Uid) -> Result<FlagsMap, MailError> {
        let mut rows = BTreeMap::new();
        let high = keys::flags(inbox, mailbox, u64::from(below.get()));
        let mut scan = scan(&*self.store, keys::flags_prefix(inbox, mailbox), high).page_pairs(2000);
        while let Some((key, value)) = scan.next().await? {
            let row = FlagsRow::read(&value)?;
            if let Some(uid) = keys::trailing_uid(&key) {
                rows.insert(uid, (row.flags.system, row.flags.keywords));
            }
        }
        Ok(rows)
    }

    async fn catch_up(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        rows: &mut FlagsMap,
        changes: &Changes,
    ) -> Result<(), MailError> {
        for uid in &changes.expunged {
            rows.remove(uid);
        }
        let appended = self.flags(inbox, mailbox, &changes.appended).await?;
        for (uid, flags, _) in appended.into_iter().chain(changes.flags.iter().cloned()) {
            rows.insert(uid, (flags.system, flags.keywords));
        }
        Ok(())
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

type FlagsMap = BTreeMap<Uid, (Flags, Vec<Keyword>)>;
