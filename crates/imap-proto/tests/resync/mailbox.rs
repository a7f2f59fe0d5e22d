//! The outside: one mailbox and what has happened in it, for one session.

use postroom_imap_proto::{
    Answer, ChangeMode, Fetched, FetchedPiece, FlagChange, FlagsNow, Found, News, Question, Selected, Stored,
};
use postroom_types::{
    EmailId, Flag, Flags, InternalDate, MailboxId, MessageFlags, ModSeq, SearchKey, ThreadId, Uid, UidValidity,
};
use std::collections::BTreeMap;

/// Somebody else does something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Arrives,
    /// `\Flagged` is set or taken.
    IsFlagged(u8),
    IsExpunged(u8),
}

fn matches(program: &SearchKey, uid: Uid, flags: Flags) -> bool {
    let matches = |key: &SearchKey| matches(key, uid, flags);
    match program {
        SearchKey::All => true,
        SearchKey::Has(wanted) => wanted.iter().all(|flag| flags.contains(flag)),
        SearchKey::Uids(ranges) => ranges.iter().any(|(a, b)| (a..=b).contains(&&uid)),
        SearchKey::And(keys) => keys.iter().all(matches),
        SearchKey::Not(key) => !matches(key),
        SearchKey::Or(keys) => matches(&keys.0) || matches(&keys.1),
        other => unreachable!("not said: {other:?}"),
    }
}

/// Sizes are few, and in no order.
const fn size(uid: Uid) -> u32 {
    uid.get() * 7 % 5
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    messages: BTreeMap<Uid, (MessageFlags, u64)>,
    expunged: Vec<(Uid, u64)>,
    next_uid: u32,
    modseq: u64,
    /// The session was told of all up to here...
    cursor: u64,
    highest_told: Option<Uid>,
    /// …and of these changes, which it made itself.
    own: BTreeMap<Uid, u64>,
}

impl Mailbox {
    pub(crate) fn with(messages: usize) -> Self {
        let mut mailbox = Self {
            messages: BTreeMap::new(),
            expunged: Vec::new(),
            next_uid: 1,
            modseq: 0,
            cursor: 0,
            highest_told: None,
            own: BTreeMap::new(),
        };
        (0..messages).for_each(|_| mailbox.happen(Event::Arrives));
        mailbox
    }

    pub(crate) fn flags(&self) -> BTreeMap<u32, Flags> {
        self.messages
            .iter()
            .map(|(uid, (flags, _))| (uid.get(), flags.system))
            .collect()
    }

    /// Messages expunged, and those with new flags, after a modseq.
    pub(crate) fn since(&self, modseq: u64) -> (Vec<u32>, Vec<(u32, Flags)>) {
        let gone = self.expunged.iter().filter(|(_, at)| *at > modseq);
        let changed = self.messages.iter().filter(|(_, (_, at))| *at > modseq);
        (
            gone.map(|(uid, _)| uid.get()).collect(),
            changed.map(|(uid, (flags, _))| (uid.get(), flags.system)).collect(),
        )
    }

    pub(crate) fn happen(&mut self, event: Event) {
        let chosen = |at: u8| {
            self.messages
                .keys()
                .nth(usize::from(at) % self.messages.len().max(1))
                .copied()
        };
        match event {
            Event::Arrives => {
                self.modseq += 1;
                let uid = Uid::new(self.next_uid).unwrap();
                self.next_uid += 1;
                self.messages.insert(uid, (MessageFlags::default(), self.modseq));
            }
            Event::IsFlagged(at) => {
                let Some(uid) = chosen(at) else { return };
                self.modseq += 1;
                let (flags, modseq) = self.messages.get_mut(&uid).unwrap();
                flags.system = if flags.system.contains(Flag::Flagged) {
                    flags.system.without(Flag::Flagged)
                } else {
                    flags.system.with(Flag::Flagged)
                };
                *modseq = self.modseq;
            }
            Event::IsExpunged(at) => {
                let Some(uid) = chosen(at) else { return };
                self.expunge(&[uid]);
            }
        }
    }

    fn expunge(&mut self, uids: &[Uid]) {
        self.modseq += 1;
        for uid in uids {
            if self.messages.remove(uid).is_some() {
                self.expunged.push((*uid, self.modseq));
            }
        }
    }

