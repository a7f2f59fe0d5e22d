//! Mail that is kept to be read instead of sent: what a development server does with mail to the world.

use crate::keys;
use crate::model::ItemId;
use crate::rows::CapturedRow;
use crate::shared::{Tried, Tries};
use crate::turn::Job;
use crate::view::{Captured, Cursor, Page};
use crate::{Queue, QueueError};
use postroom_store::{BlobPut, CommitBuilder, Key, prefix_end, scan};

/// Most items of a page.
const MAX_PAGE: usize = 500;

impl Queue {
    /// Keeps the message of this job readable, once for each of its recipients. Durable on return, and done once however
    /// often it is called. Then the attempt is closed as delivered.
    ///
    /// # Errors
    /// [`QueueError::Withdrawn`] if the message is gone, [`QueueError::Full`], [`QueueError::Busy`] and those of the store.
    pub async fn capture(&self, job: &Job) -> Result<(), QueueError> {
        let shared = &self.shared;
        let row_keys: Vec<Key> = job.items.iter().map(|item| keys::captured(item.id)).collect();
        let message = keys::message(job.message);
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            let there = shared.store.get_many(&row_keys).await?;
            if there.iter().all(Option::is_some) {
                return Ok(());
            }
            let owner = shared.store.get(&message).await?.ok_or(QueueError::Withdrawn)?;
            let mut builder = CommitBuilder::new();
            builder.require(message.clone(), owner);
            let missing = job
                .items
                .iter()
                .zip(&row_keys)
                .zip(there)
                .filter(|(_, there)| there.is_none());
            for ((item, key), _) in missing {
                let row = CapturedRow {
                    envelope_from: item.envelope_from.clone(),
                    address: item.address.clone(),
                    captured_at: shared.now(),
                    body: job.body,
                    prefix: job.prefix.clone(),
                };
                builder.put(key.clone(), row.write());
                builder.blob(BlobPut {
                    id: job.body.blob,
                    bytes: bytes::Bytes::new(),
                    witness: key.clone(),
                    adopt: true,
                });
            }
            if let Tried::Done = shared.try_commit(builder.build()).await? {
                return Ok(());
            }
        }
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
        let Some(value) = self.shared.store.get(&keys::captured(id)).await? else {
            return Ok(None);
        };
        let row = CapturedRow::read(&value)?;
        let Some(body) = self.shared.store.blob(row.body.blob, 0..row.body.octets).await? else {
            return Ok(None);
        };
        let mut content = row.prefix;
        content.extend_from_slice(&body);
        Ok(Some(content))
    }
}
