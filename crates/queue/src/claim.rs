//! What a turn holds: a look at its line, and the items it got.
//!
//! What always holds: dropping either, wherever a future was cancelled, gives back what it held.

use crate::keys::LineId;
use crate::model::ItemId;
use crate::shared::Shared;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// After this long, an item whose job was dropped without an attempt is looked at again.
const AFTER_TROUBLE_MS: i64 = 1000;

/// A look at a line: while it lasts, no other turn is given there, since what is left is not known.
pub(crate) struct Look(Arc<Shared>, LineId);

impl Look {
    /// The look that a turn is given with.
    pub(crate) fn begun(shared: &Arc<Shared>, line: LineId) -> Self {
        Self(Arc::clone(shared), line)
    }

    pub(crate) fn begin(shared: &Arc<Shared>, line: LineId) -> Self {
        shared.agenda().begin_look(line);
        Self(Arc::clone(shared), line)
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.0.agenda().end_look(self.1);
        self.0.changed.notify_waiters();
    }
}

/// Items in flight. Dropping it puts them back with the due times they have by then.
pub(crate) struct Claim {
    shared: Arc<Shared>,
    pub(crate) line: LineId,
    /// What is known of their due times now: `None` while nothing is, `Some(None)` for those that are not due any more.
    items: Mutex<BTreeMap<ItemId, Option<Option<i64>>>>,
}

impl Claim {
    pub(crate) fn take(shared: &Arc<Shared>, line: LineId, items: &[ItemId]) -> Option<Self> {
        shared.agenda().claim(line, items).then(|| Self {
            shared: Arc::clone(shared),
            line,
            items: Mutex::new(items.iter().map(|item| (*item, None)).collect()),
        })
    }

    fn items(&self) -> MutexGuard<'_, BTreeMap<ItemId, Option<Option<i64>>>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The item is due then, or not at all.
    pub(crate) fn settle(&self, item: ItemId, due_at: Option<i64>) {
        self.items().insert(item, Some(due_at));
    }

    /// The item is not what the index said, and is to be looked at again at once if it is there.
    pub(crate) fn settle_unless_known(&self, item: ItemId) {
        let again = Some(Some(self.shared.now()));
        self.items().entry(item).and_modify(|known| *known = known.or(again));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let later = self.shared.now() + AFTER_TROUBLE_MS;
        let items = std::mem::take(&mut *self.items());
        let next_due = items.values().filter_map(|known| known.unwrap_or(Some(later))).min();
        // Who was taken over has no work any more.
        let next_due = next_due.filter(|_| self.shared.leases.holds(self.line.shard));
        self.shared.agenda().release(self.line, items.into_keys(), next_due);
        self.shared.changed.notify_waiters();
    }
}
