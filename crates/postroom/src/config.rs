//! The configuration file. Only this crate knows TOML; every other crate has plain `Options`.

mod reader;

use postroom_types::Domain;
use reader::{Reader, boolean, list, number, octets, text};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub(crate) use reader::Complaint;

/// What a server needs to know. `Default` is what an empty file means, but for `hostname`.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) hostname: String,
    pub(crate) data_dir: PathBuf,
    /// Domains this server answers for; the first is the default one.
    pub(crate) domains: Vec<Domain>,
    pub(crate) listen: Listen,
    pub(crate) public: Public,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) dns: Dns,
    pub(crate) store: Store,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
}

/// Socket addresses for each service; an empty list is off.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    pub(crate) smtp_in: Vec<SocketAddr>,
    pub(crate) imap: Vec<SocketAddr>,
    pub(crate) imaps: Vec<SocketAddr>,
    pub(crate) http: Vec<SocketAddr>,
}

/// What clients are told to dial.
#[derive(Clone, Debug)]
pub(crate) struct Public {
    pub(crate) imap_host: String,
    pub(crate) imap_port: u16,
    pub(crate) smtp_host: String,
    pub(crate) smtp_port: u16,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Where verification asks.
#[derive(Clone, Debug)]
pub(crate) struct Dns {
    pub(crate) verify: bool,
    pub(crate) servers: Vec<SocketAddr>,
}

/// The embedded store.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) cache_octets: u64,
    pub(crate) min_free_octets: u64,
}

/// Bounds.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) message_octets: u64,
    pub(crate) inbox_octets: u64,
    pub(crate) connections: usize,
    pub(crate) connections_per_address: usize,
    pub(crate) deleted_keep_days: u64,
    pub(crate) organization_key_login: bool,
}

/// Logging.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) filter: String,
    pub(crate) json: bool,
}

/// Why a configuration cannot be used: all complaints at once.
#[derive(Debug)]
pub(crate) struct ConfigError {
    pub(crate) file: PathBuf,
    pub(crate) complaints: Vec<Complaint>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, complaint) in self.complaints.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            match complaint.line {
                0 => write!(f, "{separator}{}: {}", self.file.display(), complaint.text)?,
                line => write!(f, "{separator}{}:{line}: {}", self.file.display(), complaint.text)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks a file.
    pub(crate) fn load(file: &Path) -> Result<Self, ConfigError> {
        let whole = |text: String| ConfigError {
            file: file.to_owned(),
            complaints: vec![Complaint { line: 0, text }],
        };
        let text = std::fs::read_to_string(file).map_err(|error| whole(error.to_string()))?;
        let mut reader = Reader::new(&text);
        let config = Self::read(&mut reader);
        if reader.complaints.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError {
                file: file.to_owned(),
                complaints: reader.complaints,
            })
        }
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        let hostname = reader.take("hostname", String::new(), "\"mail.example.org\"", |value| {
            Ok(host_name(&text(value)?)?.to_string())
        });
        if hostname.is_empty() {
            reader.complain_whole("`hostname` is missing: the public name of this server, as its MX record says");
        }
        let parent = hostname
            .split_once('.')
            .map_or(hostname.as_str(), |(_, rest)| rest)
            .to_owned();
        let domains = reader.take("domains", Vec::new(), "[\"example.org\"]", |value| {
            list(value, host_name)
        });
        let domains = if domains.is_empty() {
            Domain::parse(&parent).into_iter().collect()
        } else {
            domains
        };
        let data_dir = reader.take(
            "data_dir",
            PathBuf::from("/var/lib/postroom"),
            "\"/var/lib/postroom\"",
            path,
        );
        let config = Self {
            listen: Listen::read(reader),
            public: Public::read(reader, &hostname),
            tls: read_tls(reader),
            dns: Dns {
                verify: reader.take("dns.verify", true, "true", boolean),
                servers: reader.take("dns.servers", Vec::new(), "[]", addresses),
            },
            store: Store {
                cache_octets: reader.take("store.cache", 64 << 20, "\"64 MiB\"", octets),
                min_free_octets: reader.take("store.min_free", 512 << 20, "\"512 MiB\"", octets),
            },
            limits: Limits::read(reader),
            log: Log {
                filter: reader.take("log.filter", "info".to_owned(), "\"info\"", text),
                json: reader.take("log.json", false, "false", boolean),
            },
            hostname,
            domains,
            data_dir,
        };
        reader.finish();
        config
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            cache_octets: 64 << 20,
            min_free_octets: 512 << 20,
        }
    }
}

impl Limits {
    /// For trying out: no limit that a test on loopback would meet.
    pub(crate) fn dev() -> Self {
        Self {
            message_octets: 50 << 20,
            inbox_octets: 10 << 30,
            connections: 20_000,
            connections_per_address: 20_000,
            deleted_keep_days: 7,
            organization_key_login: true,
        }
    }
}

impl Listen {
    fn read(reader: &mut Reader<'_>) -> Self {
        let mut take =
            |key: &str, shown: &str, default: &[SocketAddr]| reader.take(key, default.to_vec(), shown, addresses);
        let any = |port| SocketAddr::from(([0_u16; 8], port));
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            smtp_in: take("listen.smtp_in", "[\"[::]:25\"]", &[any(25)]),
            imap: take("listen.imap", "[\"[::]:143\"]", &[any(143)]),
            imaps: take("listen.imaps", "[\"[::]:993\"]", &[any(993)]),
            http: take("listen.http", "[\"127.0.0.1:8080\"]", &[loopback(8080)]),
        }
    }
}

