//! The client's side of TLS: with any certificate to an MX, since there is no name to trust (RFC 7435), and with a good one to a
//! smarthost.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes the settings of connections. Cheap to share.
#[derive(Debug)]
pub(crate) struct TlsClient {
    provider: Arc<CryptoProvider>,
    web: Arc<WebPkiServerVerifier>,
}

impl TlsClient {
    /// Trusts the authorities of the web and those given as PEM.
    ///
    /// # Errors
    /// If the PEM has something that is not a certificate.
    pub(crate) fn new(extra_roots: &[u8]) -> Result<Self, String> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        for certificate in CertificateDer::pem_slice_iter(extra_roots) {
            let certificate = certificate.map_err(|e| e.to_string())?;
            roots.add(certificate).map_err(|e| e.to_string())?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let web = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|e| e.to_string())?;
        Ok(Self { provider, web })
    }

    /// Settings of one connection. With `demand` a certificate that is not for the name ends the handshake; without, it
    /// is only noted that it is not.
    pub(crate) fn settings(&self, demand: bool) -> (Arc<ClientConfig>, Noted) {
        let noted = Noted::default();
        let verifier = Arc::new(Noting {
            web: Arc::clone(&self.web),
            demand,
            noted: noted.clone(),
        });
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        // A resumed session shows no certificate, and what was noted is kept with the connection.
        config.resumption = rustls::client::Resumption::disabled();
        (Arc::new(config), noted)
    }
}

/// Whether the certificate of a connection was good for the name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted(Arc<AtomicBool>);

impl Noted {
    pub(crate) fn verified(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// `TLSv1.3 TLS_AES_256_GCM_SHA384 (verified)`, for the history.
pub(crate) fn describe(connection: &ClientConnection, noted: &Noted) -> String {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
    let suite = suite.and_then(|suite| suite.as_str()).unwrap_or("unknown");
    let verified = if noted.verified() { " (verified)" } else { "" };
    // rustls writes TLS13_ where the registry has TLS_.
    format!("{version} {}{verified}", suite.replacen("TLS13_", "TLS_", 1))
}

/// The name to ask for; an address has none, and then no name is sent.
pub(crate) fn server_name(host: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).ok()
}

#[derive(Debug)]
struct Noting {
    web: Arc<WebPkiServerVerifier>,
    demand: bool,
    noted: Noted,
}

impl Noting {
    /// A signature proves that the peer has the key of its certificate. Where the certificate proves nothing either,
    /// it is not looked at, since old kinds of certificates cannot even be read.
    fn signature(
        &self,
        check: impl FnOnce() -> Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.noted.verified() {
            check()
        } else {
            Ok(HandshakeSignatureValid::assertion())
        }
    }
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .web
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        self.noted.0.store(verified.is_ok(), Ordering::Relaxed);
        if self.demand {
            verified
        } else {
            Ok(ServerCertVerified::assertion())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(|| self.web.verify_tls12_signature(message, cert, dss))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(|| self.web.verify_tls13_signature(message, cert, dss))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web.supported_verify_schemes()
    }
}
