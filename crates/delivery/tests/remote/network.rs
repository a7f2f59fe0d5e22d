//! A network of scripted servers.

use postroom_delivery::{BoxStream, LookupError, MxRecord, Network};
use postroom_store::BoxFuture;
use postroom_testkit::remote::RemoteMx;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is at an address.
#[derive(Clone)]
pub(crate) enum Host {
    Server(Arc<RemoteMx>),
    /// Nothing listens.
    Refuses,
    /// Packets vanish.
    Silent,
}

/// Domains, each with its hosts.
pub(crate) struct Net {
    begun: Instant,
    mx: HashMap<String, Vec<MxRecord>>,
    /// Until then the domain's name servers do not answer.
    down: HashMap<String, Duration>,
    addresses: HashMap<String, IpAddr>,
    hosts: HashMap<IpAddr, Host>,
}

impl Net {
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            mx: HashMap::new(),
            down: HashMap::new(),
            addresses: HashMap::new(),
            hosts: HashMap::new(),
        }
    }

    pub(crate) fn add(&mut self, domain: &str, preference: u16, name: &str, host: Host) {
        let number = u8::try_from(self.hosts.len()).expect("few hosts") + 1;
        // Of the AS112 project (RFC 7535): public, and nobody's mail server.
        let address = IpAddr::from([192, 31, 196, number]);
        let record = MxRecord {
            preference,
            host: name.to_owned(),
        };
        self.mx.entry(domain.to_owned()).or_default().push(record);
        self.addresses.insert(name.to_owned(), address);
        self.hosts.insert(address, host);
    }

    pub(crate) fn down_until(&mut self, domain: &str, until: Duration) {
        self.down.insert(domain.to_owned(), until);
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = &Arc<RemoteMx>> {
        self.hosts.values().filter_map(|host| match host {
            Host::Server(server) => Some(server),
            Host::Refuses | Host::Silent => None,
        })
    }

    async fn find_mx(&self, domain: &str) -> Result<Vec<MxRecord>, LookupError> {
        if self.down.get(domain).is_some_and(|until| self.begun.elapsed() < *until) {
            return Err(LookupError::Failed("SERVFAIL".into()));
        }
        self.mx.get(domain).cloned().ok_or(LookupError::NoSuchName)
    }

    async fn find_addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        self.addresses
            .get(host)
            .map(|address| vec![*address])
            .ok_or(LookupError::NoSuchName)
    }

    async fn open(&self, address: SocketAddr) -> io::Result<BoxStream> {
        match self.hosts.get(&address.ip()) {
            Some(Host::Server(server)) => Ok(Box::new(server.connect())),
            Some(Host::Silent) => std::future::pending().await,
            Some(Host::Refuses) | None => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }
}

impl Network for Net {
    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Result<Vec<MxRecord>, LookupError>> {
        Box::pin(self.find_mx(domain))
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, LookupError>> {
        Box::pin(self.find_addresses(host))
    }

    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(self.open(address))
    }
}
