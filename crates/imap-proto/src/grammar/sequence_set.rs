//! Sets of numbers (RFC 9051 §9, `sequence-set`), which mean messages only together with a view. Four billion numbers
//! are one range here: work and memory follow the length of the text and the size of the mailbox.

use super::{Bad, Parsed, Scanner};
use crate::view::View;
use postroom_types::{SeqNum, Uid};

/// A number, or `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Is(u32),
    Star,
}

impl Number {
    fn parse(scanner: &mut Scanner<'_>) -> Parsed<Self> {
        if scanner.eat(b'*') {
            return Ok(Self::Star);
        }
        match scanner.number()? {
            0 => Err(Bad("Zero is not a message number")),
            number => Ok(Self::Is(number)),
        }
    }

    const fn or(self, star: u32) -> u32 {
        match self {
            Self::Is(number) => number,
            Self::Star => star,
        }
    }
}

/// As the client wrote it: ranges, never their members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SequenceSet {
    ranges: Vec<(Number, Number)>,
    /// `$` is in it (RFC 5182).
    with_saved: bool,
    /// What `$` means, once that was said.
    saved: UidRanges,
}

impl SequenceSet {
    pub(crate) fn parse(scanner: &mut Scanner<'_>) -> Parsed<Self> {
        let mut set = Self::default();
        loop {
            if scanner.eat(b'$') {
                set.with_saved = true;
            } else {
                let first = Number::parse(scanner)?;
                let last = if scanner.eat(b':') {
                    Number::parse(scanner)?
                } else {
                    first
                };
                set.ranges.push((first, last));
            }
            if !scanner.eat(b',') {
                return Ok(set);
            }
        }
    }

    /// Read as UIDs: numbers without a message are no fault (RFC 9051 §6.4.9).
    pub(crate) fn uids(&self, view: &View) -> UidRanges {
        self.up_to(view.last_uid())
    }

    /// Read as UIDs of messages that may have been here once: `*` is the highest of all.
    pub(crate) fn known_uids(&self, view: &View) -> UidRanges {
        self.up_to(view.highest_uid())
    }

    /// Whether, read as UIDs, it names one above all that the client was told of.
    pub(crate) fn names_untold(&self, view: &View) -> bool {
        let last = view.last_uid().map_or(0, Uid::get);
        let mut numbers = self.ranges.iter().flat_map(|(a, b)| [a, b]);
        numbers.any(|number| matches!(number, Number::Is(number) if *number > last))
    }

    fn up_to(&self, star: Option<Uid>) -> UidRanges {
        let Some(star) = star else {
            return UidRanges::default();
        };
        let ordered = self
            .ranges
            .iter()
            .map(|(a, b)| order(a.or(star.get()), b.or(star.get())));
        let ranges = ordered.filter_map(|(a, b)| Some((Uid::new(a)?, Uid::new(b)?)));
        UidRanges::merged(ranges.chain(self.saved.as_slice().iter().copied()).collect())
    }

    /// Read as UIDs by a search that is asked again when messages have come or gone (RFC 5267 §4.3), and whether `*` is in
    /// it: whichever message is the last then matches as well. A range up to `*` has no end here.
    pub(crate) fn open_uids(&self) -> (UidRanges, bool) {
        let mut has_star = false;
        let mut ranges = self.saved.as_slice().to_vec();
        for range in &self.ranges {
            let (first, last) = match *range {
                (Number::Is(a), Number::Is(b)) => order(a, b),
                (Number::Is(from), Number::Star) | (Number::Star, Number::Is(from)) => {
                    has_star = true;
                    (from, u32::MAX)
                }
                (Number::Star, Number::Star) => {
                    has_star = true;
                    continue;
                }
            };
            ranges.extend(Uid::new(first).zip(Uid::new(last)));
        }
        (UidRanges::merged(ranges), has_star)
    }

    /// How many ranges it has if `$` means this.
    pub(crate) fn ranges(&self, saved: Option<&UidRanges>) -> usize {
        let saved = saved.filter(|_| self.with_saved);
        self.ranges.len() + saved.map_or(0, |saved| saved.as_slice().len())
    }

    /// Says what `$` means, if it is in it; without that, nothing. Those of them that are gone are none of the set.
    pub(crate) fn with_saved(mut self, saved: Option<&UidRanges>) -> Self {
        if self.with_saved {
            self.saved = saved.cloned().unwrap_or_default();
        }
        self
    }

    /// The ranges as they were written, first number first. `None` if there is a `*` or `$` in them.
    pub(crate) fn plain(&self) -> Option<Vec<(u32, u32)>> {
        let plain = |range: &(Number, Number)| match range {
            (Number::Is(a), Number::Is(b)) => Some((*a, *b)),
            _ => None,
        };
        self.ranges
            .iter()
            .map(plain)
            .collect::<Option<_>>()
            .filter(|_| !self.with_saved)
    }

