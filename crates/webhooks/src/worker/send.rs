//! What goes out: new events as they come, and those that are due again.

use super::{ASK_AFTER, Done, MAX_UNSAVED, PIECE, Slot, WINDOW, Worker};
use crate::WebhookError;
use crate::endpoint::{Outcome, Posted};
use crate::keys;
use crate::rows;
use crate::subscription::Placed;
use postroom_feed::{Cursor, FeedError};
use postroom_store::{Key, scan_prefix};
use postroom_types::Lsn;
use std::sync::Arc;

/// Whether an event is there that is to be tried again.
enum Kept {
    There(Arc<Placed>),
    /// With its organization, which may come back.
    Hidden,
    Gone,
}

impl Worker {
    /// Sends what is new, as far as there is room; whether all of it is under way.
    pub(super) async fn send_new(&mut self) -> Result<bool, WebhookError> {
        while self.has_room() {
            let page = match self.hub.page(self.read, PIECE).await {
                Ok(page) => page,
                Err(FeedError::Gone { oldest }) => {
                    tracing::warn!(webhook = %self.webhook.id, "events were gone before they could be sent");
                    self.read = oldest;
                    continue;
                }
                Err(FeedError::Store(error)) => return Err(error.into()),
            };
            self.moved |= !page.events.is_empty();
            let mut events = page.events.into_iter();
            while self.has_room()
                && let Some(placed) = events.next()
            {
                self.begin(placed);
            }
            let all = events.len() == 0;
            if all {
                self.read = page.next;
            }
            self.settle();
            if !page.more {
                return Ok(all);
            }
        }
        Ok(false)
    }

    fn has_room(&self) -> bool {
        self.new_sending < self.webhooks.options.per_endpoint && self.window.len() < WINDOW
    }

    /// Puts the next event into the window.
    fn begin(&mut self, placed: Arc<Placed>) {
        let event = placed.event.cursor;
        let passes = self.subscription.passes(&placed);
        self.window.push_back(Slot {
            event,
            outcome: (!passes).then_some(Outcome::Nothing),
        });
        self.read = event;
        if passes {
            self.new_sending += 1;
            self.send(placed, None);
        } else {
            self.settle();
        }
    }

    /// Whether something may be due to be tried again, and there is room for it.
    pub(super) fn is_due(&self) -> bool {
        let room = self.again_sending < (self.webhooks.options.per_endpoint / 2).max(1);
        room && self.next_due.is_some_and(|due| due <= self.webhooks.now())
    }

    /// Sends what is due to be tried again, as far as there is room. What came to an end is stored before.
    pub(super) async fn send_again(&mut self) -> Result<(), WebhookError> {
        if !self.is_due() {
            return Ok(());
        }
        self.next_due = None;
        let webhooks = Arc::clone(&self.webhooks);
        let prefix = keys::retries(self.name);
        let mut rows = scan_prefix(&*webhooks.store, &prefix).page_pairs(PIECE);
        while let Some((key, value)) = rows.next().await? {
            let Some((due, event)) = keys::read_retry(&key) else {
                continue;
            };
            if self.retrying.contains_key(&key) {
                continue;
            }
            self.next_due = Some(due);
            if !self.is_due() {
                return Ok(());
            }
            let attempts = rows::read_retry(&value)?;
            match self.event(event).await? {
                Kept::There(placed) => {
                    self.again_sending += 1;
                    self.retrying.insert(key.clone(), false);
                    self.send(placed, Some((key, attempts)));
                }
                // Its organization was deleted since it was asked about: what is due stays so.
                Kept::Hidden => {
                    let again = i64::try_from(ASK_AFTER.as_millis()).unwrap_or(i64::MAX);
                    self.next_due = Some(self.webhooks.now().saturating_add(again));
                    return Ok(());
                }
                // One commit cannot hold them all: this one comes after what there is by now.
                Kept::Gone if self.outcomes >= MAX_UNSAVED => return Ok(()),
                Kept::Gone => {
                    self.retrying.insert(key.clone(), true);
                    self.unsaved.delete(key);
                    self.count_unsaved();
                }
            }
        }
        // All of them are under way.
        self.next_due = None;
        Ok(())
    }

    /// An event by its cursor.
    async fn event(&self, at: Cursor) -> Result<Kept, WebhookError> {
        let before = match at.index.checked_sub(1) {
            Some(index) => Cursor { index, ..at },
            None => Cursor {
                lsn: Lsn(at.lsn.0.saturating_sub(1)),
                index: u16::MAX,
            },
        };
        match self.hub.page(before, 1).await {
            Ok(page) => {
                let (is_hidden, first) = (page.hidden, page.events.into_iter().next());
                Ok(match first.filter(|placed| placed.event.cursor == at) {
                    Some(placed) => Kept::There(placed),
                    None if is_hidden => Kept::Hidden,
                    None => Kept::Gone,
                })
            }
            Err(FeedError::Gone { .. }) => Ok(Kept::Gone),
            Err(FeedError::Store(error)) => Err(error.into()),
        }
    }

    fn send(&mut self, placed: Arc<Placed>, retry: Option<(Key, u8)>) {
        let (webhooks, name, start) = (Arc::clone(&self.webhooks), self.name, self.webhook.start);
        let (hub, render) = (Arc::clone(&self.hub), Arc::clone(&self.render));
        self.sending.spawn(async move {
            let _place = webhooks.requests.take(hub.organization()).await;
            let again = retry.is_some();
            // It may have waited for its place, and much may have changed meanwhile.
            let posted = match webhooks.sendable(name).await {
                Ok(Some(webhook)) if webhook.start == start => {
                    webhooks.post(&webhook, &hub, &*render, &placed, again).await
                }
                Ok(_) => Posted::nothing_sent(Outcome::Later),
                Err(error) => {
                    tracing::warn!(webhook = %name.1, reason = %error, "an event has to wait");
                    Posted::nothing_sent(Outcome::Later)
                }
            };
            Done {
                event: placed.event.cursor,
                retry,
                outcome: posted.outcome,
                logged: posted.logged,
            }
        });
    }
}
