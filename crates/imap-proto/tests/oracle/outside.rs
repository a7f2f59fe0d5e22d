//! A client that has selected a mailbox, and an outside that says yes to everything.

use postroom_imap_proto::{
    Answer, Copied, Fetched, FetchedPiece, Found, News, Options, Question, Selected, Server, StatusData, Stored,
};
use postroom_types::{EmailId, InternalDate, MailboxId, MessageFlags, ModSeq, ThreadId, Uid, UidValidity};
use postroom_wire::{Action, Input, Machine};
use std::sync::Arc;
use std::time::Instant;

pub(crate) fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

/// UIDs of the mailbox: sequence number n has 2n.
pub(crate) const EXISTS: u32 = 20;

/// One connection.
pub(crate) struct Connection {
    server: Server,
    now: Instant,
    /// What is to be found by the next FETCH.
    pub(crate) fetched: Vec<Fetched>,
    /// All that was asked but for news.
    pub(crate) asked: Vec<Question>,
    /// Bodies that were handed over, each ended by a mark of its own.
    pub(crate) bodies: Vec<u8>,
    /// All that was said.
    pub(crate) said: Vec<u8>,
}

impl Connection {
    /// Greeted, logged in, INBOX selected.
    pub(crate) fn selected() -> Self {
        let mut connection = Self::fresh();
        connection.send(b"l LOGIN smith sesame\r\ns SELECT INBOX\r\n");
        connection.asked.clear();
        connection.said.clear();
        connection
    }

    /// Greeted.
    pub(crate) fn fresh() -> Self {
        let now = Instant::now();
        let options = Options {
            allow_plaintext_login: true,
            ..Options::default()
        };
        let mut connection = Self {
            server: Server::new(Arc::new(options), None, now),
            now,
            fetched: Vec::new(),
            asked: Vec::new(),
            bodies: Vec::new(),
            said: Vec::new(),
        };
        connection.act();
        connection.said.clear();
        connection
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.server.handle(Input::Bytes(bytes), self.now);
        self.act();
    }

    fn act(&mut self) {
        while let Some(action) = self.server.next_action() {
            match action {
                Action::Send(bytes) => self.said.extend_from_slice(&bytes),
                Action::Body(bytes) => self.bodies.extend_from_slice(&bytes),
                Action::BodyEnd => self.bodies.extend_from_slice(b"<end>"),
                Action::Ask(question) => {
                    let answer = self.answer(&question);
                    if !matches!(question, Question::Poll) {
                        self.asked.push(question);
                    }
                    self.server.handle(Input::Answer(answer), self.now);
                }
                Action::SendBlob(_) | Action::StartTls | Action::Compress(_) | Action::Close => {
                    panic!("not wanted here: {action:?}")
                }
            }
        }
    }

    fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Login(_) => Answer::Login(Ok(None)),
            Question::Status(_) => Answer::Status(Ok(counts())),
            Question::Create { .. } => Answer::Created(Ok(MailboxId::from_bytes([1; 16]))),
            Question::Delete(_) => Answer::Deleted(Ok(MailboxId::from_bytes([2; 16]))),
            Question::Select { .. } => Answer::Selected(Ok(Selected {
                id: MailboxId::from_bytes([1; 16]),
                read_only: false,
                uid_validity: UidValidity::MIN,
                uid_next: uid(1_000),
                highest_modseq: ModSeq(1),
                uids: (1..=EXISTS).map(|seq| uid(seq * 2)).collect(),
                recent_from: None,
                first_unseen: None,
                keywords: Vec::new(),
            })),
            Question::Append { messages, .. } => Answer::Appended(Ok((UidValidity::MIN, vec![uid(9); messages.len()]))),
            Question::Fetch { .. } => Answer::Fetched(Ok(FetchedPiece {
                messages: std::mem::take(&mut self.fetched),
                gone: 0,
                left: Vec::new(),
                unreadable: false,
            })),
            Question::Store { .. } => Answer::Stored(Ok(Stored::default())),
            Question::Copy { uids, .. } | Question::Move { uids, .. } => Answer::Copied(Ok(Copied {
                uid_validity: UidValidity::MIN,
                pairs: uids.iter().map(|uid| (*uid, *uid)).collect(),
            })),
            Question::Search { .. } => Answer::Found(Ok(Found::default())),
            Question::Poll => Answer::News(News::default()),
            _ => Answer::Done(Ok(())),
        }
    }
}

fn counts() -> StatusData {
    StatusData {
        id: MailboxId::from_bytes([1; 16]),
        messages: 3,
        recent: 0,
        uid_next: uid(9),
        uid_validity: UidValidity::MIN,
        unseen: 1,
        deleted: 0,
        size_octets: 100,
        highest_modseq: ModSeq(1),
    }
}

/// A message of which nothing is known but its UID.
pub(crate) fn fetched(number: u32) -> Fetched {
    Fetched {
        uid: uid(number),
        flags: Some(MessageFlags::default()),
        modseq: ModSeq(1),
        flags_changed: false,
        internal_date: InternalDate::utc(0),
        size_octets: 0,
        email_id: EmailId::from_bytes([2; 16]),
        thread_id: ThreadId::from_bytes([3; 16]),
        summary: None,
        sections: Vec::new(),
        save_date: None,
        preview: None,
    }
}
