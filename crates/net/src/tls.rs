//! TLS settings that can be replaced while connections are open.

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(String, std::io::Error),
    /// The text is not PEM, or lacks a certificate or key.
    #[error("bad PEM: {0}")]
    Pem(#[from] pem::Error),
    /// Certificate and key do not fit together, or the key is of a kind we do not know.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// The certificate and settings of a listener. Copies share the certificate: [`replace`](Self::replace) on one is seen
/// by all, from their next handshake on.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    current: Arc<RwLock<Arc<ServerConfig>>>,
    tickets: bool,
}

impl TlsConfig {
    /// Takes a certificate chain and its key, both PEM. TLS 1.2 and 1.3 only.
    ///
    /// `tickets` lets clients resume sessions; off for port 25, where some large senders break on TLS 1.3 tickets.
    ///
    /// # Errors
    /// [`TlsError`] if they cannot be used.
    pub fn from_pem(certificates: &[u8], key: &[u8], tickets: bool) -> Result<Self, TlsError> {
        let config = server_config(certificates, key, tickets)?;
        Ok(Self {
            current: Arc::new(RwLock::new(config)),
            tickets,
        })
    }

    /// Like [`from_pem`](Self::from_pem), from files.
    ///
    /// # Errors
    /// [`TlsError`] if they cannot be read or used.
    pub fn from_files(certificates: &Path, key: &Path, tickets: bool) -> Result<Self, TlsError> {
        Self::from_pem(&read(certificates)?, &read(key)?, tickets)
    }

    /// Uses another certificate from the next handshake on.
    ///
    /// # Errors
    /// [`TlsError`] if it cannot be used; then the one before stays.
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let config = server_config(certificates, key, self.tickets)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Like [`replace`](Self::replace), from files.
    ///
    /// # Errors
    /// [`TlsError`] if they cannot be read or used; then the one before stays.
    pub fn replace_from_files(&self, certificates: &Path, key: &Path) -> Result<(), TlsError> {
        self.replace(&read(certificates)?, &read(key)?)
    }

    /// The server's side of a handshake, for protocols that no [`Machine`](postroom_wire::Machine) speaks, such as HTTP.
    ///
    /// # Errors
    /// The peer did not finish it well within the limit.
    pub async fn accept(
        &self,
        tcp: TcpStream,
        limit: Duration,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static> {
        timeout(limit, self.acceptor().accept(tcp)).await?
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|e| TlsError::Read(path.display().to_string(), e))
}

fn server_config(certificates: &[u8], key: &[u8], tickets: bool) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // Tickets carry the session themselves; none is kept in our memory.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if tickets {
        config.ticketer = aws_lc_rs::Ticketer::new()?;
    } else {
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}
