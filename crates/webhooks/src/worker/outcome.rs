//! What came of it: the cursor moves, failures get a row that says when they are tried again.

use super::{ATTEMPTS_KEPT, Done, Slot, Worker};
use crate::endpoint::Outcome;
use crate::keys;
use crate::log::Logged;
use crate::model::Attempt;
use crate::rows;
use crate::schedule::{chance, wait_after};
use postroom_feed::Cursor;
use tokio::time::Instant;

impl Worker {
    pub(super) fn note(&mut self, mut done: Done) {
        let before = done.retry.as_ref().map_or(0, |(_, attempts)| *attempts);
        self.remember(&done, before.saturating_add(1));
        if let Some(logged) = done.logged.take() {
            self.log(&logged, before == 0);
        }
        match done.retry {
            Some((key, attempts)) => {
                self.again_sending -= 1;
                self.retrying.insert(key.clone(), true);
                self.unsaved.delete(key);
                self.count_unsaved();
                self.try_again(done.event, attempts, &done.outcome);
            }
            None => {
                self.new_sending -= 1;
                if let Some(slot) = self.window.iter_mut().find(|slot| slot.event == done.event) {
                    slot.outcome = Some(done.outcome);
                }
                self.settle();
            }
        }
    }

    /// Moves the cursor past what came to an end.
    pub(super) fn settle(&mut self) {
        while let Some(Slot { outcome: Some(_), .. }) = self.window.front() {
            let Some(Slot {
                event,
                outcome: Some(outcome),
            }) = self.window.pop_front()
            else {
                break;
            };
            self.try_again(event, 0, &outcome);
            self.progress.cursor = event;
            if outcome != Outcome::Nothing {
                self.count_unsaved();
            }
        }
        if self.window.is_empty() {
            self.progress.cursor = self.read;
        }
    }

    /// Adds the row of an event that is to be tried again after `before` attempts and this one.
    pub(super) fn try_again(&mut self, event: Cursor, before: u8, outcome: &Outcome) {
        let attempts = match outcome {
            Outcome::Taken { .. } | Outcome::Nothing => return,
            Outcome::Failed { .. } => before.saturating_add(1),
            // Nothing was sent, so that was no attempt.
            Outcome::Later => before,
        };
        let Some(wait) = wait_after(attempts, &self.webhooks.options.waits, chance()) else {
            tracing::info!(webhook = %self.webhook.id, %event, attempts, "event given up");
            return;
        };
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let due = self.webhooks.now().saturating_add(wait);
        self.unsaved
            .put(keys::retry(self.name, due, event), rows::write_retry(attempts));
        self.count_unsaved();
        self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
    }

    fn remember(&mut self, done: &Done, number: u8) {
        let at = self.webhooks.now();
        let (status, failure) = match &done.outcome {
            Outcome::Taken { status } => {
                self.progress.failing_since = None;
                (Some(*status), None)
            }
            Outcome::Failed { status, why } => {
                self.progress.failing_since.get_or_insert(at);
                (*status, Some(why.clone()))
            }
            Outcome::Nothing | Outcome::Later => return,
        };
        let attempts = &mut self.progress.attempts;
        if attempts.len() == ATTEMPTS_KEPT {
            attempts.pop_front();
        }
        attempts.push_back(Attempt {
            at,
            event: done.event,
            number,
            status,
            failure,
        });
    }

    /// What is tried again was kept when it was tried first.
    fn log(&mut self, logged: &Logged, first: bool) {
        let at = self.webhooks.now();
        logged.add_attempt(&mut self.unsaved, self.name, self.webhook.scope.inbox, at);
        if first {
            logged.add_payload(&mut self.unsaved, self.name, at);
            self.unsaved_octets += logged.payload.len();
        }
        self.logged += 1;
        self.count_unsaved();
    }

    pub(super) fn count_unsaved(&mut self) {
        self.outcomes += 1;
        self.unsaved_since.get_or_insert_with(Instant::now);
    }

    pub(super) fn is_hopeless(&self) -> bool {
        if !self.webhook.dialect.can_be_disabled() {
            return false;
        }
        let limit = i64::try_from(self.webhooks.options.disable_after.as_millis()).unwrap_or(i64::MAX);
        let now = self.webhooks.now();
        let since = self.progress.failing_since;
        since.is_some_and(|since| now.saturating_sub(since) >= limit)
    }
}
