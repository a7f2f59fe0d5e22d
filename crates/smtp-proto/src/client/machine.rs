//! The client: which input goes where.

use crate::client::content::Stuffer;
use crate::client::extensions::Extensions;
use crate::client::options::ClientOptions;
use crate::client::question::{ClientAnswer, ClientQuestion};
use crate::client::reply::{RemoteReply, Reply, ReplyReader};
use crate::client::result::{Failure, Phase, SessionFailure};
use crate::client::state::{After, Awaited, State};
use crate::client::transfer::Transfer;
use bytes::Bytes;
use postroom_wire::{Action, Input, LineBuffer, Machine, Unsent};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One connection to another server.
#[derive(Debug)]
pub struct Client {
    pub(crate) options: Arc<ClientOptions>,
    pub(crate) input: LineBuffer,
    reader: ReplyReader,
    actions: VecDeque<Action<ClientQuestion>>,
    state: State,
    pub(crate) extensions: Extensions,
    pub(crate) tls: bool,
    pub(crate) authenticated: bool,
    /// No wait is longer than [`ClientOptions::drain_timeout`].
    draining: bool,
    deadline: Instant,
}

impl Client {
    /// A connection that has just been made; the server speaks first.
    #[must_use]
    pub fn new(options: Arc<ClientOptions>, now: Instant) -> Self {
        Self {
            deadline: now + options.greeting_timeout,
            options,
            input: LineBuffer::new(),
            reader: ReplyReader::default(),
            actions: VecDeque::new(),
            state: State::Waiting(Awaited::Greeting),
            extensions: Extensions::default(),
            tls: false,
            authenticated: false,
            draining: false,
        }
    }

    /// The same over a stream that has TLS already (RFC 8314 §3.3).
    #[must_use]
    pub fn over_tls(options: Arc<ClientOptions>, now: Instant) -> Self {
        Self {
            tls: true,
            ..Self::new(options, now)
        }
    }

    /// How many octets of input are held back: at most a reply line, and what was handed in while something else had
    /// to happen first.
    #[must_use]
    pub fn buffered_octets(&self) -> usize {
        self.input.len()
    }

    /// Works through the replies that are awaited and there.
    fn run(&mut self, now: Instant) {
        while matches!(self.state, State::Waiting(_) | State::Transfer(_)) {
            match self.next_reply() {
                None => return,
                Some(Ok(reply)) => self.replied(&reply, now),
                Some(Err(what)) => self.fail(Failure::Protocol(what)),
            }
        }
        if matches!(self.state, State::Closed) {
            self.input.clear();
        }
    }

