//! What is to be done next, in memory: one entry for each destination with work, none for an item that waits.
//!
//! What always holds:
//! - A line's `next_due` is never later than the due time of any of its items that is neither in flight nor unknown
//!   here; it may be earlier, which costs a look that finds nothing.
//! - `ready` holds exactly the lines that may give a turn once their time has come.
//! - A line without work, turns and items in flight is forgotten.

use crate::InMemory;
use crate::keys::LineId;
use crate::model::{Destination, ItemId};
use std::collections::{BTreeMap, BTreeSet, HashSet};

pub(crate) struct Agenda {
    per_destination: usize,
    lines: BTreeMap<LineId, Line>,
    ready: BTreeSet<(i64, LineId)>,
}

struct Line {
    destination: Destination,
    next_due: Option<i64>,
    /// Grows whenever work may have been added, so that a look that began before cannot hide it.
    generation: u64,
    /// Turns given out.
    turns: usize,
    /// Turns that are looking for their next job: until they know what is left, nobody else need look.
    looks: usize,
    in_flight: HashSet<ItemId>,
}

/// What a search for a turn came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This line has work and a free slot, which is taken now; the turn begins with a look.
    Line(LineId, Destination),
    /// There may be work at this time.
    At(i64),
    /// There is nothing to wait for but a change.
    Nothing,
}

impl Agenda {
    pub(crate) fn new(per_destination: usize) -> Self {
        Self {
            per_destination: per_destination.max(1),
            lines: BTreeMap::new(),
            ready: BTreeSet::new(),
        }
    }

    fn limit(&self, line: &Line) -> usize {
        match line.destination {
            Destination::Inbox(_) => 1,
            Destination::Domain(_) => self.per_destination,
        }
    }

    /// Changes a line and files it anew.
    fn change<T>(&mut self, id: LineId, change: impl FnOnce(&mut Line) -> T) -> Option<T> {
        let line = self.lines.get_mut(&id)?;
        if let Some(due) = line.next_due {
            self.ready.remove(&(due, id));
        }
        let result = change(line);
        let line = &self.lines[&id];
        if line.next_due.is_none() && line.turns == 0 && line.looks == 0 && line.in_flight.is_empty() {
            self.lines.remove(&id);
        } else if let Some(due) = line.next_due
            && line.looks == 0
            && line.turns < self.limit(line)
        {
            self.ready.insert((due, id));
        }
        Some(result)
    }

    /// There is an item due at this time.
    pub(crate) fn note(&mut self, id: LineId, destination: &Destination, due_at: i64) {
        self.lines.entry(id).or_insert_with(|| Line {
            destination: destination.clone(),
            next_due: None,
            generation: 0,
            turns: 0,
            looks: 0,
            in_flight: HashSet::new(),
        });
        self.change(id, |line| line.add(due_at));
    }

    /// Takes a slot of the line whose work is due longest, if any is due.
    pub(crate) fn take(&mut self, now: i64) -> Next {
        match self.ready.first().copied() {
            None => Next::Nothing,
            Some((due, _)) if due > now => Next::At(due),
            Some((_, id)) => {
                let destination = self.change(id, |line| {
                    line.turns += 1;
                    line.looks += 1;
                    line.destination.clone()
                });
                destination.map_or(Next::Nothing, |destination| Next::Line(id, destination))
            }
        }
    }

    /// Gives the slot back.
    pub(crate) fn end_turn(&mut self, id: LineId) {
        self.change(id, |line| line.turns = line.turns.saturating_sub(1));
    }

    /// A look of a turn begins, beyond the one a turn begins with.
    pub(crate) fn begin_look(&mut self, id: LineId) {
        self.change(id, |line| line.looks += 1);
    }

    pub(crate) fn end_look(&mut self, id: LineId) {
        self.change(id, |line| line.looks = line.looks.saturating_sub(1));
    }

    pub(crate) fn generation(&self, id: LineId) -> u64 {
        self.lines.get(&id).map_or(0, |line| line.generation)
    }

    /// Puts what a look found: the due time of the first item that is left. `generation` is that from before the look.
    pub(crate) fn found(&mut self, id: LineId, generation: u64, next_due: Option<i64>) {
        self.change(id, |line| {
            line.next_due = match (line.next_due, next_due) {
                _ if line.generation == generation => next_due,
                (Some(known), Some(found)) => Some(known.min(found)),
                (known, found) => known.or(found),
            }
        });
    }

    pub(crate) fn is_in_flight(&self, id: LineId, item: ItemId) -> bool {
        self.lines.get(&id).is_some_and(|line| line.in_flight.contains(&item))
    }

    /// Marks the items as in flight, unless one of them is already.
    pub(crate) fn claim(&mut self, id: LineId, items: &[ItemId]) -> bool {
        if !self.lines.contains_key(&id) || items.iter().any(|item| self.is_in_flight(id, *item)) {
            return false;
        }
        self.change(id, |line| line.in_flight.extend(items));
        true
    }

    /// The items are no longer in flight; the earliest of them is due at `next_due`, if any is left.
    pub(crate) fn release(&mut self, id: LineId, items: impl Iterator<Item = ItemId>, next_due: Option<i64>) {
        self.change(id, |line| {
            for item in items {
                line.in_flight.remove(&item);
            }
            if let Some(due_at) = next_due {
                line.add(due_at);
            }
        });
    }

    /// Forgets the work of a shard that others do now.
    pub(crate) fn forget_shard(&mut self, shard: u8) {
        let ids: Vec<LineId> = self.lines.keys().filter(|id| id.shard == shard).copied().collect();
        for id in ids {
            self.change(id, |line| line.next_due = None);
        }
    }

    pub(crate) fn size(&self) -> InMemory {
        InMemory {
            destinations: self.lines.len(),
            in_flight: self.lines.values().map(|line| line.in_flight.len()).sum(),
        }
    }
}

impl Line {
    fn add(&mut self, due_at: i64) {
        self.next_due = Some(self.next_due.map_or(due_at, |known| known.min(due_at)));
        self.generation += 1;
    }
}
