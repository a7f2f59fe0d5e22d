//! A network that exists in this process only.

use crate::peer::Peer;
use postroom_delivery::{BoxStream, LookupError, MxRecord, Network};
use postroom_store::BoxFuture;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Names and servers. An address without a server refuses connections, and [`SILENT`] does not answer.
#[derive(Default)]
pub(crate) struct Net {
    mx: Mutex<HashMap<String, Vec<MxRecord>>>,
    hosts: Mutex<HashMap<String, Vec<IpAddr>>>,
    peers: Mutex<HashMap<SocketAddr, Peer>>,
    pub(crate) lookups: AtomicUsize,
    pub(crate) dialled: Mutex<Vec<String>>,
}

/// Where packets vanish.
pub(crate) const SILENT: &str = "192.31.196.200";

impl Net {
    /// `10 a.example` and so on.
    pub(crate) fn mx(&self, domain: &str, records: &[&str]) {
        let record = |text: &&str| {
            let (preference, host) = text.split_once(' ').expect("a preference and a host");
            MxRecord {
                preference: preference.parse().expect("a number"),
                host: host.to_owned(),
            }
        };
        let records = records.iter().map(record).collect();
        self.mx.lock().expect("not poisoned").insert(domain.to_owned(), records);
    }

    pub(crate) fn host(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        self.hosts
            .lock()
            .expect("not poisoned")
            .insert(name.to_owned(), addresses);
    }

    pub(crate) fn peer(&self, address: &str, peer: &Peer) {
        let address = address.parse().expect("an address with a port");
        self.peers.lock().expect("not poisoned").insert(address, peer.clone());
    }

    /// A domain with one server.
    pub(crate) fn domain(&self, domain: &str, ip: &str, peer: &Peer) {
        let host = format!("mx.{domain}");
        self.mx(domain, &[&format!("10 {host}")]);
        self.host(&host, &[ip]);
        self.peer(&format!("{ip}:25"), peer);
    }

    pub(crate) fn dialled(&self) -> Vec<String> {
        self.dialled.lock().expect("not poisoned").clone()
    }
}

impl Network for Net {
    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Result<Vec<MxRecord>, LookupError>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let found = self.mx.lock().expect("not poisoned").get(domain).cloned();
        Box::pin(async move { found.ok_or(LookupError::NoSuchName) })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, LookupError>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let found = self.hosts.lock().expect("not poisoned").get(host).cloned();
        Box::pin(async move { found.ok_or(LookupError::NoSuchName) })
    }

    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        self.dialled.lock().expect("not poisoned").push(address.to_string());
        let peer = self.peers.lock().expect("not poisoned").get(&address).cloned();
        Box::pin(async move {
            if address.ip().to_string() == SILENT {
                std::future::pending::<()>().await;
            }
            let peer = peer.ok_or(io::ErrorKind::ConnectionRefused)?;
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            tokio::spawn(peer.serve(theirs));
            Ok(Box::new(ours) as BoxStream)
        })
    }
}
