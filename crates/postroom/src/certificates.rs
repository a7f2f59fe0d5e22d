//! `dev`'s own certificate authority, made once. Its key never leaves the data folder.

use crate::Outcome;
use crate::config::TlsFiles;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Files of a development authority.
pub(crate) struct DevCertificates {
    /// The authority's certificate, for clients to trust.
    pub(crate) ca: PathBuf,
    /// The server's certificate and key.
    pub(crate) server: TlsFiles,
}

/// Makes the authority and a server certificate in `folder`, or finds them there.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn ensure(folder: &Path, names: &[String]) -> Outcome<DevCertificates> {
    fs::create_dir_all(folder)?;
    let made = DevCertificates {
        ca: folder.join("ca.pem"),
        server: TlsFiles {
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
        },
    };
    // ca.pem is written last: where it is, the others are whole.
    if !made.ca.exists() {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        ca.distinguished_name.push(DnType::CommonName, "postroom dev CA");
        let ca_key = KeyPair::generate()?;
        let ca_certificate = ca.self_signed(&ca_key)?;
        let mut server = CertificateParams::new(names.to_vec())?;
        server.distinguished_name.push(DnType::CommonName, "postroom dev");
        server.use_authority_key_identifier_extension = true;
        let server_key = KeyPair::generate()?;
        let server_certificate = server.signed_by(&server_key, &Issuer::new(ca, ca_key))?;
        write_private(&made.server.key, server_key.serialize_pem().as_bytes())?;
        write_durably(&made.server.certificate, server_certificate.pem().as_bytes(), 0o644)?;
        write_durably(&made.ca, ca_certificate.pem().as_bytes(), 0o644)?;
    }
    Ok(made)
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    write_durably(path, bytes, 0o600)
}

/// Writes a file that is on disk under its name when this returns, and not there before it is whole.
fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let staged = path.with_extension("new");
    // One that a crash left may have another mode.
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&staged)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&staged, path)?;
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
