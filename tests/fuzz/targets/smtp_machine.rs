//! The SMTP machine, where mail comes in and where it is submitted: any bytes, cut anyhow, with any answers, ticks and a
//! shutdown in between.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postroom_fuzz::{Choices, cut, split};
use postroom_smtp_proto::{Answer, BareNewline, Options, Question, Reply, Server};
use postroom_types::{ScramParameters, Secret};
use postroom_wire::{Action, ChannelBinding, Credentials, Evidence, Input, Machine, ScramOptions};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZE_OCTETS: u64 = 10_000;
const LINE_OCTETS: usize = 300;
/// Of a login (RFC 4954 §4).
const AUTH_OCTETS: usize = 12_288;

struct Session<'a> {
    machine: Server,
    choices: Choices<'a>,
    now: Instant,
    question: Option<Question>,
    body_octets: u64,
    submission: bool,
    tls: bool,
    /// A login was answered with yes.
    logged_in: bool,
    closed: bool,
    actions: usize,
}

fuzz_target!(|input: &[u8]| {
    let (mut choices, mut bytes) = split(input);
    let mode = choices.take();
    let submission = mode & 2 != 0;
    let options = Options {
        starttls: true,
        size_octets: SIZE_OCTETS,
        command_octets: LINE_OCTETS,
        bare_newline: if mode & 1 == 0 {
            BareNewline::Reject
        } else {
            BareNewline::Normalize
        },
        ..Options::default()
    };
    let now = Instant::now();
    let mut session = Session {
        machine: if submission {
            Server::submission(Arc::new(options), Some(scram()), now)
        } else {
            Server::new(Arc::new(options), now)
        },
        submission,
        choices,
        now,
        question: None,
        body_octets: 0,
        // A TLS port, now and then.
        tls: mode & 4 != 0,
        logged_in: false,
        closed: false,
        actions: 0,
    };
    let total = bytes.len();
    session.act();
    while !session.closed {
        if let Some(question) = session.question.take() {
            session.answer(&question);
        } else if std::mem::take(&mut session.tls) {
            let binding = (mode & 8 == 0).then_some(ChannelBinding([7; 32]));
            session.machine.handle(Input::TlsUp(binding), session.now);
        } else if !bytes.is_empty() {
            session.happen();
            let (piece, rest) = bytes.split_at(cut(session.choices.take(), bytes.len()));
            session.machine.handle(Input::Bytes(piece), session.now);
            let longest = if submission { AUTH_OCTETS } else { LINE_OCTETS };
            assert!(session.machine.buffered_octets() <= longest + piece.len());
            bytes = rest;
        } else {
            session.machine.handle(Input::Eof, session.now);
            session.act();
            assert!(session.closed || session.question.is_some(), "the end of input closes");
            continue;
        }
        session.act();
        assert!(session.actions <= 2 * total + 1_000, "work is bounded by what was sent");
    }
    session.machine.handle(Input::Bytes(b"NOOP\r\n"), session.now);
    assert!(session.machine.next_action().is_none(), "closed is closed");
});

impl Session<'_> {
    fn act(&mut self) {
        while let Some(action) = self.machine.next_action() {
            assert!(!self.closed, "an action after Close");
            self.actions += 1;
            match action {
                Action::Ask(question) => {
                    let login = matches!(question, Question::Authenticate(_));
                    assert!(self.submission || !login, "nobody logs in to bring mail");
                    assert!(!self.submission || login || self.logged_in, "mail before the login");
                    assert!(self.question.replace(question).is_none(), "two open questions");
                }
                Action::Body(chunk) => {
                    self.body_octets += chunk.len() as u64;
                    assert!(!chunk.is_empty() && self.body_octets <= SIZE_OCTETS);
                }
                Action::BodyEnd => {}
                Action::Send(reply) => {
                    assert!(reply.ends_with(b"\r\n") && reply.len() <= 512);
                    // A new message: what was handed on before has had its reply.
                    if reply.starts_with(b"354") {
                        self.body_octets = 0;
                    }
                }
                Action::StartTls => self.tls = true,
                Action::SendBlob(_) | Action::Compress(_) => panic!("SMTP sends no blobs and compresses nothing"),
                Action::Close => self.closed = true,
            }
        }
        assert_eq!(
            self.machine.deadline().is_none(),
            self.question.is_some() || self.closed
        );
    }

    fn answer(&mut self, question: &Question) {
        let choice = self.choices.take();
        if choice & 0xf0 == 0xf0 {
            self.machine.handle(Input::Shutdown, self.now);
        }
        let answer = match choice & 0x0f {
            1 => Answer::Refuse(Reply::new(550, "5.1.1", "No")),
            2 => Answer::Refuse(Reply::new(451, "4.3.0", "Not now")),
            3 => Answer::Refuse(Reply::new(421, "4.7.0", "Go away")),
            4 => Answer::AcceptWith(Reply::new(250, "2.0.0", "Well\r\nand good")),
            _ => match question {
                Question::Authenticate(credentials) => self.authenticated(credentials),
                _ => Answer::Accept,
            },
        };
        self.machine.handle(Input::Answer(answer), self.now);
    }

    fn authenticated(&mut self, credentials: &Credentials) -> Answer {
        assert!(!credentials.wants_another());
        self.logged_in = true;
        Answer::Authenticated {
            server_signature: matches!(credentials.evidence, Evidence::Scram(_)).then_some([9; 32]),
        }
    }

    /// What may happen between two pieces of input.
    fn happen(&mut self) {
        match self.choices.take() {
            1 => self.machine.handle(Input::Tick, self.now),
            2 => {
                self.now += Duration::from_secs(200);
                self.machine.handle(Input::Tick, self.now);
            }
            3 => self.machine.handle(Input::Shutdown, self.now),
            4 => self.machine.handle(Input::News(Reply::new(421, "4.7.0", "Closing")), self.now),
            _ => {}
        }
    }
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
