//! Where a request goes: a URL of which everything is checked that can be without asking DNS.

use crate::{OutgoingError, Reach};
use reqwest::Url;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// What `localhost` stands for (RFC 6761 §6.3).
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Longest URL.
const MAX_OCTETS: usize = 2048;

/// A URL with `http` or `https`, a host, and no user name in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(Url);

impl Target {
    pub(crate) fn parse(text: &str, reach: Reach) -> Result<Self, OutgoingError> {
        // The parser would quietly drop tabs and line ends.
        if text.chars().any(char::is_control) || text.len() > MAX_OCTETS {
            return Err(OutgoingError::BadUrl(
                "a URL has at most 2,048 octets and no control characters",
            ));
        }
        let url = Url::parse(text).map_err(|_| OutgoingError::BadUrl("the URL is malformed"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutgoingError::BadUrl("the URL must begin with https:// or http://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutgoingError::BadUrl("the URL must not hold a user name or password"));
        }
        let host = url.host_str().unwrap_or_default();
        if host.is_empty() || url.port() == Some(0) {
            return Err(OutgoingError::BadUrl("the URL names no host"));
        }
        let is_local_name = host == "localhost" || host.ends_with(".localhost");
        if is_local_name && !reach.allows(LOOPBACK) {
            return Err(OutgoingError::Forbidden(LOOPBACK));
        }
        // The parser has brought IPv4 addresses in octal, hexadecimal or fewer parts into their usual form.
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if !reach.allows(address) => Err(OutgoingError::Forbidden(address)),
            _ => Ok(Self(url)),
        }
    }

    /// Where a reference leads from here (RFC 3986 §5).
    pub(crate) fn join(&self, reference: &str, reach: Reach) -> Result<Self, OutgoingError> {
        let joined = self.0.join(reference);
        Self::parse(
            joined
                .map_err(|_| OutgoingError::BadUrl("the URL is malformed"))?
                .as_str(),
            reach,
        )
    }

    /// Whether it is asked for over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether both are of one origin: scheme, host and port (RFC 6454 §4).
    #[must_use]
    pub fn is_of_one_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// Whether it names this machine by a loopback address, or by the name that is kept for it (RFC 6761 §6.3).
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }

    pub(crate) fn url(&self) -> Url {
        self.0.clone()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Without path and query, which may hold a secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.0.origin().ascii_serialization())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_target() {
        let check = |url: &str, good: bool| {
            assert_eq!(Target::parse(url, Reach::Public).is_ok(), good, "{url}");
        };
        check("https://hooks.example.org/in?token=x", true);
        check("http://hooks.example.org:8080", true);
        check("https://8.8.8.8/", true);
        check("https://[2606:4700::1111]/", true);
        check("HTTPS://EXAMPLE.ORG/", true);
        for bad in [
            "",
            "example.org",
            "ftp://example.org/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://",
            "https://user@example.org/",
            "https://:pw@example.org/",
            "https://example.org:0/",
            "https://exa\nmple.org/",
            "https://exa\tmple.org/",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/",
            "http://0/",
            "http://localhost:8080/",
            "https://LOCALHOST/",
            "https://a.localhost/",
        ] {
            check(bad, false);
        }
        check(&format!("https://example.org/{}", "x".repeat(2048)), false);
    }

    #[test]
    fn what_is_known_of_a_target() {
        let check = |url: &str, https: bool, here: bool| {
            let target = Target::parse(url, Reach::Loopback).expect(url);
            assert_eq!((target.is_https(), target.is_this_machine()), (https, here), "{url}");
        };
        check("https://example.org/", true, false);
        check("http://example.org/", false, false);
        check("http://127.0.0.2:80/", false, true);
        check("http://[::1]/", false, true);
        check("HTTPS://LocalHost/", true, true);
        check("http://localhost.example.org/", false, false);
    }

    #[test]
    fn debug_keeps_the_path_to_itself() {
        let target = Target::parse("https://example.org/secret?token=x", Reach::Public).unwrap();
        assert_eq!(format!("{target:?}"), "Target(https://example.org)");
    }
}
