//! The columns of the mailboxes searched lately, bounded in octets.

use super::columns::{Columns, LineMaker};
use super::texts::Ranks;
use postroom_types::{InboxId, MailboxId, UidValidity};
use std::collections::{BTreeMap, HashMap};
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
pub(crate) struct ColumnCache {
    most_octets: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<Place, Entry>,
    /// Places in the order of their last use.
    order: BTreeMap<u64, Place>,
    clock: u64,
    octets: usize,
}

struct Entry {
    columns: Arc<MailboxColumns>,
    octets: usize,
    used: u64,
}

impl ColumnCache {
    /// Keeps about this many octets.
    pub(crate) fn new(most_octets: usize) -> Self {
        Self {
            most_octets,
            kept: Mutex::default(),
        }
    }

    /// The columns of a mailbox; empty ones if none are kept.
    pub(super) fn find_or_add(&self, place: Place) -> Arc<MailboxColumns> {
        let mut kept = self.lock();
        kept.touch(place)
    }

    /// Says how large columns have become; lets go of those not used for longest.
    pub(super) fn keep(&self, place: Place, columns: &Arc<MailboxColumns>) {
        let octets = columns.octets();
        let mut dropped = Vec::new();
        let mut kept = self.lock();
        if let Some(entry) = kept.entries.get_mut(&place)
            && Arc::ptr_eq(&entry.columns, columns)
        {
            let before = std::mem::replace(&mut entry.octets, octets);
            kept.octets = kept.octets - before + octets;
        }
        while kept.octets > self.most_octets
            && let Some((_, oldest)) = kept.order.first_key_value()
        {
            let oldest = *oldest;
            dropped.extend(kept.remove(oldest));
        }
        // Large ones are freed without anybody waiting.
        drop(kept);
    }

    /// Lets go of columns, that somebody makes them anew.
    pub(super) fn forget(&self, place: Place) {
        let dropped = self.lock().remove(place);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn touch(&mut self, place: Place) -> Arc<MailboxColumns> {
        self.clock += 1;
        let used = self.clock;
        let entry = self.entries.entry(place).or_insert_with(|| Entry {
            columns: Arc::default(),
            octets: 0,
            used,
        });
        self.order.remove(&entry.used);
        entry.used = used;
        self.order.insert(used, place);
        Arc::clone(&entry.columns)
    }

    fn remove(&mut self, place: Place) -> Option<Entry> {
        let entry = self.entries.remove(&place)?;
        self.order.remove(&entry.used);
        self.octets -= entry.octets;
        Some(entry)
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
