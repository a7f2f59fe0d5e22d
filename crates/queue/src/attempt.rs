//! Attempts: opened before dialling, closed with an outcome.
//!
//! What always holds: a domain is dialled only after the open attempt is durable, so that an attempt is known of even if
//! nothing is ever heard of its end. An attempt at an inbox here, or at capture, is not written before its end, since it
//! delivers and ends in one commit.

use crate::announce::announce_ends;
use crate::claim::Claim;
use crate::keys;
use crate::model::{Contact, Destination, ItemId, ItemState, Outcome, Reason};
use crate::rows::{AttemptRow, ItemRow, MessageRow, Stage};
use crate::shared::{Shared, Tried, Tries};
use crate::turn::Job;
use crate::view::AttemptOutcome;
use crate::{Queue, QueueError};
use postroom_store::{CommitBuilder, Value};
use std::sync::Arc;

/// Attempts kept of one recipient, the last ones.
pub(crate) const KEPT_ATTEMPTS: u32 = 100;

/// An attempt under way. Dropped without [`Queue::close_attempt`], it is found open later and ends as uncertain; as
/// deferred under [`OnLostReply::Hold`](crate::OnLostReply::Hold), if no content may have been sent.
pub struct OpenAttempt {
    /// The items, and which attempt this is of theirs.
    pub(crate) items: Vec<(ItemId, u32)>,
    pub(crate) started_at: i64,
    /// Whether the rows say that it is open.
    pub(crate) is_stored: bool,
    pub(crate) claim: Arc<Claim>,
}

impl OpenAttempt {
    /// Makes one of two attempts at recipients of the same job, so that they are closed together and the sender gets one
    /// notice. Gives back one of another job.
    #[must_use]
    pub fn absorb(&mut self, other: Self) -> Option<Self> {
        if !Arc::ptr_eq(&self.claim, &other.claim) || self.is_stored != other.is_stored {
            return Some(other);
        }
        self.items.extend(other.items);
        None
    }

    /// Whether the item is still to be attempted, going by its row.
    pub(crate) fn has_open(&self, number: u32, row: &ItemRow) -> bool {
        if self.is_stored {
            row.state == ItemState::Attempting && row.attempts == number
        } else {
            row.state == ItemState::Queued && row.attempts + 1 == number
        }
    }

    /// Whether the item is one of this attempt, and still to be attempted.
    pub(crate) fn may_settle(&self, item: ItemId, row: &ItemRow) -> bool {
        self.number_of(item).is_some_and(|number| self.has_open(number, row))
    }

    fn number_of(&self, item: ItemId) -> Option<u32> {
        self.items.iter().find(|(id, _)| *id == item).map(|(_, number)| *number)
    }
}

impl Queue {
    /// Opens an attempt at all items of a job. Durable on return, if the job goes to a domain.
    ///
    /// # Errors
    /// [`QueueError::Withdrawn`]: one of the items was cancelled or put on hold meanwhile; nothing was opened, and the
    /// rest comes with the next job. [`QueueError::LeaseLost`], [`QueueError::Full`], [`QueueError::Busy`] and those of
    /// the store: nothing may be sent.
    pub async fn open_attempt(&self, job: &Job, contact: &Contact) -> Result<OpenAttempt, QueueError> {
        let mut attempt = self.unwritten_attempt(job);
        if matches!(job.destination, Destination::Domain(_)) {
            attempt.is_stored = true;
            self.shared.write_open(&attempt, contact).await?;
        }
        Ok(attempt)
    }

    /// An attempt that is written when it ends.
    pub(crate) fn unwritten_attempt(&self, job: &Job) -> OpenAttempt {
        OpenAttempt {
            items: job.items.iter().map(|item| (item.id, item.attempts + 1)).collect(),
            started_at: self.shared.now(),
            is_stored: false,
            claim: Arc::clone(&job.claim),
        }
    }

