//! A part of a result, counted from its beginning or its end (RFC 9394 §4, `partial-range`; RFC 5267 §5).

use super::{Bad, Parsed, Scanner};
use std::fmt;
use std::ops::Range;

/// `500:400` is the same as `400:500`. The response names the range as it was asked for, but the lower number first:
/// so Dovecot does, and imaptest (`search-partial`) takes nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartialRange {
    /// Counted from 1, both included.
    first: u32,
    last: u32,
    /// The last result is 1.
    from_end: bool,
}

impl PartialRange {
    pub(crate) fn parse(scanner: &mut Scanner<'_>) -> Parsed<Self> {
        let (a, from_end) = place(scanner)?;
        scanner.expect(b':', "A range of two numbers expected")?;
        let (b, b_from_end) = place(scanner)?;
        if from_end != b_from_end {
            return Err(Bad("Both numbers of a range count from the same end"));
        }
        Ok(Self {
            first: a.min(b),
            last: a.max(b),
            from_end,
        })
    }

    /// The places of so many results that are in it, counted from 0.
    pub(crate) fn of(self, results: usize) -> Range<usize> {
        let last = (self.last as usize).min(results);
        let first = (self.first as usize - 1).min(last);
        if self.from_end {
            results - last..results - first
        } else {
            first..last
        }
    }
}

fn place(scanner: &mut Scanner<'_>) -> Parsed<(u32, bool)> {
    let from_end = scanner.eat(b'-');
    match scanner.number()? {
        0 => Err(Bad("The first result is 1")),
        number => Ok((number, from_end)),
    }
}

impl fmt::Display for PartialRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.from_end { "-" } else { "" };
        write!(f, "{sign}{}:{sign}{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Parsed<PartialRange> {
        let mut scanner = Scanner::new(text.as_bytes());
        let range = PartialRange::parse(&mut scanner)?;
        scanner.end()?;
        Ok(range)
    }

    #[test]
    fn ranges() {
        let check = |text: &str, shown: &str, results: usize, expected: Range<usize>| {
            let range = parse(text).unwrap();
            assert_eq!(
                (range.to_string().as_str(), range.of(results)),
                (shown, expected),
                "{text}"
            );
        };
        check("1:1", "1:1", 5, 0..1);
        check("4:2", "2:4", 5, 1..4);
        check("1:6", "1:6", 5, 0..5);
        check("5:9", "5:9", 5, 4..5);
        check("6:9", "6:9", 5, 5..5);
        check("1:9", "1:9", 0, 0..0);
        check("-1:-100", "-1:-100", 5, 0..5);
        check("-500:-400", "-400:-500", 5, 0..0);
        check("-2:-1", "-1:-2", 5, 3..5);
        check("-3:-3", "-3:-3", 5, 2..3);
        check("1:4294967295", "1:4294967295", 2, 0..2);
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            "1",
            "1:",
            ":1",
            "1:*",
            "*:1",
            "0:1",
            "-0:-1",
            "1:-1",
            "-1:1",
            "1,2",
            "--1:-2",
            "1:4294967296",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn from_the_end_is_from_the_beginning_of_the_reverse(a in 1_u32..50, b in 1_u32..50, results in 0_usize..40) {
            let forward = parse(&format!("{a}:{b}")).unwrap().of(results);
            let backward = parse(&format!("-{a}:-{b}")).unwrap().of(results);
            let mut reversed: Vec<usize> = (0..results).rev().collect();
            reversed = reversed[forward.clone()].to_vec();
            reversed.reverse();
            prop_assert_eq!(backward.collect::<Vec<_>>(), reversed);
            let named = (1..=results).filter(|place| (a.min(b)..=a.max(b)).contains(&(*place as u32)));
            prop_assert_eq!(forward.map(|place| place + 1).collect::<Vec<_>>(), named.collect::<Vec<_>>());
        }
    }
}
