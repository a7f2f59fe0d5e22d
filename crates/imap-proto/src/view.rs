//! One client's numbering of one mailbox: what it has been told, and what it has not.
//!
//! Always holds: `uids` ascends and is exactly what the client believes to be there, so that the message with sequence
//! number n is `uids[n - 1]`. What has happened since waits beside it until it may be told: new messages at any time,
//! expunges never during FETCH, STORE and SEARCH (RFC 3501 §7.4.1). Four bytes a message.

use crate::grammar::sequence_set::UidRanges;
use crate::question::{FlagsNow, News, Selected};
use postroom_types::{Keyword, MessageFlags, SeqNum, Uid};
use std::collections::BTreeMap;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct View {
    uids: Vec<Uid>,
    /// Of `uids`, those that are gone; ascending.
    expunged: Vec<Uid>,
    /// New and not told; ascending, all above `uids`.
    appended: Vec<Uid>,
    /// New flags of told messages.
    flags: BTreeMap<Uid, MessageFlags>,
    recent_from: Option<Uid>,
    /// Above `recent_from`, and not `\Recent` all the same; ascending.
    not_recent: Vec<Uid>,
    /// The keywords the last FLAGS response has named.
    keywords: Vec<Keyword>,
    read_only: bool,
}

/// What is to be told now, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Telling {
    /// Sequence numbers for EXPUNGE, each as it is after the ones before (RFC 3501 §7.4.1).
    pub(crate) expunged: Vec<SeqNum>,
    /// EXISTS and RECENT, if the mailbox grew.
    pub(crate) counts: Option<(u32, u32)>,
    /// FETCH responses with new flags.
    pub(crate) flags: Vec<(SeqNum, Uid, MessageFlags)>,
}

impl View {
    pub(crate) fn new(selected: &mut Selected, read_only: bool) -> Self {
        let mut uids = std::mem::take(&mut selected.uids);
        uids.shrink_to_fit();
        Self {
            uids,
            recent_from: selected.recent_from,
            keywords: selected.keywords.clone(),
            read_only,
            ..Self::default()
        }
    }

    #[cfg(test)]
    pub(crate) fn of(uids: Vec<Uid>) -> Self {
        Self {
            uids,
            ..Self::default()
        }
    }

    /// EXAMINE.
    pub(crate) const fn read_only(&self) -> bool {
        self.read_only
    }

    /// How many messages the client knows of.
    pub(crate) fn exists(&self) -> u32 {
        u32::try_from(self.uids.len()).unwrap_or(u32::MAX)
    }

    /// How many of these are `\Recent`.
    pub(crate) fn recent(&self) -> u32 {
        let Some(from) = self.recent_from else { return 0 };
        let not_recent = self
            .not_recent
            .iter()
            .filter(|uid| self.seq_of(**uid).is_some())
            .count();
        self.exists() - (self.uids.partition_point(|uid| *uid < from) + not_recent) as u32
    }

    pub(crate) const fn recent_from(&self) -> Option<Uid> {
        self.recent_from
    }

    /// Above [`recent_from`](Self::recent_from), those that are not `\Recent`.
    pub(crate) fn not_recent(&self) -> &[Uid] {
        &self.not_recent
    }

    /// Whether a message is `\Recent` in this session.
    pub(crate) fn is_recent(&self, uid: Uid) -> bool {
        self.recent_from.is_some_and(|from| uid >= from) && self.not_recent.binary_search(&uid).is_err()
    }

    /// The keywords the client knows of.
    pub(crate) fn keywords(&self) -> &[Keyword] {
        &self.keywords
    }

    /// Takes in keywords that are about to be told. Whether one of them is new to the client.
    pub(crate) fn learn(&mut self, keywords: &[Keyword]) -> bool {
        let known = self.keywords.len();
        for keyword in keywords {
            if !self.keywords.contains(keyword) {
                self.keywords.push(keyword.clone());
            }
        }
        self.keywords.len() > known
    }

    pub(crate) fn uids(&self) -> &[Uid] {
        &self.uids
    }

    pub(crate) fn last_uid(&self) -> Option<Uid> {
        self.uids.last().copied()
    }

    /// Translates this client's number, also of a message that is gone and not told.
    pub(crate) fn uid_of(&self, seq: SeqNum) -> Option<Uid> {
        self.uids.get(seq.get() as usize - 1).copied()
    }

