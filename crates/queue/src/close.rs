//! The end of an attempt: states, history, next due times and notices, in one commit.
//!
//! What always holds: the item rows are asked to be those that were decided on, so however often the commit is sent,
//! an attempt ends once, and its notices go out once.

use crate::announce::announce_ends;
use crate::attempt::{OpenAttempt, local_contact, move_due, put_attempt};
use crate::claim::Claim;
use crate::decide::{Decision, Notice, decide, found_open, found_unsent, not_tried};
use crate::enqueue::{Enqueued, enqueue};
use crate::model::{Contact, ItemId, ItemState, Outcome};
use crate::options::OnLostReply;
use crate::rows::{AttemptRow, ItemRow, MessageRow, Stage};
use crate::shared::{Shared, Tried, Tries};
use crate::{QueueError, keys, log};
use postroom_store::{CommitBuilder, Value, scan_prefix};
use postroom_types::EmailId;
use std::sync::Arc;

/// What one item becomes.
pub(crate) struct Ending {
    pub(crate) id: ItemId,
    pub(crate) number: u32,
    old: Value,
    before: ItemRow,
    pub(crate) decision: Decision,
}

/// What one commit does.
struct Plan {
    endings: Vec<Ending>,
    notices: Vec<Enqueued>,
}

impl Shared {
    /// Ends the attempt for those of its items for which it is open.
    pub(crate) async fn close(
        &self,
        attempt: &OpenAttempt,
        contact: &Contact,
        outcomes: &[(ItemId, Outcome)],
    ) -> Result<(), QueueError> {
        let mut tries = Tries::new();
        let mut unknown: Option<Plan> = None;
        loop {
            tries.next().await?;
            let (endings, closed) = self.endings(attempt, contact, outcomes).await?;
            if endings.is_empty() {
                match unknown {
                    // It was done.
                    Some(plan) => self.ended(attempt, &plan),
                    None => log_settled(attempt, &closed),
                }
                break;
            }
            let (builder, plan) = self.plan(attempt, endings).await?;
            unknown = None;
            match self.try_commit(builder.build()).await? {
                Tried::Done => {
                    self.ended(attempt, &plan);
                    log_settled(attempt, &closed);
                    break;
                }
                Tried::Conflict(key) => self.check_fence(&key, attempt.claim.line.shard).await?,
                Tried::Unknown => unknown = Some(plan),
            }
        }
        match attempt.items.first() {
            Some((id, _)) => self.finish_message(id.message).await,
            None => Ok(()),
        }
    }

    /// The items whose attempt is open, with what they become; and the others.
    async fn endings(
        &self,
        attempt: &OpenAttempt,
        contact: &Contact,
        outcomes: &[(ItemId, Outcome)],
    ) -> Result<(Vec<Ending>, Vec<(ItemId, ItemRow)>), QueueError> {
        let (not_tried, now) = (not_tried(), self.now());
        let mut endings = Vec::new();
        let mut closed = Vec::new();
        let rows = self.item_rows(attempt.items.iter().map(|(id, _)| *id)).await?;
        for ((id, number), row) in attempt.items.iter().copied().zip(rows) {
            match row {
                Some((old, before)) if attempt.has_open(number, &before) => {
                    let outcome = outcomes.iter().find(|(of, _)| *of == id);
                    let attempted = ItemRow {
                        attempts: number,
                        contact: contact.clone(),
                        ..before.clone()
                    };
                    let outcome = outcome.map_or(&not_tried, |(_, outcome)| outcome);
                    let decision = decide(id, &attempted, outcome, &self.options, now);
                    endings.push(Ending {
                        id,
                        number,
                        old,
                        before,
                        decision,
                    });
                }
                Some((_, row)) => {
                    attempt.claim.settle(id, row.is_pending().then_some(row.due_at));
                    closed.push((id, row));
                }
                None => attempt.claim.settle(id, None),
            }
        }
        Ok((endings, closed))
    }

