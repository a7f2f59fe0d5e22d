//! REFERENCES: replies below what they reply to, and what has the same subject together (RFC 5256 §3, steps 1 to 6).
//!
//! What always holds: nothing recurs, so that a chain may be as long as a mailbox; and time is O(n log n) in messages and
//! references, whatever those say.

use super::{Member, by_date};
use crate::search::forest::Forest;
use postroom_types::Threads;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// For keys that are (keyed) hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type ByHash = HashMap<u64, u32, BuildHasherDefault<Hashed>>;

/// A message below the root, or a dummy, which has at least two children.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Top {
    Message(u32),
    Dummy(u32),
}

/// Where a message stands after pruning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Above {
    Root,
    Message(u32),
    Dummy(u32),
}

pub(in crate::search) fn by_references(members: &[Member<'_>]) -> Threads {
    let forest = link(members);
    let mut tree = Tree::prune(members, &forest);
    tree.merge_subjects();
    tree.write()
}

/// Step 1: parents and children by Message-ID. Nodes up to the number of messages are those, others dummies.
fn link(members: &[Member<'_>]) -> Forest {
    let mut forest = Forest::default();
    let mut nodes = ByHash::with_capacity_and_hasher(members.len(), BuildHasherDefault::default());
    for member in members {
        let node = forest.add();
        // Of several with one Message-ID the first has it.
        if member.message_id != 0 {
            nodes.entry(member.message_id).or_insert(node);
        }
    }
    for (node, member) in (0..).zip(members) {
        let mut before: Option<u32> = None;
        for reference in member.references {
            let next = *nodes.entry(*reference).or_insert_with(|| forest.add());
            // (A) Not if it has a parent, which may be the truth that this list leaves out.
            if let Some(before) = before
                && forest.parent(next).is_none()
                && forest.can_link(next, before)
            {
                forest.link(next, before);
            }
            before = Some(next);
        }
        // (B) The last reference is the parent, whatever was said before.
        if forest.parent(node) != before || before.is_none() {
            forest.cut(node);
            if let Some(before) = before
                && forest.can_link(node, before)
            {
                forest.link(node, before);
            }
        }
    }
    forest
}

/// The messages after pruning.
struct Tree<'a> {
    members: &'a [Member<'a>],
    /// Messages in the order of their dates.
    order: Vec<u32>,
    /// Where each stands.
    above: Vec<Above>,
    dummies: u32,
}

