//! Mail of senders who may not send at present, though nobody took it back: held back without an attempt, let go when
//! they may, taken back when they are gone.
//!
//! What always holds: what is held back is not attempted, keeps its attempts, and gets no older; it comes up again by
//! itself, so that a crash while it is let go costs no more than the pause.

use crate::attempt::move_due;
use crate::model::ItemState;
use crate::operate::released;
use crate::rows::MessageRow;
use crate::schedule::milliseconds;
use crate::shared::{Tried, Tries};
use crate::turn::Job;
use crate::{Queue, QueueError, keys};
use postroom_store::{CommitBuilder, prefix_end, scan};
use postroom_types::{EmailId, InboxId};
use std::collections::HashSet;
use std::time::Duration;

/// Messages looked at together.
const PIECE: usize = 100;

impl Queue {
    /// Holds the items of a job back: none of them is attempted before the pause is over. `why` is shown with them.
    ///
    /// # Errors
    /// [`QueueError::LeaseLost`], [`QueueError::Full`], [`QueueError::Busy`] and those of the store; the work stays.
    pub async fn hold_back(&self, job: &Job, pause: Duration, why: &str) -> Result<(), QueueError> {
        let shared = &self.shared;
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            let now = shared.now();
            let until = now.saturating_add(milliseconds(pause));
            let mut builder = CommitBuilder::new();
            shared.fence(&mut builder, job.claim.line.shard)?;
            let (mut is_done, mut settled) = (true, Vec::new());
            let rows = shared.item_rows(job.items.iter().map(|item| item.id)).await?;
            for (item, row) in job.items.iter().zip(rows) {
                match row {
                    Some((old, row)) if row.state == ItemState::Queued && row.due_at <= now => {
                        let mut new = row.held_back(now, until);
                        new.reason.text = why.to_owned();
                        builder.replace(keys::item(item.id), old, new.write());
                        move_due(&mut builder, item.id, &row, &new);
                        settled.push((item.id, Some(until)));
                        is_done = false;
                    }
                    Some((_, row)) => settled.push((item.id, row.is_pending().then_some(row.due_at))),
                    None => settled.push((item.id, None)),
                }
            }
            let tried = match is_done {
                true => Tried::Done,
                false => shared.try_commit(builder.build()).await?,
            };
            match tried {
                Tried::Done => {
                    for (item, due_at) in settled {
                        job.claim.settle(item, due_at);
                    }
                    return Ok(());
                }
                Tried::Conflict(key) => shared.check_fence(&key, job.claim.line.shard).await?,
                Tried::Unknown => {}
            }
        }
    }

    /// Lets go what was held back of these senders; what is on hold stays so. How many recipients it changed.
    ///
    /// # Errors
    /// As [`retry`](Self::retry); the first of them may be changed already.
    pub async fn let_go(&self, senders: &HashSet<InboxId>) -> Result<usize, QueueError> {
        let mut changed = 0;
        let mut messages = Pending::default();
        while let Some(message) = messages.next(self, senders).await? {
            changed += self.let_one_go(message).await?;
        }
        Ok(changed)
    }

    /// Lets go what was held back of one message; what is on hold stays so. How many recipients it changed.
    ///
    /// # Errors
    /// As [`retry`](Self::retry).
    pub async fn let_one_go(&self, message: EmailId) -> Result<usize, QueueError> {
        self.shared.edit_message(message, None, released).await
    }

    /// Takes back what is not final of these senders. No notice is sent. How many recipients it changed.
    ///
    /// # Errors
    /// As [`retry`](Self::retry); the first of them may be changed already.
    pub async fn withdraw(&self, senders: &HashSet<InboxId>) -> Result<usize, QueueError> {
        let mut changed = 0;
        let mut messages = Pending::default();
        while let Some(message) = messages.next(self, senders).await? {
            changed += self.cancel(message, None).await?;
        }
        Ok(changed)
    }
}

/// The messages that are not final, of some senders, a piece at a time.
#[derive(Default)]
struct Pending {
    found: Vec<EmailId>,
    /// Where to look on; `None` before the first look.
    low: Option<Vec<u8>>,
    is_over: bool,
}

impl Pending {
    async fn next(&mut self, queue: &Queue, senders: &HashSet<InboxId>) -> Result<Option<EmailId>, QueueError> {
        while self.found.is_empty() && !self.is_over {
            let low = self.low.take().unwrap_or_else(|| keys::MESSAGES.to_vec());
            let mut rows = scan(&*queue.shared.store, low, prefix_end(keys::MESSAGES)).page_pairs(PIECE);
            self.is_over = true;
            for _ in 0..PIECE {
                let Some((key, value)) = rows.next().await? else {
                    break;
                };
                if MessageRow::read(&value)?
                    .sender
                    .is_some_and(|sender| senders.contains(&sender))
                {
                    self.found.extend(keys::message_of(&key));
                }
                self.low = Some([key.as_slice(), &[0]].concat());
                self.is_over = false;
            }
        }
        Ok(self.found.pop())
    }
}
