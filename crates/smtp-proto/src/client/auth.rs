//! AUTH PLAIN and LOGIN (RFC 4954, RFC 4616), for routes through a server that knows us. Under TLS only.

use crate::client::machine::Client;
use crate::client::reply::Reply;
use crate::client::result::{Failure, Phase};
use crate::client::state::{After, Awaited, State};
use postroom_types::Secret;
use postroom_wire::base64_encode;
use std::time::Instant;

/// A command line may be so long (RFC 5321 §4.5.3.1.4). A longer initial response waits to be asked for
/// (RFC 4954 §4).
const COMMAND_OCTETS: usize = 512;

/// What is said when the server asks with 334.
#[derive(Debug)]
pub(crate) enum AuthStep {
    /// All is said.
    Complete,
    /// The only response of PLAIN.
    Plain(Secret<String>),
    /// LOGIN asks for the user first.
    LoginUser(String, Secret<String>),
    /// Then for the password.
    LoginPassword(Secret<String>),
}

impl Client {
    pub(crate) fn say_auth(&mut self, user: String, password: Secret<String>, now: Instant) -> State {
        let problem = if !self.tls {
            Some("AUTH without TLS")
        } else if self.authenticated {
            Some("AUTH twice")
        } else if user.contains('\0') || password.expose().contains('\0') {
            Some("NUL in a user name or password")
        } else {
            None
        };
        if let Some(problem) = problem {
            return self.failed(Phase::Auth, None, Some(Failure::Protocol(problem)), After::Quit);
        }
        if self.extensions.offers_mechanism("PLAIN") {
            let message = Secret::new(format!("\0{user}\0{}", password.expose()));
            return self.say_plain(Secret::new(base64_encode(message.expose().as_bytes())), now);
        }
        if self.extensions.offers_mechanism("LOGIN") {
            return self.auth_command("AUTH LOGIN\r\n".to_owned(), AuthStep::LoginUser(user, password), now);
        }
        let failure = Failure::Protocol("neither AUTH PLAIN nor AUTH LOGIN is offered");
        self.failed(Phase::Auth, None, Some(failure), After::Quit)
    }

    fn say_plain(&mut self, response: Secret<String>, now: Instant) -> State {
        let line = format!("AUTH PLAIN {}\r\n", response.expose());
        match line.len() <= COMMAND_OCTETS {
            true => self.auth_command(line, AuthStep::Complete, now),
            false => self.auth_command("AUTH PLAIN\r\n".to_owned(), AuthStep::Plain(response), now),
        }
    }

    fn auth_command(&mut self, line: String, step: AuthStep, now: Instant) -> State {
        self.command(line, Awaited::Auth(step), now)
    }

    pub(crate) fn auth_replied(&mut self, step: AuthStep, reply: &Reply, now: Instant) -> State {
        match (reply.code, step) {
            (200..=299, AuthStep::Complete) => {
                self.authenticated = true;
                self.ask_next()
            }
            (334, AuthStep::Plain(response)) => {
                self.auth_command(format!("{}\r\n", response.expose()), AuthStep::Complete, now)
            }
            (334, AuthStep::LoginUser(user, password)) => {
                let line = format!("{}\r\n", base64_encode(user.as_bytes()));
                self.auth_command(line, AuthStep::LoginPassword(password), now)
            }
            (334, AuthStep::LoginPassword(password)) => {
                let line = format!("{}\r\n", base64_encode(password.expose().as_bytes()));
                self.auth_command(line, AuthStep::Complete, now)
            }
            _ => self.not_accepted(Phase::Auth, reply),
        }
    }
}
