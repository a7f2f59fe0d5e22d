//! The server: which input goes where.

use crate::command::{AUTH_OCTETS, Verb, parse_command};
use crate::options::Options;
use crate::question::{Answer, Question};
use crate::reply::Reply;
use crate::state::{Access, State, Waiting};
use bytes::Bytes;
use postroom_wire::{Action, Authenticator, Input, LineBuffer, LineError, Machine, ScramOptions};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// One session.
#[derive(Debug)]
pub struct Server {
    pub(crate) options: Arc<Options>,
    pub(crate) input: LineBuffer,
    actions: VecDeque<Action<Question>>,
    state: State,
    pub(crate) tls: bool,
    pub(crate) access: Access,
    pub(crate) failed_logins: u32,
    /// To be said at the next fitting moment, and then to close.
    pub(crate) goodbye: Option<Reply>,
    pub(crate) errors: u32,
    pub(crate) idle_commands: u32,
    pub(crate) commands: u32,
    deadline: Instant,
}

impl Server {
    /// A session that brings mail in and has just been connected; its first action is the greeting.
    #[must_use]
    pub fn new(options: Arc<Options>, now: Instant) -> Self {
        Self::with_access(options, Access::Open, now)
    }

    /// A session in which mail is submitted (RFC 6409): before that the client has to log in, and before that to start
    /// TLS. Without `scram` only mechanisms that show their secret are offered.
    #[must_use]
    pub fn submission(options: Arc<Options>, scram: Option<ScramOptions>, now: Instant) -> Self {
        Self::with_access(options, Access::NeedsLogin(Authenticator::new(scram)), now)
    }

    fn with_access(options: Arc<Options>, access: Access, now: Instant) -> Self {
        let mut server = Self {
            deadline: now + options.command_timeout,
            options,
            input: LineBuffer::new(),
            actions: VecDeque::new(),
            state: State::Connected,
            tls: false,
            access,
            failed_logins: 0,
            goodbye: None,
            errors: 0,
            idle_commands: 0,
            commands: 0,
        };
        server.send(format!("220 {} ESMTP postroom\r\n", server.options.hostname));
        server
    }

    /// How many octets of input are held back: at most a command line, and what was handed in while a question was
    /// to be asked.
    #[must_use]
    pub fn buffered_octets(&self) -> usize {
        self.input.len()
    }