    fn next_reply(&mut self) -> Option<Result<Reply, &'static str>> {
        let (octets, lines) = (self.options.reply_line_octets, self.options.reply_lines);
        self.reader.next(&mut self.input, octets, lines)
    }

    fn replied(&mut self, reply: &Reply, now: Instant) {
        self.state = match self.take_state() {
            State::Waiting(awaited) => self.session_replied(awaited, reply, now),
            State::Transfer(transfer) => self.transfer_replied(transfer, reply, now),
            state => state,
        };
    }

    fn answered(&mut self, answer: ClientAnswer, now: Instant) {
        self.state = match (self.take_state(), answer) {
            (State::Ready, ClientAnswer::StartTls) => self.say_starttls(now),
            (State::Ready, ClientAnswer::Authenticate { user, password }) => self.say_auth(user, password, now),
            (State::Ready, ClientAnswer::Send(transaction)) => {
                let end_by = now + self.options.transaction_timeout;
                let transfer = Transfer::new(transaction, &self.extensions, end_by);
                self.go_on(transfer, now)
            }
            (State::Ready, ClientAnswer::Quit) => self.say_quit(now),
            (State::Content(transfer, stuffer), ClientAnswer::Content(chunk)) => {
                self.send_content(transfer, stuffer, chunk, now)
            }
            (State::Content(transfer, _), ClientAnswer::ContentUnreadable) => {
                self.lose(transfer, Phase::Content, Failure::Unreadable)
            }
            (State::Told(After::Next), ClientAnswer::Done) => self.ask_next(),
            (State::Told(After::Reset), ClientAnswer::Done) => self.say_reset(now),
            (State::Told(After::Quit), ClientAnswer::Done) => self.say_quit(now),
            _ => self.close(),
        };
    }

    /// The dialogue broke off while something was awaited.
    fn fail(&mut self, failure: Failure) {
        self.state = match self.take_state() {
            State::Waiting(awaited) => match awaited.phase() {
                Some(phase) => self.failed(phase, None, Some(failure), After::Close),
                None => self.close(),
            },
            State::StartingTls => self.failed(Phase::StartTls, None, Some(failure), After::Close),
            State::Transfer(transfer) => {
                let phase = transfer.phase();
                self.lose(transfer, phase, failure)
            }
            state => state,
        };
    }

    /// What was to be sent did not leave whole. A server that stops reading may have said why.
    fn unsent(&mut self, unsent: &Unsent) {
        if !matches!(self.state, State::Waiting(_) | State::Transfer(_) | State::Content(..)) {
            return;
        }
        self.actions.clear();
        self.input.push(&unsent.unread);
        let refusal = match self.next_reply() {
            Some(Ok(reply)) if reply.is_refusal() => Some(reply.remote()),
            _ => None,
        };
        let failure = match unsent.timed_out {
            true => Failure::Timeout,
            false => Failure::Closed,
        };
        self.state = match (self.take_state(), refusal) {
            (State::Waiting(awaited), refusal) => match (awaited.phase(), refusal) {
                (None, _) => self.close(),
                (Some(phase), None) => self.failed(phase, None, Some(failure), After::Close),
                (Some(phase), reply) => self.failed(phase, reply, None, After::Close),
            },
            (State::Transfer(transfer) | State::Content(transfer, _), refusal) => {
                // The final dot is the last that is sent, so it did not leave either.
                let phase = transfer.phase().min(Phase::Content);
                match refusal {
                    Some(reply) => self.refuse(transfer, phase, &reply),
                    None => self.lose(transfer, phase, failure),
                }
            }
            (state, _) => state,
        };
    }

    pub(crate) fn failed(
        &mut self,
        phase: Phase,
        reply: Option<RemoteReply>,
        failure: Option<Failure>,
        after: After,
    ) -> State {
        self.ask(ClientQuestion::Failed(SessionFailure { phase, reply, failure }));
        State::Told(after)
    }

    pub(crate) fn ask_next(&mut self) -> State {
        self.ask(ClientQuestion::Next {
            extensions: self.extensions.clone(),
            tls: self.tls,
            authenticated: self.authenticated,
        });
        State::Ready
    }

    pub(crate) fn ask_content(&mut self, transfer: Transfer, stuffer: Stuffer) -> State {
        self.ask(ClientQuestion::Content { octets: CONTENT_OCTETS });
        State::Content(transfer, stuffer)
    }

    pub(crate) fn close(&mut self) -> State {
        self.input.clear();
        self.act(Action::Close);
        State::Closed
    }

    /// From now the server has so long.
    pub(crate) fn wait(&mut self, limit: Duration, now: Instant) {
        let limit = match self.draining {
            true => limit.min(self.options.drain_timeout),
            false => limit,
        };
        self.deadline = now + limit;
    }

    /// Forgets what was heard before TLS (RFC 3207 §4.2).
    fn tls_up(&mut self, now: Instant) {
        if matches!(self.state, State::StartingTls) {
            self.tls = true;
            self.extensions = Extensions::default();
            self.input.clear();
            self.reader.clear();
            self.state = self.say_ehlo(now);
        }
    }

    pub(crate) fn send(&mut self, bytes: impl Into<Bytes>) {
        self.act(Action::Send(bytes.into()));
    }

    pub(crate) fn ask(&mut self, question: ClientQuestion) {
        self.act(Action::Ask(question));
    }

    pub(crate) fn act(&mut self, action: Action<ClientQuestion>) {
        self.actions.push_back(action);
    }

    fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Closed)
    }
}

/// How much content is asked for at once.
const CONTENT_OCTETS: usize = 64 * 1024;

impl Machine for Client {
    type Question = ClientQuestion;
    type Answer = ClientAnswer;
    type News = Unsent;

    fn handle(&mut self, input: Input<'_, ClientAnswer, Unsent>, now: Instant) {
        match input {
            Input::Bytes(bytes) => self.input.push(bytes),
            Input::Answer(answer) => self.answered(answer, now),
            Input::News(unsent) => self.unsent(&unsent),
            Input::TlsUp(_) => self.tls_up(now),
            Input::Tick if now < self.deadline => {}
            Input::Tick if self.draining => self.fail(Failure::Shutdown),
            Input::Tick => self.fail(Failure::Timeout),
            Input::Eof => self.fail(Failure::Closed),
            Input::Shutdown => {
                self.draining = true;
                self.deadline = self.deadline.min(now + self.options.drain_timeout);
            }
        }
        self.run(now);
    }

    fn next_action(&mut self) -> Option<Action<ClientQuestion>> {
        self.actions.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Waiting(_) | State::Transfer(_) | State::StartingTls => Some(self.deadline),
            State::Ready | State::Content(..) | State::Told(_) | State::Closed => None,
        }
    }
}
