//! Walking over chosen messages.

use super::View;
use crate::grammar::partial_range::PartialRange;
use crate::grammar::sequence_set::UidRanges;
use postroom_types::Uid;

/// A walk over the chosen messages of a view, in pieces. Holds ranges, not messages.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    ranges: Vec<(Uid, Uid)>,
    /// All ranges before this one are done.
    range: usize,
    /// The last message handed out.
    after: Option<Uid>,
}

impl Pieces {
    pub(crate) fn new(ranges: UidRanges) -> Self {
        Self {
            ranges: ranges.into_vec(),
            range: 0,
            after: None,
        }
    }

    /// The next messages, ascending, at most `limit`. Empty: that was all.
    pub(crate) fn next(&mut self, view: &View, limit: usize) -> Vec<Uid> {
        let mut piece = Vec::new();
        while let Some((first, last)) = self.ranges.get(self.range) {
            let from = match self.after {
                None => *first,
                Some(after) => match after.get().checked_add(1).and_then(Uid::new) {
                    Some(next) => next.max(*first),
                    None => break,
                },
            };
            piece.extend(view.between(from, *last, limit - piece.len()));
            self.after = piece.last().copied().or(self.after);
            if piece.len() == limit {
                break;
            }
            self.range += 1;
        }
        piece
    }
}

impl View {
    /// Of the messages the client knows of in these ranges, a part by their place.
    pub(crate) fn part_of(&self, ranges: &UidRanges, partial: PartialRange) -> UidRanges {
        let places = |(first, last): &(Uid, Uid)| {
            let end = self.told.below(*last) + usize::from(self.told.index_of(*last).is_some());
            self.told.below(*first)..end
        };
        let ranges: Vec<_> = ranges.as_slice().iter().map(places).collect();
        let wanted = partial.of(ranges.iter().map(ExactSizeIterator::len).sum());
        let mut before = 0;
        let part = ranges.into_iter().filter_map(|range| {
            let from = range.start + wanted.start.saturating_sub(before);
            let to = range.end.min(range.start + wanted.end.saturating_sub(before));
            before += range.len();
            let last = to.checked_sub(1).filter(|last| *last >= from)?;
            Some((self.told.at(from)?, self.told.at(last)?))
        });
        UidRanges::merged(part.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Scanner;
    use crate::grammar::sequence_set::SequenceSet;
    use proptest::prelude::*;

    #[test]
    fn pieces_cover_the_set_once() {
        let view = View::of((1..=100).filter_map(|n| Uid::new(n * 2)).collect());
        let set = SequenceSet::parse(&mut Scanner::new(b"1:50,60:61,150:*,4000000000")).unwrap();
        let mut pieces = Pieces::new(set.uids(&view));
        let mut seen = Vec::new();
        loop {
            let piece = pieces.next(&view, 7);
            if piece.is_empty() {
                break;
            }
            assert!(piece.len() <= 7);
            seen.extend(piece.into_iter().map(Uid::get));
        }
        let expected: Vec<u32> = (2..=50).chain([60]).chain(150..=200).filter(|n| n % 2 == 0).collect();
        assert_eq!(seen, expected);
    }

    proptest! {
        #[test]
        fn a_part_is_a_part_of_all(
            told in proptest::collection::btree_set(1_u32..40, 0..25),
            set in "[1-9][0-9]?(:[1-9][0-9]?)?(,[1-9][0-9]?(:[1-9][0-9]?)?){0,3}",
            partial in "[1-9][0-9]?:[1-9]|-[1-9]:-[1-9][0-9]?",
        ) {
            let view = View::of(told.into_iter().filter_map(Uid::new).collect());
            let ranges = SequenceSet::parse(&mut Scanner::new(set.as_bytes())).unwrap().uids(&view);
            let partial = PartialRange::parse(&mut Scanner::new(partial.as_bytes())).unwrap();
            let all = Pieces::new(ranges.clone()).next(&view, usize::MAX);
            let part = Pieces::new(view.part_of(&ranges, partial)).next(&view, usize::MAX);
            prop_assert_eq!(&part, &all[partial.of(all.len())]);
        }
    }

    #[test]
    fn the_last_uid_of_all_comes_once() {
        let view = View::of([1, u32::MAX].into_iter().filter_map(Uid::new).collect());
        let set = SequenceSet::parse(&mut Scanner::new(b"1:4294967295")).unwrap();
        let mut pieces = Pieces::new(set.uids(&view));
        let read: Vec<usize> = (0..4).map(|_| pieces.next(&view, 1).len()).collect();
        assert_eq!(read, [1, 1, 0, 0]);
    }
}
