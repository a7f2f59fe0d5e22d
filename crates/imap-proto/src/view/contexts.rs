//! The searches that a client follows (RFC 5267 §4.3), and the messages they are to be asked about.
//!
//! Always holds: what has happened since a context was asked stands in `came`, `flags_changed` and `gone`, so that only these
//! messages are looked at again, and of changed flags only by programs that flags can decide. Without contexts nothing is
//! kept. One context is asked at a time.

use super::View;
use super::context::Context;
use super::difference::Difference;
use postroom_types::Uid;
use std::collections::BTreeSet;
use std::iter::once;

/// Most contexts of a session.
const CONTEXTS: usize = 8;
/// Most results of all contexts together, of 4 octets each; a range in a program counts as two. One alone may have more,
/// as many as the mailbox has messages: a client must have at least one (RFC 5267 §4.3.1).
const RESULTS: usize = 500_000;
/// Most results of all sorted ones: for each message that comes, they are sorted again.
const SORTED_RESULTS: usize = 20_000;
/// Most keys of all programs that read text of messages: each message that comes is read for them.
const TEXTS: usize = 16;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    list: Vec<Context>,
    came: BTreeSet<Uid>,
    flags_changed: BTreeSet<Uid>,
    /// Messages that are gone, whether EXPUNGE was told or not.
    gone: BTreeSet<Uid>,
    round: Round,
    /// What the context that is being asked is asked about.
    asked: Vec<Uid>,
}

/// What those that are due are asked about, each in its turn.
#[derive(Debug, Default)]
struct Round {
    came: Vec<Uid>,
    flags_changed: Vec<Uid>,
    last: Option<Uid>,
}

impl Contexts {
    pub(crate) fn has(&self, tag: &[u8]) -> bool {
        self.list.iter().any(|context| context.tag == tag)
    }

    /// Adds one. `false`: there is no room for it.
    pub(crate) fn add(&mut self, context: Context) -> bool {
        let has_room = self.list.len() < CONTEXTS && fits(&context, &self.list.iter().collect::<Vec<_>>());
        if has_room {
            self.list.push(context);
        }
        has_room
    }

    /// Those that have outgrown what there is room for are taken out.
    pub(crate) fn outgrown(&mut self) -> Vec<Context> {
        let mut out = Vec::new();
        while let Some(at) = (0..self.list.len()).rev().find(|at| {
            let others = self.list.iter().enumerate().filter(|(other, _)| other != at);
            !fits(&self.list[*at], &others.map(|(_, context)| context).collect::<Vec<_>>())
        }) {
            out.push(self.list.remove(at));
        }
        self.forget_if_empty();
        out
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, tag: &[u8]) -> bool {
        let before = self.list.len();
        self.list.retain(|context| context.tag != tag);
        let was_there = self.list.len() < before;
        self.forget_if_empty();
        was_there
    }

    /// All of them.
    pub(crate) fn take(&mut self) -> Vec<Context> {
        std::mem::take(self).list
    }

    fn forget_if_empty(&mut self) {
        if self.list.is_empty() {
            *self = Self::default();
        }
    }

    pub(crate) fn has_come(&mut self, uid: Uid) {
        if !self.list.is_empty() {
            self.came.insert(uid);
        }
    }

    pub(crate) fn flags_have_changed(&mut self, uid: Uid) {
        if self.list.iter().any(|context| context.traits.by_flags) {
            self.flags_changed.insert(uid);
        }
    }

    /// It is gone; it matters to the client if it was told of it.
    pub(crate) fn is_gone(&mut self, uid: Uid, was_told: bool) {
        if !self.list.is_empty() {
            self.came.remove(&uid);
            self.flags_changed.remove(&uid);
            if was_told {
                self.gone.insert(uid);
            }
        }
    }

    /// Takes out of all results what is gone. What is to be told of it, for each context that had any of it.
    pub(crate) fn drop_gone(&mut self) -> Vec<(&Context, Difference)> {
        if self.gone.is_empty() {
            return Vec::new();
        }
        let gone: Vec<Uid> = std::mem::take(&mut self.gone).into_iter().collect();
        let drop = |context: &mut Context| {
            let leaves = context.has(&gone);
            (!leaves.is_empty()).then(|| context.changes(leaves, Vec::new()))
        };
        let differences: Vec<Option<Difference>> = self.list.iter_mut().map(drop).collect();
        let with_difference = self.list.iter().zip(differences);
        with_difference
            .filter_map(|(context, difference)| Some((context, difference?)))
            .collect()
    }