    /// Read as sequence numbers by a search: those that are not there match nothing, as other servers have it. Clients
    /// depend on it, since a search is no reason to fail.
    pub(crate) fn found_numbers(&self, view: &View) -> UidRanges {
        let count = view.exists();
        let mut ranges = Vec::with_capacity(self.ranges.len());
        for (a, b) in &self.ranges {
            let (a, b) = order(a.or(count), b.or(count));
            let uid = |number| SeqNum::new(number).and_then(|seq| view.uid_of(seq));
            ranges.extend(uid(a).zip(uid(b.min(count))));
        }
        ranges.extend_from_slice(self.saved.as_slice());
        UidRanges::merged(ranges)
    }

    /// Read as sequence numbers: one that is not there is a fault, and so is `*` in an empty mailbox
    /// (RFC 9051 §9, `seq-number`).
    pub(crate) fn sequence_numbers(&self, view: &View) -> Parsed<UidRanges> {
        let count = view.exists();
        let mut ranges = Vec::with_capacity(self.ranges.len());
        for (a, b) in &self.ranges {
            let (a, b) = order(a.or(count), b.or(count));
            let uid = |number| SeqNum::new(number).and_then(|seq| view.uid_of(seq));
            ranges.push(uid(a).zip(uid(b)).ok_or(Bad("No such message number"))?);
        }
        ranges.extend_from_slice(self.saved.as_slice());
        Ok(UidRanges::merged(ranges))
    }
}

fn order(a: u32, b: u32) -> (u32, u32) {
    (a.min(b), a.max(b))
}

/// Ranges of UIDs, ascending, apart from each other, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UidRanges(Vec<(Uid, Uid)>);

