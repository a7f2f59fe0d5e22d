//! Quick resynchronisation (RFC 7162 §3.2.5, §3.2.6): what the client says it knows, and what it is told to have missed.

use super::fetch::Fetch;
use crate::grammar::fetch_items::Item;
use crate::grammar::sequence_set::{SequenceSet, UidRanges};
use crate::grammar::{Bad, Parsed, Scanner};
use crate::question::{Answer, FetchItems, Question};
use crate::response::number_set::write_uid_ranges;
use crate::session::{Done, Flow, IN_VANISHED, Refusal, Session, Task};
use crate::view::View;
use postroom_types::{ModSeq, SeqNum, Uid, UidValidity};

/// As they were written: first and last, both included.
type Ranges = Vec<(u32, u32)>;

/// The QRESYNC parameter of SELECT.
#[derive(Debug)]
pub(super) struct Resync {
    pub(super) uid_validity: UidValidity,
    since: ModSeq,
    /// The UIDs it knows of; all, if it does not say.
    known: Option<SequenceSet>,
    /// Sequence numbers and what their UIDs were, as ranges.
    matches: Option<(Ranges, Ranges)>,
}

impl Resync {
    /// `(uidvalidity modseq [known-uids] [(numbers uids)])`
    pub(super) fn parse(args: &mut Scanner<'_>) -> Parsed<Self> {
        args.expect(b'(', "( expected")?;
        let uid_validity = UidValidity::new(args.number()?).ok_or(Bad("Zero is no UIDVALIDITY"))?;
        args.space()?;
        let mut resync = Self {
            uid_validity,
            since: ModSeq(args.number64()?),
            known: None,
            matches: None,
        };
        while args.eat(b' ') {
            if args.peek() == Some(b'(') && resync.matches.is_none() {
                args.expect(b'(', "( expected")?;
                let numbers = plain(&SequenceSet::parse(args)?)?;
                args.space()?;
                let uids = plain(&SequenceSet::parse(args)?)?;
                args.expect(b')', ") expected")?;
                resync.matches = Some((numbers, uids));
            } else if resync.known.is_none() && resync.matches.is_none() {
                let known = SequenceSet::parse(args)?;
                plain(&known)?;
                resync.known = Some(known);
            } else {
                return Err(Bad("Malformed QRESYNC"));
            }
        }
        args.expect(b')', ") expected")?;
        Ok(resync)
    }

    /// Goes on after the responses of SELECT.
    pub(super) fn run(self, done: Done, session: &mut Session) -> Result<Flow, Refusal> {
        let (view, _) = session.selected()?;
        let everything = || UidRanges::merged(view.highest_uid().map(|last| (Uid::MIN, last)).into_iter().collect());
        let known = self.known.map_or_else(everything, |known| known.known_uids(view));
        let mut among = known.clone();
        if let Some(last) = self
            .matches
            .and_then(|(numbers, uids)| last_match(view, &numbers, &uids))
        {
            among.cut_up_to(last);
        }
        let items = vec![Item::Uid, Item::Flags, Item::ModSeq];
        let wanted = FetchItems {
            flags: true,
            ..FetchItems::default()
        };
        let mut fetch = Fetch::by_uid(known, items, wanted, done);
        fetch.changed_since = Some(self.since);
        fetch.selects = true;
        ask_vanished(among, fetch, session)
    }
}

/// `*` and `$` are not allowed (RFC 7162 §7).
fn plain(set: &SequenceSet) -> Parsed<Ranges> {
    set.plain().ok_or(Bad("Numbers expected"))
}

/// The highest UID whose number is what the client thinks (RFC 7162 §3.2.5.2): it knows of all expunges up to there. Both
/// lists are read as one number after the other, by whole runs, since one range may stand for billions.
fn last_match(view: &View, numbers: &[(u32, u32)], uids: &[(u32, u32)]) -> Option<Uid> {
    let (mut numbers, mut uids) = (numbers.iter().copied(), uids.iter().copied());
    let (mut number, mut uid) = (numbers.next()?, uids.next()?);
    let mut last = None;
    loop {
        let (numbers_left, uids_left) = (number.1.saturating_sub(number.0), uid.1.saturating_sub(uid.0));
        let run = numbers_left.min(uids_left);
        last = last.max(last_match_in_run(view, number.0, uid.0, run));
        if numbers_left == run {
            let Some(next) = numbers.next() else { return last };
            number = next;
        } else {
            number.0 += run + 1;
        }
        if uids_left == run {
            let Some(next) = uids.next() else { return last };
            uid = next;
        } else {
            uid.0 += run + 1;
        }
    }
}

