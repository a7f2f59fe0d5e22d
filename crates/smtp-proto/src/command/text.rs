//! DATA and the message text.

use crate::data::{Front, Scanner};
use crate::options::BareNewline;
use crate::question::{Answer, Envelope, Question};
use crate::reply::Reply;
use crate::server::Server;
use crate::state::{Client, State, Waiting};
use bytes::Bytes;
use postroom_wire::Action;
use std::time::Instant;

/// A message that is coming in.
#[derive(Debug)]
pub(crate) struct Text {
    scanner: Scanner,
    /// Octets handed on.
    octets: u64,
    /// Why nothing is handed on any more; said when the message has ended.
    fault: Option<Reply>,
    /// When the whole message has to be here.
    pub(crate) end_by: Instant,
}

impl Server {
    /// RFC 5321 §4.1.1.4.
    pub(crate) fn on_data(&mut self, state: State, argument: &str) -> State {
        let envelope = match state {
            State::Rcpt(envelope) if argument.is_empty() => envelope,
            State::Rcpt(_) => return self.stay(state, &Reply::NO_ARGUMENT),
            State::Connected => return self.stay(state, &Reply::NEED_EHLO),
            State::Mail(..) => return self.stay(state, &Reply::NEED_RECIPIENT),
            _ => return self.stay(state, &Reply::NEED_MAIL),
        };
        self.ask(Question::Data(envelope.clone()));
        State::Waiting(Waiting::Data(envelope))
    }

    pub(crate) fn data_answered(&mut self, envelope: Envelope, answer: Answer, now: Instant) -> State {
        // Rather now than after the message was sent for nothing.
        if !matches!(answer, Answer::Refuse(_))
            && let Some(goodbye) = self.goodbye.take()
        {
            return self.close_with(&goodbye);
        }
        // 354 and nothing else tells a client to go on (RFC 5321 §4.3.2), so a yes has no words of its own here.
        let answer = match answer {
            Answer::AcceptWith(_) => Answer::Accept,
            answer => answer,
        };
        if !self.verdict(answer, Reply::SEND_MESSAGE) {
            return State::Rcpt(envelope);
        }
        let text = Text {
            scanner: Scanner::new(),
            octets: 0,
            fault: None,
            end_by: now + self.options.message_timeout,
        };
        State::Text(envelope, text)
    }

    /// Takes what is buffered of the message.
    pub(crate) fn read_text(&mut self, envelope: Envelope, mut text: Text) -> State {
        loop {
            match text.scanner.next(self.input.bytes()) {
                Front::NeedMore => {
                    self.input.compact();
                    return State::Text(envelope, text);
                }
                Front::Text(octets) => {
                    let bytes = self.input.take(octets);
                    self.hand_on(&mut text, bytes);
                }
                Front::StuffedDot => self.input.skip(1),
                Front::BareNewline => {
                    self.input.skip(1);
                    match self.options.bare_newline {
                        BareNewline::Reject => text.fault = text.fault.or(Some(Reply::BARE_NEWLINE)),
                        BareNewline::Normalize => self.hand_on(&mut text, Bytes::from_static(b"\r\n")),
                    }
                }
                Front::End => {
                    self.input.skip(3);
                    return self.text_ended(envelope, text.fault);
                }
            }
        }
    }

    fn hand_on(&mut self, text: &mut Text, mut bytes: Bytes) {
        if text.fault.is_some() {
            return;
        }
        let room = self.options.size_octets - text.octets;
        if bytes.len() as u64 > room {
            // Up to the last octet that fits, so that how the bytes were cut makes no difference.
            bytes.truncate(usize::try_from(room).expect("less than a length"));
            text.fault = Some(Reply::TOO_BIG);
        }
        text.octets += bytes.len() as u64;
        if !bytes.is_empty() {
            self.act(Action::Body(bytes));
        }
    }

    fn text_ended(&mut self, envelope: Envelope, fault: Option<Reply>) -> State {
        let client = Client {
            name: envelope.client.clone(),
            extended: envelope.extended,
        };
        if let Some(reply) = fault {
            let told = reply.clone();
            self.ask(Question::Refused { envelope, reply: told });
            return State::Waiting(Waiting::Refused(client, reply));
        }
        self.act(Action::BodyEnd);
        self.ask(Question::Message(envelope));
        State::Waiting(Waiting::Message(client))
    }

    pub(crate) fn message_answered(&mut self, client: Client, answer: Answer) -> State {
        if self.verdict(answer, Reply::ACCEPTED) {
            self.errors = 0;
            self.idle_commands = 0;
            self.commands = 0;
        }
        State::Ready(client)
    }
}
