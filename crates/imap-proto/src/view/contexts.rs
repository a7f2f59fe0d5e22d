//! Searches whose results the client is kept up to date on (RFC 5267 §4.3), and the messages they are to be asked about.
//!
//! Always holds: `result` of a context is what the client has if it has followed all it was told. What has happened since
//! stands in `changed` and `gone`, so that only these messages are looked at again. Without contexts nothing is kept.

use super::View;
use super::difference::Difference;
use crate::grammar::fetch_items::FetchSpec;
use postroom_types::{SearchKey, SortKey, Uid};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Most contexts of a session.
const CONTEXTS: usize = 8;
/// Most results of all contexts together, of 4 octets each. One alone may have more, as many as the mailbox has messages:
/// a client must have at least one (RFC 5267 §4.3.1).
const RESULTS: usize = 500_000;
/// Most results of a sorted one: for each message that comes, all are sorted.
const SORTED_RESULTS: usize = 50_000;

/// A search with UPDATE.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Of the command, by which the client knows it.
    pub(crate) tag: Vec<u8>,
    pub(crate) by_uid: bool,
    pub(crate) program: SearchKey,
    /// `None`: in the order of the mailbox.
    pub(crate) keys: Option<Vec<SortKey>>,
    /// What is told of new messages that come into the result.
    pub(crate) fetch: Option<FetchSpec>,
    pub(crate) result: Vec<Uid>,
    /// No message above it has been looked at.
    pub(crate) last: Option<Uid>,
    /// It is to be asked about what has changed.
    pub(crate) is_due: bool,
}

impl Context {
    /// The result once these have left it and those have come, both ascending. In a sorted result those that have come
    /// stand at the end, wherever they belong.
    pub(crate) fn with(&self, removed: &[Uid], added: &[Uid]) -> Vec<Uid> {
        let stays = self.result.iter().filter(|uid| removed.binary_search(uid).is_err());
        let mut now: Vec<Uid> = stays.chain(added).copied().collect();
        if self.keys.is_none() {
            // Two ascending runs, which this merges.
            now.sort();
        }
        now
    }

    /// Of these messages, ascending, of which those match: who leaves the result, and who comes into it.
    pub(crate) fn compare(&self, among: &[Uid], matching: &[Uid]) -> (Vec<Uid>, Vec<Uid>) {
        let mut result = Cow::Borrowed(&self.result);
        if self.keys.is_some() {
            result.to_mut().sort_unstable();
        }
        let is_in = |uid: &Uid| result.binary_search(uid).is_ok();
        let matches = |uid: &Uid| matching.binary_search(uid).is_ok();
        let leaves = among
            .iter()
            .copied()
            .filter(|uid| is_in(uid) && !matches(uid))
            .collect();
        let comes = among
            .iter()
            .copied()
            .filter(|uid| !is_in(uid) && matches(uid))
            .collect();
        (leaves, comes)
    }

    /// Takes the result as it is now, and says what is to be told of it.
    pub(crate) fn becomes(&mut self, now: Vec<Uid>) -> Difference {
        let before = std::mem::replace(&mut self.result, now);
        if self.keys.is_some() {
            return Difference::between(&before, &self.result);
        }
        let missing = |of: &[Uid], among: &[Uid]| {
            let missing = of.iter().filter(|uid| among.binary_search(uid).is_err());
            missing.copied().collect()
        };
        Difference::of_sets(missing(&before, &self.result), missing(&self.result, &before))
    }
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    list: Vec<Context>,
    /// Messages that have come or whose flags have changed since the contexts were asked.
    changed: BTreeSet<Uid>,
    /// Messages that are gone, whether EXPUNGE was told or not.
    gone: BTreeSet<Uid>,
    /// What the contexts that are due are asked about.
    among: Vec<Uid>,
}

impl Contexts {
    pub(crate) fn has(&self, tag: &[u8]) -> bool {
        self.list.iter().any(|context| context.tag == tag)
    }

    /// Adds one. `false`: there is no room for it.
    pub(crate) fn add(&mut self, context: Context) -> bool {
        let has_room = self.list.len() < CONTEXTS && fits(&context, self.list.iter());
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
            !fits(&self.list[*at], others.map(|(_, context)| context))
        }) {
            out.push(self.list.remove(at));
        }
        self.forget_if_empty();
        out
    }

    pub(crate) fn remove(&mut self, tag: &[u8]) {
        self.list.retain(|context| context.tag != tag);
        self.forget_if_empty();
    }

    fn forget_if_empty(&mut self) {
        if self.list.is_empty() {
            *self = Self::default();
        }
    }

    /// These have come, or their flags have changed.
    pub(crate) fn have_changed(&mut self, uids: impl IntoIterator<Item = Uid>) {
        if !self.list.is_empty() {
            self.changed.extend(uids);
        }
    }

    /// It is gone; it matters to the client if it was told of it.
    pub(crate) fn is_gone(&mut self, uid: Uid, was_told: bool) {
        if !self.list.is_empty() {
            self.changed.remove(&uid);
            if was_told {
                self.gone.insert(uid);
            }
        }
    }

    /// Takes out of all results what is gone. What is to be told of it, for each context.
    pub(crate) fn drop_gone(&mut self) -> Vec<(&Context, Difference)> {
        if self.gone.is_empty() {
            return Vec::new();
        }
        let gone: Vec<Uid> = std::mem::take(&mut self.gone).into_iter().collect();
        let drop = |context: &mut Context| context.becomes(context.with(&gone, &[]));
        let differences: Vec<Difference> = self.list.iter_mut().map(drop).collect();
        let with_difference = self.list.iter().zip(differences);
        with_difference
            .filter(|(_, difference)| !difference.is_empty())
            .collect()
    }

    /// The next context to be asked, and about which messages: of those that have changed, the ones that were told. `last` is
    /// the last one that was.
    pub(crate) fn next(&mut self, last: Uid, is_told: impl Fn(&Uid) -> bool) -> Option<(&Context, &[Uid])> {
        if !self.list.iter().any(|context| context.is_due) {
            let (mut told, untold): (BTreeSet<Uid>, _) = self.changed.iter().partition(|uid| **uid <= last);
            self.changed = untold;
            told.retain(is_told);
            self.among = told.into_iter().collect();
            let is_due = !self.among.is_empty();
            self.list.iter_mut().for_each(|context| context.is_due = is_due);
        }
        let context = self.list.iter_mut().find(|context| context.is_due)?;
        context.is_due = false;
        Some((context, &self.among))
    }

    /// A context that is being asked, and about what.
    pub(crate) fn find(&mut self, tag: &[u8]) -> Option<(&mut Context, &[Uid])> {
        let context = self.list.iter_mut().find(|context| context.tag == tag)?;
        Some((context, &self.among))
    }
}

