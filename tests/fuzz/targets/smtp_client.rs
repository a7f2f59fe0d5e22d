//! The SMTP client: a hostile server's bytes, cut anyhow, with any answers, ticks, lost writes and a shutdown in between.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postroom_fuzz::{Choices, cut, split};
use postroom_smtp_proto::client::{
    Client, ClientAnswer, ClientOptions, ClientQuestion, RecipientResult, Transaction, TransactionResult,
};
use postroom_types::{EmailAddress, ForwardPath, ReversePath, Secret};
use postroom_wire::{Action, Input, Machine, Unsent};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LINE_OCTETS: usize = 300;
const RECIPIENTS: usize = 3;
const MESSAGES: usize = 20;

struct Session<'a> {
    machine: Client,
    choices: Choices<'a>,
    now: Instant,
    question: Option<ClientQuestion>,
    /// Messages begun, and whether the last one waits for its result.
    messages: usize,
    open: bool,
    chunks: usize,
    /// The final dot of the open message was sent, and nothing was said of it not having left.
    ended: bool,
    /// The end of what was sent, for the rule that no line ends in a bare CR or LF.
    last: u8,
    tls: bool,
    starting_tls: bool,
    closed: bool,
    actions: usize,
}

fuzz_target!(|input: &[u8]| {
    let (choices, mut bytes) = split(input);
    let options = ClientOptions {
        reply_line_octets: LINE_OCTETS,
        ..ClientOptions::default()
    };
    let now = Instant::now();
    let mut session = Session {
        machine: Client::new(Arc::new(options), now),
        choices,
        now,
        question: None,
        messages: 0,
        open: false,
        chunks: 0,
        ended: false,
        last: b'\n',
        tls: false,
        starting_tls: false,
        closed: false,
        actions: 0,
    };
    let total = bytes.len();
    session.act();
    while !session.closed {
        if let Some(question) = session.question.take() {
            session.answer(question);
        } else if std::mem::take(&mut session.starting_tls) {
            session.tls = true;
            session.machine.handle(Input::TlsUp(None), session.now);
        } else if bytes.is_empty() {
            session.machine.handle(Input::Eof, session.now);
        } else if !session.happen() {
            let (piece, rest) = bytes.split_at(cut(session.choices.take(), bytes.len()));
            session.machine.handle(Input::Bytes(piece), session.now);
            assert!(session.machine.buffered_octets() <= LINE_OCTETS + total);
            bytes = rest;
        }
        session.act();
        assert!(
            session.actions <= 2 * total + 100 * MESSAGES + 100,
            "work is bounded by what was heard"
        );
    }
    assert!(!session.open, "a message without a result");
    session.machine.handle(Input::Bytes(b"250 OK\r\n"), session.now);
    assert!(session.machine.next_action().is_none(), "closed is closed");
    assert_eq!(session.machine.buffered_octets(), 0);
});

