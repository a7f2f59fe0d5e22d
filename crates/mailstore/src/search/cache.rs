//! The columns of the mailboxes searched lately, bounded in octets.

use super::columns::{Columns, LineMaker};
use super::texts::Ranks;
use crate::lately::Lately;
use postroom_types::{InboxId, MailboxId, UidValidity};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The columns of one mailbox. They are read and written off the executor only, so nobody there waits for them.
#[derive(Default)]
pub(super) struct MailboxColumns {
    pub(super) maker: LineMaker,
    columns: RwLock<Columns>,
    ranks: Mutex<Ranks>,
    /// One at a time brings them up to date.
    pub(super) turn: tokio::sync::Mutex<()>,
}

// Columns are changed by code that does not panic; and a panic elsewhere leaves them whole.
impl MailboxColumns {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Columns> {
        self.columns.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Columns> {
        self.columns.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The order of all texts there are.
    pub(super) fn ranks(&self, columns: &Columns) -> Ranks {
        let mut ranks = self.ranks.lock().unwrap_or_else(PoisonError::into_inner);
        ranks.extend(&columns.texts);
        ranks.clone()
    }

    /// About how much memory they take.
    pub(super) fn octets(&self) -> usize {
        let ranks = self.ranks.lock().unwrap_or_else(PoisonError::into_inner).octets();
        self.read().octets() + ranks
    }
}

/// The mailbox in its life.
pub(super) type Place = (InboxId, MailboxId, UidValidity);

/// See the module.
pub(crate) struct ColumnCache(Mutex<Lately<Place, Arc<MailboxColumns>>>);

impl ColumnCache {
    /// Keeps about this many octets.
    pub(crate) fn new(most_octets: usize) -> Self {
        Self(Mutex::new(Lately::new(most_octets)))
    }

    /// The columns of a mailbox; empty ones if none are kept.
    pub(super) fn find_or_add(&self, place: Place) -> Arc<MailboxColumns> {
        let mut kept = self.lock();
        if let Some(columns) = kept.touch(place) {
            return Arc::clone(columns);
        }
        let columns = Arc::default();
        // Empty ones push nothing out.
        drop(kept.put(place, Arc::clone(&columns), 0));
        columns
    }

    /// Says how large columns have become; lets go of those not used for longest.
    pub(super) fn keep(&self, place: Place, columns: &Arc<MailboxColumns>) {
        let octets = columns.octets();
        let mut kept = self.lock();
        let is_kept = kept.get(place).is_some_and(|known| Arc::ptr_eq(known, columns));
        let dropped = is_kept.then(|| kept.put(place, Arc::clone(columns), octets));
        drop(kept);
        // Large ones are freed without anybody waiting.
        drop(dropped);
    }

    /// Lets go of columns, that somebody makes them anew.
    pub(super) fn forget(&self, place: Place) {
        let dropped = self.lock().remove(place);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Lately<Place, Arc<MailboxColumns>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_types::{EmailId, ThreadId, Uid};

    fn place(number: u8) -> Place {
        (
            InboxId::from_bytes([1; 16]),
            MailboxId::from_bytes([number; 16]),
            UidValidity::MIN,
        )
    }

    #[test]
    fn those_not_used_for_longest_go() {
        let fill = |columns: &Arc<MailboxColumns>| {
            let line = |uid| {
                let summary = postroom_types::Summary::default();
                columns
                    .maker
                    .make(Uid::new(uid).unwrap(), EmailId::new(), ThreadId::new(), &summary)
            };
            (1..=100).for_each(|uid| columns.write().add(line(uid)));
        };
        let cache = ColumnCache::new(40_000);
        for number in [1, 2, 1, 3] {
            let columns = cache.find_or_add(place(number));
            fill(&columns);
            cache.keep(place(number), &columns);
        }
        let lines = |number| cache.find_or_add(place(number)).read().lines.len();
        assert_eq!([lines(1), lines(2), lines(3)], [100, 0, 100]);
        cache.forget(place(1));
        assert_eq!(lines(1), 0);
    }
}