/// Whether there is room for one beside the others.
fn fits<'a>(one: &Context, others: impl Iterator<Item = &'a Context>) -> bool {
    let others: Vec<usize> = others.map(|context| context.result.len()).collect();
    let results = one.result.len() + others.iter().sum::<usize>();
    (others.is_empty() || results <= RESULTS) && (one.keys.is_none() || one.result.len() <= SORTED_RESULTS)
}

impl View {
    /// From now on the client is told what becomes different about the result of a search. `false`: there is no room.
    pub(crate) fn follow(&mut self, context: Context) -> bool {
        let has_room = self.contexts.add(context);
        if has_room {
            // What waits to be told may have happened after the search.
            let waiting = self.flags.keys().chain(&self.appended).copied();
            self.contexts.have_changed(waiting);
            for uid in &self.expunged {
                self.contexts.is_gone(*uid, true);
            }
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uids(numbers: std::ops::Range<usize>) -> Vec<Uid> {
        numbers
            .filter_map(|number| Uid::new(u32::try_from(number).ok()?))
            .collect()
    }

    fn context(tag: &str, sorted: bool, results: usize) -> Context {
        Context {
            tag: tag.as_bytes().to_vec(),
            by_uid: true,
            program: SearchKey::All,
            keys: sorted.then(Vec::new),
            fetch: None,
            result: uids(1..results + 1),
            last: None,
            is_due: false,
        }
    }

    #[test]
    fn there_is_room_for_some() {
        let added = |contexts: &[(bool, usize)]| {
            let mut all = Contexts::default();
            let add = |(sorted, results): &(bool, usize)| all.add(context("a", *sorted, *results));
            contexts.iter().map(add).collect::<Vec<_>>()
        };
        let some = added(&[(false, 9); CONTEXTS + 1]);
        assert_eq!(some.iter().filter(|added| **added).count(), CONTEXTS);
        // The first has room, whatever it has found; unless it is sorted.
        assert_eq!(
            added(&[(false, RESULTS * 2), (false, 1), (true, 1)]),
            [true, false, false]
        );
        assert_eq!(
            added(&[(false, RESULTS - 1), (false, 1), (false, 1)]),
            [true, true, false]
        );
        assert_eq!(
            added(&[(true, SORTED_RESULTS + 1), (true, SORTED_RESULTS)]),
            [false, true]
        );
    }

    #[test]
    fn what_outgrows_it_goes() {
        let mut all = Contexts::default();
        assert!(all.add(context("a", false, RESULTS - 10)) && all.add(context("b", false, 10)));
        assert!(all.add(context("c", true, 0)) && all.outgrown().is_empty());
        all.find(b"a").unwrap().0.becomes(uids(1..RESULTS + 2));
        let out: Vec<_> = all.outgrown().into_iter().map(|context| context.tag).collect();
        assert_eq!(out, [b"c", b"b"]);
        assert!(all.has(b"a") && !all.has(b"b"));
    }

    #[test]
    fn each_is_asked_once_about_what_was_told() {
        let mut all = Contexts::default();
        all.have_changed(uids(1..9));
        assert!(all.add(context("a", false, 0)) && all.add(context("b", false, 0)) && all.add(context("c", false, 0)));
        let last = Uid::new(5).unwrap();
        assert!(all.next(last, |_| true).is_none(), "nothing was kept before");
        all.have_changed(uids(2..8));
        all.is_gone(Uid::new(3).unwrap(), true);
        let mut asked = Vec::new();
        while let Some((context, among)) = all.next(last, |uid| uid.get() != 4) {
            asked.push((context.tag.clone(), among.to_vec()));
            // Whatever becomes of one in the middle, the others have their turn.
            all.remove(b"a");
        }
        let among: Vec<Uid> = [2, 5].into_iter().filter_map(Uid::new).collect();
        assert_eq!(asked, [b"a", b"b", b"c"].map(|tag| (tag.to_vec(), among.clone())));
        let (_, among) = all.next(Uid::new(9).unwrap(), |_| true).unwrap();
        assert_eq!(among, uids(6..8));
    }
}