/// Of number `seq + k` and UID `uid + k`, `k` from 0 to `run`. UIDs grow at least as fast as numbers, so those that fit
/// stand together, and none after the first that is too high.
fn last_match_in_run(view: &View, seq: u32, uid: u32, run: u32) -> Option<Uid> {
    let there = |k: u32| view.uid_of(SeqNum::new(seq.checked_add(k)?)?);
    let not_too_high = |k: u32| there(k).is_some_and(|there| there.get() <= uid.saturating_add(k));
    let (mut low, mut high) = (0, run.checked_add(1).unwrap_or(run));
    while low < high {
        let middle = low.midpoint(high);
        if not_too_high(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let k = low.checked_sub(1)?;
    there(k).filter(|there| Some(there.get()) == uid.checked_add(k))
}

/// Asks which of these are gone, tells them, and goes on.
pub(super) fn ask_vanished(mut among: UidRanges, fetch: Fetch, session: &mut Session) -> Result<Flow, Refusal> {
    let (view, _) = session.selected()?;
    match view.highest_uid() {
        Some(highest) => among.cut_above(highest),
        None => among = UidRanges::default(),
    }
    let Some(since) = fetch.changed_since.filter(|_| !among.as_slice().is_empty()) else {
        return fetch.next(session);
    };
    let among = among.into_vec();
    Flow::ask(Question::Vanished { since, among }, Vanished { fetch })
}

struct Vanished {
    fetch: Fetch,
}

impl Task for Vanished {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Vanished(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let ranges = match result {
            Ok(ranges) => ranges,
            Err(fault) => return self.fetch.fail(fault, session),
        };
        let (view, out) = session.selected()?;
        for some in without_told(view, &ranges).chunks(IN_VANISHED) {
            out.buffer().extend_from_slice(b"* VANISHED (EARLIER) ");
            write_uid_ranges(out.buffer(), some);
            out.line("");
        }
        self.fetch.next(session)
    }
}

/// Leaves out what the client was just told to be there: that is told by VANISHED without (EARLIER), which counts down
/// (RFC 7162 §3.2.10).
fn without_told(view: &View, ranges: &[(Uid, Uid)]) -> Vec<(Uid, Uid)> {
    let mut left = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        let mut from = Some(*first);
        for told in view.between(*first, *last, usize::MAX) {
            let before = Uid::new(told.get() - 1);
            left.extend(from.zip(before).filter(|(from, before)| from <= before));
            from = told.get().checked_add(1).and_then(Uid::new);
        }
        left.extend(from.filter(|from| from <= last).map(|from| (from, *last)));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn uid(number: u32) -> Uid {
        Uid::new(number).unwrap()
    }

    fn check(text: &str, uids: &[u32], expected: Option<u32>) {
        let view = View::of(uids.iter().map(|n| uid(*n)).collect());
        let resync = Resync::parse(&mut Scanner::new(text.as_bytes())).unwrap();
        let (numbers, uids) = resync.matches.unwrap();
        let last = last_match(&view, &numbers, &uids).map(Uid::get);
        assert_eq!(last, expected, "{text}");
    }

    #[test]
    fn matches_of_the_rfc() {
        // RFC 7162 §3.2.5.2: number 4 is UID 8, and 12 is not 24 any more.
        let uids: Vec<u32> = (5..=8).chain(9..=15).chain([25]).collect();
        check("(1 1 1:99 (4,12 8,24))", &uids, Some(8));
        // Only UIDs divisible by three are there.
        let thirds: Vec<u32> = (1..=10_003).map(|n| n * 3).collect();
        let known =
            "(5000,7500,9000,9990:9999 15000,22500,27000,29970,29973,29976,29979,29982,29985,29988,29991,29994,29997)";
        check(
            &format!("(67890007 90060115194045000 1:29997 {known})"),
            &thirds,
            Some(29_997),
        );
        check("(1 1 (1:4294967295 1:4294967295))", &[1, 2, 3, 5], Some(3));
        check("(1 1 (1:4294967295 2:4294967295))", &[1, 2, 3, 5], Some(5));
        check("(1 1 (2:3,9 7,8,9))", &[1, 2, 3, 5], None);
        check("(1 1 (1 1))", &[], None);
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            "()",
            "(1)",
            "(0 1)",
            "(1 1 )",
            "(1 1 *)",
            "(1 1 1:*)",
            "(1 1 $)",
            "(1 1 1 2)",
            "(1 1 (1))",
            "(1 1 (1 *))",
            "(1 1 (1 1) 1)",
            "(1 1 1 (1 1)",
            "(4294967296 1)",
            "(1 9223372036854775808)",
        ] {
            assert!(Resync::parse(&mut Scanner::new(bad.as_bytes())).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn matches_as_one_by_one(
            uids in proptest::collection::btree_set(1_u32..40, 0..20),
            claims in proptest::collection::vec((1_u32..20, 1_u32..40, 1_u32..6), 1..5),
        ) {
            let view = View::of(uids.iter().map(|n| uid(*n)).collect());
            let numbers: Vec<(u32, u32)> = claims.iter().map(|(n, _, run)| (*n, n + run)).collect();
            let claimed: Vec<(u32, u32)> = claims.iter().map(|(_, uid, run)| (*uid, uid + run)).collect();
            let pairs = claims.iter().flat_map(|(n, uid, run)| (0..=*run).map(move |k| (n + k, uid + k)));
            let fits = |(n, claimed): &(u32, u32)| view.uid_of(SeqNum::new(*n).unwrap()) == Some(uid(*claimed));
            let expected = pairs.filter(fits).map(|(_, claimed)| claimed).max();
            prop_assert_eq!(last_match(&view, &numbers, &claimed).map(Uid::get), expected);
        }

        #[test]
        fn what_is_there_has_not_vanished(told: BTreeSet<u8>, ranges: Vec<(u8, u8)>) {
            let view = View::of(told.iter().filter_map(|n| Uid::new((*n).into())).collect());
            let ranges = ranges.iter().filter_map(|(a, b)| Some((Uid::new((*a.min(b)).into())?, Uid::new((*a.max(b)).into())?)));
            let ranges = UidRanges::merged(ranges.collect());
            let left = without_told(&view, ranges.as_slice());
            let numbers = |ranges: &[(Uid, Uid)]| -> Vec<u32> { ranges.iter().flat_map(|(a, b)| a.get()..=b.get()).collect() };
            let mut expected = numbers(ranges.as_slice());
            expected.retain(|n| view.seq_of(uid(*n)).is_none());
            prop_assert_eq!(numbers(&left), expected);
        }
    }
}
