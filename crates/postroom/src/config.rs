//! The configuration file. Only this crate knows TOML; every other crate has plain `Options`.

mod outbound;
mod reader;
mod secret;
#[cfg(test)]
mod tests;
mod values;

use postroom_intake::SaveSent;
use postroom_outgoing_http::Reach;
use postroom_types::Domain;
use reader::{Reader, boolean, list, number, octets, text};
use secret::credential;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use values::{
    absolute_path, addresses, cache, count, duration, host_name, http_url, log_filter, number_u32, path, port, size,
    span, word,
};

pub(crate) use outbound::Outbound;
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
    pub(crate) imap: Imap,
    pub(crate) outbound: Outbound,
    /// Whether what is submitted over SMTP is also put into Sent.
    pub(crate) save_sent: SaveSent,
    /// Where webhooks may go.
    pub(crate) webhooks: Reach,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
}

/// Socket addresses for each service; an empty list is off.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listen {
    pub(crate) smtp_in: Vec<SocketAddr>,
    pub(crate) submission: Vec<SocketAddr>,
    pub(crate) submissions: Vec<SocketAddr>,
    pub(crate) imap: Vec<SocketAddr>,
    pub(crate) imaps: Vec<SocketAddr>,
    pub(crate) http: Vec<SocketAddr>,
    pub(crate) https: Vec<SocketAddr>,
}

/// What clients are told to dial.
#[derive(Clone, Debug)]
pub(crate) struct Public {
    pub(crate) imap_host: String,
    pub(crate) imap_port: u16,
    pub(crate) smtp_host: String,
    pub(crate) smtp_port: u16,
    /// Where the HTTP API is, for links in its answers.
    pub(crate) http_url: Option<String>,
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
    /// `None`: as much as suits the machine.
    pub(crate) cache_octets: Option<u64>,
    pub(crate) min_free_octets: u64,
    pub(crate) journal_file_octets: u64,
    pub(crate) snapshot_octets: u64,
    pub(crate) upkeep_every: Duration,
    pub(crate) deleted_bodies_keep: Duration,
}

/// What IMAP offers.
#[derive(Clone, Debug)]
pub(crate) struct Imap {
    /// LITERAL- instead of LITERAL+.
    pub(crate) literal_minus: bool,
    pub(crate) compress: bool,
    pub(crate) open_octets: u64,
    pub(crate) search_octets: u64,
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
    /// Whether agents may sign themselves up.
    pub(crate) agent_sign_up: bool,
    /// Whether the MyAgentMail dialect sends to strangers only if the request says `verified`.
    pub(crate) verified_sends: bool,
    /// Of one inbox in a day; 0 is without limit.
    pub(crate) daily_messages: u32,
    /// Of one inbox in a day; 0 is without limit.
    pub(crate) daily_new_recipients: u32,
    pub(crate) automated_turns: u32,
    /// Of one file that is imported.
    pub(crate) import_octets: u64,
    /// Of what comes out of one that is an archive.
    pub(crate) import_unpacked_octets: u64,
    /// Of all files of an organization that wait to be imported.
    pub(crate) import_waiting_octets: u64,
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
            absolute_path,
        );
        let config = Self {
            listen: Listen::read(reader),
            public: Public::read(reader, &hostname),
            tls: read_tls(reader),
            dns: Dns {
                verify: reader.take("dns.verify", true, "true", boolean),
                servers: reader.take("dns.servers", Vec::new(), "[]", addresses),
            },
            store: Store::read(reader),
            imap: Imap::read(reader),
            outbound: Outbound::read(reader),
            save_sent: reader.take("save_sent", SaveSent::Auto, "\"auto\"", |value| {
                word(value, &[("auto", SaveSent::Auto), ("never", SaveSent::Never)])
            }),
            webhooks: reader.take("webhooks.allow_private", Reach::Public, "false", |value| {
                let private = boolean(value)?;
                Ok(if private { Reach::Everywhere } else { Reach::Public })
            }),
            limits: Limits::read(reader),
            log: Log {
                filter: reader.take("log.filter", "info".to_owned(), "\"info\"", log_filter),
                json: reader.take("log.json", false, "false", boolean),
            },
            hostname,
            domains,
            data_dir,
        };
        if config.limits.import_waiting_octets < config.limits.import_octets {
            reader.complain_whole("`limits.import_waiting` must be at least `limits.import_file`");
        }
        for twice in config.listen.twice() {
            reader.complain_whole(&format!("two services of `[listen]` have the address {twice}"));
        }
        if config.tls.is_none() && !config.listen.https.is_empty() {
            reader.complain_whole("`listen.https` needs `tls.certificate` and `tls.key`");
        }
        reader.finish();
        config
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::read(&mut Reader::new(""))
    }
}

