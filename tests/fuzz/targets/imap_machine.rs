//! The IMAP machine: any bytes, cut anyhow, with any answers, news, ticks and a shutdown in between. The outside is a
//! small mailbox that changes as the choices say.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postroom_fuzz::{Choices, cut, split};
use postroom_imap_proto::{
    Answer, Copied, Fault, FetchItems, Fetched, FetchedPiece, FlagsNow, Found, LIGHT_PIECE, MailboxEntry, News,
    Options, OtherNews, PIECE, Question, QuotaData, SectionData, SectionForm, Selected, Server, StatusData, Stored,
};
use postroom_types::{
    BlobId, BlobSpan, EmailId, Flag, Flags, InternalDate, Keyword, MailboxId, MessageFlags, ModSeq, Piece,
    ScramParameters, Secret, Summary, ThreadId, Uid, UidValidity,
};
use postroom_wire::{Action, ChannelBinding, Input, Machine, ScramOptions};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most that one input may make the machine say, octets: a page of 300 messages, each some hundred octets.
const SAID_OCTETS: usize = 1 << 20;

struct Session<'a> {
    machine: Server,
    choices: Choices<'a>,
    now: Instant,
    question: Option<Question>,
    /// What the machine was told of the selected mailbox; it may ask about nothing else.
    known: BTreeSet<Uid>,
    uid_next: u32,
    selected: bool,
    tls: bool,
    /// What came back with COMPRESS: nothing is compressed here, so it is handed in again.
    unread: Vec<u8>,
    closed: bool,
}

fuzz_target!(|input: &[u8]| {
    let (choices, mut bytes) = split(input);
    let options = Options {
        starttls: true,
        allow_plaintext_login: true,
        append_limit_octets: 10_000,
        ..Options::default()
    };
    let now = Instant::now();
    let mut session = Session {
        machine: Server::new(Arc::new(options), Some(scram()), now),
        choices,
        now,
        question: None,
        known: BTreeSet::new(),
        uid_next: 1,
        selected: false,
        tls: false,
        unread: Vec::new(),
        closed: false,
    };
    session.act();
    while !session.closed {
        if let Some(question) = session.question.take() {
            let answer = session.answer(&question);
            session.machine.handle(Input::Answer(answer), session.now);
        } else if std::mem::take(&mut session.tls) {
            session
                .machine
                .handle(Input::TlsUp(Some(ChannelBinding([7; 32]))), session.now);
        } else if !session.unread.is_empty() {
            let unread = std::mem::take(&mut session.unread);
            session.machine.handle(Input::Bytes(&unread), session.now);
        } else if !bytes.is_empty() {
            session.happen();
            if session.closed {
                break;
            }
            let (piece, rest) = bytes.split_at(cut(session.choices.take(), bytes.len()));
            session.machine.handle(Input::Bytes(piece), session.now);
            bytes = rest;
        } else {
            session.machine.handle(Input::Eof, session.now);
            session.act();
            assert!(session.closed || session.question.is_some(), "the end of input closes");
            continue;
        }
        session.act();
    }
    session.machine.handle(Input::Bytes(b"a NOOP\r\n"), session.now);
    assert!(session.machine.next_action().is_none(), "closed is closed");
});

