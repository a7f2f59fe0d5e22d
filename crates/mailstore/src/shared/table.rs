//! Things kept once and counted: the number of a thing stays the same as long as it is used, and is given to another
//! afterwards.

use std::collections::HashMap;
use std::hash::Hash;

/// See the module.
#[derive(Debug)]
pub(super) struct Table<T> {
    slots: Vec<Option<(T, u32)>>,
    free: Vec<u32>,
    numbers: HashMap<T, u32>,
    most: usize,
}

impl<T: Clone + Eq + Hash> Table<T> {
    /// An empty table that takes this many things.
    pub(super) fn new(most: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            numbers: HashMap::new(),
            most,
        }
    }

    pub(super) fn find(&self, thing: &T) -> Option<u32> {
        self.numbers.get(thing).copied()
    }

    /// Uses a thing that is there once more.
    pub(super) fn reuse(&mut self, number: u32) {
        if let Some(Some((_, uses))) = self.slots.get_mut(number as usize) {
            *uses += 1;
        }
    }

    /// Adds a thing that is not there, used once; `None` if the table is full.
    pub(super) fn add(&mut self, thing: T) -> Option<u32> {
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.slots.len() < self.most => {
                self.slots.push(None);
                u32::try_from(self.slots.len() - 1).ok()?
            }
            None => return None,
        };
        self.numbers.insert(thing.clone(), number);
        self.slots[number as usize] = Some((thing, 1));
        Some(number)
    }

    /// Ends one use; the thing, if that was the last.
    pub(super) fn release(&mut self, number: u32) -> Option<T> {
        let slot = self.slots.get_mut(number as usize)?;
        let (_, uses) = slot.as_mut()?;
        *uses -= 1;
        if *uses > 0 {
            return None;
        }
        let (thing, _) = slot.take()?;
        self.numbers.remove(&thing);
        self.free.push(number);
        Some(thing)
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let (thing, _) = self.slots.get(number as usize)?.as_ref()?;
        Some(thing)
    }

    /// The things in use, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let slots = (0..).zip(&self.slots);
        slots.filter_map(|(number, slot)| slot.as_ref().map(|(thing, _)| (number, thing)))
    }
}
