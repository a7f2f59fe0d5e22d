//! `[outbound]`: how mail to other servers goes out.

use super::reader::{Reader, boolean, text};
use super::secret::SecretFile;
use super::values::{any_count, count, domain, ip_addresses, optional_text, path, port, span, word};
use postroom_delivery::Route;
use postroom_queue::OnLostReply;
use postroom_types::Domain;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How mail to other servers goes out.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    /// Whether it is kept for reading instead.
    pub(crate) capture: bool,
    /// Where other servers listen.
    pub(crate) port: u16,
    /// At one time, in all; with 0 mail waits.
    pub(crate) connections: usize,
    pub(crate) per_destination: usize,
    pub(crate) source_addresses: Vec<IpAddr>,
    /// Under which the world reaches this server, besides those it has.
    pub(crate) own_addresses: Vec<IpAddr>,
    pub(crate) private_targets: bool,
    /// PEM file of authorities to trust beside those of the web.
    pub(crate) extra_roots: Option<PathBuf>,
    pub(crate) lifetime: Duration,
    pub(crate) delay_notice: Duration,
    pub(crate) keep_history: Duration,
    pub(crate) on_lost_reply: OnLostReply,
    pub(crate) routes: Vec<RouteKeys>,
}

/// A smarthost as the file says it; its password is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteKeys {
    sender_domain: Option<Domain>,
    recipient_domain: Option<Domain>,
    host: String,
    port: u16,
    implicit_tls: bool,
    login: Option<(String, SecretFile)>,
}

impl Default for Outbound {
    /// What an empty file means.
    fn default() -> Self {
        Self {
            capture: false,
            port: 25,
            connections: 100,
            per_destination: 8,
            source_addresses: Vec::new(),
            own_addresses: Vec::new(),
            private_targets: false,
            extra_roots: None,
            lifetime: Duration::from_secs(5 * 86_400),
            delay_notice: Duration::from_secs(4 * 3600),
            keep_history: Duration::from_secs(30 * 86_400),
            on_lost_reply: OnLostReply::Retry,
            routes: Vec::new(),
        }
    }
}

impl Outbound {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let lost = [("retry", OnLostReply::Retry), ("hold", OnLostReply::Hold)];
        let normal = Self::default();
        let outbound = Self {
            capture: reader.take("outbound.capture", normal.capture, "false", boolean),
            port: reader.take("outbound.port", normal.port, "25", port),
            connections: reader.take("outbound.connections", normal.connections, "100", any_count),
            per_destination: reader.take("outbound.per_destination", normal.per_destination, "8", count),
            source_addresses: reader.take("outbound.source_addresses", Vec::new(), "[]", ip_addresses),
            own_addresses: reader.take("outbound.own_addresses", Vec::new(), "[]", ip_addresses),
            private_targets: reader.take("outbound.private_targets", normal.private_targets, "false", boolean),
            extra_roots: reader.take(
                "outbound.extra_roots",
                None,
                "\"/etc/postroom/tls/roots.pem\"",
                |value| path(value).map(Some),
            ),
            lifetime: reader.take("outbound.lifetime", normal.lifetime, "\"5 d\"", span),
            delay_notice: reader.take("outbound.delay_notice", normal.delay_notice, "\"4 h\"", span),
            keep_history: reader.take("outbound.keep_history", normal.keep_history, "\"30 d\"", span),
            on_lost_reply: reader.take("outbound.on_lost_reply", normal.on_lost_reply, "\"retry\"", |value| {
                word(value, &lost)
            }),
            routes: reader.tables("outbound.route", RouteKeys::read),
        };
        outbound.check(reader);
        outbound
    }

    /// What fits only together.
    fn check(&self, reader: &mut Reader<'_>) {
        if self.delay_notice >= self.lifetime {
            reader.complain_whole("`outbound.delay_notice` must be shorter than `outbound.lifetime`");
        }
        for is_ipv4 in [true, false] {
            let of_family = self
                .source_addresses
                .iter()
                .filter(|address| address.is_ipv4() == is_ipv4);
            if of_family.count() > 1 {
                reader.complain_whole("`outbound.source_addresses` may have one address of each family");
            }
        }
    }

    /// The routes with their passwords.
    pub(crate) fn open_routes(&self) -> Result<Vec<Route>, String> {
        self.routes.iter().map(RouteKeys::open).collect()
    }

    /// The authorities to trust beside those of the web, in PEM.
    pub(crate) fn read_extra_roots(&self) -> Result<Vec<u8>, String> {
        let Some(file) = &self.extra_roots else {
            return Ok(Vec::new());
        };
        std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
    }
}

