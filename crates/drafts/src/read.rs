//! Finding drafts, and what they answer or pass on.

use crate::content::id_of;
use crate::row::{DraftRow, How, Stored, row_key};
use crate::{Draft, DraftError, DraftId, Drafts, SendStatus, Source};
use bytes::Bytes;
use postroom_mailstore::{DraftRecord, MailError};
use postroom_store::Key;
use postroom_types::{EmailId, InboxId, MailboxId, Summary, Uid};
use std::collections::{BTreeSet, HashMap};

/// How often something is looked for again that changed while it was read.
pub(crate) const LOOKS: usize = 8;
/// Drafts looked through for one that no index finds: saved again with the same bytes, it lost its place there.
const MAX_LOOKED_THROUGH: usize = 300;

/// A draft, and its row.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) draft: Draft,
    pub(crate) stored: Option<Stored>,
}

impl Drafts {
    /// A draft.
    ///
    /// # Errors
    /// [`DraftError::NotFound`]; those of the store.
    pub async fn get(&self, inbox: InboxId, id: DraftId) -> Result<Draft, DraftError> {
        Ok(self.found(inbox, id).await?.draft)
    }

    /// Whether this node is sending it at the moment.
    #[must_use]
    pub fn is_being_sent(&self, inbox: InboxId, id: DraftId) -> bool {
        self.claims.holds(inbox, id)
    }

    /// The message that this version of a draft went out as, if that was within the last day.
    ///
    /// # Errors
    /// [`DraftError::Stale`]: another version went out; those of the store.
    pub async fn sent_as(&self, inbox: InboxId, id: DraftId, generation: Uid) -> Result<Option<EmailId>, DraftError> {
        let stored = self.stored(inbox, id).await?;
        let sent_as = stored.and_then(|stored| stored.row.sent_as(self.now_ms()));
        match sent_as {
            Some(sent_as) if ![0, generation.get()].contains(&sent_as.generation) => Err(DraftError::Stale),
            sent_as => Ok(sent_as.map(|sent_as| sent_as.message)),
        }
    }

    /// The bytes of a draft's message.
    ///
    /// # Errors
    /// [`DraftError::NotFound`]: it was changed or removed meanwhile; those of the store.
    pub async fn content(&self, draft: &Draft) -> Result<Bytes, DraftError> {
        let read = self.mailstore.read(draft.content(), 0..u64::MAX).await?;
        read.ok_or(DraftError::NotFound)
    }

    /// A message of the inbox that is to be answered or passed on, with its first octets.
    ///
    /// # Errors
    /// [`DraftError::NoSuchSource`]; those of the store.
    pub async fn source(&self, inbox: InboxId, email_id: EmailId, octets: u64) -> Result<Source, DraftError> {
        for _ in 0..LOOKS {
            let message = self.mailstore.message(inbox, email_id).await?;
            let message = message.ok_or(DraftError::NoSuchSource)?;
            let Some((mailbox, uid)) = message.placements.first().copied() else {
                continue;
            };
            let meta = self.mailstore.metadata(inbox, mailbox, &[uid], true).await?.pop();
            // Otherwise it was moved between the two reads.
            if let Some(summary) = meta
                .filter(|meta| meta.email_id == email_id)
                .and_then(|meta| meta.summary)
            {
                let labels = self.mailstore.labels(inbox, std::slice::from_ref(&message)).await?;
                let content = self.mailstore.read(&message.content, 0..octets).await?;
                return Ok(Source {
                    email_id,
                    thread_id: message.thread_id,
                    summary,
                    outbound: labels.first().is_some_and(|labels| labels.sent),
                    content: content.ok_or(DraftError::NoSuchSource)?,
                });
            }
        }
        Err(DraftError::NoSuchSource)
    }

    pub(crate) async fn stored(&self, inbox: InboxId, id: DraftId) -> Result<Option<Stored>, DraftError> {
        let value = self.store().get(&row_key(inbox, id)).await?;
        Ok(value.map(Stored::read).transpose()?)
    }

