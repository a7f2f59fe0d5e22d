//! What happened in a mailbox since a modseq.

use crate::FeedEvent;
use crate::codec::{Corrupt, Reader};
use crate::inbox::counter_record;
use crate::keys::{self, inbox_lane};
use crate::rows::{FeedRow, FlagsRow, read_number, read_uids};
use crate::{Changes, MailError, Mailstore};
use postroom_store::{prefix_end, scan};
use postroom_types::{InboxId, MailboxId, ModSeq, Uid};
use std::collections::BTreeSet;

/// Beyond this many commits it is cheaper to look at all flags rows than at all feed rows.
const MAX_FEED_ROWS: u64 = 5000;

/// UIDs the feed named.
#[derive(Default)]
struct Named {
    appended: BTreeSet<Uid>,
    flags: BTreeSet<Uid>,
    expunged: BTreeSet<Uid>,
}

impl Mailstore {
    /// What happened in a mailbox after a modseq, up to [`Changes::now`]. Rows are read as they are now, so a change
    /// may be told twice, never not at all.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own. A mailbox that is gone is no error, see [`Changes::mailbox_gone`].
    pub async fn changes_since(&self, inbox: InboxId, mailbox: MailboxId, since: ModSeq) -> Result<Changes, MailError> {
        let keys = [
            keys::inbox_counters(inbox),
            keys::mailbox(inbox, mailbox),
            keys::highest(inbox, mailbox),
        ];
        let values = self.store.get_many(&keys).await?;
        let counters = values[0].as_ref().ok_or(MailError::NoSuchInbox(inbox))?;
        let mut changes = Changes {
            now: ModSeq(counter_record(counters)?.0[inbox_lane::MODSEQ]).max(since),
            ..Changes::default()
        };
        let (Some(_), Some(highest)) = (&values[1], &values[2]) else {
            changes.mailbox_gone = true;
            return Ok(changes);
        };
        // A commit that came after the counters were read may have raised it; it will be told next time.
        changes.highest_modseq = ModSeq(read_number(highest)?).min(changes.now);
        if changes.highest_modseq <= since {
            return Ok(changes);
        }
        match self.named_by_feed(inbox, mailbox, since, changes.now).await? {
            Some(named) => self.look_up(inbox, mailbox, named, &mut changes).await?,
            None => self.compare_rows(inbox, mailbox, since, &mut changes).await?,
        }
        Ok(changes)
    }

    /// The UIDs that feed rows name; `None` if the feed does not reach back that far, or not cheaply.
    async fn named_by_feed(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        since: ModSeq,
        now: ModSeq,
    ) -> Result<Option<Named>, MailError> {
        if now.0 - since.0 > MAX_FEED_ROWS {
            return Ok(None);
        }
        let mut named = Named::default();
        let mut next = since.0 + 1;
        let low = keys::feed(inbox, ModSeq(next));
        let mut rows = scan(&*self.store, low, keys::feed(inbox, ModSeq(now.0 + 1)));
        while let Some((key, value)) = rows.next().await? {
            let modseq = keys::trailing_number(&key).unwrap_or(0);
            if modseq != next {
                return Ok(None);
            }
            next += 1;
            for event in FeedRow::read(ModSeq(modseq), &value)?.events {
                named.add(mailbox, event);
            }
        }
        Ok((next == now.0 + 1).then_some(named))
    }

    async fn look_up(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        named: Named,
        changes: &mut Changes,
    ) -> Result<(), MailError> {
        let appended: Vec<Uid> = named.appended.difference(&named.expunged).copied().collect();
        let alive = self.flags(inbox, mailbox, &appended).await?;
        changes.appended = alive.into_iter().map(|(uid, ..)| uid).collect();
        let touched = named.flags.difference(&named.expunged);
        let touched: Vec<Uid> = touched.filter(|uid| !named.appended.contains(uid)).copied().collect();
        changes.flags = self.flags(inbox, mailbox, &touched).await?;
        changes.expunged = named.expunged.into_iter().collect();
        Ok(())
    }

    /// Without the feed: every row with a later modseq, and the expunges that are remembered longer.
    async fn compare_rows(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        since: ModSeq,
        changes: &mut Changes,
    ) -> Result<(), MailError> {
        changes.resynchronised = true;
        let prefix = keys::flags_prefix(inbox, mailbox);
        let mut rows = scan(&*self.store, prefix.clone(), prefix_end(&prefix)).page_pairs(2000);
        while let Some((key, value)) = rows.next().await? {
            let row = FlagsRow::read(&value)?;
            let Some(uid) = keys::trailing_uid(&key) else { continue };
            if row.modseq > since && row.modseq <= changes.now {
                changes.appended.push(uid);
                changes.flags.push((uid, row.flags, row.modseq));
            }
        }
        let mut expunged = BTreeSet::new();
        let low = keys::expunged(inbox, mailbox, ModSeq(since.0 + 1));
        let mut rows = scan(
            &*self.store,
            low,
            keys::expunged(inbox, mailbox, ModSeq(changes.now.0 + 1)),
        );
        while let Some((_, value)) = rows.next().await? {
            expunged.extend(read_expunged(&value)?.1);
        }
        changes.expunged = expunged.into_iter().collect();
        Ok(())
    }
}

/// When, and which UIDs.
pub(crate) fn read_expunged(value: &[u8]) -> Result<(i64, Vec<Uid>), Corrupt> {
    let mut reader = Reader::value(value, "expunge row")?;
    let at = reader.i64()?;
    let uids = read_uids(&mut reader)?;
    reader.end()?;
    Ok((at, uids))
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
            | FeedEvent::MailboxCreated(_)
            | FeedEvent::MailboxDeleted(_)
            | FeedEvent::MailboxRenamed(_) => {}
        }
    }
}