impl RouteKeys {
    fn read(reader: &mut Reader<'_>) -> Self {
        let tls = [("starttls", false), ("implicit", true)];
        let key = |name: &str| format!("outbound.route.{name}");
        let sender_domain = reader.take(&key("sender_domain"), None, "\"example.org\"", domain);
        let recipient_domain = reader.take(&key("recipient_domain"), None, "\"example.net\"", domain);
        let host = reader.take(&key("host"), String::new(), "\"smtp.example.net\"", text);
        let port = reader.take(&key("port"), 587, "587", port);
        let implicit_tls = reader.take(&key("tls"), false, "\"starttls\"", |value| word(value, &tls));
        let user = reader.take(&key("user"), None, "\"user\"", optional_text);
        let password = reader.take(&key("password_file"), None, "\"smarthost-password\"", |value| {
            path(value).map(|path| Some(SecretFile::new(path)))
        });
        if host.is_empty() {
            reader.complain_here("a route needs a `host`");
        }
        let login = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => {
                reader.complain_here("`user` and `password_file` of a route go together");
                None
            }
        };
        Self {
            sender_domain,
            recipient_domain,
            host,
            port,
            implicit_tls,
            login,
        }
    }

    fn open(&self) -> Result<Route, String> {
        let login = match &self.login {
            Some((user, password)) => Some((user.clone(), password.read()?)),
            None => None,
        };
        Ok(Route {
            sender_domain: self.sender_domain.clone(),
            recipient_domain: self.recipient_domain.clone(),
            host: self.host.clone(),
            port: self.port,
            implicit_tls: self.implicit_tls,
            login,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Outbound, Vec<String>) {
        let mut reader = Reader::new(text);
        let outbound = Outbound::read(&mut reader);
        reader.finish();
        let told = reader
            .complaints
            .iter()
            .map(|complaint| format!("{}: {}", complaint.line, complaint.text));
        (outbound, told.collect())
    }

    #[test]
    fn an_empty_file_means_the_defaults_of_the_crates() {
        let (ours, told) = read("");
        assert!(told.is_empty(), "{told:?}");
        let queue = postroom_queue::Options::new("mx.example".into(), Domain::parse("example.org").unwrap());
        let delivery = postroom_delivery::Options::new("mx.example");
        assert_eq!(
            (
                ours.lifetime,
                ours.delay_notice,
                ours.keep_history,
                ours.per_destination,
                ours.on_lost_reply
            ),
            (
                queue.lifetime,
                queue.delay_notice,
                queue.keep_history,
                queue.per_destination,
                queue.on_lost_reply
            )
        );
        assert_eq!((ours.connections, ours.port), (delivery.connections, delivery.port));
        assert!(ours.routes.is_empty());
    }

    #[test]
    fn routes_in_their_order() {
        let text = "[[outbound.route]]\nsender_domain = \"a.example\"\nhost = \"one.example\"\n\
            [[outbound.route]]\nhost = \"two.example\"\nport = 465\ntls = \"implicit\"\nuser = \"u\"\npassword_file = \"/x/y\"\n";
        let (outbound, told) = read(text);
        assert!(told.is_empty(), "{told:?}");
        let hosts: Vec<&str> = outbound.routes.iter().map(|route| route.host.as_str()).collect();
        assert_eq!(hosts, ["one.example", "two.example"]);
        assert!(outbound.routes[1].implicit_tls && !outbound.routes[0].implicit_tls);
        let error = outbound.open_routes().unwrap_err();
        assert!(error.contains("/x/y"), "{error}");
    }

    #[test]
    fn mistakes_in_routes_have_their_lines() {
        let text = "[outbound]\nlifetime = \"5\"\n[[outbound.route]]\nhots = \"x\"\n\
            [[outbound.route]]\nhost = \"x\"\nport = 0\nuser = \"u\"\n";
        let (_, told) = read(text);
        let expected = [
            "2: outbound.lifetime",
            "3: a route needs",
            "4: unknown key",
            "5: `user` and",
            "7: outbound.route.port",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}");
        }
        for text in [
            "[outbound]\nlifetime = \"0 s\"\n",
            "[outbound]\nlifetime = \"3 h\"\n",
            "[outbound]\nsource_addresses = [\"192.0.2.1\", \"::1\", \"192.0.2.2\"]\n",
            "[outbound]\nroute = 5\n",
            "[outbound]\nroute = [5]\n",
            "[outbound.route]\nhost = \"x\"\n",
        ] {
            let (_, told) = read(text);
            assert_eq!(told.len(), 1, "{text}: {told:?}");
        }
    }
}