impl Session<'_> {
    fn act(&mut self) {
        let mut said = 0;
        while let Some(action) = self.machine.next_action() {
            assert!(!self.closed, "an action after Close");
            match action {
                Action::Ask(question) => assert!(self.question.replace(question).is_none(), "two open questions"),
                Action::Send(bytes) => said += bytes.len(),
                Action::Body(chunk) => assert!(!chunk.is_empty()),
                Action::SendBlob(span) => assert_eq!((span.id, span.octets), (BlobId([7; 16]), 100)),
                Action::BodyEnd => {}
                Action::StartTls => self.tls = true,
                Action::Compress(unread) => self.unread = unread.to_vec(),
                Action::Close => self.closed = true,
            }
        }
        assert!(said <= SAID_OCTETS, "{said} octets at once");
        assert!(self.machine.deadline().is_some() || self.question.is_some() || self.closed);
    }

    /// What may happen between two pieces of input.
    fn happen(&mut self) {
        match self.choices.take() {
            1 => self.machine.handle(Input::Tick, self.now),
            2 => {
                self.now += Duration::from_secs(150);
                self.machine.handle(Input::Tick, self.now);
            }
            3 => self.machine.handle(Input::Shutdown, self.now),
            4 => {
                let news = self.news();
                self.machine.handle(Input::News(news), self.now);
            }
            _ => {}
        }
        self.act();
    }

    fn fault(&mut self) -> Option<Fault> {
        match self.choices.take() {
            1 => Some(Fault::Unavailable),
            2 => Some(Fault::NoSuchMailbox),
            3 => Some(Fault::OverQuota),
            4 => Some(Fault::Cannot),
            5 => Some(Fault::AuthenticationFailed),
            6 => Some(Fault::BadUrl),
            _ => None,
        }
    }

    fn answer(&mut self, question: &Question) -> Answer {
        if self.choices.take() == 0xff {
            self.machine.handle(Input::Shutdown, self.now);
        }
        let fault = self.fault();
        let or = |fault: Option<Fault>| fault.map_or(Ok(()), Err);
        match question {
            Question::Login(_) => Answer::Login(or(fault).map(|()| Some([9; 32]))),
            Question::Mailboxes => Answer::Mailboxes(fault.map_or_else(|| Ok(mailboxes()), Err)),
            Question::Statuses(names) => {
                let statuses = names.iter().map(|name| (!name.starts_with('g')).then(|| self.status()));
                Answer::Statuses(fault.map_or_else(|| Ok(statuses.collect()), Err))
            }
            Question::Watch(_) => {
                Answer::Watching(fault.map_or_else(|| Ok(vec![("Work".to_owned(), self.status())]), Err))
            }
            Question::Quota => Answer::Quota(fault.map_or(Ok(quota()), Err)),
            Question::DeletedOctets(_) => Answer::DeletedOctets(fault.map_or(Ok(5), Err)),
            Question::Vanished { among, .. } => {
                assert!(self.selected, "nothing is selected");
                assert!(among.iter().all(|(first, last)| first <= last));
                assert!(among.windows(2).all(|two| two[0].1 < two[1].0));
                Answer::Vanished(fault.map_or_else(|| Ok(among.clone()), Err))
            }
            Question::Create { .. } => Answer::Created(fault.map_or(Ok(MailboxId::from_bytes([1; 16])), Err)),
            Question::Status(_) => Answer::Status(fault.map_or_else(|| Ok(self.status()), Err)),
            Question::Select { .. } => {
                self.selected = fault.is_none();
                Answer::Selected(fault.map_or_else(|| Ok(self.select()), Err))
            }
            Question::Unselect => {
                self.selected = false;
                Answer::Done(or(fault))
            }
            Question::Delete(name) => {
                // A name of an odd length is that of the mailbox that is selected.
                let is_selected = name.len() % 2 == 1;
                self.selected &= !is_selected || fault.is_some();
                let id = MailboxId::from_bytes(if is_selected { [1; 16] } else { [2; 16] });
                Answer::Deleted(fault.map_or(Ok(id), Err))
            }
            Question::Rename { .. }
            | Question::Subscribe { .. }
            | Question::AppendStart { .. }
            | Question::AppendMore { .. }
            | Question::AppendUrl(_) => Answer::Done(or(fault)),
            Question::Append { messages, replaces, .. } => {
                assert!(!messages.is_empty());
                assert!(replaces.is_none_or(|uid| self.selected && self.known.contains(&uid)));
                let uids = vec![uid(self.uid_next); messages.len()];
                Answer::Appended(fault.map_or_else(|| Ok((uid_validity(), uids)), Err))
            }
            Question::Fetch { uids, items, .. } => {
                self.check(uids, if items.is_light() { LIGHT_PIECE } else { PIECE });
                Answer::Fetched(fault.map_or_else(|| Ok(self.fetch(uids, items)), Err))
            }
            Question::Store { uids, .. } => {
                self.check(uids, PIECE);
                Answer::Stored(fault.map_or_else(|| Ok(self.stored(uids)), Err))
            }
            Question::Copy { uids, .. } => {
                self.check(uids, usize::MAX);
                Answer::Copied(fault.map_or_else(|| Ok(self.copied(uids)), Err))
            }
            Question::Move { uids, .. } => {
                self.check(uids, PIECE);
                Answer::Copied(fault.map_or_else(|| Ok(self.copied(uids)), Err))
            }
            Question::Expunge(uids) => {
                self.check(uids, PIECE);
                Answer::Done(or(fault))
            }
            Question::Search { among, .. } | Question::Sort { among, .. } => {
                self.check(among, usize::MAX);
                Answer::Found(fault.map_or_else(|| Ok(self.found(among)), Err))
            }
            Question::Thread { among, .. } => {
                self.check(among, usize::MAX);
                let mut depth = 0;
                // Place holders now and then, and any depth that a preorder allows.
                let threads = self.some_of(among).into_iter().map(|uid| {
                    let here = depth;
                    depth = if uid.get() % 4 == 0 {
                        uid.get() % (depth + 1)
                    } else {
                        depth + 1
                    };
                    (here, (uid.get() % 3 != 0).then_some(uid))
                });
                Answer::Threads(fault.map_or_else(|| Ok(threads.collect()), Err))
            }
            Question::Poll => Answer::News(self.news()),
        }
    }

    fn check(&self, uids: &[Uid], most: usize) {
        assert!(self.selected, "nothing is selected");
        assert!(uids.len() <= most && uids.is_sorted() && uids.windows(2).all(|two| two[0] != two[1]));
        assert!(uids.iter().all(|uid| self.known.contains(uid)), "a UID nobody told of");
    }

    fn select(&mut self) -> Selected {
        let count = u32::from(self.choices.take()) * 4;
        self.known = (1..=count).map(|number| uid(number * 2)).collect();
        self.uid_next = count * 2 + 1;
        Selected {
            id: MailboxId::from_bytes([1; 16]),
            read_only: self.choices.take().is_multiple_of(4),
            uid_validity: uid_validity(),
            uid_next: uid(self.uid_next),
            highest_modseq: ModSeq(9),
            uids: self.known.iter().copied().collect(),
            recent_from: self.known.first().copied(),
            first_unseen: self.known.last().copied(),
            keywords: Keyword::new("work").into_iter().collect(),
        }
    }

    /// Some messages arrive, some change, some go; now and then the session has to end.
    fn news(&mut self) -> News {
        let choice = self.choices.take();
        let mut news = News::default();
        for _ in 0..choice & 3 {
            let new = uid(self.uid_next);
            self.uid_next += 1;
            self.known.insert(new);
            news.appended.push(new);
        }
        let known: Vec<_> = self.known.iter().copied().collect();
        if choice & 4 != 0 {
            news.expunged = self.some_of(&known);
        }
        if choice & 8 != 0 {
            news.flags = self.some_of(&known).into_iter().map(flags_now).collect();
        }
        if choice & 16 != 0 {
            let name = "Work".to_owned();
            let data = self.status();
            news.others.push(OtherNews::Status {
                name,
                data,
                flags_only: choice & 32 != 0,
            });
            let entry = mailboxes().remove(usize::from(choice & 3));
            let old_name = (choice & 32 != 0).then(|| "old".to_owned());
            news.others.push(OtherNews::Mailbox {
                entry,
                old_name,
                has_children: choice & 1 != 0,
            });
        }
        if choice == 0x80 {
            news.present = Some(self.some_of(&known).into());
        }
        news.highest_modseq = Some(ModSeq(u64::from(self.uid_next) + 9));
        if choice == 0x70 {
            news.bye = Some("The mailbox is gone");
        }
        news
    }

    /// All, none, or those that a choice picks.
    fn some_of(&mut self, uids: &[Uid]) -> Vec<Uid> {
        let pick = u32::from(self.choices.take());
        uids.iter()
            .copied()
            .filter(|uid| pick == 0 || uid.get() % 7 == pick % 8)
            .collect()
    }

    /// Those that stay are changed; of the others some have changed before, some are gone.
    fn stored(&mut self, uids: &[Uid]) -> Stored {
        let now = self.some_of(uids);
        let others = uids.iter().copied().filter(|uid| !now.contains(uid));
        let (modified, gone): (Vec<_>, Vec<_>) = others.partition(|uid| uid.get() % 3 != 0);
        Stored {
            now: now.into_iter().map(flags_now).collect(),
            modified,
            gone: gone.len(),
        }
    }

    fn found(&mut self, among: &[Uid]) -> Found {
        let uids = self.some_of(among);
        let modseqs = uids.iter().map(|uid| ModSeq(uid.get().into())).collect();
        Found { uids, modseqs }
    }

    fn fetch(&mut self, uids: &[Uid], items: &FetchItems) -> FetchedPiece {
        let section = |number: usize| match (&items.sections[number], number % 3) {
            (section, 1) if section.is_decoded() => SectionData::UnknownEncoding,
            (section, 0 | 1) if section.form == SectionForm::BinarySize => SectionData::Size(5),
            (section, 0) if section.is_decoded() => SectionData::Decoded(b"a\0b".as_slice().into()),
            (_, 0) => SectionData::Octets(vec![Piece::Inline(b"x\r\n".as_slice().into()), stored()]),
            (_, 1) => SectionData::Octets(vec![stored()]),
            _ => SectionData::Nothing,
        };
        let fetched = |uid: Uid| Fetched {
            uid,
            flags: Some(flags_now(uid).flags),
            modseq: ModSeq(uid.get().into()),
            flags_changed: uid.get().is_multiple_of(5),
            internal_date: InternalDate::new(i64::from(uid.get()) * 1_000_000_000, (uid.get() % 50) as i32 * 15),
            size_octets: 103,
            email_id: EmailId::from_bytes([2; 16]),
            thread_id: ThreadId::from_bytes([3; 16]),
            summary: Some(Arc::new(Summary::default())),
            sections: (0..items.sections.len()).map(section).collect(),
            save_date: uid.get().is_multiple_of(2).then_some(5),
            preview: Some("Gr\u{fc}\u{df}e \"".to_owned()),
        };
        let mut messages: Vec<Fetched> = self.some_of(uids).into_iter().map(fetched).collect();
        let gone = uids.len() - messages.len();
        // The last of a larger piece is left for the next.
        let left = if gone == 0 && uids.len() > 2 {
            messages.pop()
        } else {
            None
        };
        let left = left.into_iter().map(|fetched| fetched.uid).collect();
        FetchedPiece {
            messages,
            gone,
            left,
            unreadable: self.choices.take().is_multiple_of(16),
        }
    }

    fn copied(&mut self, uids: &[Uid]) -> Copied {
        let pairs = self
            .some_of(uids)
            .into_iter()
            .map(|from| (from, uid(from.get() + 1_000)));
        Copied {
            uid_validity: uid_validity(),
            pairs: pairs.collect(),
        }
    }

    fn status(&self) -> StatusData {
        StatusData {
            id: MailboxId::from_bytes([1; 16]),
            messages: 2,
            recent: 1,
            uid_next: uid(9),
            uid_validity: uid_validity(),
            unseen: 1,
            deleted: 0,
            size_octets: u64::MAX,
            highest_modseq: ModSeq(9),
        }
    }
}

