//! The last events of an organization, in memory.

use super::HubPage;
use crate::subscription::Placed;
use postroom_feed::Cursor;
use std::collections::VecDeque;
use std::sync::Arc;

/// Events kept in memory for each organization that somebody listens to.
const TAIL: usize = 1024;

/// All events after `from`, up to and including `to`.
pub(super) struct Tail {
    from: Cursor,
    to: Cursor,
    events: VecDeque<Arc<Placed>>,
}

impl Tail {
    /// Nothing yet.
    pub(super) fn at(now: Cursor) -> Self {
        Self {
            from: now,
            to: now,
            events: VecDeque::new(),
        }
    }

    /// How far it goes.
    pub(super) const fn end(&self) -> Cursor {
        self.to
    }

    pub(super) fn page(&self, after: Cursor, limit: usize) -> Option<HubPage> {
        if after < self.from {
            return None;
        }
        let begin = self.events.partition_point(|placed| placed.event.cursor <= after);
        let events: Vec<_> = self.events.range(begin..).take(limit.max(1)).cloned().collect();
        let more = begin + events.len() < self.events.len();
        let next = match events.last() {
            Some(last) if more => last.event.cursor,
            _ => self.to.max(after),
        };
        Some(HubPage {
            events,
            next,
            more,
            hidden: false,
        })
    }

    pub(super) fn extend(&mut self, placed: Vec<Arc<Placed>>, to: Cursor) {
        self.events.extend(placed);
        self.to = to;
        while self.events.len() > TAIL {
            if let Some(first) = self.events.pop_front() {
                self.from = first.event.cursor;
            }
        }
    }

    pub(super) fn restart(&mut self, at: Cursor) {
        self.events.clear();
        self.from = at;
        self.to = at;
    }
}
