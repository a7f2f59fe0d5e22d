//! What the operator, or the sender, does to recipients that are not final.
//!
//! What always holds: an item that is being attempted is left to its attempt; what was asked for becomes of it when that
//! ends undelivered.

use crate::announce::announce_ends;
use crate::attempt::move_due;
use crate::keys::{self, DueRow};
use crate::model::{ItemId, ItemState, Reason};
use crate::rows::{ItemRow, Wish};
use crate::shared::{Shared, Tried, Tries};
use crate::{Queue, QueueError, log};
use postroom_store::{CommitBuilder, scan_prefix};
use postroom_types::EmailId;
use std::collections::BTreeSet;

/// Items changed by one commit.
const PIECE: usize = 100;

/// What an item becomes; `None`: it stays as it is.
type Edit = fn(&ItemRow, i64) -> Option<ItemRow>;

impl Queue {
    /// Lets go what is on hold, and tries at once what waits; all recipients or one. How many it changed.
    ///
    /// # Errors
    /// [`QueueError::Full`], [`QueueError::Busy`] and those of the store.
    pub async fn retry(&self, message: EmailId, recipient: Option<u16>) -> Result<usize, QueueError> {
        self.shared.edit_message(message, recipient, retried).await
    }

    /// Puts on hold what waits; all recipients or one. How many it changed.
    ///
    /// # Errors
    /// As [`retry`](Self::retry).
    pub async fn hold(&self, message: EmailId, recipient: Option<u16>) -> Result<usize, QueueError> {
        self.shared.edit_message(message, recipient, held).await
    }

    /// Takes back what is not final; all recipients or one. No notice is sent. How many it changed.
    ///
    /// # Errors
    /// As [`retry`](Self::retry).
    pub async fn cancel(&self, message: EmailId, recipient: Option<u16>) -> Result<usize, QueueError> {
        let changed = self.shared.edit_message(message, recipient, cancelled).await?;
        self.shared.finish_message(message).await?;
        Ok(changed)
    }

    /// Everything that waits is due now; what is on hold stays so. How many recipients it changed.
    ///
    /// # Errors
    /// As [`retry`](Self::retry); the first of them may be changed already.
    pub async fn flush(&self) -> Result<usize, QueueError> {
        let now = self.shared.now();
        let mut changed = 0;
        for shard in 0..keys::SHARDS {
            let mut scan = scan_prefix(&*self.shared.store, &keys::due_shard(shard));
            let mut items = Vec::new();
            while let Some((key, value)) = scan.next().await? {
                items.extend(
                    DueRow::read(&key, &value)
                        .filter(|row| row.due_at > now)
                        .map(|row| row.item),
                );
                if items.len() == PIECE {
                    changed += self.shared.edit(&std::mem::take(&mut items), flushed).await?;
                }
            }
            changed += self.shared.edit(&items, flushed).await?;
        }
        Ok(changed)
    }
}

impl Shared {
    pub(crate) async fn edit_message(
        &self,
        message: EmailId,
        recipient: Option<u16>,
        edit: Edit,
    ) -> Result<usize, QueueError> {
        if let Some(recipient) = recipient {
            return self.edit(&[ItemId { message, recipient }], edit).await;
        }
        let rows = scan_prefix(&*self.store, &keys::items(message)).collect().await?;
        let items: Vec<ItemId> = rows
            .iter()
            .filter_map(|(key, _)| keys::item_of(key, keys::ITEMS))
            .collect();
        self.edit(&items, edit).await
    }

    /// Changes at most [`PIECE`] items in one commit.
    async fn edit(&self, items: &[ItemId], edit: Edit) -> Result<usize, QueueError> {
        let mut tries = Tries::new();
        // What was asked for by a commit whose outcome is unknown.
        let mut unknown: BTreeSet<ItemId> = BTreeSet::new();
        loop {
            tries.next().await?;
            let mut builder = CommitBuilder::new();
            let mut edited = Vec::new();
            let mut done = Vec::new();
            let rows = self.item_rows(items.iter().copied()).await?;
            for (id, row) in items.iter().zip(rows) {
                let Some((old, row)) = row else { continue };
                match edit(&row, self.now()) {
                    None if unknown.contains(id) => done.push((*id, row)),
                    None => {}
                    Some(new) => {
                        builder.replace(keys::item(*id), old, new.write());
                        move_due(&mut builder, *id, &row, &new);
                        edited.push((*id, new));
                    }
                }
            }
            if edited.is_empty() {
                return Ok(self.edited(&done));
            }
            // Only what is taken back ends so, and that is always of one message.
            announce_ends(&mut builder, edited.iter().map(|(id, row)| (*id, row)));
            match self.try_commit(builder.build()).await? {
                Tried::Done => {
                    edited.extend(done);
                    return Ok(self.edited(&edited));
                }
                Tried::Conflict(_) => {}
                Tried::Unknown => unknown.extend(edited.iter().map(|(id, _)| *id)),
            }
        }
    }

    /// The commit is durable.
    fn edited(&self, edited: &[(ItemId, ItemRow)]) -> usize {
        for (id, row) in edited {
            match row.state {
                ItemState::Queued => self.note(&row.destination, row.due_at),
                ItemState::OnHold | ItemState::Cancelled => log::outcome(*id, row),
                _ => {}
            }
        }
        edited.len()
    }
}

fn wishing(row: &ItemRow, wish: Wish) -> Option<ItemRow> {
    (row.wish != wish).then(|| ItemRow { wish, ..row.clone() })
}

fn retried(row: &ItemRow, now: i64) -> Option<ItemRow> {
    match row.state {
        ItemState::OnHold => Some(ItemRow {
            changed_at: now,
            ..row.due_now(now)
        }),
        ItemState::Attempting => wishing(row, Wish::None),
        _ => flushed(row, now),
    }
}

fn flushed(row: &ItemRow, now: i64) -> Option<ItemRow> {
    (row.state == ItemState::Queued && row.due_at > now).then(|| row.due_now(now))
}

pub(crate) fn released(row: &ItemRow, now: i64) -> Option<ItemRow> {
    flushed(row, now).filter(|_| row.held_back_until == row.due_at)
}

fn held(row: &ItemRow, now: i64) -> Option<ItemRow> {
    match row.state {
        ItemState::Queued => Some(stopped(row, ItemState::OnHold, "Held by the operator", now)),
        ItemState::Attempting => wishing(row, Wish::Hold),
        _ => None,
    }
}

fn cancelled(row: &ItemRow, now: i64) -> Option<ItemRow> {
    match row.state {
        ItemState::Queued | ItemState::OnHold => Some(stopped(row, ItemState::Cancelled, "Cancelled", now)),
        ItemState::Attempting => wishing(row, Wish::Cancel),
        _ => None,
    }
}

fn stopped(row: &ItemRow, state: ItemState, why: &str, now: i64) -> ItemRow {
    ItemRow {
        state,
        changed_at: now,
        reason: Reason {
            text: why.into(),
            ..Reason::default()
        },
        ..row.clone()
    }
}
