//! A client that has asked for NOTIFY with SELECTED or SELECTED-DELAYED and listens knows the mailbox, whenever news come.

use postroom_imap_proto::{Answer, Fetched, FetchedPiece, FlagsNow, News, Options, Question, Selected, Server};
use postroom_types::{EmailId, Flag, Flags, InternalDate, MailboxId, MessageFlags, ModSeq, ThreadId, Uid, UidValidity};
use postroom_wire::{Action, Input, Machine};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Instant;

#[derive(Clone, Debug)]
enum Step {
    Append(u32),
    Expunge(prop::sample::Index),
    Flag(prop::sample::Index),
    /// What has happened comes as news.
    Deliver,
    Say(&'static str),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u32..4).prop_map(Step::Append),
        3 => any::<prop::sample::Index>().prop_map(Step::Expunge),
        1 => any::<prop::sample::Index>().prop_map(Step::Flag),
        3 => Just(Step::Deliver),
        3 => prop::sample::select(vec!["NOOP", "FETCH 1 FLAGS", "UID FETCH 1:* FLAGS", "UID SEARCH ALL", "IDLE\r\nDONE"])
            .prop_map(Step::Say),
    ]
}

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

/// The mailbox and what the server was not told of it.
struct Outside {
    mailbox: Vec<u32>,
    /// UIDs are not used again.
    highest: u32,
    untold: News,
}

impl Outside {
    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Login(_) => Answer::Login(Ok(None)),
            Question::Select { .. } => Answer::Selected(Ok(Selected {
                id: MailboxId::from_bytes([1; 16]),
                read_only: false,
                uid_validity: UidValidity::MIN,
                uid_next: uid(100),
                highest_modseq: ModSeq(1),
                uids: self.mailbox.iter().map(|number| uid(*number)).collect(),
                recent_from: None,
                first_unseen: None,
                keywords: Vec::new(),
            })),
            Question::Watch(_) => Answer::Watching(Ok(Vec::new())),
            Question::Poll => Answer::News(std::mem::take(&mut self.untold)),
            Question::Search { among, .. } => Answer::Found(Ok(postroom_imap_proto::Found {
                uids: among,
                modseqs: Vec::new(),
            })),
            Question::Fetch { uids, .. } => {
                let asked = uids.len();
                let there = uids.into_iter().filter(|uid| self.mailbox.contains(&uid.get()));
                let messages: Vec<Fetched> = there.map(fetched).collect();
                let gone = asked - messages.len();
                Answer::Fetched(Ok(FetchedPiece {
                    messages,
                    gone,
                    left: Vec::new(),
                    unreadable: false,
                }))
            }
            other => panic!("not asked in this test: {other:?}"),
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Append(gap) => {
                self.highest += gap;
                let number = self.highest;
                self.mailbox.push(number);
                self.untold.appended.push(uid(number));
            }
            Step::Expunge(index) if !self.mailbox.is_empty() => {
                let at = index.index(self.mailbox.len());
                self.untold.expunged.push(uid(self.mailbox.remove(at)));
            }
            Step::Flag(index) if !self.mailbox.is_empty() => self.untold.flags.push(FlagsNow {
                uid: uid(self.mailbox[index.index(self.mailbox.len())]),
                flags: MessageFlags::system(Flags::NONE.with(Flag::Flagged)),
                modseq: ModSeq(2),
            }),
            _ => {}
        }
    }
}

fn fetched(uid: Uid) -> Fetched {
    Fetched {
        uid,
        flags: Some(MessageFlags::default()),
        modseq: ModSeq(1),
        flags_changed: false,
        internal_date: InternalDate::utc(0),
        size_octets: 4,
        email_id: EmailId::from_bytes([2; 16]),
        thread_id: ThreadId::from_bytes([3; 16]),
        summary: None,
        sections: Vec::new(),
        save_date: None,
        preview: None,
    }
}

/// Runs what the machine wants done; what it says.
fn act(server: &mut Server, outside: &mut Outside, now: Instant) -> String {
    let mut said = Vec::new();
    while let Some(action) = server.next_action() {
        match action {
            Action::Send(bytes) => said.extend_from_slice(&bytes),
            Action::Ask(question) => {
                let answer = outside.answer(question);
                server.handle(Input::Answer(answer), now);
            }
            other => panic!("not done in this test: {other:?}"),
        }
    }
    String::from_utf8(said).unwrap()
}

/// What a client makes of it: the UID of each message it knows to be there, if it was told.
fn listen(client: &mut Vec<Option<u32>>, said: &str, between_commands: bool, delayed: bool) {
    for line in said.lines() {
        let mut words = line.split(' ');
        let (star, number, word) = (words.next(), words.next(), words.next());
        let Some(number) = number
            .and_then(|number| number.parse::<usize>().ok())
            .filter(|_| star == Some("*"))
        else {
            continue;
        };
        match word {
            Some("EXISTS") => {
                assert!(number >= client.len(), "{line}");
                client.resize(number, None);
            }
            Some("EXPUNGE") => {
                assert!(!(between_commands && delayed), "an expunge that was to wait");
                client.remove(number - 1);
            }
            Some("FETCH") => {
                let told = line.split("UID ").nth(1).and_then(|rest| rest.split([' ', ')']).next());
                let Some(told) = told.map(|told| told.parse::<u32>().unwrap()) else {
                    continue;
                };
                let known = client[number - 1].get_or_insert(told);
                assert_eq!(*known, told, "{line}");
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn a_client_that_listens_knows_the_mailbox(delayed: bool, steps in proptest::collection::vec(step(), 0..40)) {
        let now = Instant::now();
        let options = Options {
            allow_plaintext_login: true,
            ..Options::default()
        };
        let mut server = Server::new(Arc::new(options), None, now);
        let mut outside = Outside {
            mailbox: vec![1, 5, 7, 9],
            highest: 100,
            untold: News::default(),
        };
        let mut client: Vec<Option<u32>> = outside.mailbox.iter().copied().map(Some).collect();
        let which = if delayed { "SELECTED-DELAYED" } else { "SELECTED" };
        let begin = format!(
            "l LOGIN a b\r\ns SELECT INBOX\r\nn NOTIFY SET ({which} (MessageNew (FLAGS) MessageExpunge FlagChange))\r\n"
        );
        server.handle(Input::Bytes(begin.as_bytes()), now);
        act(&mut server, &mut outside, now);
        for step in steps.iter().chain([&Step::Deliver, &Step::Say("NOOP")]) {
            outside.run(step);
            match step {
                Step::Deliver => server.handle(Input::News(std::mem::take(&mut outside.untold)), now),
                Step::Say(command) => server.handle(Input::Bytes(format!("a {command}\r\n").as_bytes()), now),
                _ => {}
            }
            let said = act(&mut server, &mut outside, now);
            listen(&mut client, &said, matches!(step, Step::Deliver), delayed);
        }
        let mailbox: Vec<Option<u32>> = outside.mailbox.iter().copied().map(Some).collect();
        prop_assert_eq!(client, mailbox);
    }
}