    async fn plan(&self, attempt: &OpenAttempt, endings: Vec<Ending>) -> Result<(CommitBuilder, Plan), QueueError> {
        let message = endings[0].id.message;
        let mut builder = CommitBuilder::new();
        self.fence(&mut builder, attempt.claim.line.shard)?;
        for ending in &endings {
            let Ending {
                id, before, decision, ..
            } = ending;
            builder.replace(keys::item(*id), ending.old.clone(), decision.row.write());
            move_due(&mut builder, *id, before, &decision.row);
            let ended = AttemptRow {
                started_at: if attempt.is_stored {
                    before.changed_at
                } else {
                    attempt.started_at
                },
                stage: Stage::Ended(decision.row.changed_at),
                contact: decision.row.contact.clone(),
                outcome: decision.outcome,
                reason: decision.row.reason.clone(),
            };
            put_attempt(&mut builder, *id, ending.number, &ended);
        }
        announce_ends(
            &mut builder,
            endings.iter().map(|ending| (ending.id, &ending.decision.row)),
        );
        let mut notices = Vec::new();
        if let Some(row) = self.store.get(&keys::message(message)).await? {
            let row = MessageRow::read(&row)?;
            for notice in [Notice::Failed, Notice::Delayed] {
                if let Some((queued, body)) = self.notice(message, &row, notice, &endings).await? {
                    notices.push(enqueue(&mut builder, &queued, Some(body))?);
                }
            }
            if row.recipients == 1 && endings[0].decision.row.state.is_final() {
                builder.delete(keys::message(message));
            }
        }
        Ok((builder, Plan { endings, notices }))
    }

    /// The commit is durable.
    fn ended(&self, attempt: &OpenAttempt, plan: &Plan) {
        for ending in &plan.endings {
            let row = &ending.decision.row;
            attempt.claim.settle(ending.id, row.is_pending().then_some(row.due_at));
            log::outcome(ending.id, row);
        }
        for notice in &plan.notices {
            self.committed(notice);
        }
    }

    /// Ends attempts that were found open.
    pub(crate) async fn end_lost(&self, claim: &Arc<Claim>, lost: Vec<(ItemId, ItemRow)>) -> Result<(), QueueError> {
        for (id, row) in lost {
            let attempt = OpenAttempt {
                items: vec![(id, row.attempts)],
                started_at: row.changed_at,
                is_stored: true,
                claim: Arc::clone(claim),
            };
            let outcome = match self.may_have_sent(id, row.attempts).await? {
                true => found_open(),
                false => found_unsent(),
            };
            self.close(&attempt, &row.contact, &[(id, outcome)]).await?;
        }
        Ok(())
    }

    /// Whether an open attempt may have come to the content. Only where an uncertain end is the last one this is known;
    /// elsewhere each may have.
    async fn may_have_sent(&self, item: ItemId, number: u32) -> Result<bool, QueueError> {
        if self.options.on_lost_reply == OnLostReply::Retry {
            return Ok(true);
        }
        let value = self.store.get(&keys::attempt(item, number)).await?;
        let row = value.as_deref().map(AttemptRow::read).transpose()?;
        Ok(row.is_none_or(|row| row.stage != Stage::Open))
    }

    /// Lets go of the body if all recipients are final. Final states stay, so nothing need be asked of the rows.
    pub(crate) async fn finish_message(&self, message: EmailId) -> Result<(), QueueError> {
        let key = keys::message(message);
        if self.store.get(&key).await?.is_none() {
            return Ok(());
        }
        let mut scan = scan_prefix(&*self.store, &keys::items(message));
        while let Some((_, value)) = scan.next().await? {
            if !ItemRow::read(&value)?.state.is_final() {
                return Ok(());
            }
        }
        let mut builder = CommitBuilder::new();
        builder.delete(key);
        // If it is not done now, `maintain` does it.
        self.try_commit(builder.build()).await.map(|_| ())
    }
}

/// One line for each item that was delivered by the commit into its inbox.
fn log_settled(attempt: &OpenAttempt, closed: &[(ItemId, ItemRow)]) {
    for (id, row) in closed {
        let ours = attempt.items.contains(&(*id, row.attempts)) && row.contact == local_contact();
        if !attempt.is_stored && ours && row.state == ItemState::Delivered {
            log::outcome(*id, row);
        }
    }
}
