//! Turns and jobs: which message is to be sent where next.
//!
//! What always holds: an item is in at most one job at a time, and whatever becomes of the job, its items come back
//! when it is dropped: a future that is cancelled anywhere loses no work.

use crate::claim::{Claim, Look};
use crate::keys::{self, DueRow, LineId};
use crate::model::{Destination, ItemId, ItemState, QueuedBody};
use crate::rows::{ItemRow, MessageRow};
use crate::shared::Shared;
use crate::{Queue, QueueError};
use postroom_store::{CommitBuilder, Key, StoreError, scan_prefix};
use postroom_types::{EmailAddress, EmailId, InboxId, ReversePath};
use std::sync::Arc;
use std::time::Duration;

/// Longest sleep before the clock is asked again: it may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A slot of a destination. Dropping it gives it back.
pub struct Turn {
    shared: Arc<Shared>,
    line: LineId,
    destination: Destination,
    /// The look that this turn was given with.
    look: Option<Look>,
}

/// One message with all of its recipients that are due at one destination. As long as it, or the attempt opened for it,
/// lives, nobody else gets these items.
pub struct Job {
    /// The message.
    pub message: EmailId,
    /// The inbox it comes from.
    pub sender: Option<InboxId>,
    /// Where it goes.
    pub destination: Destination,
    /// Where notices go.
    pub reverse_path: ReversePath,
    /// Whether each recipient has a reverse-path of its own.
    pub verp: bool,
    /// Stands before the body.
    pub prefix: Vec<u8>,
    /// Where the body is.
    pub body: QueuedBody,
    /// Whether prefix or body has octets above 127.
    pub eight_bit: bool,
    /// Whether it needs SMTPUTF8.
    pub smtputf8: bool,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// The recipients; at least one.
    pub items: Vec<JobItem>,
    pub(crate) claim: Arc<Claim>,
}

/// A recipient of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobItem {
    /// Which.
    pub id: ItemId,
    /// The forward-path.
    pub address: EmailAddress,
    /// Attempts begun before this one.
    pub attempts: u32,
    /// The reverse-path to show to the peer.
    pub envelope_from: ReversePath,
}

impl Queue {
    /// Waits for a destination that has due work and a free slot. Ordered by how long the work is due. Safe to cancel.
    pub async fn next_turn(&self) -> Turn {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // From here on a change wakes us, also one that comes before we wait.
            changed.as_mut().enable();
            let now = self.shared.now();
            let next = self.shared.agenda().take(now);
            match next {
                crate::agenda::Next::Line(line, destination) => {
                    let look = Some(Look::begun(&self.shared, line));
                    let shared = Arc::clone(&self.shared);
                    return Turn {
                        shared,
                        line,
                        destination,
                        look,
                    };
                }
                crate::agenda::Next::Nothing => changed.await,
                crate::agenda::Next::At(due_at) => {
                    let wait = u64::try_from(due_at.saturating_sub(now)).unwrap_or_default();
                    let wait = Duration::from_millis(wait).min(LONGEST_SLEEP);
                    let _ = tokio::time::timeout(wait, changed).await;
                }
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.look = None;
        self.shared.agenda().end_turn(self.line);
        self.shared.changed.notify_waiters();
    }
}

impl Turn {
    /// Where its work goes.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The message due first, with all of its recipients that are due; `None` if nothing is due now. Safe to cancel.
    ///
    /// An attempt that is found open, and is not one of this process, ends as uncertain here.
    ///
    /// # Errors
    /// [`QueueError::LeaseLost`], and those of the store; the work stays.
    pub async fn next_job(&mut self) -> Result<Option<Job>, QueueError> {
        let mut look = match self.look.take() {
            Some(look) => look,
            None => Look::begin(&self.shared, self.line),
        };
        loop {
            if !self.shared.leases.holds(self.line.shard) {
                self.shared.agenda().forget_shard(self.line.shard);
                return Err(QueueError::LeaseLost);
            }
            let generation = self.shared.agenda().generation(self.line);
            let (found, next_due) = self.look().await?;
            if found.is_empty() {
                self.shared.agenda().found(self.line, generation, next_due);
                return Ok(None);
            }
            let items: Vec<ItemId> = found.iter().map(|row| row.item).collect();
            let claim = Claim::take(&self.shared, self.line, &items);
            // Another turn was faster: look again.
            let Some(claim) = claim else { continue };
            self.shared.agenda().found(self.line, generation, next_due);
            drop(look);
            self.shared.changed.notify_waiters();
            if let Some(job) = self.job(claim, &found).await? {
                return Ok(Some(job));
            }
            look = Look::begin(&self.shared, self.line);
        }
    }

