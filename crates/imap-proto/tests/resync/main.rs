//! A client of QRESYNC may lose its connection after any tagged response, and whatever it then believes to know up to
//! has to be true (RFC 7162 §3.2, §6): resynchronised from there it has the mailbox as it is.

mod client;
mod contexts;
mod mailbox;

use client::Client;
use mailbox::{Event, Mailbox};
use postroom_imap_proto::{Answer, Options, Question, Server};
use postroom_wire::{Action, Input, Machine};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Instant;

/// A connection, with things happening elsewhere before chosen answers.
pub(crate) struct Connection {
    server: Server,
    mailbox: Mailbox,
    now: Instant,
    said: Vec<u8>,
}

impl Connection {
    /// Logged in; so many messages are in the mailbox.
    fn with(messages: usize) -> Self {
        let now = Instant::now();
        let options = Options {
            allow_plaintext_login: true,
            ..Options::default()
        };
        let mut connection = Self {
            server: Server::new(Arc::new(options), None, now),
            mailbox: Mailbox::with(messages),
            now,
            said: Vec::new(),
        };
        connection.command("l LOGIN a b", &[]);
        connection
    }

    fn command(&mut self, line: &str, events: &[(u8, Event)]) -> String {
        self.server
            .handle(Input::Bytes(format!("{line}\r\n").as_bytes()), self.now);
        let mut questions = 0;
        while let Some(action) = self.server.next_action() {
            match action {
                Action::Send(bytes) => self.said.extend_from_slice(&bytes),
                Action::Ask(question) => {
                    let due = events.iter().filter(|(at, _)| *at == questions);
                    due.for_each(|(_, event)| self.mailbox.happen(*event));
                    questions += 1;
                    let answer = self.answer(question);
                    self.server.handle(Input::Answer(answer), self.now);
                }
                other => panic!("{other:?}"),
            }
        }
        String::from_utf8(std::mem::take(&mut self.said)).unwrap()
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Login(_) => Answer::Login(Ok(None)),
            other => self.mailbox.answer(other),
        }
    }
}

/// What the client says; the numbers are taken modulo what it knows.
#[derive(Clone, Copy, Debug)]
enum Said {
    Noop,
    Fetch(u8, u8),
    UidFetchAll,
    FetchSince,
    Store {
        from: u8,
        to: u8,
        by_uid: bool,
        silent: bool,
        deleted: bool,
    },
    StoreUnchanged(u8, u8),
    Expunge,
    UidExpunge(u8),
    Idle,
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        Just(Said::Noop),
        any::<(u8, u8)>().prop_map(|(a, b)| Said::Fetch(a, b)),
        Just(Said::UidFetchAll),
        Just(Said::FetchSince),
        any::<(u8, u8, bool, bool, bool)>().prop_map(|(from, to, by_uid, silent, deleted)| Said::Store {
            from,
            to,
            by_uid,
            silent,
            deleted
        }),
        any::<(u8, u8)>().prop_map(|(a, b)| Said::StoreUnchanged(a, b)),
        Just(Said::Expunge),
        any::<u8>().prop_map(Said::UidExpunge),
        Just(Said::Idle),
    ]
}

fn event() -> impl Strategy<Value = (u8, Event)> {
    let what = prop_oneof![
        Just(Event::Arrives),
        any::<u8>().prop_map(Event::IsFlagged),
        any::<u8>().prop_map(Event::IsExpunged),
    ];
    (0_u8..4, what)
}

fn line(said: Said, client: &Client) -> Option<String> {
    let range = |a: u8, b: u8| {
        let count = u32::try_from(client.numbers.len()).ok().filter(|count| *count > 0)?;
        Some((u32::from(a) % count + 1, u32::from(b) % count + 1))
    };
    Some(match said {
        Said::Noop => "t NOOP".to_owned(),
        Said::Fetch(a, b) => range(a, b).map(|(a, b)| format!("t FETCH {a}:{b} (UID MODSEQ FLAGS)"))?,
        Said::UidFetchAll => "t UID FETCH 1:* (FLAGS MODSEQ)".to_owned(),
        Said::FetchSince => format!("t UID FETCH 1:* (FLAGS) (CHANGEDSINCE {} VANISHED)", client.highest),
        Said::Store {
            from,
            to,
            by_uid,
            silent,
            deleted,
        } => {
            let (a, b) = range(from, to)?;
            let flag = if deleted { "\\Deleted" } else { "\\Seen" };
            let silent = if silent { ".SILENT" } else { "" };
            let uid = if by_uid { "UID " } else { "" };
            format!("t {uid}STORE {a}:{b} +FLAGS{silent} ({flag})")
        }
        Said::StoreUnchanged(a, b) => {
            let (a, b) = range(a, b)?;
            format!("t STORE {a}:{b} (UNCHANGEDSINCE {}) -FLAGS (\\Seen)", client.highest)
        }
        Said::Expunge => "t EXPUNGE".to_owned(),
        Said::UidExpunge(a) => format!("t UID EXPUNGE {}:*", u32::from(a % 8) + 1),
        Said::Idle => "t IDLE\r\nDONE".to_owned(),
    })
}

/// Whether it wants to be told less than everything.
fn notify() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        2 => Just("q NOOP"),
        1 => Just("q NOTIFY NONE"),
        1 => Just("q NOTIFY SET (SELECTED (MessageNew MessageExpunge))"),
    ]
}

proptest! {
    #[test]
    fn what_a_client_believes_is_true(
        notify in notify(),
        steps in proptest::collection::vec((said(), proptest::collection::vec(event(), 0..3)), 1..25),
    ) {
        let mut connection = Connection::with(4);
        let mut client = Client::default();
        connection.command("e ENABLE QRESYNC", &[]);
        client.hear(&connection.command("s SELECT INBOX", &[]), None);
        client.hear(&connection.command("f FETCH 1:* (UID FLAGS MODSEQ)", &[]), None);
        client.hear(&connection.command(notify, &[]), None);
        for (said, events) in steps {
            let Some(line) = line(said, &client) else { continue };
            let heard = connection.command(&line, &events);
            prop_assert!(heard.contains("t OK") || heard.contains("t NO"), "{}: {}", line, heard);
            client.hear(&heard, Some(&line));
            let mut resynchronised = client.clone();
            resynchronised.resynchronise(&connection.mailbox);
            prop_assert_eq!(resynchronised.cache, connection.mailbox.flags(), "{}: {}", line, heard);
            // Going on with the same connection, it learns what is new.
            let unknown = client.numbers.iter().position(Option::is_none);
            if let Some(first) = unknown {
                let line = format!("n FETCH {}:* (UID FLAGS MODSEQ)", first + 1);
                let heard = connection.command(&line, &[]);
                client.hear(&heard, Some(&line));
            }
        }
    }
}
