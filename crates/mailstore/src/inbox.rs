//! The life of an inbox: made, measured, removed.

use crate::keys::{self, inbox_lane};
use crate::rows::{InboxRow, MailboxRow, Role, write_number};
use crate::{MailError, Mailstore, Usage, attempts::Attempts, attempts::Tried};
use postroom_store::{CommitBuilder, CounterRecord, prefix_end};
use postroom_types::{InboxId, MailboxId, UidValidity};

/// Keys removed in one commit of a purge.
const PURGE_PIECE: usize = 500;

impl Mailstore {
    /// Adds to a commit what a new inbox needs: counters, and INBOX, Sent, Drafts, Spam (`\Junk`), Trash, Archive and
    /// Blocked, subscribed. The commit's own conditions must make sure that the inbox is new.
    pub fn add_inbox(&self, commit: &mut CommitBuilder, inbox: InboxId, quota_octets: u64) {
        // Seconds since 1970, so that an address whose inbox is made again never shows an old UIDVALIDITY.
        let seconds = u32::try_from(self.now() / 1000).unwrap_or(1).clamp(1, u32::MAX - 1000);
        let roles = Role::ALL.map(|_| MailboxId::new());
        for ((role, id), number) in Role::ALL.into_iter().zip(roles).zip(seconds..) {
            let row = MailboxRow {
                parent: None,
                uid_validity: UidValidity::new(number).expect("at least 1"),
                leaf: role.name().to_owned(),
                special_use: None,
            };
            commit
                .put(keys::mailbox(inbox, id), row.write())
                .put(keys::mailbox_counters(inbox, id), CounterRecord::default().to_value())
                .put(keys::highest(inbox, id), write_number(1));
            commit.put(
                keys::subscription(inbox, role.name()),
                crate::subscriptions::subscription_value(role.name()),
            );
        }
        let mut counters = CounterRecord::default();
        counters.0[inbox_lane::MODSEQ] = 1;
        counters.0[inbox_lane::UID_VALIDITY] = u64::from(seconds) + roles.len() as u64 - 1;
        commit
            .put(keys::inbox_counters(inbox), counters.to_value())
            .put(keys::inbox_row(inbox), InboxRow { quota_octets, roles }.write())
            .put(keys::tree(inbox), write_number(1))
            .wake(Self::topic(inbox));
    }

    /// Adds to a commit what makes the inbox refuse mail and hides it at once. Its rows are removed by
    /// [`purge_inbox`](Self::purge_inbox).
    pub fn remove_inbox(&self, commit: &mut CommitBuilder, inbox: InboxId) {
        commit
            .delete(keys::inbox_counters(inbox))
            .delete(keys::inbox_row(inbox))
            .delete(keys::tree(inbox))
            .wake(Self::topic(inbox));
    }

    /// Removes rows of a removed inbox, at most about `budget` of them; `true` when none is left. Its bodies go with them.
    ///
    /// # Errors
    /// [`MailError::Cannot`] if the inbox was not removed; [`MailError::Unavailable`]; the store's own.
    pub async fn purge_inbox(&self, inbox: InboxId, budget: usize) -> Result<bool, MailError> {
        if self.store.get(&keys::inbox_counters(inbox)).await?.is_some() {
            return Err(MailError::Cannot("the inbox still exists"));
        }
        let prefix = keys::inbox_prefix(inbox);
        let high = prefix_end(&prefix);
        let mut removed = 0;
        let mut low = prefix;
        while removed < budget {
            let page = self.store.range(&low, &high, false, PURGE_PIECE).await?;
            removed += page.pairs.len();
            self.delete_keys(page.pairs.into_iter().map(|(key, _)| key)).await?;
            match (page.more, page.resume) {
                (true, Some(resume)) => low = resume,
                _ => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Removes keys that nobody writes any more, at most a commit's worth of them.
    pub(crate) async fn delete_keys(&self, keys: impl Iterator<Item = Vec<u8>>) -> Result<(), MailError> {
        let mut builder = CommitBuilder::new();
        for key in keys {
            builder.delete(key);
        }
        if builder.operations() == 0 {
            return Ok(());
        }
        let commit = builder.build();
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            if let Tried::Done(_) = self.try_commit(commit.clone()).await? {
                return Ok(());
            }
        }
    }

    /// How full the inbox is.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn usage(&self, inbox: InboxId) -> Result<Usage, MailError> {
        let (row, counters) = self.inbox_state(inbox).await?;
        Ok(Usage {
            octets: counters.0[inbox_lane::OCTETS],
            messages: counters.0[inbox_lane::MESSAGES],
            quota_octets: row.quota_octets,
        })
    }

    /// Octets and messages of several inboxes together; those that are gone count nothing.
    ///
    /// # Errors
    /// The store's own.
    pub async fn total_usage(&self, inboxes: &[InboxId]) -> Result<(u64, u64), MailError> {
        let keys: Vec<_> = inboxes.iter().map(|inbox| keys::inbox_counters(*inbox)).collect();
        let (mut octets, mut messages) = (0u64, 0u64);
        for value in self.store.get_many(&keys).await?.into_iter().flatten() {
            let counters = counter_record(&value)?;
            octets = octets.saturating_add(counters.0[inbox_lane::OCTETS]);
            messages = messages.saturating_add(counters.0[inbox_lane::MESSAGES]);
        }
        Ok((octets, messages))
    }

    /// Number of messages in the inbox.
    ///
    /// # Errors
    /// As [`usage`](Self::usage).
    pub async fn count(&self, inbox: InboxId) -> Result<u64, MailError> {
        Ok(self.usage(inbox).await?.messages)
    }

    /// Sets the quota.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`], [`MailError::Unavailable`]; the store's own.
    pub async fn set_quota(&self, inbox: InboxId, quota_octets: u64) -> Result<(), MailError> {
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            let key = keys::inbox_row(inbox);
            let old = self.store.get(&key).await?.ok_or(MailError::NoSuchInbox(inbox))?;
            let mut row = InboxRow::read(&old)?;
            if row.quota_octets == quota_octets {
                return Ok(());
            }
            row.quota_octets = quota_octets;
            let mut builder = CommitBuilder::new();
            builder.replace(key, old, row.write());
            if let Tried::Done(_) = self.try_commit(builder.build()).await? {
                return Ok(());
            }
        }
    }

    /// The inbox row and its counters.
    pub(crate) async fn inbox_state(&self, inbox: InboxId) -> Result<(InboxRow, CounterRecord), MailError> {
        let keys = [keys::inbox_row(inbox), keys::inbox_counters(inbox)];
        let values = self.store.get_many(&keys).await?;
        let [Some(row), Some(counters)] = values.as_slice() else {
            return Err(MailError::NoSuchInbox(inbox));
        };
        Ok((InboxRow::read(row)?, counter_record(counters)?))
    }

    /// The inbox row, which says which mailbox has which role.
    pub(crate) async fn inbox_row(&self, inbox: InboxId) -> Result<InboxRow, MailError> {
        let value = self.store.get(&keys::inbox_row(inbox)).await?;
        Ok(InboxRow::read(&value.ok_or(MailError::NoSuchInbox(inbox))?)?)
    }
}

/// Reads a counter record.
pub(crate) fn counter_record(value: &[u8]) -> Result<CounterRecord, MailError> {
    CounterRecord::from_value(value).ok_or_else(|| crate::codec::Corrupt("counter record").into())
}
