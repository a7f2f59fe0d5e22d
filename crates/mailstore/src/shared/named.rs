//! Which messages of a mailbox the feed names, and reading them.

use super::row::MessageState;
use crate::rows::{FeedRow, FlagsRow, MetaRow};
use crate::{FeedEntry, FeedEvent, MailError, Mailstore, keys};
use postroom_store::{Key, Value, scan};
use postroom_types::{InboxId, MailboxId, ModSeq, Uid};
use std::collections::BTreeSet;

/// The rows of so few commits are asked for one by one: rows that were just written are in the store's memory, while a
/// scan has to wait for a thread.
const FEW_COMMITS: u64 = 16;

/// UIDs the feed named.
#[derive(Default)]
pub(super) struct Named {
    pub(super) appended: BTreeSet<Uid>,
    pub(super) flags: BTreeSet<Uid>,
    pub(super) expunged: BTreeSet<Uid>,
}

impl Named {
    fn add(&mut self, of: MailboxId, event: FeedEvent) {
        match event {
            FeedEvent::Appended {
                mailbox, last, count, ..
            } if mailbox == of => {
                let first = last.get() - (count - 1);
                self.appended.extend((first..=last.get()).filter_map(Uid::new));
            }
            FeedEvent::Flags { mailbox, uids } if mailbox == of => self.flags.extend(uids),
            FeedEvent::Expunged { mailbox, uids, .. } if mailbox == of => self.expunged.extend(uids),
            FeedEvent::Appended { .. }
            | FeedEvent::Flags { .. }
            | FeedEvent::Expunged { .. }
            | FeedEvent::Labels(_)
            | FeedEvent::MailboxCreated(_)
            | FeedEvent::MailboxDeleted(_)
            | FeedEvent::MailboxRenamed(_) => {}
        }
    }

    fn add_all(&mut self, of: MailboxId, entry: FeedEntry) {
        entry.events.into_iter().for_each(|event| self.add(of, event));
    }

    /// Messages that came or changed and were not named as gone, ascending.
    pub(super) fn alive(&self) -> Vec<Uid> {
        let named = self.appended.union(&self.flags);
        named.filter(|uid| !self.expunged.contains(uid)).copied().collect()
    }
}

impl Mailstore {
    /// The UIDs that feed rows name; `None` if the feed does not reach back that far.
    pub(super) async fn named_by_feed(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        since: ModSeq,
        now: ModSeq,
    ) -> Result<Option<Named>, MailError> {
        let mut named = Named::default();
        let mut next = since.0 + 1;
        let end = now.0 + 1;
        if (next..=next + FEW_COMMITS).contains(&end) {
            let keys: Vec<Key> = (next..end).map(|modseq| keys::feed(inbox, ModSeq(modseq))).collect();
            for (modseq, value) in (next..end).zip(self.store.get_many(&keys).await?) {
                let Some(value) = value else { return Ok(None) };
                named.add_all(mailbox, FeedRow::read(ModSeq(modseq), &value)?);
            }
            return Ok(Some(named));
        }
        let low = keys::feed(inbox, ModSeq(next));
        let mut rows = scan(&*self.store, low, keys::feed(inbox, ModSeq(end)));
        while let Some((key, value)) = rows.next().await? {
            let modseq = keys::trailing_number(&key).unwrap_or(0);
            if modseq != next {
                return Ok(None);
            }
            next += 1;
            named.add_all(mailbox, FeedRow::read(ModSeq(modseq), &value)?);
        }
        Ok((next == end).then_some(named))
    }

    /// The state of messages, ascending; those that are gone are left out.
    pub(super) async fn read_states(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<(Uid, MessageState)>, MailError> {
        let rows = self.flags_rows(inbox, mailbox, uids).await?;
        let rows = rows.into_iter().map(|(uid, _, row)| (uid, row)).collect();
        self.complete(inbox, mailbox, rows).await
    }

    /// Adds to flags rows of the first version what the metadata rows say; those that have gone meanwhile are left out.
    pub(super) async fn complete(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        mut rows: Vec<(Uid, FlagsRow)>,
    ) -> Result<Vec<(Uid, MessageState)>, MailError> {
        let lacking = rows.iter().filter(|(_, row)| row.arrival.is_none());
        let lacking: Vec<Uid> = lacking.map(|(uid, _)| *uid).collect();
        let metas = self
            .rows_of(|uid| keys::metadata(inbox, mailbox, uid), &lacking)
            .await?;
        let mut metas = metas.into_iter().peekable();
        for (uid, row) in rows.iter_mut().filter(|(_, row)| row.arrival.is_none()) {
            let meta: Option<(Uid, Value)> = metas.next_if(|(of, _)| of == uid);
            if let Some((_, value)) = meta {
                row.arrival = Some(MetaRow::raw(&value)?.arrival());
            }
        }
        let state = |(uid, row): (Uid, FlagsRow)| Some((uid, MessageState::of(row)?));
        Ok(rows.into_iter().filter_map(state).collect())
    }
}
