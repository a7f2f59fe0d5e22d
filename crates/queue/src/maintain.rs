//! Forgetting: history that is old enough, captured mail beyond its bounds, and bodies whose recipients are all final.
//!
//! What always holds: rows are in time order, since ids are, so a pass over history ends at the first young row.

use crate::keys;
use crate::model::ItemId;
use crate::rows::ItemRow;
use crate::schedule::milliseconds;
use crate::shared::Shared;
use crate::{Queue, QueueError};
use postroom_store::{CommitBuilder, Key, prefix_end, scan, scan_prefix};
use postroom_types::EmailId;
use std::sync::PoisonError;
use std::time::Duration;

/// How long captured mail is kept.
const CAPTURED_KEPT: Duration = Duration::from_secs(7 * 86_400);
/// Most captured messages kept.
const MAX_CAPTURED: usize = 10_000;
/// Keys deleted by one commit.
const PIECE: usize = 500;

/// Where the next call goes on; `None`: at the beginning.
#[derive(Clone, Debug, Default)]
pub(crate) struct Position {
    history: Option<Key>,
    messages: Option<Key>,
}

impl Queue {
    /// Forgets what is old, looking at about `budget` rows of each kind. `true` when there is no more to do now.
    ///
    /// # Errors
    /// Those of the store; the next call goes on.
    pub async fn maintain(&self, budget: usize) -> Result<bool, QueueError> {
        let shared = &self.shared;
        let budget = budget.max(1);
        let Position { history, messages } = shared.position.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let captured = shared.forget_captured(budget).await?;
        let history = shared.forget_history(history, budget).await?;
        let messages = shared.finish_messages(messages, budget).await?;
        let done = !captured && history.is_none() && messages.is_none();
        *shared.position.lock().unwrap_or_else(PoisonError::into_inner) = Position { history, messages };
        Ok(done)
    }
}

impl Shared {
    /// Deletes the rows of recipients that are final for long; where to go on.
    async fn forget_history(&self, from: Option<Key>, budget: usize) -> Result<Option<Key>, QueueError> {
        let oldest = self.now().saturating_sub(milliseconds(self.options.keep_history));
        let low = from.unwrap_or_else(|| keys::ITEMS.to_vec());
        let mut rows = scan(&*self.store, low, prefix_end(keys::ITEMS));
        for _ in 0..budget {
            let Some((key, value)) = rows.next().await? else {
                return Ok(None);
            };
            let Some(id) = keys::item_of(&key, keys::ITEMS) else {
                continue;
            };
            if made_at(id.message) >= oldest {
                return Ok(None);
            }
            let row = ItemRow::read(&value)?;
            if row.state.is_final() && row.changed_at < oldest {
                self.forget_item(id, key).await?;
            }
        }
        Ok(rows.next().await?.map(|(key, _)| key))
    }

    /// An item with its attempts and reports: at most 111 rows.
    async fn forget_item(&self, id: ItemId, key: Key) -> Result<(), QueueError> {
        let mut doomed = Vec::new();
        for prefix in [keys::attempts(id), keys::reports(id)] {
            let rows = scan_prefix(&*self.store, &prefix).collect().await?;
            doomed.extend(rows.into_iter().map(|(key, _)| key));
        }
        doomed.push(key);
        self.delete(doomed).await
    }

    /// Deletes captured mail that is old, or too much; whether there may be more of it.
    async fn forget_captured(&self, budget: usize) -> Result<bool, QueueError> {
        let oldest = self.now().saturating_sub(milliseconds(CAPTURED_KEPT));
        let mut rows = scan_prefix(&*self.store, keys::CAPTURED);
        let mut all: Vec<Key> = Vec::new();
        while let Some((key, _)) = rows.next().await? {
            all.push(key);
        }
        let too_many = all.len().saturating_sub(MAX_CAPTURED);
        let is_old = |key: &Key| keys::item_of(key, keys::CAPTURED).is_some_and(|id| made_at(id.message) < oldest);
        let old = all.iter().take_while(|key| is_old(key)).count();
        let doomed = old.max(too_many);
        all.truncate(doomed.min(budget));
        self.delete(all).await?;
        Ok(doomed > budget)
    }

    /// The net for those that were not finished when their last recipient was; where to go on.
    async fn finish_messages(&self, from: Option<Key>, budget: usize) -> Result<Option<Key>, QueueError> {
        let low = from.unwrap_or_else(|| keys::MESSAGES.to_vec());
        let mut rows = scan(&*self.store, low, prefix_end(keys::MESSAGES));
        for _ in 0..budget {
            let Some((key, _)) = rows.next().await? else {
                return Ok(None);
            };
            if let Some(message) = keys::message_of(&key) {
                self.finish_message(message).await?;
            }
        }
        Ok(rows.next().await?.map(|(key, _)| key))
    }

    /// What is deleted twice is deleted; what was not is found by the next pass.
    async fn delete(&self, doomed: Vec<Key>) -> Result<(), QueueError> {
        for piece in doomed.chunks(PIECE) {
            let mut builder = CommitBuilder::new();
            for key in piece {
                builder.delete(key.clone());
            }
            self.try_commit(builder.build()).await?;
        }
        Ok(())
    }
}

/// When an id was made (RFC 9562 §5.7), milliseconds since 1970 UTC.
fn made_at(id: EmailId) -> i64 {
    id.as_bytes()[..6]
        .iter()
        .fold(0, |at, octet| at << 8 | i64::from(*octet))
}