    /// This client's number of a message it was told of.
    pub(crate) fn seq_of(&self, uid: Uid) -> Option<SeqNum> {
        let index = self.uids.binary_search(&uid).ok()?;
        SeqNum::new(u32::try_from(index + 1).ok()?)
    }

    /// Takes in news. What is known already, or was never told, changes nothing.
    pub(crate) fn absorb(&mut self, news: News) {
        for uid in news.appended {
            if self.appended.last().or(self.uids.last()).is_none_or(|last| uid > *last) {
                self.appended.push(uid);
            }
        }
        let counts_as_recent = |uid: &Uid| self.recent_from.is_some_and(|from| *uid >= from);
        self.not_recent
            .extend(news.not_recent.into_iter().filter(counts_as_recent));
        for FlagsNow { uid, flags, .. } in news.flags {
            if self.uids.binary_search(&uid).is_ok() {
                self.flags.insert(uid, flags);
            }
        }
        for uid in &news.expunged {
            self.flags.remove(uid);
            if self.uids.binary_search(uid).is_ok() {
                self.expunged.push(*uid);
            }
        }
        self.expunged.sort_unstable();
        self.expunged.dedup();
        if !self.appended.is_empty() {
            let mut gone = news.expunged;
            gone.sort_unstable();
            self.appended.retain(|uid| gone.binary_search(uid).is_err());
        }
    }

    /// These flags were told by other means: the response to FETCH or STORE.
    pub(crate) fn flags_told(&mut self, uid: Uid) {
        self.flags.remove(&uid);
    }

    /// The client has changed these flags itself and wants no word of it. A change by others that waits to be told
    /// is told with the outcome (RFC 3501 §6.4.6, note on `.SILENT`).
    pub(crate) fn flags_changed_silently(&mut self, now: FlagsNow) {
        if let Some(waiting) = self.flags.get_mut(&now.uid) {
            *waiting = now.flags;
        }
    }

    /// Takes out what may be told, and counts it as told.
    pub(crate) fn tell(&mut self, expunges: bool) -> Telling {
        let mut telling = Telling::default();
        if expunges && !self.expunged.is_empty() {
            telling.expunged = self.tell_expunges();
        }
        if !self.appended.is_empty() {
            self.uids.append(&mut self.appended);
            telling.counts = Some((self.exists(), self.recent()));
        }
        for (uid, flags) in std::mem::take(&mut self.flags) {
            if let Some(seq) = self.seq_of(uid) {
                telling.flags.push((seq, uid, flags));
            }
        }
        telling
    }

