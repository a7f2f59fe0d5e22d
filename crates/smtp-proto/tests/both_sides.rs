//! The client and the server of this crate, talking to each other: what goes in comes out.

use bytes::Bytes;
use postroom_smtp_proto::client::{
    Client, ClientAnswer, ClientOptions, ClientQuestion, RecipientResult, Transaction, TransactionResult,
};
use postroom_smtp_proto::{Answer, Options, Question, Reply, Server};
use postroom_types::{EmailAddress, ForwardPath, ReversePath};
use postroom_wire::{Action, Input, Machine};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// What one transaction brought.
struct Outcome {
    /// What the server handed on.
    received: Option<Vec<u8>>,
    result: TransactionResult,
}

/// Sends each message, cutting what goes over the wire, and the content, every `cut` octets.
struct Wire {
    client: Client,
    server: Server,
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    messages: VecDeque<(Vec<u8>, usize)>,
    chunks: VecDeque<Bytes>,
    received: Option<Vec<u8>>,
    body: Vec<u8>,
    outcomes: Vec<Outcome>,
    closed: (bool, bool),
    cut: usize,
    now: Instant,
}

impl Wire {
    fn run(messages: &[(Vec<u8>, usize)], cut: usize) -> Vec<Outcome> {
        let now = Instant::now();
        let mut wire = Self {
            client: Client::new(Arc::new(ClientOptions::default()), now),
            server: Server::new(Arc::new(Options::default()), now),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            messages: messages.iter().cloned().collect(),
            chunks: VecDeque::new(),
            received: None,
            body: Vec::new(),
            outcomes: Vec::new(),
            closed: (false, false),
            cut,
            now,
        };
        while wire.closed != (true, true) {
            wire.serve();
            wire.command();
        }
        wire.outcomes
    }

    fn serve(&mut self) {
        while let Some(action) = self.server.next_action() {
            match action {
                Action::Send(bytes) => self.to_client.extend(bytes),
                Action::Body(bytes) => self.body.extend_from_slice(&bytes),
                Action::BodyEnd => {}
                Action::Ask(question) => {
                    let answer = match &question {
                        Question::Recipient { forward_path, .. } if forward_path.to_string().starts_with("<no") => {
                            Answer::Refuse(Reply::new(550, "5.1.1", "No"))
                        }
                        Question::Message(_) => {
                            self.received = Some(std::mem::take(&mut self.body));
                            Answer::Accept
                        }
                        Question::Refused { reply, .. } => panic!("refused: {reply}"),
                        _ => Answer::Accept,
                    };
                    self.server.handle(Input::Answer(answer), self.now);
                }
                Action::Close => self.closed.0 = true,
                other => panic!("{other:?}"),
            }
        }
        let piece: Vec<u8> = self.to_server.drain(..self.cut.min(self.to_server.len())).collect();
        if !piece.is_empty() && !self.closed.0 {
            self.server.handle(Input::Bytes(&piece), self.now);
        }
    }

    fn command(&mut self) {
        while let Some(action) = self.client.next_action() {
            match action {
                Action::Send(bytes) => self.to_server.extend(bytes),
                Action::Ask(question) => {
                    let answer = self.answer(question);
                    self.client.handle(Input::Answer(answer), self.now);
                }
                Action::Close => self.closed.1 = true,
                other => panic!("{other:?}"),
            }
        }
        let piece: Vec<u8> = self.to_client.drain(..self.cut.min(self.to_client.len())).collect();
        if !piece.is_empty() && !self.closed.1 {
            self.client.handle(Input::Bytes(&piece), self.now);
        }
    }

    fn answer(&mut self, question: ClientQuestion) -> ClientAnswer {
        match question {
            ClientQuestion::Next { .. } => match self.messages.pop_front() {
                None => ClientAnswer::Quit,
                Some((content, recipients)) => {
                    self.chunks = content.chunks(self.cut).map(Bytes::copy_from_slice).collect();
                    ClientAnswer::Send(transaction(content.len(), recipients))
                }
            },
            ClientQuestion::Content { .. } => ClientAnswer::Content(self.chunks.pop_front().unwrap_or_default()),
            ClientQuestion::Result(result) => {
                self.outcomes.push(Outcome {
                    received: self.received.take(),
                    result,
                });
                ClientAnswer::Done
            }
            ClientQuestion::Failed(failure) => panic!("{failure:?}"),
        }
    }
}

/// Of the recipients, the bits say which exist; there are four.
fn transaction(size: usize, exist: usize) -> Transaction {
    let path = |bit: usize| {
        let name = if exist & (1 << bit) == 0 { "no" } else { "yes" };
        ForwardPath::Mailbox(EmailAddress::parse(&format!("{name}{bit}@example.org")).expect("an address"))
    };
    Transaction {
        reverse_path: ReversePath::Null,
        forward_paths: (0..4).map(path).collect(),
        size_octets: size as u64,
        eight_bit: true,
        smtputf8: false,
    }
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        3 => Just(String::new()),
        3 => Just(".".to_owned()),
        2 => Just("..".to_owned()),
        2 => Just(".QUIT".to_owned()),
        2 => "[ -~]{0,80}",
        1 => Just("\u{0}\u{e4}".to_owned()),
        1 => Just("x".repeat(3_000)),
    ];
    (prop::collection::vec(line, 0..12), any::<bool>()).prop_map(|(lines, ended)| {
        let text = lines.join("\r\n");
        (if ended { text + "\r\n" } else { text }).into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn content_in_is_content_out(
        messages in prop::collection::vec((content(), 0usize..16), 1..4),
        cut in prop_oneof![Just(1usize), 2usize..50, Just(1 << 20)],
    ) {
        let outcomes = Wire::run(&messages, cut);
        prop_assert_eq!(outcomes.len(), messages.len());
        for ((mut content, exist), outcome) in messages.into_iter().zip(outcomes) {
            if !content.is_empty() && !content.ends_with(b"\r\n") {
                content.extend_from_slice(b"\r\n");
            }
            let taken = (exist != 0).then_some(content);
            prop_assert_eq!(outcome.received, taken);
            for (bit, result) in outcome.result.recipients.iter().enumerate() {
                let accepted = matches!(result, RecipientResult::Accepted(_));
                prop_assert_eq!(accepted, exist & (1 << bit) != 0, "{:?}", result);
            }
        }
    }
}