impl Public {
    fn read(reader: &mut Reader<'_>, hostname: &str) -> Self {
        Self {
            imap_host: reader.take("public.imap_host", hostname.to_owned(), "\"mail.example.org\"", text),
            imap_port: reader.take("public.imap_port", 993, "993", port),
            smtp_host: reader.take("public.smtp_host", hostname.to_owned(), "\"mail.example.org\"", text),
            smtp_port: reader.take("public.smtp_port", 587, "587", port),
        }
    }
}

impl Limits {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            message_octets: reader.take("limits.message", 50 << 20, "\"50 MiB\"", octets),
            inbox_octets: reader.take("limits.inbox", 10 << 30, "\"10 GiB\"", octets),
            connections: reader.take("limits.connections", 4096, "4096", count),
            connections_per_address: reader.take("limits.connections_per_address", 64, "64", count),
            deleted_keep_days: reader.take("limits.deleted_keep_days", 7, "7", number),
            organization_key_login: reader.take("limits.organization_key_login", true, "true", boolean),
        }
    }
}

fn read_tls(reader: &mut Reader<'_>) -> Option<TlsFiles> {
    let optional = |value: &toml::de::DeValue<'_>| path(value).map(Some);
    let certificate = reader.take("tls.certificate", None, "\"/etc/postroom/tls/cert.pem\"", optional);
    let key = reader.take("tls.key", None, "\"/etc/postroom/tls/key.pem\"", optional);
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        _ => {
            reader.complain_whole("`tls.certificate` and `tls.key` go together");
            None
        }
    }
}

fn host_name(text: &str) -> Result<Domain, String> {
    let domain = Domain::parse(text).map_err(|error| format!("`{text}`: {error}"))?;
    if domain.is_literal() {
        Err(format!("`{text}` is an address, not a name"))
    } else {
        Ok(domain)
    }
}

fn path(value: &toml::de::DeValue<'_>) -> Result<PathBuf, String> {
    text(value).map(PathBuf::from)
}

fn port(value: &toml::de::DeValue<'_>) -> Result<u16, String> {
    u16::try_from(number(value)?)
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(|| "not a port".to_owned())
}

fn count(value: &toml::de::DeValue<'_>) -> Result<usize, String> {
    usize::try_from(number(value)?)
        .ok()
        .filter(|count| *count != 0)
        .ok_or_else(|| "must be at least 1".to_owned())
}

fn addresses(value: &toml::de::DeValue<'_>) -> Result<Vec<SocketAddr>, String> {
    list(value, |text| {
        text.parse()
            .map_err(|_| format!("`{text}` is not an address with a port, such as \"[::]:25\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<(usize, String)> {
        let mut reader = Reader::new(text);
        Config::read(&mut reader);
        reader
            .complaints
            .into_iter()
            .map(|complaint| (complaint.line, complaint.text))
            .collect()
    }

    #[test]
    fn all_errors_at_once_with_their_lines() {
        let found = complaints(
            "hostname = 5\nport = 1\n[listen]\nimap = [\"nonsense\"]\n[limits]\nmessage = \"5 MB\"\nconnections = 0\n[what]\nx = 1\n",
        );
        let lines: Vec<_> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [0, 1, 2, 4, 6, 7, 8, 9], "{found:#?}");
        assert!(found[2].1.contains("unknown key `port`"), "{found:?}");
        assert!(found[4].1.contains("unknown unit `MB`"), "{found:?}");
    }

    #[test]
    fn syntax_errors_have_lines() {
        let found = complaints("hostname = \"a.example\"\nx = = 1\n");
        assert!(
            found.iter().all(|(line, _)| *line == 2) && !found.is_empty(),
            "{found:?}"
        );
    }

    #[test]
    fn sizes() {
        let mut reader = Reader::new("hostname = \"mx.example.org\"\n[limits]\nmessage = \"2 MiB\"\ninbox = 1_000\n");
        let config = Config::read(&mut reader);
        assert_eq!(reader.complaints, []);
        assert_eq!(
            (config.limits.message_octets, config.limits.inbox_octets),
            (2 << 20, 1000)
        );
        assert_eq!(config.domains, [Domain::parse("example.org").unwrap()]);
    }

    /// `config/postroom.toml` shows every key, commented out, with its default, and nothing else.
    #[test]
    fn the_documented_file_is_the_code() {
        let documented = include_str!("../../../config/postroom.toml");
        let mut section = String::new();
        let mut shown = Vec::new();
        for line in documented.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = format!("{name}.");
            } else if let Some((key, default)) = line.strip_prefix('#').and_then(|rest| rest.split_once(" = "))
                && !key.starts_with(' ')
            {
                shown.push((format!("{section}{key}"), default.to_owned()));
            }
        }
        let mut reader = Reader::new("");
        Config::read(&mut reader);
        let mut known: Vec<_> = reader.known.into_iter().map(|key| (key.path, key.default)).collect();
        shown.sort();
        known.sort();
        assert_eq!(shown, known);
        let uncommented: String = documented
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        assert_eq!(complaints(&uncommented), []);
    }
}