impl UidRanges {
    /// Of ranges in any order, each with its lower end first.
    pub(crate) fn merged(mut ranges: Vec<(Uid, Uid)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(Uid, Uid)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first.get() <= end.get().saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// These UIDs, in any order; cheap if they ascend.
    pub(crate) fn of(uids: impl IntoIterator<Item = Uid>) -> Self {
        let mut ranges: Vec<(Uid, Uid)> = Vec::new();
        for uid in uids {
            match ranges.last_mut() {
                Some((_, last)) if last.get().checked_add(1) == Some(uid.get()) => *last = uid,
                _ => ranges.push((uid, uid)),
            }
        }
        Self::merged(ranges)
    }

    pub(crate) fn as_slice(&self) -> &[(Uid, Uid)] {
        &self.0
    }

    /// Cuts off what is above this.
    pub(crate) fn cut_above(&mut self, highest: Uid) {
        self.0.retain(|(first, _)| *first <= highest);
        if let Some((_, last)) = self.0.last_mut() {
            *last = highest.min(*last);
        }
    }

    /// Cuts off this one and what is below it.
    pub(crate) fn cut_up_to(&mut self, lowest: Uid) {
        self.0.retain(|(_, last)| *last > lowest);
        if let Some((first, _)) = self.0.first_mut()
            && let Some(next) = lowest.get().checked_add(1).and_then(Uid::new)
        {
            *first = next.max(*first);
        }
    }

    pub(crate) fn into_vec(self) -> Vec<(Uid, Uid)> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::number_set::write_uid_set;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn parse(text: &str) -> Parsed<SequenceSet> {
        let mut scanner = Scanner::new(text.as_bytes());
        let set = SequenceSet::parse(&mut scanner)?;
        scanner.end()?;
        Ok(set)
    }

    fn view(uids: &[u32]) -> View {
        View::of(uids.iter().filter_map(|uid| Uid::new(*uid)).collect())
    }

    fn shown(ranges: &UidRanges) -> Vec<(u32, u32)> {
        ranges.as_slice().iter().map(|(a, b)| (a.get(), b.get())).collect()
    }

    #[test]
    fn as_uids() {
        let check = |text: &str, expected: &[(u32, u32)]| {
            assert_eq!(shown(&parse(text).unwrap().uids(&view(&[3, 5, 9]))), expected, "{text}");
        };
        check("1", &[(1, 1)]);
        check("*", &[(9, 9)]);
        check("20:*", &[(9, 20)]);
        check("*:4,2:5,7", &[(2, 9)]);
        check("1:4294967295", &[(1, u32::MAX)]);
        assert_eq!(parse("1:*").unwrap().uids(&view(&[])), UidRanges::default());
    }

    #[test]
    fn as_uids_of_a_search_that_is_followed() {
        let check = |text: &str, expected: (&[(u32, u32)], bool)| {
            let (ranges, has_star) = parse(text).unwrap().open_uids();
            assert_eq!((shown(&ranges).as_slice(), has_star), expected, "{text}");
        };
        check("4:*", (&[(4, u32::MAX)], true));
        check("*:9,1", (&[(1, 1), (9, u32::MAX)], true));
        check("*", (&[], true));
        check("*,3:*,2", (&[(2, u32::MAX)], true));
        check("7:2", (&[(2, 7)], false));
        check("4:4294967295", (&[(4, u32::MAX)], false));
    }

    #[test]
    fn ranges_are_counted() {
        let saved = UidRanges::of([3, 9, 11].into_iter().filter_map(Uid::new));
        for (text, expected, without) in [("1,3:*", 2, 2), ("$", 3, 0), ("$,5,$", 4, 1)] {
            let set = parse(text).unwrap();
            assert_eq!(
                (set.ranges(Some(&saved)), set.ranges(None)),
                (expected, without),
                "{text}"
            );
        }
    }

    #[test]
    fn as_numbers_of_a_search() {
        let found = |text: &str, uids: &[u32]| shown(&parse(text).unwrap().found_numbers(&view(uids)));
        assert_eq!(found("2:*", &[3, 5, 9]), found("2:3", &[3, 5, 9]));
        assert_eq!(found("7:*", &[3, 5, 9]), found("3", &[3, 5, 9]));
        assert_eq!(found("*:2,1000", &[3, 5, 9]), found("2:3", &[3, 5, 9]));
        assert_eq!(found("2:4000000000", &[3, 5, 9]), found("2:3", &[3, 5, 9]));
        assert_eq!(found("1000,4:5", &[3, 5, 9]), found("1:*", &[]));
    }

    #[test]
    fn as_sequence_numbers() {
        let check = |text: &str, expected: Parsed<&[(u32, u32)]>| {
            let read = parse(text).unwrap().sequence_numbers(&view(&[3, 5, 9]));
            assert_eq!(read.map(|ranges| shown(&ranges)), expected.map(<[_]>::to_vec), "{text}");
        };
        check("1", Ok(&[(3, 3)]));
        check("2:*", Ok(&[(5, 9)]));
        check("*:1", Ok(&[(3, 9)]));
        check("3,1", Ok(&[(3, 3), (9, 9)]));
        check("4", Err(Bad("No such message number")));
        check("1:4294967295", Err(Bad("No such message number")));
        assert!(parse("*").unwrap().sequence_numbers(&view(&[])).is_err());
    }

    #[test]
    fn what_was_saved() {
        let saved = UidRanges::of([3, 9, 11].into_iter().filter_map(Uid::new));
        let check = |text: &str, expected: &[(u32, u32)]| {
            let set = parse(text).unwrap().with_saved(Some(&saved));
            let view = view(&[3, 5, 9]);
            assert_eq!(shown(&set.uids(&view)), expected, "{text}");
            assert_eq!(
                set.sequence_numbers(&view).map(|ranges| shown(&ranges)).as_deref(),
                Ok(expected),
                "{text}"
            );
        };
        // RFC 5182 §2.1. What is saved and gone is no message of the view.
        check("$", &[(3, 3), (9, 9), (11, 11)]);
        assert_eq!(
            parse("$,1")
                .unwrap()
                .with_saved(None)
                .sequence_numbers(&view(&[3]))
                .unwrap()
                .as_slice()
                .len(),
            1
        );
        assert_eq!(
            parse("$").unwrap().with_saved(None).sequence_numbers(&view(&[])),
            Ok(UidRanges::default())
        );
        assert_eq!(
            (parse("$").unwrap().plain(), parse("1:*").unwrap().plain()),
            (None, None)
        );
        assert_eq!(parse("5:1,3").unwrap().plain(), Some(vec![(5, 1), (3, 3)]));
    }

    #[test]
    fn ranges_are_cut() {
        let check = |highest: u32, lowest: u32, expected: &[(u32, u32)]| {
            let mut ranges = parse("1:5,8,10:20").unwrap().uids(&view(&[20]));
            ranges.cut_above(Uid::new(highest).unwrap());
            ranges.cut_up_to(Uid::new(lowest).unwrap());
            assert_eq!(shown(&ranges), expected, "{highest} {lowest}");
        };
        check(99, 1, &[(2, 5), (8, 8), (10, 20)]);
        check(12, 5, &[(8, 8), (10, 12)]);
        check(9, 8, &[]);
        check(8, 7, &[(8, 8)]);
        check(u32::MAX, u32::MAX, &[]);
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            "0",
            "1:",
            ":1",
            "1,",
            ",1",
            "1::2",
            "1:2:3",
            "4294967296",
            "a",
            "1:0",
            "-1",
            "**",
            "$$",
            "$:1",
            "1:$",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(uids: BTreeSet<u32>) {
            let uids: Vec<Uid> = uids.into_iter().filter_map(Uid::new).collect();
            prop_assume!(!uids.is_empty());
            let mut text = Vec::new();
            write_uid_set(&mut text, uids.iter().copied());
            let set = parse(std::str::from_utf8(&text).unwrap()).unwrap();
            let everything = View::of(uids.clone());
            let ranges = set.uids(&everything);
            let mut members = Vec::new();
            for (a, b) in ranges.as_slice() {
                members.extend((a.get()..=b.get()).filter_map(Uid::new));
            }
            prop_assert_eq!(members, uids);
        }
    }
}