    pub(crate) fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Select { .. } => Answer::Selected(Ok(self.select())),
            Question::Poll => Answer::News(self.news()),
            Question::Fetch {
                uids, changed_since, ..
            } => Answer::Fetched(Ok(self.fetch(&uids, changed_since))),
            Question::Store {
                uids,
                change,
                unchanged_since,
            } => Answer::Stored(Ok(self.store(&uids, &change, unchanged_since))),
            Question::Search { among, program } => Answer::Found(Ok(self.search(among, &program))),
            Question::Sort { among, program, keys } => {
                let mut found = self.search(among, &program);
                found
                    .uids
                    .sort_by_key(|uid| if keys[0].reverse { !size(*uid) } else { size(*uid) });
                Answer::Found(Ok(found))
            }
            Question::Expunge(uids) => {
                self.expunge(&uids);
                Answer::Done(Ok(()))
            }
            Question::Vanished { since, among } => {
                let asked = |uid: &Uid| among.iter().any(|(a, b)| a <= uid && uid <= b);
                let gone = self.expunged.iter().filter(|(uid, at)| *at > since.0 && asked(uid));
                let mut gone: Vec<(Uid, Uid)> = gone.map(|(uid, _)| (*uid, *uid)).collect();
                gone.sort_unstable();
                Answer::Vanished(Ok(gone))
            }
            Question::Watch(_) => Answer::Watching(Ok(Vec::new())),
            other => panic!("{other:?}"),
        }
    }

    fn search(&self, mut among: Vec<Uid>, program: &SearchKey) -> Found {
        among.retain(|uid| {
            self.messages
                .get(uid)
                .is_some_and(|(flags, _)| matches(program, *uid, flags.system))
        });
        Found {
            uids: among,
            modseqs: Vec::new(),
        }
    }

    fn select(&mut self) -> Selected {
        self.cursor = self.modseq;
        self.highest_told = self.messages.keys().last().copied();
        Selected {
            id: MailboxId::from_bytes([1; 16]),
            read_only: false,
            uid_validity: UidValidity::MIN,
            uid_next: Uid::new(self.next_uid).unwrap(),
            highest_modseq: ModSeq(self.modseq),
            uids: self.messages.keys().copied().collect(),
            recent_from: None,
            first_unseen: None,
            keywords: Vec::new(),
        }
    }

    fn news(&mut self) -> News {
        let known = self.highest_told;
        let appended: Vec<Uid> = self.messages.keys().copied().filter(|uid| Some(*uid) > known).collect();
        let changed = self.messages.iter().filter(|(uid, (_, modseq))| {
            *modseq > self.cursor && Some(**uid) <= known && self.own.get(uid) != Some(modseq)
        });
        let flags = changed.map(|(uid, (flags, modseq))| FlagsNow {
            uid: *uid,
            flags: flags.clone(),
            modseq: ModSeq(*modseq),
        });
        let news = News {
            flags: flags.collect(),
            expunged: self
                .expunged
                .iter()
                .filter(|(_, at)| *at > self.cursor)
                .map(|(uid, _)| *uid)
                .collect(),
            highest_modseq: (self.modseq > self.cursor).then_some(ModSeq(self.modseq)),
            ..News::default()
        };
        self.highest_told = self.highest_told.max(appended.last().copied());
        self.cursor = self.modseq;
        self.own.clear();
        News { appended, ..news }
    }

    fn fetch(&self, uids: &[Uid], since: Option<ModSeq>) -> FetchedPiece {
        let mut piece = FetchedPiece::default();
        for uid in uids {
            match self.messages.get(uid) {
                None => piece.gone += 1,
                Some((_, modseq)) if since.is_some_and(|since| *modseq <= since.0) => {}
                Some((flags, modseq)) => piece.messages.push(Fetched {
                    uid: *uid,
                    flags: Some(flags.clone()),
                    modseq: ModSeq(*modseq),
                    flags_changed: false,
                    internal_date: InternalDate::utc(0),
                    size_octets: 0,
                    email_id: EmailId::from_bytes([0; 16]),
                    thread_id: ThreadId::from_bytes([0; 16]),
                    summary: None,
                    sections: Vec::new(),
                    save_date: None,
                    preview: None,
                }),
            }
        }
        piece
    }

    fn store(&mut self, uids: &[Uid], change: &FlagChange, since: Option<ModSeq>) -> Stored {
        let mut stored = Stored::default();
        self.modseq += 1;
        for uid in uids {
            let Some((flags, modseq)) = self.messages.get_mut(uid) else {
                stored.gone += 1;
                continue;
            };
            if since.is_some_and(|since| *modseq > since.0) {
                stored.modified.push(*uid);
                continue;
            }
            let before = flags.system;
            for flag in change.flags.system.iter() {
                flags.system = match change.mode {
                    ChangeMode::Add => flags.system.with(flag),
                    ChangeMode::Remove => flags.system.without(flag),
                    ChangeMode::Replace => unreachable!("not said"),
                };
            }
            if flags.system != before {
                // What others have done before and was not told comes with the next news.
                if *modseq <= self.cursor || self.own.get(uid) == Some(modseq) {
                    self.own.insert(*uid, self.modseq);
                }
                *modseq = self.modseq;
            }
            stored.now.push(FlagsNow {
                uid: *uid,
                flags: flags.clone(),
                modseq: ModSeq(*modseq),
            });
        }
        stored
    }
}