    /// Closes an attempt: states, history, next due times and notices, in one commit. An item without an outcome is
    /// deferred; one that [`settle_locally`](Self::settle_locally)'s commit delivered stays as it is.
    ///
    /// # Errors
    /// [`QueueError::LeaseLost`], [`QueueError::Full`], [`QueueError::Busy`] and those of the store: the attempt is found
    /// open later and ends as uncertain.
    pub async fn close_attempt(
        &self,
        attempt: OpenAttempt,
        contact: &Contact,
        outcomes: &[(ItemId, Outcome)],
    ) -> Result<(), QueueError> {
        self.shared.close(&attempt, contact, outcomes).await
    }

    /// The part of a commit that marks an item as delivered, for the commit that puts it into an inbox here. It asks that
    /// the message row is there, so that the body may be adopted. `None`: it is delivered already, or somebody took it
    /// back; nothing is to be delivered.
    ///
    /// If that commit conflicts on a key that begins with `q`, or its outcome is unknown: ask
    /// [`is_settled`](Self::is_settled), and if it is not, ask for a new part.
    ///
    /// # Errors
    /// [`QueueError::LeaseLost`] and those of the store.
    pub async fn settle_locally(
        &self,
        attempt: &OpenAttempt,
        item: ItemId,
    ) -> Result<Option<CommitBuilder>, QueueError> {
        let shared = &self.shared;
        let rows = [keys::item(item), keys::message(item.message)];
        let values = shared.store.get_many(&rows).await?;
        let [Some(old), Some(message)] = &values[..] else {
            return Ok(None);
        };
        let row = ItemRow::read(old)?;
        if !attempt.may_settle(item, &row) {
            return Ok(None);
        }
        let local_end = End {
            contact: local_contact(),
            reason: positive("Delivered"),
            at: shared.now(),
        };
        let lease = keys::lease(attempt.claim.line.shard);
        shared.check_fence(&lease, attempt.claim.line.shard).await?;
        let mut builder = CommitBuilder::new();
        shared.fence(&mut builder, attempt.claim.line.shard)?;
        let [_, message_key] = rows;
        builder.require(message_key.clone(), message.clone());
        if MessageRow::read(message)?.recipients == 1 {
            builder.delete(message_key);
        }
        let settled = add_settled(&mut builder, attempt, item, (old.clone(), row), &local_end);
        announce_ends(&mut builder, std::iter::once((item, &settled)));
        Ok(Some(builder))
    }

    /// Whether the commit with [`settle_locally`](Self::settle_locally)'s part was done.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn is_settled(&self, attempt: &OpenAttempt, item: ItemId) -> Result<bool, QueueError> {
        let value = self.shared.store.get(&keys::item(item)).await?;
        let row = value.as_deref().map(ItemRow::read).transpose()?;
        let number = attempt.number_of(item);
        Ok(row.is_some_and(|row| row.state == ItemState::Delivered && Some(row.attempts) == number))
    }
}

/// How an item ends without a server having been asked.
pub(crate) struct End {
    pub(crate) contact: Contact,
    pub(crate) reason: Reason,
    pub(crate) at: i64,
}

pub(crate) fn local_contact() -> Contact {
    Contact {
        host: "local".into(),
        ..Contact::default()
    }
}

pub(crate) fn positive(text: &str) -> Reason {
    Reason {
        code: 250,
        status: "2.0.0".into(),
        text: text.into(),
    }
}

/// Marks an item as delivered; what it is now.
pub(crate) fn add_settled(
    builder: &mut CommitBuilder,
    attempt: &OpenAttempt,
    item: ItemId,
    (old, row): (Value, ItemRow),
    end: &End,
) -> ItemRow {
    // An attempt at a domain that has become ours meanwhile is written already.
    let number = row.attempts + u32::from(!attempt.is_stored);
    let new = ItemRow {
        state: ItemState::Delivered,
        attempts: number,
        changed_at: end.at,
        reason: end.reason.clone(),
        contact: end.contact.clone(),
        ..row.clone()
    };
    builder.replace(keys::item(item), old, new.write());
    move_due(builder, item, &row, &new);
    let ended = AttemptRow {
        started_at: attempt.started_at,
        stage: Stage::Ended(end.at),
        contact: new.contact.clone(),
        outcome: AttemptOutcome::Delivered,
        reason: new.reason.clone(),
    };
    put_attempt(builder, item, new.attempts, &ended);
    new
}