    fn tell_expunges(&mut self) -> Vec<SeqNum> {
        let gone = std::mem::take(&mut self.expunged);
        let before = |told: usize, index: usize| SeqNum::new(u32::try_from(index - told + 1).ok()?);
        let indexes = gone.iter().filter_map(|uid| self.uids.binary_search(uid).ok());
        let numbers = indexes
            .enumerate()
            .filter_map(|(told, index)| before(told, index))
            .collect();
        let mut gone = gone.into_iter().peekable();
        self.uids.retain(|uid| gone.next_if_eq(uid).is_none());
        numbers
    }
}

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
            let from = view.uids.partition_point(|uid| uid < first || Some(*uid) <= self.after);
            let to = view.uids.partition_point(|uid| uid <= last);
            let room = limit - piece.len();
            let chosen = &view.uids[from..to.max(from).min(from.saturating_add(room))];
            piece.extend_from_slice(chosen);
            self.after = chosen.last().copied().or(self.after);
            if piece.len() == limit {
                break;
            }
            self.range += 1;
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Scanner;
    use crate::grammar::sequence_set::SequenceSet;
    use postroom_types::{Flag, Flags, ModSeq};
    use proptest::prelude::*;

    fn uid(number: u32) -> Uid {
        Uid::new(number).unwrap()
    }

    fn news(appended: &[u32], expunged: &[u32]) -> News {
        News {
            appended: appended.iter().map(|n| uid(*n)).collect(),
            expunged: expunged.iter().map(|n| uid(*n)).collect(),
            ..News::default()
        }
    }

    #[test]
    fn expunges_count_down_as_in_the_rfc() {
        let mut view = View::of((1..=11).map(uid).collect());
        view.absorb(news(&[], &[3, 4, 7, 11]));
        let told: Vec<u32> = view.tell(true).expunged.into_iter().map(SeqNum::get).collect();
        assert_eq!(told, [3, 3, 5, 8]); // RFC 3501 §6.4.3
    }

    #[test]
    fn numbers_stay_until_an_expunge_is_told() {
        let mut view = View::of((1..=3).map(uid).collect());
        view.absorb(news(&[4], &[2]));
        let telling = view.tell(false);
        assert_eq!((telling.expunged.len(), telling.counts), (0, Some((4, 0))));
        assert_eq!(view.uid_of(SeqNum::new(3).unwrap()), Some(uid(3)));
        assert_eq!(view.tell(true).expunged.len(), 1);
        assert_eq!(view.uid_of(SeqNum::new(2).unwrap()), Some(uid(3)));
    }

    #[test]
    fn a_silent_store_does_not_hide_what_others_did() {
        let now = |flag| FlagsNow {
            uid: uid(1),
            flags: MessageFlags::system(Flags::NONE.with(flag)),
            modseq: ModSeq(1),
        };
        let mut view = View::of(vec![uid(1)]);
        view.flags_changed_silently(now(Flag::Seen));
        assert_eq!(view.tell(true), Telling::default());
        view.absorb(News {
            flags: vec![now(Flag::Flagged)],
            ..News::default()
        });
        view.flags_changed_silently(now(Flag::Draft));
        assert_eq!(view.tell(true).flags[0].2, now(Flag::Draft).flags);
    }

    #[test]
    fn what_another_session_was_told_first_is_not_recent() {
        let mut view = View::of(vec![uid(1)]);
        view.recent_from = Some(uid(2));
        view.absorb(News {
            not_recent: vec![uid(2)],
            ..news(&[2, 3], &[])
        });
        assert_eq!(view.recent(), 0, "not told yet");
        assert_eq!(view.tell(true).counts, Some((3, 1)));
        assert_eq!((view.is_recent(uid(2)), view.is_recent(uid(3))), (false, true));
        view.absorb(news(&[], &[2]));
        view.tell(true);
        assert_eq!((view.exists(), view.recent()), (2, 1));
    }

    #[test]
    fn pieces_cover_the_set_once() {
        let view = View::of((1..=100).map(|n| uid(n * 2)).collect());
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

    #[derive(Clone, Debug)]
    enum Step {
        Append(u32),
        Expunge(usize),
        Tell(bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1_u32..4).prop_map(Step::Append),
            (0_usize..30).prop_map(Step::Expunge),
            any::<bool>().prop_map(Step::Tell),
        ]
    }

    proptest! {
        /// A client that does as it is told always ends with the view's numbering, and in the end with the mailbox.
        #[test]
        fn a_client_that_listens_knows_the_numbering(steps in proptest::collection::vec(step(), 0..60)) {
            let mut mailbox: Vec<u32> = vec![1, 2, 3];
            let mut highest = 3;
            let mut view = View::of(mailbox.iter().map(|n| uid(*n)).collect());
            let mut client = mailbox.clone();
            for step in steps.into_iter().chain([Step::Tell(true)]) {
                match step {
                    Step::Append(gap) => {
                        highest += gap;
                        mailbox.push(highest);
                        view.absorb(news(&[highest], &[]));
                    }
                    Step::Expunge(at) if at < mailbox.len() => view.absorb(news(&[], &[mailbox.remove(at)])),
                    Step::Expunge(_) => {}
                    Step::Tell(expunges) => {
                        let telling = view.tell(expunges);
                        prop_assert!(expunges || telling.expunged.is_empty());
                        for seq in telling.expunged {
                            client.remove(seq.get() as usize - 1);
                        }
                        if let Some((exists, _)) = telling.counts {
                            prop_assert!(exists as usize > client.len());
                            for at in client.len()..exists as usize {
                                client.push(view.uids()[at].get());
                            }
                        }
                        let told: Vec<u32> = view.uids().iter().map(|uid| uid.get()).collect();
                        prop_assert_eq!(&client, &told);
                    }
                }
            }
            prop_assert_eq!(client, mailbox);
        }
    }
}
