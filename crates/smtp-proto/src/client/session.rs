//! What is said outside transactions: greeting, EHLO, STARTTLS, RSET, QUIT.

use crate::client::extensions::Extensions;
use crate::client::machine::Client;
use crate::client::reply::Reply;
use crate::client::result::{Failure, Phase};
use crate::client::state::{After, Awaited, State};
use postroom_wire::Action;
use std::time::Instant;

impl Client {
    pub(crate) fn session_replied(&mut self, awaited: Awaited, reply: &Reply, now: Instant) -> State {
        match awaited {
            Awaited::Quit => self.close(),
            Awaited::Reset if reply.is_success() => self.ask_next(),
            // What the server still holds of the last transaction could mix with the next one.
            Awaited::Reset => self.close(),
            Awaited::Auth(step) => self.auth_replied(step, reply, now),
            // RFC 5321 §3.2: servers of old know only HELO.
            Awaited::Ehlo if reply.code >= 500 => self.say_helo(now),
            Awaited::Greeting if reply.is_success() => self.say_ehlo(now),
            Awaited::Ehlo if reply.is_success() => {
                self.extensions = Extensions::parse(reply.lines.iter().map(String::as_str));
                self.ask_next()
            }
            Awaited::Helo if reply.is_success() => self.ask_next(),
            Awaited::StartTls if reply.is_success() => self.begin_tls(now),
            Awaited::Greeting => self.not_accepted(Phase::Greeting, reply),
            Awaited::Ehlo | Awaited::Helo => self.not_accepted(Phase::Hello, reply),
            Awaited::StartTls => self.not_accepted(Phase::StartTls, reply),
        }
    }

    /// The server said no, or something that makes no sense here.
    pub(crate) fn not_accepted(&mut self, phase: Phase, reply: &Reply) -> State {
        if !reply.is_refusal() {
            return self.failed(phase, None, Some(Failure::Protocol("reply out of place")), After::Close);
        }
        // With 421 the server closes (RFC 5321 §3.8).
        let after = if reply.code == 421 { After::Close } else { After::Quit };
        self.failed(phase, Some(reply.remote()), None, after)
    }

    pub(crate) fn say_ehlo(&mut self, now: Instant) -> State {
        self.command(format!("EHLO {}\r\n", self.options.hostname), Awaited::Ehlo, now)
    }

    fn say_helo(&mut self, now: Instant) -> State {
        self.extensions = Extensions::default();
        self.command(format!("HELO {}\r\n", self.options.hostname), Awaited::Helo, now)
    }

    pub(crate) fn say_starttls(&mut self, now: Instant) -> State {
        if self.tls || !self.extensions.starttls {
            let failure = Failure::Protocol("STARTTLS is not offered");
            return self.failed(Phase::StartTls, None, Some(failure), After::Quit);
        }
        self.command("STARTTLS\r\n".to_owned(), Awaited::StartTls, now)
    }

    /// What stands behind the reply came in clear and would be taken for the server's word under TLS, were it kept
    /// (RFC 3207 §4.2; the client's side of CVE-2011-0411). An honest server says nothing there.
    fn begin_tls(&mut self, now: Instant) -> State {
        if !self.input.is_empty() {
            let failure = Failure::Protocol("octets in clear behind the reply to STARTTLS");
            return self.failed(Phase::StartTls, None, Some(failure), After::Close);
        }
        self.act(Action::StartTls);
        self.wait(self.options.handshake_timeout, now);
        State::StartingTls
    }

    pub(crate) fn say_reset(&mut self, now: Instant) -> State {
        self.command("RSET\r\n".to_owned(), Awaited::Reset, now)
    }

    pub(crate) fn say_quit(&mut self, now: Instant) -> State {
        self.send("QUIT\r\n");
        self.wait(self.options.quit_timeout, now);
        State::Waiting(Awaited::Quit)
    }

    pub(crate) fn command(&mut self, line: String, awaited: Awaited, now: Instant) -> State {
        self.send(line);
        self.wait(self.options.command_timeout, now);
        State::Waiting(awaited)
    }
}
