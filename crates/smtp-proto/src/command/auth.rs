//! AUTH (RFC 4954), which only a submission server has.

use crate::question::{Answer, Question};
use crate::reply::Reply;
use crate::server::Server;
use crate::state::{Access, Client, State, Waiting};
use bytes::Bytes;
use postroom_wire::{Exchange, LineError, Progress, SaslError};

/// Longest line of an exchange, octets, with CRLF (RFC 4954 §4).
pub(crate) const AUTH_OCTETS: usize = 12_288;

/// An exchange under way.
#[derive(Debug)]
pub(crate) struct Login {
    exchange: Exchange,
    /// What is said when it fails: the outside's own words, once it was asked.
    refusal: Reply,
}

impl Server {
    /// RFC 4954 §4.
    pub(crate) fn on_auth(&mut self, state: State, argument: &str) -> State {
        let refusal = match (&state, &mut self.access) {
            (_, Access::Open) => Reply::NOT_IMPLEMENTED,
            (_, Access::LoggedIn) => Reply::AUTH_ALREADY,
            _ if !self.tls => Reply::AUTH_NEEDS_TLS,
            // Without EHLO no extension was offered.
            (State::Ready(client), _) if !client.extended => Reply::NEED_EHLO,
            (State::Connected, _) => Reply::NEED_EHLO,
            (State::Ready(_), Access::NeedsLogin(authenticator)) => {
                let mut words = argument.split(' ').filter(|word| !word.is_empty());
                match (words.next(), words.next(), words.next()) {
                    (Some(name), initial, None) => match authenticator.find(name.as_bytes()) {
                        Some(mechanism) => {
                            let started = authenticator.start(mechanism, initial.map(str::as_bytes));
                            return self.auth_started(state, started);
                        }
                        None => Reply::NO_SUCH_MECHANISM,
                    },
                    _ => Reply::AUTH_SYNTAX,
                }
            }
            _ => Reply::NESTED_MAIL,
        };
        self.stay(state, &refusal)
    }

    fn auth_started(&mut self, state: State, started: Result<(Exchange, Progress), SaslError>) -> State {
        match (state, started) {
            (State::Ready(client), Ok((exchange, progress))) => {
                let refusal = Reply::AUTH_FAILED;
                self.auth_goes_on(client, Login { exchange, refusal }, Ok(progress))
            }
            (state, Err(error)) => self.auth_broken(state, error),
            (state, Ok(_)) => state,
        }
    }

    /// A line of the exchange.
    pub(crate) fn on_auth_line(&mut self, client: Client, mut login: Login, line: Result<Bytes, LineError>) -> State {
        let progress = match line {
            Ok(line) => login.exchange.respond(&line),
            Err(LineError::TooLong) => return self.stay(State::Ready(client), &Reply::AUTH_LINE_TOO_LONG),
            Err(LineError::BareLineFeed | LineError::BareCarriageReturn) => {
                return self.stay(State::Ready(client), &Reply::BARE_NEWLINE_IN_COMMAND);
            }
        };
        self.auth_goes_on(client, login, progress)
    }

    fn auth_goes_on(&mut self, client: Client, login: Login, progress: Result<Progress, SaslError>) -> State {
        match progress {
            Ok(Progress::Challenge(text)) => {
                self.send(format!("334 {text}\r\n"));
                State::Auth(client, login)
            }
            // Nobody may act as somebody else.
            Ok(Progress::Verify(credentials)) if credentials.wants_another() => {
                self.auth_failed(client, &Reply::AUTH_AS_ANOTHER)
            }
            Ok(Progress::Verify(credentials)) => {
                self.ask(Question::Authenticate(credentials));
                State::Waiting(Waiting::Auth(client, login))
            }
            Ok(Progress::Success) => {
                self.access = Access::LoggedIn;
                self.stay(State::Ready(client), &Reply::AUTH_OK)
            }
            Ok(Progress::Failure) => self.auth_failed(client, &login.refusal),
            Err(error) => self.auth_broken(State::Ready(client), error),
        }
    }

    pub(crate) fn auth_answered(&mut self, client: Client, mut login: Login, answer: Answer) -> State {
        let progress = match answer {
            Answer::Authenticated { server_signature } => login.exchange.accepted(server_signature.as_ref()),
            Answer::Refuse(reply) => {
                let wrong = reply.code >= 500;
                login.refusal = reply;
                // What may go better later is said at once: a client would take the mechanism's own words for "wrong".
                if wrong {
                    login.exchange.refused()
                } else {
                    Progress::Failure
                }
            }
            // These answer other questions.
            Answer::Accept | Answer::AcceptWith(_) => {
                login.refusal = Reply::AUTH_UNKNOWN;
                Progress::Failure
            }
        };
        self.auth_goes_on(client, login, Ok(progress))
    }

    /// Cancelled, or not what the mechanism asks for.
    fn auth_broken(&mut self, state: State, error: SaslError) -> State {
        let reply = match error {
            SaslError::Cancelled => Reply::AUTH_CANCELLED,
            SaslError::Base64 => Reply::AUTH_BASE64,
            SaslError::Malformed => Reply::AUTH_MALFORMED,
            SaslError::ChannelBinding => {
                self.failed_logins += 1;
                Reply::AUTH_BINDING
            }
        };
        self.stay(state, &reply)
    }

    fn auth_failed(&mut self, client: Client, reply: &Reply) -> State {
        self.failed_logins += 1;
        self.stay(State::Ready(client), reply)
    }
}
