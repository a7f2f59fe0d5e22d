//! From names to addresses that may be talked to.

use crate::{OutgoingError, Reach};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

/// Who knows the addresses of names.
pub trait Names: Send + Sync + 'static {
    /// All addresses of a host; an empty list is as good as an error.
    fn addresses<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, OutgoingError>> + Send + 'a>>;
}

/// DNS, with answers kept for their TTL; and the system's hosts file.
pub struct DnsNames(TokioResolver);

impl DnsNames {
    /// Asks these name servers, or those of the system's configuration if there are none.
    ///
    /// # Errors
    /// [`OutgoingError::Setup`] if the system's configuration cannot be read.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, OutgoingError> {
        let failed = |error: hickory_resolver::net::NetError| OutgoingError::Setup(error.to_string());
        let builder = match servers {
            [] => TokioResolver::builder_tokio().map_err(failed)?,
            _ => TokioResolver::builder_with_config(resolver_config(servers), TokioRuntimeProvider::default()),
        };
        builder.build().map(Self).map_err(failed)
    }
}

impl Names for DnsNames {
    fn addresses<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, OutgoingError>> + Send + 'a>> {
        Box::pin(async move {
            // Absolute, so that no search list is tried.
            let absolute = format!("{}.", host.trim_end_matches('.'));
            match self.0.lookup_ip(absolute).await {
                Ok(found) => Ok(found.iter().collect()),
                Err(error) => {
                    tracing::debug!(host, reason = %error, "no address");
                    Err(OutgoingError::NoAddress(host.to_owned()))
                }
            }
        })
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

/// What the HTTP client asks for addresses: it connects to those that come from here and to no other.
pub(crate) struct Checked {
    names: Arc<dyn Names>,
    reach: Reach,
}

impl Checked {
    pub(crate) fn new(names: Arc<dyn Names>, reach: Reach) -> Self {
        Self { names, reach }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, reach) = (Arc::clone(&self.names), self.reach);
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await?;
            if found.is_empty() {
                return Err(OutgoingError::NoAddress(name.as_str().to_owned()).into());
            }
            if let Some(address) = found.iter().find(|address| !reach.allows(**address)) {
                return Err(OutgoingError::Forbidden(*address).into());
            }
            // Port 0 is replaced by that of the URL.
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}
