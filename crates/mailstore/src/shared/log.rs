//! What changed lately in an open mailbox, for the sessions that were not told yet.

use postroom_types::{ModSeq, Uid};
use std::collections::VecDeque;

/// Most ranges and entries kept; eight octets each.
const MOST: usize = 16_384;

/// UIDs in ranges, both ends included.
type Ranges = Box<[(Uid, Uid)]>;

/// What one reading of the mailbox found.
#[derive(Debug)]
struct Entry {
    /// The modseq that was read up to; the reading began at the entry before.
    upto: ModSeq,
    flags: Ranges,
    expunged: Ranges,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Changes after this modseq are in the log.
    floor: ModSeq,
    entries: VecDeque<Entry>,
    ranges: usize,
}

impl Log {
    /// A log that knows of nothing up to this modseq.
    pub(super) fn from(floor: ModSeq) -> Self {
        Self {
            floor,
            ..Self::default()
        }
    }

    /// Adds what a reading found; both ascending.
    pub(super) fn add(&mut self, upto: ModSeq, flags: &[Uid], expunged: &[Uid]) {
        let entry = Entry {
            upto,
            flags: ranges(flags),
            expunged: ranges(expunged),
        };
        self.ranges += entry.weight();
        self.entries.push_back(entry);
        while self.ranges > MOST
            && let Some(oldest) = self.entries.pop_front()
        {
            self.ranges -= oldest.weight();
            self.floor = oldest.upto;
        }
    }

    /// UIDs whose flags changed and UIDs that went after this modseq, ascending; `None` if that is not known any more.
    pub(super) fn since(&self, cursor: ModSeq) -> Option<(Vec<Uid>, Vec<Uid>)> {
        if cursor < self.floor {
            return None;
        }
        let from = self.entries.partition_point(|entry| entry.upto <= cursor);
        let (mut flags, mut expunged) = (Vec::new(), Vec::new());
        for entry in self.entries.range(from..) {
            spread(&entry.flags, &mut flags);
            spread(&entry.expunged, &mut expunged);
        }
        for uids in [&mut flags, &mut expunged] {
            uids.sort_unstable();
            uids.dedup();
        }
        Some((flags, expunged))
    }
}

impl Entry {
    fn weight(&self) -> usize {
        4 + self.flags.len() + self.expunged.len()
    }
}

/// Ascending UIDs as ranges.
pub(super) fn ranges(uids: &[Uid]) -> Ranges {
    let runs = uids.chunk_by(|a, b| a.get() + 1 == b.get());
    runs.map(|run| (run[0], run[run.len() - 1])).collect()
}

fn spread(ranges: &[(Uid, Uid)], uids: &mut Vec<Uid>) {
    for (first, last) in ranges {
        uids.extend((first.get()..=last.get()).filter_map(Uid::new));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uids(numbers: impl IntoIterator<Item = u32>) -> Vec<Uid> {
        numbers.into_iter().filter_map(Uid::new).collect()
    }

    #[test]
    fn what_was_since() {
        let mut log = Log::from(ModSeq(10));
        log.add(ModSeq(12), &uids([1, 2, 3, 7]), &[]);
        log.add(ModSeq(15), &uids([2]), &uids([9, 11]));
        assert_eq!(log.since(ModSeq(9)), None);
        assert_eq!(log.since(ModSeq(10)), Some((uids([1, 2, 3, 7]), uids([9, 11]))));
        assert_eq!(log.since(ModSeq(12)), Some((uids([2]), uids([9, 11]))));
        assert_eq!(log.since(ModSeq(15)), Some((uids([]), uids([]))));
    }

    #[test]
    fn it_has_a_bound() {
        let mut log = Log::default();
        for number in 1..=10_000 {
            log.add(ModSeq(number), &uids([1, 3, 5, 7]), &[]);
        }
        assert!(log.ranges <= MOST && log.entries.len() <= MOST / 8);
        assert_eq!(log.since(ModSeq(0)), None);
        assert!(log.since(ModSeq(9_999)).is_some());
        // One that alone is more than the bound leaves a log that knows of nothing before it, nor of it.
        log.add(ModSeq(10_001), &uids((1..=100_000).step_by(2)), &[]);
        assert_eq!(log.since(ModSeq(10_000)), None);
        assert_eq!(log.since(ModSeq(10_001)), Some((vec![], vec![])));
    }
}