    /// Works through what is buffered, until it is used up or something has to happen first.
    fn run(&mut self, now: Instant) {
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Closed) {
                State::Text(envelope, text) => match self.read_text(envelope, text) {
                    state @ State::Text(..) => {
                        self.state = state;
                        return;
                    }
                    state => state,
                },
                state @ (State::Connected | State::Ready(_) | State::Auth(..) | State::Mail(..) | State::Rcpt(_)) => {
                    if let Some(goodbye) = self.goodbye.take() {
                        self.state = self.close_with(&goodbye);
                        return;
                    }
                    let limit = match state {
                        State::Auth(..) => AUTH_OCTETS,
                        _ => self.options.command_octets,
                    };
                    let Some(line) = self.input.next_line(limit) else {
                        self.state = state;
                        return;
                    };
                    self.deadline = now + self.options.command_timeout;
                    let state = match state {
                        State::Auth(client, login) => self.on_auth_line(client, login, line),
                        state => self.line(state, line),
                    };
                    self.limit_patience(state)
                }
                state @ (State::StartingTls | State::Closed) => {
                    self.input.clear();
                    self.state = state;
                    return;
                }
                state @ State::Waiting(_) => {
                    self.state = state;
                    return;
                }
            };
        }
    }

    fn line(&mut self, state: State, line: Result<Bytes, LineError>) -> State {
        let line = match &line {
            Ok(line) if line.contains(&0) => return self.stay(state, &Reply::NUL_IN_COMMAND),
            Ok(line) => line,
            Err(LineError::TooLong) => return self.stay(state, &Reply::LINE_TOO_LONG),
            Err(LineError::BareLineFeed | LineError::BareCarriageReturn) => {
                return self.stay(state, &Reply::BARE_NEWLINE_IN_COMMAND);
            }
        };
        match std::str::from_utf8(line) {
            Ok(text) => self.command(state, text),
            Err(_) => self.stay(state, &Reply::UNKNOWN_COMMAND),
        }
    }

    /// The command table.
    fn command(&mut self, state: State, line: &str) -> State {
        let (verb, argument) = parse_command(line);
        self.commands += 1;
        if !matches!(verb, Verb::Mail | Verb::Rcpt | Verb::Data) {
            self.idle_commands += 1;
        }
        match verb {
            Verb::Ehlo => self.on_hello(state, argument, true),
            Verb::Helo => self.on_hello(state, argument, false),
            Verb::StartTls => self.on_starttls(state, argument),
            Verb::Auth => self.on_auth(state, argument),
            Verb::Mail => self.on_mail(state, argument),
            Verb::Rcpt => self.on_rcpt(state, argument),
            Verb::Data => self.on_data(state, argument),
            Verb::Rset => self.on_rset(state, argument),
            Verb::Quit => self.on_quit(state, argument),
            Verb::Http => self.close_with(&Reply::NOT_HTTP),
            Verb::Noop | Verb::Vrfy | Verb::Help | Verb::NotImplemented | Verb::Unknown => self.on_other(state, verb),
        }
    }

    /// Ends a session that only makes errors, or only noise.
    fn limit_patience(&mut self, state: State) -> State {
        match state {
            State::Closed | State::Waiting(_) => state,
            _ if self.failed_logins >= self.options.login_attempts => self.close_with(&Reply::TOO_MANY_LOGINS),
            _ if self.errors >= self.options.errors => self.close_with(&Reply::TOO_MANY_ERRORS),
            _ if self.idle_commands >= self.options.idle_commands || self.commands >= self.options.commands => {
                self.close_with(&Reply::NO_PROGRESS)
            }
            _ => state,
        }
    }

    fn answered(&mut self, answer: Answer, now: Instant) {
        let State::Waiting(waiting) = std::mem::replace(&mut self.state, State::Closed) else {
            return;
        };
        self.deadline = now + self.options.command_timeout;
        let told = matches!(waiting, Waiting::Refused(..));
        let close = !told && matches!(&answer, Answer::Refuse(reply) if reply.code == 421);
        let state = match waiting {
            Waiting::Auth(client, login) => self.auth_answered(client, login, answer),
            Waiting::Mail(client, mail) => self.mail_answered(client, mail, answer),
            Waiting::FirstRecipient(client, mail, path) => self.first_recipient_answered(client, mail, path, answer),
            Waiting::Recipient(envelope, path) => self.recipient_answered(envelope, path, answer),
            Waiting::Data(envelope) => self.data_answered(envelope, answer, now),
            Waiting::Message(client) => self.message_answered(client, answer),
            Waiting::Refused(client, reply) => self.stay(State::Ready(client), &reply),
        };
        self.state = match close {
            true => self.close(),
            false => self.limit_patience(state),
        };
    }

    /// Says what was answered; `true` if it was yes.
    pub(crate) fn verdict(&mut self, answer: Answer, usual: Reply) -> bool {
        match answer {
            Answer::Accept => self.reply(&usual),
            Answer::AcceptWith(reply) => self.reply(&reply),
            Answer::Refuse(reply) => {
                self.reply(&reply);
                return false;
            }
            // This answers another question.
            Answer::Authenticated { .. } => {
                self.reply(&Reply::WRONG_ANSWER);
                return false;
            }
        }
        true
    }

    /// Says the reply, and the state stays.
    pub(crate) fn stay(&mut self, state: State, reply: &Reply) -> State {
        self.reply(reply);
        state
    }

    pub(crate) fn close_with(&mut self, reply: &Reply) -> State {
        self.reply(reply);
        self.close()
    }

    fn close(&mut self) -> State {
        self.input.clear();
        self.act(Action::Close);
        State::Closed
    }

    pub(crate) fn reply(&mut self, reply: &Reply) {
        if reply.code >= 500 {
            self.errors += 1;
        }
        self.send(reply.to_line());
    }

    pub(crate) fn send(&mut self, text: String) {
        self.act(Action::Send(Bytes::from(text)));
    }

    pub(crate) fn ask(&mut self, question: Question) {
        self.act(Action::Ask(question));
    }

    pub(crate) fn act(&mut self, action: Action<Question>) {
        self.actions.push_back(action);
    }
}

impl Machine for Server {
    type Question = Question;
    type Answer = Answer;
    /// The session has to end, and what is said last. A message on its way is not waited for.
    type News = Reply;

    fn handle(&mut self, input: Input<'_, Answer, Reply>, now: Instant) {
        match input {
            Input::Bytes(bytes) => {
                self.input.push(bytes);
                if let State::Text(_, text) = &self.state {
                    self.deadline = text.end_by.min(now + self.options.data_timeout);
                }
            }
            Input::Answer(answer) => self.answered(answer, now),
            Input::News(goodbye) => match self.state {
                State::Text(..) => self.state = self.close_with(&goodbye),
                _ => self.goodbye = Some(goodbye),
            },
            Input::TlsUp(binding) => {
                self.tls = true;
                if let Access::NeedsLogin(authenticator) = &mut self.access {
                    authenticator.tls_up(binding);
                }
                self.deadline = now + self.options.command_timeout;
                if matches!(self.state, State::StartingTls) {
                    self.state = State::Connected;
                }
            }
            Input::Tick if now < self.deadline => {}
            Input::Tick => match &self.state {
                State::Closed | State::Waiting(_) => {}
                State::Text(_, text) if now >= text.end_by => self.state = self.close_with(&Reply::MESSAGE_TOO_SLOW),
                _ => self.state = self.close_with(&Reply::IDLE),
            },
            Input::Eof => match &self.state {
                State::Closed => {}
                _ => self.state = self.close(),
            },
            Input::Shutdown => self.goodbye = Some(Reply::SHUTTING_DOWN),
        }
        self.run(now);
    }

    fn next_action(&mut self) -> Option<Action<Question>> {
        self.actions.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Waiting(_) | State::Closed => None,
            _ => Some(self.deadline),
        }
    }
}
