//! One destination's jobs as transactions: each with one envelope, and each an attempt of its own.

use crate::delivery::Delivery;
use crate::standing;
use postroom_queue::{Contact, Job, JobItem, OpenAttempt, Outcome, QueueError, Turn};
use std::collections::VecDeque;

/// A job whose attempt is open.
pub(crate) struct Opened<'l> {
    pub(crate) job: &'l Job,
    pub(crate) attempt: OpenAttempt,
    /// What it comes to without a try, if its sender may not send.
    pub(crate) barred: Option<Outcome>,
}

/// What is lined up for one destination.
pub(crate) struct Line {
    turn: Turn,
    job: Option<Job>,
    /// Of the job at hand.
    barred: Option<Outcome>,
    /// Recipients of the job at hand that wait for its next transaction.
    groups: VecDeque<Vec<JobItem>>,
}

impl Line {
    pub(crate) fn new(turn: Turn) -> Self {
        Self {
            turn,
            job: None,
            barred: None,
            groups: VecDeque::new(),
        }
    }

    /// Whether no recipient of the message at hand is left.
    pub(crate) fn is_at_end(&self) -> bool {
        self.groups.is_empty()
    }

    /// Opens the next attempt. `None`: nothing is due any more.
    ///
    /// # Errors
    /// Those of the queue; the work is still there.
    pub(crate) async fn next(
        &mut self,
        delivery: &Delivery,
        contact: &Contact,
    ) -> Result<Option<Opened<'_>>, QueueError> {
        loop {
            if self.groups.is_empty() {
                // What is held back of the last job may be in the next one.
                self.job = None;
                let Some(mut job) = standing::next_job(delivery, &mut self.turn).await? else {
                    return Ok(None);
                };
                self.barred = standing::barred(&delivery.identity, job.sender).await;
                self.groups = by_envelope(std::mem::take(&mut job.items));
                self.job = Some(job);
            } else if let Some(mut job) = self.job.take() {
                // A message to many takes long, and its sender's organization may be suspended meanwhile.
                if standing::is_suspended(&delivery.identity, job.sender).await {
                    job.items = self.groups.drain(..).flatten().collect();
                    standing::hold_back(delivery, job).await?;
                    continue;
                }
                self.job = Some(job);
            }
            let (Some(items), Some(job)) = (self.groups.pop_front(), &mut self.job) else {
                return Ok(None);
            };
            job.items = items;
            match delivery.queue.open_attempt(job, contact).await {
                Ok(attempt) => {
                    let barred = self.barred.clone();
                    let job = self.job.as_ref();
                    return Ok(job.map(|job| Opened { job, attempt, barred }));
                }
                // The rest of these recipients comes with the next job.
                Err(QueueError::Withdrawn) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Recipients with the same reverse-path share a transaction.
fn by_envelope(items: Vec<JobItem>) -> VecDeque<Vec<JobItem>> {
    let mut groups: VecDeque<Vec<JobItem>> = VecDeque::new();
    for item in items {
        let group = groups.iter_mut().find(|group| {
            group
                .first()
                .is_some_and(|first| first.envelope_from == item.envelope_from)
        });
        match group {
            Some(group) => group.push(item),
            None => groups.push_back(vec![item]),
        }
    }
    groups
}
