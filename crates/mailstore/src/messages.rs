//! Messages as the API sees them: by id, newest first, with all their placements.

use crate::attempts::{Attempts, Tried};
use crate::change::Change;
use crate::flags::{Reflag, plan, reflag, tell_labels};
use crate::rows::{FlagsRow, IndexRow, MessageRow};
use crate::{FlagMode, MailError, Mailstore, MessageRecord, keys};
use postroom_store::{CommitBuilder, Value, prefix_end, scan, scan_prefix};
use postroom_types::{EmailId, InboxId, MailboxId, MessageFlags, ThreadId, Uid};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

impl Mailstore {
    /// A message by id.
    ///
    /// # Errors
    /// The store's own.
    pub async fn message(&self, inbox: InboxId, email_id: EmailId) -> Result<Option<MessageRecord>, MailError> {
        let value = self.store.get(&keys::message(inbox, email_id)).await?;
        let row = value.map(|value| MessageRow::read(&value)).transpose()?;
        Ok(row.map(|row| row.record(email_id)))
    }

    /// Up to `limit` messages older than `before` (or the newest), newest first.
    ///
    /// # Errors
    /// The store's own.
    pub async fn messages(
        &self,
        inbox: InboxId,
        before: Option<EmailId>,
        limit: usize,
    ) -> Result<Vec<MessageRecord>, MailError> {
        let prefix = keys::messages(inbox);
        let high = before.map_or_else(|| prefix_end(&prefix), |id| keys::message(inbox, id));
        let mut rows = scan(&*self.store, prefix, high)
            .reverse()
            .page_pairs(limit.clamp(1, 500));
        let mut records = Vec::new();
        while records.len() < limit {
            let Some((key, value)) = rows.next().await? else { break };
            if let Some(id) = keys::trailing_id(&key) {
                records.push(MessageRow::read(&value)?.record(EmailId::from_bytes(id)));
            }
        }
        Ok(records)
    }

    /// Messages of a thread, oldest first.
    ///
    /// # Errors
    /// The store's own.
    pub async fn thread(&self, inbox: InboxId, thread_id: ThreadId) -> Result<Vec<EmailId>, MailError> {
        self.thread_start(inbox, thread_id, usize::MAX).await
    }

    /// The oldest messages of a thread, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The store's own.
    pub async fn thread_start(
        &self,
        inbox: InboxId,
        thread_id: ThreadId,
        limit: usize,
    ) -> Result<Vec<EmailId>, MailError> {
        let mut rows = scan_prefix(&*self.store, &keys::thread(inbox, thread_id)).page_pairs(limit.clamp(1, 500));
        let mut ids = Vec::new();
        while ids.len() < limit {
            let Some((key, _)) = rows.next().await? else { break };
            ids.extend(keys::trailing_id(&key).map(EmailId::from_bytes));
        }
        Ok(ids)
    }

    /// The message with this Message-ID (without angle brackets), if there is one; of several, any.
    ///
    /// # Errors
    /// The store's own.
    pub async fn find_message_id(&self, inbox: InboxId, message_id: &str) -> Result<Option<EmailId>, MailError> {
        Ok(self
            .message_by_id(inbox, message_id)
            .await?
            .map(|row: IndexRow| row.email_id))
    }

    /// The messages with this Message-ID (without angle brackets), oldest first; at most 16. Of several that have the same
    /// body only the last is known by it.
    ///
    /// # Errors
    /// The store's own.
    pub async fn find_message_ids(&self, inbox: InboxId, message_id: &str) -> Result<Vec<EmailId>, MailError> {
        const MAX_FOUND: usize = 16;
        let prefix = keys::message_ids(inbox, &crate::deliver::message_id_hash(message_id));
        let mut rows = scan_prefix(&*self.store, &prefix).page_pairs(MAX_FOUND);
        let mut ids = Vec::new();
        while ids.len() < MAX_FOUND
            && let Some((_, value)) = rows.next().await?
        {
            ids.push(IndexRow::read(&value)?.email_id);
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Whether the inbox has a message of these octets, or of these below what this server put before them, among those with
    /// this Message-ID (without angle brackets). One whose body is damaged is told by its hash alone.
    ///
    /// # Errors
    /// The store's own.
    pub async fn has_content(&self, inbox: InboxId, message_id: &str, octets: &[u8]) -> Result<bool, MailError> {
        let hash: [u8; 32] = Sha256::digest(octets).into();
        for id in self.find_message_ids(inbox, message_id).await? {
            let Some(value) = self.store.get(&keys::message(inbox, id)).await? else {
                continue;
            };
            let row = MessageRow::read(&value)?;
            if row.body_hash == hash {
                return Ok(true);
            }
            if row.size_octets() != octets.len() as u64 {
                continue;
            }
            match self.read(&row.content(), 0..u64::MAX).await {
                Ok(whole) if whole.as_deref() == Some(octets) => return Ok(true),
                Err(error) if !error.is_damage() => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(false)
    }

    /// Changes flags of all placements of a message in one commit. `false` if there is no such message.
    ///
    /// # Errors
    /// [`MailError::Limit`], [`MailError::NoSuchInbox`], [`MailError::Unavailable`]; the store's own.
    pub async fn store_message_flags(
        &self,
        inbox: InboxId,
        email_id: EmailId,
        mode: FlagMode,
        flags: &MessageFlags,
    ) -> Result<bool, MailError> {
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            let roles = self.inbox_row(inbox).await?;
            let Some(known) = self.known(inbox, &[email_id]).await?.pop().flatten() else {
                return Ok(false);
            };
            let mut by_mailbox: BTreeMap<MailboxId, Vec<(Uid, Value, FlagsRow)>> = BTreeMap::new();
            for placed in &known.placements {
                let row = (placed.uid, placed.value.clone(), placed.flags.clone());
                by_mailbox.entry(placed.mailbox).or_default().push(row);
            }
            let mut change = Change::begin(CommitBuilder::new(), inbox, self.now());
            let mut reflags: BTreeMap<MailboxId, Vec<Reflag>> = BTreeMap::new();
            for (mailbox, mut rows) in by_mailbox {
                rows.sort_unstable_by_key(|(uid, ..)| *uid);
                let planned = plan(&rows, mode, flags)?;
                if !planned.is_empty() {
                    reflag(&mut change, mailbox, &planned);
                    reflags.insert(mailbox, planned);
                }
            }
            if reflags.is_empty() {
                return Ok(true);
            }
            tell_labels(&mut change, inbox, &roles, vec![known], |placed| {
                reflags
                    .get(&placed.mailbox)?
                    .iter()
                    .find(|reflag| reflag.uid == placed.uid)
            });
            if let Tried::Done(_) = self.try_commit(change.finish().build()).await? {
                return Ok(true);
            }
        }
    }
}
