//! The network as it is: DNS through hickory, which caches answers for their TTL, and TCP.

use crate::network::{BoxStream, LookupError, MxRecord, Network};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use postroom_identity::DomainNames;
use postroom_store::BoxFuture;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpSocket;

/// Answers kept, of all kinds. About 300 octets each.
const CACHED_ANSWERS: u64 = 20_000;

/// Why there can be no network.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up DNS resolution: {0}")]
pub struct NetworkError(String);

/// DNS and TCP.
pub struct HickoryNetwork {
    resolver: TokioResolver,
    sources: Vec<IpAddr>,
}

impl HickoryNetwork {
    /// Asks these name servers, or those of the system's configuration if there are none. Connections go out from the
    /// first of `sources` that is of the peer's family; without one the system chooses.
    ///
    /// # Errors
    /// [`NetworkError`] if the system's configuration cannot be read.
    pub fn new(servers: &[SocketAddr], sources: Vec<IpAddr>) -> Result<Self, NetworkError> {
        let failed = |error: NetError| NetworkError(error.to_string());
        let mut builder = match servers {
            [] => TokioResolver::builder_tokio().map_err(failed)?,
            _ => TokioResolver::builder_with_config(resolver_config(servers), TokioRuntimeProvider::default()),
        };
        builder.options_mut().cache_size = CACHED_ANSWERS;
        let resolver = builder.build().map_err(failed)?;
        Ok(Self { resolver, sources })
    }

    async fn look_up(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, LookupError> {
        let lookup = self
            .resolver
            .lookup(absolute(name)?, kind)
            .await
            .map_err(lookup_error)?;
        let found = lookup.answers().iter().map(|record| record.data.clone());
        Ok(found.filter(|data| data.record_type() == kind).collect())
    }

    async fn look_up_mx(&self, domain: &str) -> Result<Vec<MxRecord>, LookupError> {
        let found = self.look_up(domain, RecordType::MX).await?;
        let records: Vec<MxRecord> = found.into_iter().filter_map(mx_record).collect();
        non_empty(records)
    }

    /// One family is enough: that the other cannot be looked up at the moment does not matter then.
    async fn look_up_addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let (v4, v6) = tokio::join!(self.look_up(host, RecordType::A), self.look_up(host, RecordType::AAAA));
        let failure = match (&v4, &v6) {
            (Err(failed @ LookupError::Failed(_)), _) | (_, Err(failed @ LookupError::Failed(_))) => failed.clone(),
            (Err(error), _) => error.clone(),
            (Ok(_), _) => LookupError::NoRecords,
        };
        let found = v4.into_iter().chain(v6).flatten();
        let addresses: Vec<IpAddr> = found.filter_map(|data| data.ip_addr()).collect();
        non_empty(addresses).map_err(|_| failure)
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<BoxStream> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        let source = self.sources.iter().find(|ip| ip.is_ipv4() == address.is_ipv4());
        if let Some(source) = source {
            socket.bind(SocketAddr::new(*source, 0))?;
        }
        let stream = socket.connect(address).await?;
        // Commands are gathered before they are written, so waiting for more to send only delays them.
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

impl Network for HickoryNetwork {
    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Result<Vec<MxRecord>, LookupError>> {
        Box::pin(self.look_up_mx(domain))
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, LookupError>> {
        Box::pin(self.look_up_addresses(host))
    }

    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(self.dial(address))
    }
}

fn resolver_config(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut config.connections {
            connection.port = server.port();
        }
        config
    });
    ResolverConfig::from_name_servers(servers.collect())
}

/// The name as DNS has it: with A-labels (RFC 5891), and absolute, so that no search list is tried.
fn absolute(name: &str) -> Result<Name, LookupError> {
    let mut name = Name::from_utf8(name).map_err(|_| LookupError::NoSuchName)?;
    name.set_fqdn(true);
    Ok(name)
}

fn mx_record(data: RData) -> Option<MxRecord> {
    let RData::MX(mx) = data else { return None };
    Some(MxRecord {
        preference: mx.preference,
        host: mx.exchange.to_ascii().trim_end_matches('.').to_ascii_lowercase(),
    })
}

fn non_empty<T>(found: Vec<T>) -> Result<Vec<T>, LookupError> {
    if found.is_empty() {
        Err(LookupError::NoRecords)
    } else {
        Ok(found)
    }
}

/// What the organizations' domains say of themselves.
impl DomainNames for HickoryNetwork {
    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async move {
            let found = known(self.look_up(name, RecordType::TXT).await)?;
            let text = |data| match data {
                RData::TXT(text) => Some(text.txt_data.concat()),
                _ => None,
            };
            let texts = found.into_iter().filter_map(text);
            Ok(texts.map(|text| String::from_utf8_lossy(&text).into_owned()).collect())
        })
    }

    fn exchanges<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async move {
            let found = known(self.look_up(name, RecordType::MX).await)?;
            let records = found.into_iter().filter_map(mx_record);
            Ok(records.map(|record| record.host).collect())
        })
    }
}

/// What is not there is known.
fn known(found: Result<Vec<RData>, LookupError>) -> Result<Vec<RData>, String> {
    match found {
        Ok(found) => Ok(found),
        Err(LookupError::NoSuchName | LookupError::NoRecords) => Ok(Vec::new()),
        Err(LookupError::Failed(reason)) => Err(reason),
    }
}

fn lookup_error(error: NetError) -> LookupError {
    match &error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => LookupError::NoSuchName,
            ResponseCode::NoError => LookupError::NoRecords,
            code => LookupError::Failed(code.to_string()),
        },
        _ => LookupError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn connections_go_out_from_the_source_of_their_family() {
        let name_server = "127.0.0.1:9".parse().expect("an address");
        let sources = ["::1", "127.0.0.2", "127.0.0.3"].map(|ip| ip.parse().expect("an address"));
        let network = HickoryNetwork::new(&[name_server], sources.to_vec()).expect("a resolver");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("bound");
        let (ours, theirs) = tokio::join!(network.connect(address), listener.accept());
        assert!(ours.is_ok());
        assert_eq!(theirs.expect("a connection").1.ip(), sources[1]);
    }
}