impl Store {
    fn read(reader: &mut Reader<'_>) -> Self {
        let hour = Duration::from_secs(3600);
        Self {
            cache_octets: reader.take("store.cache", None, "\"auto\"", cache),
            min_free_octets: reader.take("store.min_free", 512 << 20, "\"512 MiB\"", octets),
            journal_file_octets: reader.take("store.journal_file", 256 << 20, "\"256 MiB\"", octets),
            snapshot_octets: reader.take("store.snapshot", 256 << 20, "\"256 MiB\"", octets),
            upkeep_every: reader.take("store.upkeep_every", 6 * hour, "\"6 h\"", span),
            deleted_bodies_keep: reader.take("store.deleted_bodies_keep", hour, "\"1 h\"", duration),
        }
    }
}

impl Default for Imap {
    fn default() -> Self {
        Self {
            literal_minus: false,
            compress: true,
            open_octets: 64 << 20,
            search_octets: 64 << 20,
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
            agent_sign_up: true,
            verified_sends: false,
            daily_messages: 0,
            daily_new_recipients: 0,
            automated_turns: 8,
            import_octets: 2 << 30,
            import_unpacked_octets: 8 << 30,
            import_waiting_octets: 8 << 30,
        }
    }
}

impl Listen {
    /// The addresses of a service by its name; empty if there is no such service.
    pub(crate) fn of(&self, service: &str) -> &[SocketAddr] {
        match service {
            "smtp_in" => &self.smtp_in,
            "submission" => &self.submission,
            "submissions" => &self.submissions,
            "imap" => &self.imap,
            "imaps" => &self.imaps,
            "http" => &self.http,
            "https" => &self.https,
            _ => &[],
        }
    }

    /// Addresses that stand in it more than once. Port 0 is another one each time.
    fn twice(&self) -> BTreeSet<SocketAddr> {
        let services = [
            &self.smtp_in,
            &self.submission,
            &self.submissions,
            &self.imap,
            &self.imaps,
            &self.http,
            &self.https,
        ];
        let all = services.into_iter().flatten().filter(|address| address.port() != 0);
        let mut seen = BTreeSet::new();
        all.filter(|address| !seen.insert(**address)).copied().collect()
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        let mut take =
            |key: &str, shown: &str, default: &[SocketAddr]| reader.take(key, default.to_vec(), shown, addresses);
        let any = |port| SocketAddr::from(([0_u16; 8], port));
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            smtp_in: take("listen.smtp_in", "[\"[::]:25\"]", &[any(25)]),
            submission: take("listen.submission", "[\"[::]:587\"]", &[any(587)]),
            submissions: take("listen.submissions", "[\"[::]:465\"]", &[any(465)]),
            imap: take("listen.imap", "[\"[::]:143\"]", &[any(143)]),
            imaps: take("listen.imaps", "[\"[::]:993\"]", &[any(993)]),
            http: take("listen.http", "[\"127.0.0.1:8080\"]", &[loopback(8080)]),
            https: take("listen.https", "[]", &[]),
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
            http_url: reader.take("public.http_url", None, "\"https://mail.example.org\"", http_url),
        }
    }
}

impl Imap {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            literal_minus: reader.take("imap.literals", false, "\"plus\"", |value| {
                word(value, &[("plus", false), ("minus", true)])
            }),
            compress: reader.take("imap.compress", true, "true", boolean),
            open_octets: reader.take("imap.open_mailboxes", 64 << 20, "\"64 MiB\"", octets),
            search_octets: reader.take("imap.search_cache", 64 << 20, "\"64 MiB\"", octets),
        }
    }
}

impl Limits {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            message_octets: reader.take("limits.message", 50 << 20, "\"50 MiB\"", size),
            inbox_octets: reader.take("limits.inbox", 10 << 30, "\"10 GiB\"", size),
            connections: reader.take("limits.connections", 4096, "4096", count),
            connections_per_address: reader.take("limits.connections_per_address", 64, "64", count),
            deleted_keep_days: reader.take("limits.deleted_keep_days", 7, "7", number),
            organization_key_login: reader.take("limits.organization_key_login", true, "true", boolean),
            agent_sign_up: reader.take("limits.agent_sign_up", false, "false", boolean),
            verified_sends: reader.take("limits.verified_sends", false, "false", boolean),
            daily_messages: reader.take("limits.daily_messages", 1000, "1000", number_u32),
            daily_new_recipients: reader.take("limits.daily_new_recipients", 200, "200", number_u32),
            automated_turns: reader.take("limits.automated_turns", 8, "8", number_u32),
            import_octets: reader.take("limits.import_file", 2 << 30, "\"2 GiB\"", octets),
            import_unpacked_octets: reader.take("limits.import_unpacked", 8 << 30, "\"8 GiB\"", octets),
            import_waiting_octets: reader.take("limits.import_waiting", 8 << 30, "\"8 GiB\"", octets),
        }
    }
}

fn read_tls(reader: &mut Reader<'_>) -> Option<TlsFiles> {
    let optional = |value: &toml::de::DeValue<'_>| credential(&path(value)?).map(Some);
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