    /// The next context to be asked, and about which messages: of those that matter, the ones that were told. `last` is the
    /// last one that was.
    pub(crate) fn next(&mut self, last: Uid, is_told: impl Fn(&Uid) -> bool) -> Option<(&Context, &[Uid])> {
        if !self.list.iter().any(|context| context.is_due) {
            self.begin_round(last);
        }
        let last = self.round.last?;
        for at in 0..self.list.len() {
            let context = &mut self.list[at];
            if !std::mem::take(&mut context.is_due) {
                continue;
            }
            let mut asked = self.round.came.clone();
            if context.traits.by_flags {
                asked.extend_from_slice(&self.round.flags_changed);
            }
            asked.append(&mut context.missed);
            asked.extend(context.has_last(last).into_iter().flatten());
            asked.retain(&is_told);
            asked.sort_unstable();
            asked.dedup();
            if !asked.is_empty() {
                self.asked = asked;
                return Some((&self.list[at], &self.asked));
            }
        }
        None
    }

    fn begin_round(&mut self, last: Uid) {
        let told = |uids: &mut BTreeSet<Uid>| uids.extract_if(..=last, |_| true).collect();
        self.round = Round {
            came: told(&mut self.came),
            flags_changed: told(&mut self.flags_changed),
            last: Some(last),
        };
        for context in &mut self.list {
            let flags_matter = context.traits.by_flags && !self.round.flags_changed.is_empty();
            let last_matters = context.traits.by_last && context.last != Some(last);
            let is_to_try_again = !context.missed.is_empty() && !context.waits;
            context.is_due = !self.round.came.is_empty() || flags_matter || last_matters || is_to_try_again;
        }
    }

    /// A context that is being asked, and about what.
    pub(crate) fn find(&mut self, tag: &[u8]) -> Option<(&mut Context, &[Uid])> {
        let context = self.list.iter_mut().find(|context| context.tag == tag)?;
        Some((context, &self.asked))
    }

    /// The one that is being asked was asked in vain. `false`: it is not the first time, and it is taken out.
    pub(crate) fn miss(&mut self, tag: &[u8]) -> bool {
        let missed = std::mem::take(&mut self.asked);
        let Some(context) = self.list.iter_mut().find(|context| context.tag == tag) else {
            return true;
        };
        if std::mem::replace(&mut context.has_failed, true) {
            self.remove(tag);
            return false;
        }
        context.missed = missed;
        context.waits = true;
        true
    }

    /// There are news, so those that were asked in vain are asked again.
    pub(crate) fn try_again(&mut self) {
        self.list.iter_mut().for_each(|context| context.waits = false);
    }
}

/// Whether there is room for one beside the others.
fn fits(one: &Context, others: &[&Context]) -> bool {
    let sum = |count: fn(&Context) -> usize| others.iter().copied().chain(once(one)).map(count).sum::<usize>();
    let sorted = |context: &Context| if context.is_sorted() { context.result.len() } else { 0 };
    let size = |context: &Context| context.result.len() + context.traits.ranges * 2;
    (others.is_empty() || sum(size) <= RESULTS)
        && (!one.is_sorted() || sum(sorted) <= SORTED_RESULTS)
        && (one.traits.texts == 0 || sum(|context| context.traits.texts) <= TEXTS)
}

impl View {
    /// From now on the client is told what becomes different about the result of a search. `false`: there is no room.
    pub(crate) fn follow(&mut self, context: Context) -> bool {
        let last = self.last_uid();
        let has_room = self.contexts.add(Context {
            last,
            told_up_to: last,
            ..context
        });
        if has_room {
            // What waits to be told may have happened after the search.
            self.appended.iter().for_each(|uid| self.contexts.has_come(*uid));
            self.flags.keys().for_each(|uid| self.contexts.flags_have_changed(*uid));
            self.expunged.iter().for_each(|uid| self.contexts.is_gone(*uid, true));
        }
        has_room
    }
}

#[cfg(test)]
mod tests;