impl<'a> Tree<'a> {
    /// Steps 2 and 3: no dummies but below the root, and there only those with several children.
    fn prune(members: &'a [Member<'a>], forest: &Forest) -> Self {
        let mut above: Vec<Above> = Vec::with_capacity(members.len());
        // For dummies: the nearest message above, or else the dummy below the root.
        let mut known: Vec<Option<Above>> = vec![None; forest.len() - members.len()];
        let dummy_of = |node: u32| (node as usize).checked_sub(members.len());
        let mut way = Vec::new();
        for node in 0..members.len() as u32 {
            let mut at = node;
            let found = loop {
                let Some(parent) = forest.parent(at) else {
                    break if at == node { Above::Root } else { Above::Dummy(at) };
                };
                let Some(dummy) = dummy_of(parent) else {
                    break Above::Message(parent);
                };
                if let Some(known) = known[dummy] {
                    break known;
                }
                way.push(dummy);
                at = parent;
            };
            way.drain(..).for_each(|dummy| known[dummy] = Some(found));
            above.push(found);
        }
        let mut tree = Self {
            members,
            order: by_date(members),
            above,
            dummies: forest.len() as u32,
        };
        tree.promote_only_children();
        tree
    }

    /// A dummy with one child is replaced by it.
    fn promote_only_children(&mut self) {
        let mut children = vec![0u32; self.dummies as usize];
        for above in &self.above {
            if let Above::Dummy(dummy) = above {
                children[*dummy as usize] += 1;
            }
        }
        for above in &mut self.above {
            if let Above::Dummy(dummy) = *above
                && children[dummy as usize] == 1
            {
                *above = Above::Root;
            }
        }
    }

    /// Step 4: the messages and dummies below the root by date, a dummy by that of its first child, which comes along.
    fn tops(&self) -> Vec<(Top, u32)> {
        let mut seen = vec![false; self.dummies as usize];
        let mut tops = Vec::new();
        for index in &self.order {
            match self.above[*index as usize] {
                Above::Root => tops.push((Top::Message(*index), *index)),
                Above::Dummy(dummy) if !std::mem::replace(&mut seen[dummy as usize], true) => {
                    tops.push((Top::Dummy(dummy), *index));
                }
                Above::Dummy(_) | Above::Message(_) => {}
            }
        }
        tops
    }

    /// Step 5: what has the same base subject is gathered.
    fn merge_subjects(&mut self) {
        let tops = self.tops();
        let members = self.members;
        let is_reply = |top: Top| matches!(top, Top::Message(index) if members[index as usize].is_reply);
        let mut table: HashMap<u32, Top> = HashMap::new();
        for (top, first) in &tops {
            let Some(subject) = members[*first as usize].subject else {
                continue;
            };
            let entry = table.entry(subject).or_insert(*top);
            if let Top::Message(_) = entry
                && (matches!(top, Top::Dummy(_)) || is_reply(*entry) && !is_reply(*top))
            {
                *entry = *top;
            }
        }
        // Dummies whose children go to another one.
        let mut merged: HashMap<u32, u32> = HashMap::new();
        for (top, first) in &tops {
            let subject = members[*first as usize].subject;
            let Some(entry) = subject.and_then(|subject| table.get_mut(&subject)) else {
                continue;
            };
            if entry == top {
                continue;
            }
            match (*entry, *top) {
                (Top::Dummy(dummy), Top::Dummy(other)) => {
                    merged.insert(other, dummy);
                }
                (Top::Dummy(dummy), Top::Message(index)) => self.above[index as usize] = Above::Dummy(dummy),
                (Top::Message(parent), Top::Message(index)) if is_reply(*top) && !is_reply(*entry) => {
                    self.above[index as usize] = Above::Message(parent);
                }
                // The second is a message, too: a dummy would have taken the place in the table.
                (Top::Message(one), Top::Message(other) | Top::Dummy(other)) => {
                    let dummy = self.dummies;
                    self.dummies += 1;
                    self.above[one as usize] = Above::Dummy(dummy);
                    self.above[other as usize] = Above::Dummy(dummy);
                    *entry = Top::Dummy(dummy);
                }
            }
        }
        for above in &mut self.above {
            if let Above::Dummy(dummy) = above
                && let Some(other) = merged.get(dummy)
            {
                *dummy = *other;
            }
        }
    }

    /// Step 6: all siblings by date, those below the root again; and in preorder.
    fn write(&self) -> Threads {
        // The children of messages, then those of dummies, each in the order of dates: counted, then filled in.
        let slot = |above: Above| match above {
            Above::Root => None,
            Above::Message(index) => Some(index as usize),
            Above::Dummy(dummy) => Some(self.members.len() + dummy as usize),
        };
        let mut starts = vec![0u32; self.members.len() + self.dummies as usize + 1];
        for above in &self.above {
            if let Some(slot) = slot(*above) {
                starts[slot + 1] += 1;
            }
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut children = vec![0u32; starts[starts.len() - 1] as usize];
        for index in &self.order {
            if let Some(slot) = slot(self.above[*index as usize]) {
                children[next[slot] as usize] = *index;
                next[slot] += 1;
            }
        }
        let of = |slot: usize| &children[starts[slot] as usize..starts[slot + 1] as usize];
        let mut out = Threads::with_capacity(self.members.len());
        let mut due = Vec::new();
        for (top, _) in self.tops() {
            match top {
                Top::Message(index) => due.push((0, index)),
                Top::Dummy(dummy) => {
                    out.push((0, None));
                    let below = of(self.members.len() + dummy as usize);
                    due.extend(below.iter().rev().map(|index| (1, *index)));
                }
            }
            while let Some((depth, index)) = due.pop() {
                out.push((depth, Some(self.members[index as usize].uid)));
                due.extend(of(index as usize).iter().rev().map(|child| (depth + 1, *child)));
            }
        }
        out
    }
}
