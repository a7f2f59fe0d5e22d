//! How mail goes out.

use postroom_types::{Domain, ReversePath, Secret};
use std::net::IpAddr;
use std::time::Duration;

/// How mail goes out.
#[derive(Clone, Debug)]
pub struct Options {
    /// Our name in EHLO; an MX of this name is ourselves.
    pub hostname: String,
    /// Connections to other servers at one time, in all. Default 100. The waits are those of RFC 5321 §4.5.3.2. While no
    /// more than a quarter is free, a new connection waits less: 10 s to be made, 30 s for TLS, the greeting and each
    /// reply, 60 s for each block of content; the final reply has its full time. So servers that accept and stay silent hold most
    /// of them for a while, but never keep all other mail from going out.
    pub connections: usize,
    /// How long a connection waits for more mail to the same server. Default 5 s.
    pub idle_connection: Duration,
    /// Messages sent over one connection. Default 100, as many as common servers let pass.
    pub messages_per_connection: usize,
    /// Where other servers listen. Default 25.
    pub port: u16,
    /// Smarthosts; the first that matches is used, else the MX records are.
    pub routes: Vec<Route>,
    /// Whether to keep mail to other servers for reading instead of sending it.
    pub capture: bool,
    /// Addresses under which the world reaches this server; an MX that has one is ourselves.
    pub own_addresses: Vec<IpAddr>,
    /// Whether to talk to loopback, private and other addresses outside the public network that DNS or an address literal
    /// names. Default no: else anybody could make the server talk to itself and to its neighbours. Routes may name any
    /// address.
    pub allow_private: bool,
    /// Longest lookup of the MX records, or of the addresses of all hosts of one preference. Default 30 s.
    pub lookup_timeout: Duration,
    /// Longest wait for a connection. Default 30 s.
    pub connect_timeout: Duration,
    /// Longest TLS handshake. Default 60 s.
    pub handshake_timeout: Duration,
    /// After this time no further host or address is tried in the same attempt. Default 10 min.
    pub walk_timeout: Duration,
    /// How long after a shutdown began transactions may go on. Default 10 s.
    pub drain_timeout: Duration,
    /// Certificates (PEM) of authorities to trust beside those of the web.
    pub extra_roots: Vec<u8>,
}

impl Options {
    /// The defaults, for this host name.
    #[must_use]
    pub fn new(hostname: impl Into<String>) -> Self {
        Self {
            hostname: hostname.into(),
            connections: 100,
            idle_connection: Duration::from_secs(5),
            messages_per_connection: 100,
            port: 25,
            routes: Vec::new(),
            capture: false,
            own_addresses: Vec::new(),
            allow_private: false,
            lookup_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(60),
            walk_timeout: Duration::from_secs(600),
            drain_timeout: Duration::from_secs(10),
            extra_roots: Vec::new(),
        }
    }
}

/// A server that takes mail for others. Always over TLS with a certificate for its name, whatever else.
#[derive(Clone, Debug)]
pub struct Route {
    /// Only for mail whose reverse-path has this domain; `None`: for all, notices too.
    pub sender_domain: Option<Domain>,
    /// Only for recipients of this domain; `None`: for all.
    pub recipient_domain: Option<Domain>,
    /// Its name, or its IP address; looked up as a host, not as a mail domain.
    pub host: String,
    /// Where it listens: 587 and 25 for STARTTLS, 465 for implicit TLS.
    pub port: u16,
    /// Whether TLS comes before the first byte.
    pub implicit_tls: bool,
    /// Name and password for AUTH; `None`: it knows us otherwise.
    pub login: Option<(String, Secret<String>)>,
}

impl Route {
    /// Whether it is for this mail.
    #[must_use]
    pub fn matches(&self, reverse_path: &ReversePath, recipient_domain: &Domain) -> bool {
        let sender_fits = match (&self.sender_domain, reverse_path) {
            (None, _) => true,
            (Some(_), ReversePath::Null) => false,
            (Some(domain), ReversePath::Mailbox(address)) => domain == address.domain(),
        };
        let wanted = self.recipient_domain.as_ref();
        sender_fits && wanted.is_none_or(|wanted| wanted == recipient_domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_types::EmailAddress;

    #[test]
    fn routes_match_by_sender_and_by_recipient() {
        let domain = |text: &str| Domain::parse(text).expect("a domain");
        let route = |sender: Option<&str>, recipient: Option<&str>| Route {
            sender_domain: sender.map(domain),
            recipient_domain: recipient.map(domain),
            host: "relay.example".into(),
            port: 587,
            implicit_tls: false,
            login: None,
        };
        let from = ReversePath::Mailbox(EmailAddress::parse("a@here.example").expect("an address"));
        let there = domain("there.example");
        for (sender, recipient, reverse_path, expected) in [
            (None, None, &from, true),
            (None, None, &ReversePath::Null, true),
            (Some("here.example"), None, &from, true),
            (Some("here.example"), None, &ReversePath::Null, false),
            (Some("other.example"), None, &from, false),
            (None, Some("there.example"), &from, true),
            (None, Some("elsewhere.example"), &from, false),
            (Some("here.example"), Some("elsewhere.example"), &from, false),
        ] {
            let found = route(sender, recipient).matches(reverse_path, &there);
            assert_eq!(found, expected, "{sender:?} {recipient:?} {reverse_path}");
        }
    }
}
