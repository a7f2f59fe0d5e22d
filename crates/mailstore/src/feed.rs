//! The feed: what happened in an inbox, in order, and its upkeep.

use crate::keys;
use crate::once::OnceRow;
use crate::rows::FeedRow;
use crate::shared::read_expunged;
use crate::{FeedEntry, MailError, Mailstore};
use postroom_store::{Key, prefix_end, scan, scan_prefix};
use postroom_types::{InboxId, MailboxId, ModSeq};
use std::time::Duration;

/// Rows removed in one commit of the upkeep.
const TRIM_PIECE: usize = 500;
/// How long a once-row is kept; nobody asks for it longer than what it belongs to runs.
const ONCE_KEEP: Duration = Duration::from_secs(86_400);

impl Mailstore {
    /// Up to `limit` rows of an inbox's feed after a modseq, in order. A first row beyond `after` + 1, or none although
    /// [`modseq`](Self::modseq) is above `after`, says that the rows between are no longer kept: the reader has to
    /// look at everything anew.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn feed(&self, inbox: InboxId, after: ModSeq, limit: usize) -> Result<Vec<FeedEntry>, MailError> {
        let now = self.modseq(inbox).await?;
        let low = keys::feed(inbox, ModSeq(after.0.saturating_add(1)));
        // Rows beyond the counter may belong to a bulk commit that is not done yet.
        let high = keys::feed(inbox, ModSeq(now.0.saturating_add(1)));
        let mut rows = scan(&*self.store, low, high).page_pairs(limit.clamp(1, 500));
        let mut entries = Vec::new();
        while entries.len() < limit {
            let Some((key, value)) = rows.next().await? else { break };
            let modseq = ModSeq(keys::trailing_number(&key).unwrap_or(0));
            entries.push(FeedRow::read(modseq, &value)?);
        }
        Ok(entries)
    }

    /// The inbox's modseq now: the newest cursor.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn modseq(&self, inbox: InboxId) -> Result<ModSeq, MailError> {
        let (_, counters) = self.inbox_state(inbox).await?;
        Ok(ModSeq(counters.0[keys::inbox_lane::MODSEQ]))
    }

    /// Upkeep of an inbox: finishes deletions that a crash left half done and removes rows that are too old, at most
    /// about `budget` of them. `true` when nothing is left to do now.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`], [`MailError::Unavailable`]; the store's own.
    pub async fn maintain(&self, inbox: InboxId, budget: usize) -> Result<bool, MailError> {
        self.inbox_row(inbox).await?;
        let mut condemned = scan_prefix(&*self.store, &keys::condemned_prefix(inbox));
        while let Some((key, _)) = condemned.next().await? {
            if let Some(id) = keys::trailing_id(&key) {
                self.purge_mailbox(inbox, MailboxId::from_bytes(id)).await?;
            }
        }
        let now = self.now();
        let feed_until = older_than(now, self.options.feed_keep);
        let is_old = |value: &[u8]| Ok(FeedRow::read(ModSeq(0), value)?.at < feed_until);
        // In order of time, so the first young row ends it, and the feed stays without gap.
        let mut left = self.trim(keys::kind(inbox, b'j'), budget, true, is_old).await?;
        let expunged_until = older_than(now, self.options.expunged_keep);
        left = self.trim_all_expunged(inbox, left, expunged_until).await?;
        let once_until = older_than(now, ONCE_KEEP);
        let is_old = |value: &[u8]| Ok(OnceRow::read(value)?.at < once_until);
        left = self.trim(keys::kind(inbox, b'o'), left, false, is_old).await?;
        Ok(left > 0)
    }

    /// Removes old expunge rows, mailbox by mailbox; what is left of the budget.
    async fn trim_all_expunged(&self, inbox: InboxId, budget: usize, until: i64) -> Result<usize, MailError> {
        let mut left = budget;
        for mailbox in self.tree(inbox).await?.rows.keys() {
            let mut more = true;
            while more && left > 0 {
                let mut old = Vec::new();
                let mut rows = scan_prefix(&*self.store, &keys::expunged_prefix(inbox, *mailbox));
                // In order of time.
                while old.len() < TRIM_PIECE.min(left)
                    && let Some((key, value)) = rows.next().await?
                    && read_expunged(&value)?.0 < until
                {
                    old.push(key);
                }
                left -= old.len();
                more = old.len() == TRIM_PIECE;
                more &= self.trim_expunged(inbox, *mailbox, old).await?;
            }
        }
        Ok(left)
    }

    /// Removes old rows of one kind; what is left of the budget.
    async fn trim(
        &self,
        prefix: Key,
        budget: usize,
        ordered: bool,
        is_old: impl Fn(&[u8]) -> Result<bool, MailError>,
    ) -> Result<usize, MailError> {
        let mut left = budget;
        let mut low = prefix.clone();
        let high = prefix_end(&prefix);
        while left > 0 {
            let page = self.store.range(&low, &high, false, TRIM_PIECE.min(left)).await?;
            let mut old = Vec::new();
            let mut young = false;
            for (key, value) in page.pairs {
                if is_old(&value)? {
                    old.push(key);
                } else {
                    young = true;
                    if ordered {
                        break;
                    }
                }
            }
            left -= old.len();
            self.delete_keys(old.into_iter()).await?;
            match page.resume {
                Some(resume) if page.more && !(ordered && young) => low = [resume.as_slice(), &[0]].concat(),
                _ => break,
            }
        }
        Ok(left)
    }
}

fn older_than(now: i64, keep: Duration) -> i64 {
    now.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX))
}
