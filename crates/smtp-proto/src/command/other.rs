//! RSET, NOOP, VRFY, HELP, QUIT and what is no command.

use crate::command::Verb;
use crate::reply::Reply;
use crate::server::Server;
use crate::state::{Client, State};

impl Server {
    /// RFC 5321 §4.1.1.5: the transaction is forgotten, the greeting is not.
    pub(crate) fn on_rset(&mut self, state: State, argument: &str) -> State {
        if !argument.is_empty() {
            return self.stay(state, &Reply::NO_ARGUMENT);
        }
        self.reply(&Reply::OK);
        match state {
            State::Mail(client, _) => State::Ready(client),
            State::Rcpt(envelope) => State::Ready(Client {
                name: envelope.client,
                extended: envelope.extended,
            }),
            other => other,
        }
    }

    /// Commands that change nothing.
    pub(crate) fn on_other(&mut self, state: State, verb: Verb) -> State {
        let reply = match verb {
            Verb::Noop => Reply::OK,
            // Whom we know is not told (RFC 5321 §7.3).
            Verb::Vrfy => Reply::CANNOT_VERIFY,
            Verb::Help => Reply::HELP,
            Verb::NotImplemented => Reply::NOT_IMPLEMENTED,
            _ => Reply::UNKNOWN_COMMAND,
        };
        self.stay(state, &reply)
    }

    /// RFC 5321 §4.1.1.10.
    pub(crate) fn on_quit(&mut self, state: State, argument: &str) -> State {
        if !argument.is_empty() {
            return self.stay(state, &Reply::NO_ARGUMENT);
        }
        self.close_with(&Reply::BYE)
    }
}
