//! The open mailboxes: those that somebody holds, and those used lately.

use super::SharedMailbox;
use crate::lately::Lately;
use postroom_types::{InboxId, MailboxId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What a mailbox counts at least, in messages: a state has more than its rows.
const LEAST_WEIGHT: usize = 64;
/// Names of mailboxes that nobody holds any more are dropped beyond this many.
const MOST_STALE: usize = 1024;

type Place = (InboxId, MailboxId);

/// See the module.
pub(crate) struct OpenMailboxes(Mutex<Entries>);

struct Entries {
    /// All that anybody holds; so that there is never a second state of a mailbox.
    known: HashMap<Place, Weak<SharedMailbox>>,
    /// Those kept for the next session.
    kept: Lately<Place, Arc<SharedMailbox>>,
}

impl OpenMailboxes {
    /// Keeps mailboxes of this many messages together.
    pub(crate) fn new(most_messages: usize) -> Self {
        Self(Mutex::new(Entries {
            known: HashMap::new(),
            kept: Lately::new(most_messages),
        }))
    }

    pub(super) fn find(&self, inbox: InboxId, mailbox: MailboxId) -> Option<Arc<SharedMailbox>> {
        self.lock().known.get(&(inbox, mailbox))?.upgrade()
    }

    /// Whether a mailbox is in memory. If only the cache holds it, a session that is just leaving it and selecting it again
    /// (or another) may take it up at any moment, as it is now.
    pub(super) fn is_open(&self, inbox: InboxId, mailbox: MailboxId) -> bool {
        let entries = self.lock();
        let holders = entries.known.get(&(inbox, mailbox)).map_or(0, Weak::strong_count);
        holders > 0
    }

    /// Adds a mailbox, unless somebody else was faster.
    pub(super) fn find_or_add(&self, new: SharedMailbox) -> Arc<SharedMailbox> {
        let mut entries = self.lock();
        let place = (new.inbox, new.id);
        if let Some(found) = entries.known.get(&place).and_then(Weak::upgrade) {
            return found;
        }
        if entries.known.len() > MOST_STALE + 2 * entries.kept.len() {
            entries.known.retain(|_, shared| shared.strong_count() > 0);
        }
        let new = Arc::new(new);
        entries.known.insert(place, Arc::downgrade(&new));
        new
    }

    /// Keeps a mailbox for the next session, and lets go of those not used for longest.
    pub(super) fn keep(&self, shared: &Arc<SharedMailbox>) {
        let weight = shared.weight().max(LEAST_WEIGHT);
        let place = (shared.inbox, shared.id);
        let dropped = self.lock().kept.put(place, Arc::clone(shared), weight);
        // Large states are freed without anybody waiting.
        drop(dropped);
    }

    /// Lets go of a mailbox that does not exist any more. Sessions may still hold it, and see its ghosts.
    pub(super) fn let_go(&self, shared: &SharedMailbox) {
        let dropped = self.lock().kept.remove((shared.inbox, shared.id));
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