fn uid(number: u32) -> Uid {
    Uid::new(number.max(1)).expect("at least 1")
}

fn uid_validity() -> UidValidity {
    UidValidity::new(5).expect("not 0")
}

fn quota() -> QuotaData {
    QuotaData {
        octets: 5,
        limit_octets: u64::MAX,
        messages: 3,
    }
}

fn stored() -> Piece {
    Piece::Stored(BlobSpan {
        id: BlobId([7; 16]),
        offset: 0,
        octets: 100,
    })
}

fn flags_now(uid: Uid) -> FlagsNow {
    FlagsNow {
        uid,
        flags: MessageFlags::system(Flags::default().with(Flag::Seen)),
        modseq: ModSeq(7),
    }
}

fn mailboxes() -> Vec<MailboxEntry> {
    let entry = |name: &str, exists| MailboxEntry {
        name: name.to_owned(),
        exists,
        subscribed: true,
        special_use: None,
        marked: Some(exists),
        id: exists.then(|| MailboxId::from_bytes([1; 16])),
    };
    vec![
        entry("INBOX", true),
        entry("Work", true),
        entry("Work/\u{e4}%*\"\\", true),
        entry("gone/child", false),
    ]
}

fn scram() -> ScramOptions {
    ScramOptions {
        parameters: Arc::new(ScramParameters {
            salt: b"salt of 16 bytes".to_vec(),
            iterations: 4096,
        }),
        seed: Secret::new([1; 32]),
    }
}