    /// The first message that is due and not in flight: its rows, and the due time of what comes after them.
    async fn look(&self) -> Result<(Vec<DueRow>, Option<i64>), QueueError> {
        let now = self.shared.now();
        let mut found: Vec<DueRow> = Vec::new();
        let mut scan = scan_prefix(&*self.shared.store, &keys::due_line(self.line)).page_pairs(16);
        while let Some((key, value)) = scan.next().await? {
            let Some(row) = DueRow::read(&key, &value) else {
                tracing::error!(key = %key.escape_ascii(), "a row of the due index does not decode");
                continue;
            };
            if self.shared.agenda().is_in_flight(self.line, row.item) {
                continue;
            }
            let fits = found.first().is_none_or(|first| first.item.message == row.item.message);
            if row.due_at > now || !fits {
                return Ok((found, Some(row.due_at)));
            }
            found.push(row);
        }
        Ok((found, None))
    }

    /// Reads what the index promised. `None` if nothing of it is to be sent.
    async fn job(&self, claim: Claim, found: &[DueRow]) -> Result<Option<Job>, QueueError> {
        let message = found[0].item.message;
        let mut wanted = vec![keys::message(message)];
        wanted.extend(found.iter().map(|row| keys::item(row.item)));
        let mut values = self.shared.store.get_many(&wanted).await?.into_iter();
        let shared = values.next().flatten();
        let mut items = Vec::new();
        let mut lost = Vec::new();
        for (due, value) in found.iter().zip(values) {
            let row = value.as_deref().map(ItemRow::read).transpose()?;
            let key = keys::due(due.line, due.due_at, due.item);
            match row {
                Some(row) if row.due_key(due.item).as_ref() == Some(&key) => match row.state {
                    ItemState::Attempting => lost.push((due.item, row)),
                    _ => items.push((due.item, row)),
                },
                _ => self.drop_stray(key, due.item, value).await?,
            }
        }
        // Claimed for as long as the attempt is being ended, too.
        let claim = Arc::new(claim);
        self.shared.end_lost(&claim, lost).await?;
        for due in found.iter().filter(|due| !items.iter().any(|(id, _)| *id == due.item)) {
            claim.settle_unless_known(due.item);
        }
        if items.is_empty() {
            return Ok(None);
        }
        let row = shared.ok_or_else(|| StoreError::Corrupt("a queue item without its message".into()))?;
        let row = MessageRow::read(&row)?;
        Ok(Some(self.make_job(message, row, items, claim)))
    }

    fn make_job(&self, message: EmailId, row: MessageRow, items: Vec<(ItemId, ItemRow)>, claim: Arc<Claim>) -> Job {
        let items = items.into_iter().map(|(id, item)| JobItem {
            id,
            envelope_from: self.envelope_from(id, &row),
            address: item.address,
            attempts: item.attempts,
        });
        Job {
            items: items.collect(),
            message,
            sender: row.sender,
            destination: self.destination.clone(),
            reverse_path: row.reverse_path,
            verp: row.verp,
            prefix: row.prefix,
            body: row.body,
            eight_bit: row.eight_bit,
            smtputf8: row.smtputf8,
            created_at: row.created_at,
            claim,
        }
    }

    fn envelope_from(&self, item: ItemId, row: &MessageRow) -> ReversePath {
        match &row.reverse_path {
            ReversePath::Mailbox(address) if row.verp => {
                let signed = self.shared.bounce_address(item, address.domain());
                ReversePath::Mailbox(signed.unwrap_or_else(|| address.clone()))
            }
            path => path.clone(),
        }
    }

    /// The index row may be older than the item row, since a page is no snapshot. If it is still there now, it leads
    /// nowhere and would be found again and again.
    async fn drop_stray(&self, due: Key, item: ItemId, row: Option<Vec<u8>>) -> Result<(), QueueError> {
        let key = keys::item(item);
        if self.shared.store.get(&due).await?.is_none() || self.shared.store.get(&key).await? != row {
            return Ok(());
        }
        let mut builder = CommitBuilder::new();
        self.shared.fence(&mut builder, self.line.shard)?;
        if let Some(row) = row {
            builder.require(key, row);
        }
        builder.delete(due);
        self.shared.try_commit(builder.build()).await.map(|_| ())
    }
}