/// Moves the item in the due index, if it moves.
pub(crate) fn move_due(builder: &mut CommitBuilder, id: ItemId, old: &ItemRow, new: &ItemRow) {
    let (before, after) = (old.due_key(id), new.due_key(id));
    if before == after {
        return;
    }
    if let Some(key) = before {
        builder.delete(key);
    }
    if let Some(key) = after {
        builder.put(key, keys::DueRow::value(&new.destination));
    }
}

/// Writes an attempt, and forgets the one that is too old to be kept.
pub(crate) fn put_attempt(builder: &mut CommitBuilder, id: ItemId, number: u32, row: &AttemptRow) {
    builder.put(keys::attempt(id, number), row.write());
    if let Some(old) = number.checked_sub(KEPT_ATTEMPTS).filter(|old| *old > 0) {
        builder.delete(keys::attempt(id, old));
    }
}

impl Shared {
    /// The rows of the items, in their order.
    pub(crate) async fn item_rows(
        &self,
        items: impl Iterator<Item = ItemId>,
    ) -> Result<Vec<Option<(Value, ItemRow)>>, QueueError> {
        let wanted: Vec<_> = items.map(keys::item).collect();
        let values = self.store.get_many(&wanted).await?;
        let read = |value: Option<Value>| -> Result<_, QueueError> {
            value.map(|value| Ok((ItemRow::read(&value)?, value))).transpose()
        };
        let rows: Result<Vec<_>, _> = values.into_iter().map(read).collect();
        Ok(rows?
            .into_iter()
            .map(|row| row.map(|(row, value)| (value, row)))
            .collect())
    }

    async fn write_open(&self, attempt: &OpenAttempt, contact: &Contact) -> Result<(), QueueError> {
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            let rows = self.item_rows(attempt.items.iter().map(|(id, _)| *id)).await?;
            let mut builder = CommitBuilder::new();
            self.fence(&mut builder, attempt.claim.line.shard)?;
            let mut open = 0;
            for ((id, number), row) in attempt.items.iter().zip(rows) {
                match row {
                    // By this call, before its outcome was unknown: nobody else opens what is claimed here.
                    Some((_, row)) if attempt.has_open(*number, &row) => open += 1,
                    Some((old, row)) if row.state == ItemState::Queued && row.attempts + 1 == *number => {
                        add_open(&mut builder, *id, *number, (old, row), attempt.started_at, contact);
                    }
                    _ => return Err(QueueError::Withdrawn),
                }
            }
            if open == attempt.items.len() {
                return Ok(());
            }
            match self.try_commit(builder.build()).await? {
                Tried::Done => return Ok(()),
                Tried::Conflict(key) => self.check_fence(&key, attempt.claim.line.shard).await?,
                Tried::Unknown => {}
            }
        }
    }
}

fn add_open(
    builder: &mut CommitBuilder,
    id: ItemId,
    number: u32,
    (old, row): (Value, ItemRow),
    started_at: i64,
    contact: &Contact,
) {
    let new = ItemRow {
        state: ItemState::Attempting,
        attempts: number,
        changed_at: started_at,
        contact: contact.clone(),
        ..row
    };
    builder.replace(keys::item(id), old, new.write());
    let open = AttemptRow {
        started_at,
        stage: Stage::Open,
        contact: contact.clone(),
        outcome: AttemptOutcome::Open,
        reason: Reason::default(),
    };
    put_attempt(builder, id, number, &open);
}
