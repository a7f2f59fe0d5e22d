//! Mail that is kept to be read instead of sent: what a development server does with mail to the world.

use crate::announce::announce_ends;
use crate::attempt::{End, OpenAttempt, add_settled, positive};
use crate::keys;
use crate::model::{Contact, ItemId};
use crate::rows::{CapturedRow, MessageRow};
use crate::shared::{Tried, Tries};
use crate::turn::Job;
use crate::view::{Captured, Cursor, Page};
use crate::{Queue, QueueError};
use postroom_store::{BlobPut, CommitBuilder, prefix_end, scan};

/// Most items of a page.
const MAX_PAGE: usize = 500;
/// Most of a body that is looked through for its header section.
const HEADER_OCTETS: u64 = 64 << 10;

impl Queue {
    /// Delivers a job to nobody: keeps its message readable, once for each of its recipients, who are then delivered. All
    /// in one commit; durable on return, and done once.
    ///
    /// # Errors
    /// [`QueueError::LeaseLost`], [`QueueError::Full`], [`QueueError::Busy`] and those of the store.
    pub async fn capture(&self, job: &Job) -> Result<(), QueueError> {
        let attempt = self.unwritten_attempt(job);
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            // Nothing to do: it was done, or somebody took it back.
            let Some(builder) = self.captured_part(job, &attempt).await? else {
                break;
            };
            match self.shared.try_commit(builder.build()).await? {
                Tried::Done => break,
                Tried::Conflict(key) => self.shared.check_fence(&key, attempt.claim.line.shard).await?,
                Tried::Unknown => {}
            }
        }
        self.close_attempt(attempt, &captured_contact(), &[]).await
    }

    async fn captured_part(&self, job: &Job, attempt: &OpenAttempt) -> Result<Option<CommitBuilder>, QueueError> {
        let shared = &self.shared;
        let message_key = keys::message(job.message);
        let Some(message) = shared.store.get(&message_key).await? else {
            return Ok(None);
        };
        let end = End {
            contact: captured_contact(),
            reason: positive("captured, not sent"),
            at: shared.now(),
        };
        let mut builder = CommitBuilder::new();
        shared.fence(&mut builder, attempt.claim.line.shard)?;
        let empty = builder.operations();
        let mut settled = Vec::new();
        let rows = shared.item_rows(job.items.iter().map(|item| item.id)).await?;
        for (item, row) in job.items.iter().zip(rows) {
            let Some((old, row)) = row.filter(|(_, row)| attempt.may_settle(item.id, row)) else {
                continue;
            };
            settled.push((item.id, add_settled(&mut builder, attempt, item.id, (old, row), &end)));
            let key = keys::captured(item.id);
            let row = CapturedRow {
                envelope_from: item.envelope_from.clone(),
                address: item.address.clone(),
                captured_at: end.at,
                body: job.body,
                prefix: job.prefix.clone(),
            };
            builder.put(key.clone(), row.write());
            builder.blob(BlobPut {
                id: job.body.blob,
                bytes: bytes::Bytes::new(),
                witness: key,
                adopt: true,
            });
        }
        if builder.operations() == empty {
            return Ok(None);
        }
        announce_ends(&mut builder, settled.iter().map(|(id, row)| (*id, row)));
        if MessageRow::read(&message)?.recipients == 1 {
            builder.delete(message_key.clone());
        }
        builder.require(message_key, message);
        Ok(Some(builder))
    }

    /// What was captured, newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn captured(&self, after: Option<Cursor>, limit: usize) -> Result<Page<Captured>, QueueError> {
        let high = after.map_or_else(|| prefix_end(keys::CAPTURED), |Cursor(id)| keys::captured(id));
        let mut rows = scan(&*self.shared.store, keys::CAPTURED.to_vec(), high).reverse();
        let mut items: Vec<Captured> = Vec::new();
        while items.len() < limit.clamp(1, MAX_PAGE) {
            let Some((key, value)) = rows.next().await? else {
                return Ok(Page { items, next: None });
            };
            if let Some(id) = keys::item_of(&key, keys::CAPTURED) {
                items.push(CapturedRow::read(&value)?.shown(id));
            }
        }
        let next = items.last().map(|captured| Cursor(captured.id));
        Ok(Page { items, next })
    }

    /// The content as it would have been sent: prefix and body. `None` if it is not there (any more).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn captured_content(&self, id: ItemId) -> Result<Option<Vec<u8>>, QueueError> {
        self.captured_start(id, u64::MAX).await
    }

    /// The beginning of the content: its header section, if that is not beyond reason.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn captured_header(&self, id: ItemId) -> Result<Option<Vec<u8>>, QueueError> {
        let mut content = self.captured_start(id, HEADER_OCTETS).await?;
        if let Some(content) = &mut content {
            content.truncate(postroom_message::body_offset(content));
        }
        Ok(content)
    }

    /// The prefix and so many octets of the body.
    async fn captured_start(&self, id: ItemId, octets: u64) -> Result<Option<Vec<u8>>, QueueError> {
        let Some(value) = self.shared.store.get(&keys::captured(id)).await? else {
            return Ok(None);
        };
        let row = CapturedRow::read(&value)?;
        let range = 0..row.body.octets.min(octets);
        let Some(body) = self.shared.store.blob(row.body.blob, range).await? else {
            return Ok(None);
        };
        let mut content = row.prefix;
        content.extend_from_slice(&body);
        Ok(Some(content))
    }
}

fn captured_contact() -> Contact {
    Contact {
        host: "captured".into(),
        ..Contact::default()
    }
}
