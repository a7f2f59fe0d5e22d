//! Sets of numbers (RFC 3501 §9, `sequence-set`), which mean messages only together with a view.

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SequenceSet(Vec<(Number, Number)>);

impl SequenceSet {
    pub(crate) fn parse(scanner: &mut Scanner<'_>) -> Parsed<Self> {
        let mut ranges = Vec::new();
        loop {
            let first = Number::parse(scanner)?;
            let last = if scanner.eat(b':') {
                Number::parse(scanner)?
            } else {
                first
            };
            ranges.push((first, last));
            if !scanner.eat(b',') {
                return Ok(Self(ranges));
            }
        }
    }

    /// Read as UIDs: numbers without a message are no fault (RFC 3501 §6.4.8).
    pub(crate) fn uids(&self, view: &View) -> UidRanges {
        let Some(star) = view.last_uid() else {
            return UidRanges::default();
        };
        let ordered = self.0.iter().map(|(a, b)| order(a.or(star.get()), b.or(star.get())));
        UidRanges::merged(
            ordered
                .filter_map(|(a, b)| Some((Uid::new(a)?, Uid::new(b)?)))
                .collect(),
        )
    }

    /// Read as sequence numbers: one that is not there is a fault, and so is `*` in an empty mailbox
    /// (RFC 3501 §9, `seq-number`).
    pub(crate) fn sequence_numbers(&self, view: &View) -> Parsed<UidRanges> {
        let count = view.exists();
        let mut ranges = Vec::with_capacity(self.0.len());
        for (a, b) in &self.0 {
            let (a, b) = order(a.or(count), b.or(count));
            let uid = |number| SeqNum::new(number).and_then(|seq| view.uid_of(seq));
            ranges.push(uid(a).zip(uid(b)).ok_or(Bad("No such message number"))?);
        }
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
    fn merged(mut ranges: Vec<(Uid, Uid)>) -> Self {
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

    #[cfg(test)]
    pub(crate) fn as_slice(&self) -> &[(Uid, Uid)] {
        &self.0
    }

    pub(crate) fn into_vec(self) -> Vec<(Uid, Uid)> {
        self.0
    }
}

/// Appends `a:b,c` for UIDs in the order given; runs of consecutive ones become ranges (RFC 4315 §4, `uid-set`).
pub(crate) fn write_uid_set(out: &mut Vec<u8>, uids: impl IntoIterator<Item = Uid>) {
    let mut uids = uids.into_iter().map(Uid::get).peekable();
    let mut separator = "";
    while let Some(first) = uids.next() {
        let mut last = first;
        while let Some(next) = uids.next_if(|next| last.checked_add(1) == Some(*next)) {
            last = next;
        }
        let text = if first == last {
            format!("{separator}{first}")
        } else {
            format!("{separator}{first}:{last}")
        };
        out.extend_from_slice(text.as_bytes());
        separator = ",";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
