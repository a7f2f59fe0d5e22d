//! EHLO, HELO and STARTTLS.

use crate::grammar::parse_client;
use crate::reply::Reply;
use crate::server::Server;
use crate::state::{Access, Client, State};
use postroom_wire::{Action, Mechanism};

impl Server {
    /// RFC 5321 §4.1.1.1. A second greeting also ends an open transaction (§4.1.4).
    pub(crate) fn on_hello(&mut self, state: State, argument: &str, extended: bool) -> State {
        let Some(name) = parse_client(argument.trim_start_matches(' ')) else {
            self.reply(&Reply::BAD_CLIENT_NAME);
            return state;
        };
        let text = match extended {
            true => self.capabilities(),
            false => format!("250 {}\r\n", self.options.hostname),
        };
        self.send(text);
        State::Ready(Client {
            name: name.to_owned(),
            extended,
        })
    }

    fn capabilities(&self) -> String {
        let starttls = if self.offers_tls() { "250-STARTTLS\r\n" } else { "" };
        let auth = match &self.access {
            Access::NeedsLogin(authenticator) if self.tls => {
                let names: Vec<_> = authenticator.mechanisms().map(Mechanism::name).collect();
                format!("250-AUTH {}\r\n", names.join(" "))
            }
            Access::Open | Access::NeedsLogin(_) | Access::LoggedIn => String::new(),
        };
        format!(
            "250-{}\r\n250-PIPELINING\r\n250-SIZE {}\r\n{starttls}{auth}250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            self.options.hostname, self.options.size_octets,
        )
    }

    fn offers_tls(&self) -> bool {
        self.options.starttls && !self.tls
    }

    /// RFC 3207 §4.
    pub(crate) fn on_starttls(&mut self, state: State, argument: &str) -> State {
        let refusal = match state {
            _ if self.tls => Reply::TLS_ALREADY,
            _ if !self.offers_tls() => Reply::NOT_IMPLEMENTED,
            State::Connected => Reply::NEED_EHLO,
            _ if !argument.is_empty() => Reply::NO_ARGUMENT,
            _ => {
                self.reply(&Reply::READY_FOR_TLS);
                // Drop what arrived together with STARTTLS: it came in clear and must not run as if it came over TLS
                // (RFC 3207 §4.2 discards what was learnt before; the pipelined attack is CVE-2011-0411).
                self.input.clear();
                self.act(Action::StartTls);
                return State::StartingTls;
            }
        };
        self.reply(&refusal);
        state
    }
}