    /// The draft of this name: of several copies the one saved last.
    pub(crate) async fn found(&self, inbox: InboxId, id: DraftId) -> Result<Found, DraftError> {
        let mut records = match self.mailstore.drafts_named(inbox, &id.0).await {
            Ok(records) => records,
            Err(MailError::NoSuchInbox(_)) => return Err(DraftError::NotFound),
            Err(error) => return Err(error.into()),
        };
        if records.is_empty() {
            let page = self.mailstore.drafts(inbox, None, false, MAX_LOOKED_THROUGH).await?;
            records = page.drafts;
        }
        let found = self.load(inbox, records).await?;
        let found = found.into_iter().find(|found| found.draft.id == id);
        found.ok_or(DraftError::NotFound)
    }

    /// The drafts that these messages are, in their order; those that were sent, or are gone by now, are left out.
    pub(crate) async fn load(&self, inbox: InboxId, records: Vec<DraftRecord>) -> Result<Vec<Found>, DraftError> {
        let Some(mailbox) = records.first().map(|record| record.mailbox) else {
            return Ok(Vec::new());
        };
        let mut summaries = self.summaries(inbox, mailbox, &records).await?;
        let mut known: Vec<(DraftRecord, Summary, DraftId)> = Vec::with_capacity(records.len());
        for record in records {
            if let Some(summary) = summaries.remove(&record.message.email_id) {
                let id = id_of(&summary, record.message.email_id);
                known.push((record, summary, id));
            }
        }
        let keys: Vec<Key> = known.iter().map(|(.., id)| row_key(inbox, *id)).collect();
        let rows = self.store().get_many(&keys).await?;
        let messages: Vec<_> = known.iter().map(|(record, ..)| record.message.clone()).collect();
        let labels = self.mailstore.labels(inbox, &messages).await?;
        let mut found = Vec::with_capacity(known.len());
        for (((record, summary, id), row), labels) in known.into_iter().zip(rows).zip(labels) {
            let stored = row.map(Stored::read).transpose()?;
            let version = record.message.email_id;
            if stored.as_ref().is_some_and(|stored| stored.row.sent == Some(version)) {
                continue;
            }
            // After an earlier version was sent, what is here is another draft.
            let row = stored
                .as_ref()
                .map(|stored| &stored.row)
                .filter(|row| row.sent.is_none());
            let draft = self.draft((inbox, id), record, summary, row, labels.custom);
            found.push(Found { draft, stored });
        }
        Ok(found)
    }

    async fn summaries(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        records: &[DraftRecord],
    ) -> Result<HashMap<EmailId, Summary>, DraftError> {
        let uids: Vec<Uid> = records.iter().map(|record| record.uid).collect();
        let metas = self.mailstore.metadata(inbox, mailbox, &uids, true).await?;
        let of = |meta: postroom_mailstore::Meta| Some((meta.email_id, meta.summary?));
        Ok(metas.into_iter().filter_map(of).collect())
    }

    fn draft(
        &self,
        (inbox, id): (InboxId, DraftId),
        record: DraftRecord,
        summary: Summary,
        row: Option<&DraftRow>,
        keywords: BTreeSet<String>,
    ) -> Draft {
        let mut labels = keywords;
        let unseen = row.filter(|row| row.version != record.message.email_id);
        labels.extend(unseen.into_iter().flat_map(|row| row.labels.iter().cloned()));
        let send_status = row.filter(|row| row.send_at.is_some()).map(|row| match &row.failed {
            _ if self.claims.holds(inbox, id) => SendStatus::Sending,
            Some(_) => SendStatus::Failed,
            None => SendStatus::Scheduled,
        });
        let refers = row.and_then(|row| row.refers.as_ref());
        let answers = refers.is_some_and(|refers| refers.how != How::Forward);
        Draft {
            id,
            inbox,
            labels: labels.into_iter().collect(),
            client_id: row.and_then(|row| row.client_id.clone()),
            request: row.and_then(|row| row.request.clone()),
            forward_of: refers
                .filter(|_| row.is_some_and(DraftRow::is_forward))
                .map(|refers| refers.message_id.clone().unwrap_or_else(|| refers.to.to_string())),
            passes_on: refers
                .filter(|refers| refers.how == How::Forward)
                .map(|refers| (refers.to, refers.passing)),
            thread: row
                .and_then(|row| row.thread)
                .or_else(|| answers.then_some(record.message.thread_id)),
            reply_all: row.is_some_and(DraftRow::is_reply_all),
            send_at: row.and_then(|row| row.send_at),
            send_status,
            updated_at: record.saved_at,
            created_at: row.map_or(record.message.received_at, |row| row.created_at),
            record,
            summary,
        }
    }
}
