//! Certificates of scripted servers.

use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Speaks TLS with a certificate for this name, signed by itself.
pub(crate) fn acceptor(name: &str) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a DNS name");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("made together");
    TlsAcceptor::from(Arc::new(config))
}