impl Session<'_> {
    fn act(&mut self) {
        while let Some(action) = self.machine.next_action() {
            assert!(!self.closed, "an action after Close");
            self.actions += 1;
            match action {
                Action::Ask(question) => assert!(self.question.replace(question).is_none(), "two open questions"),
                Action::Send(bytes) => self.sent(&bytes),
                Action::StartTls => self.starting_tls = true,
                Action::Close => self.closed = true,
                Action::Body(_) | Action::BodyEnd | Action::SendBlob(_) | Action::Compress(_) => {
                    panic!("a client has no bodies and compresses nothing")
                }
            }
        }
        assert_eq!(
            self.machine.deadline().is_none(),
            self.question.is_some() || self.closed
        );
    }

    fn sent(&mut self, bytes: &[u8]) {
        assert!(!bytes.is_empty() && !self.starting_tls);
        assert!(self.tls || !bytes.starts_with(b"AUTH"), "a password in clear");
        for &byte in bytes {
            assert_eq!(byte == b'\n', self.last == b'\r', "a bare CR or LF");
            self.last = byte;
        }
        self.ended |= bytes.ends_with(b".\r\n");
    }

    fn answer(&mut self, question: ClientQuestion) {
        let choice = self.choices.take();
        if choice & 0xf0 == 0xf0 {
            self.machine.handle(Input::Shutdown, self.now);
        }
        let answer = match question {
            ClientQuestion::Next { .. } if self.messages == MESSAGES => ClientAnswer::Quit,
            ClientQuestion::Next { .. } => match choice & 0x0f {
                1 => ClientAnswer::Quit,
                2 => ClientAnswer::StartTls,
                3 => ClientAnswer::Authenticate {
                    user: "user".to_owned(),
                    password: Secret::new("password".repeat(usize::from(choice >> 4) * 8)),
                },
                choice => {
                    self.messages += 1;
                    (self.open, self.ended, self.chunks) = (true, false, 0);
                    ClientAnswer::Send(transaction(choice))
                }
            },
            ClientQuestion::Content { .. } => self.content(choice),
            ClientQuestion::Result(result) => {
                self.result(&result);
                ClientAnswer::Done
            }
            ClientQuestion::Failed(failure) => {
                assert!(!self.open && (failure.reply.is_some() != failure.failure.is_some()));
                ClientAnswer::Done
            }
        };
        self.machine.handle(Input::Answer(answer), self.now);
    }

    fn content(&mut self, choice: u8) -> ClientAnswer {
        self.chunks += 1;
        if self.chunks > 4 {
            return ClientAnswer::Content(Vec::new().into());
        }
        // Chunks that begin and end with whatever could go wrong at a border.
        let chunk: &[u8] = match choice & 0x0f {
            1 => b".",
            2 => b".\r",
            3 => b"\n.",
            4 => b"\n.\r\n",
            5 => b"a\r\n",
            6 => b"\r",
            7 => b"a\r\n.\r\nb",
            8 => return ClientAnswer::ContentUnreadable,
            9 => b"\x00\xff",
            _ => b"",
        };
        ClientAnswer::Content(chunk.to_vec().into())
    }

    fn result(&mut self, result: &TransactionResult) {
        assert!(std::mem::take(&mut self.open), "a result for no message");
        assert_eq!(result.recipients.len(), RECIPIENTS);
        for result in &result.recipients {
            match result {
                RecipientResult::Accepted(reply) => assert!(self.ended && (200..300).contains(&reply.code)),
                RecipientResult::Unknown { .. } => assert!(self.ended),
                RecipientResult::Refused { reply, .. } => assert!((400..600).contains(&reply.code)),
                RecipientResult::Unsupported { .. } | RecipientResult::Unfit { .. } | RecipientResult::Lost { .. } => {}
            }
        }
        // The next line may begin after content that was cut off: then the connection is closed.
    }

    /// What may happen between two pieces of input; `false`: nothing.
    fn happen(&mut self) -> bool {
        match self.choices.take() {
            1 => self.machine.handle(Input::Tick, self.now),
            2 => {
                self.now += Duration::from_secs(200);
                self.machine.handle(Input::Tick, self.now);
            }
            3 => self.machine.handle(Input::Shutdown, self.now),
            choice @ 4..8 => {
                self.ended = false;
                let unsent = Unsent {
                    timed_out: choice == 4,
                    unread: if choice == 5 {
                        b"552 5.3.4 Too big\r\n".to_vec().into()
                    } else {
                        Vec::new().into()
                    },
                };
                self.machine.handle(Input::News(unsent), self.now);
            }
            _ => return false,
        }
        true
    }
}

fn transaction(choice: u8) -> Transaction {
    let path = |text| ForwardPath::Mailbox(EmailAddress::parse(text).expect("an address"));
    let third = if choice & 4 == 0 {
        "c@example.org"
    } else {
        "\u{7528}@example.org"
    };
    Transaction {
        reverse_path: ReversePath::Null,
        forward_paths: ["a@example.org", "b@example.org", third].map(path).into(),
        size_octets: 100,
        eight_bit: choice & 8 != 0,
        smtputf8: choice == 15,
    }
}
