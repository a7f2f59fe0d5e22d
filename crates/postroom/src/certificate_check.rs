//! Whether a certificate can be served, and whether clients would take it: told by the name of the file.

use crate::Outcome;
use crate::config::TlsFiles;
use jiff::Timestamp;
use postroom_net::TlsConfig;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What is wrong with a certificate that can be served all the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Clients refuse it.
    pub(crate) errors: Vec<String>,
    /// Some may, or others than the server could read its key.
    pub(crate) warnings: Vec<String>,
}

/// Says on the log what is wrong with a certificate that is served all the same.
///
/// # Errors
/// It cannot be served.
pub(crate) fn warn(files: &TlsFiles, hostname: &str) -> Outcome<()> {
    let found = look(files, hostname, Timestamp::now())?;
    for finding in found.errors.iter().chain(&found.warnings) {
        tracing::warn!("{finding}");
    }
    Ok(())
}

/// Looks at a certificate and its key, for a server of this name.
///
/// # Errors
/// They cannot be served.
pub(crate) fn look(files: &TlsFiles, hostname: &str, now: Timestamp) -> Outcome<Findings> {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let chain = read(&files.certificate)?;
    let chain: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{certificate}: {error}"))?;
    let Some(own) = chain.first() else {
        return Err(format!("{certificate}: there is no certificate in it").into());
    };
    let secret = read(&files.key)?;
    PrivateKeyDer::from_pem_slice(&secret).map_err(|error| format!("{key}: {error}"))?;
    TlsConfig::from_files(&files.certificate, &files.key, true)
        .map_err(|error| format!("{certificate} and {key} cannot be used together: {error}"))?;
    let own = ParsedCertificate::try_from(own).map_err(|error| format!("{certificate}: {error}"))?;
    let mut findings = Findings::default();
    findings
        .errors
        .extend(out_of_date(&own, now).map(|told| format!("{certificate}: {told}")));
    let name = ServerName::try_from(hostname).map_err(|error| format!("{hostname}: {error}"))?;
    if verify_server_name(&own, &name).is_err() {
        findings.warnings.push(format!(
            "{certificate} is not for {hostname}: who checks names refuses it"
        ));
    }
    if is_world_readable(&files.key)? {
        findings.warnings.push(format!(
            "{key} can be read by everybody on this machine: `chmod o= {key}`"
        ));
    }
    Ok(findings)
}

fn read(file: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()).into())
}

fn is_world_readable(file: &Path) -> Outcome<bool> {
    Ok(std::fs::metadata(file)?.permissions().mode() & 0o004 != 0)
}

/// The dates are the first that is looked at, before it is asked who signed, so that this needs no authority.
fn out_of_date(certificate: &ParsedCertificate<'_>, now: Timestamp) -> Option<String> {
    let now = u64::try_from(now.as_second()).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
    let (nobody, algorithms) = (
        RootCertStore::empty(),
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms,
    );
    let checked = verify_server_cert_signed_by_trust_anchor(certificate, &nobody, &[], now, algorithms.all);
    match checked {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(format!("expired on {}", day(not_after)))
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            Some(format!("is good from {} on, not yet", day(not_before)))
        }
        _ => None,
    }
}

fn day(time: UnixTime) -> String {
    let second = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(second).map_or_else(|_| "a day out of range".into(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("postroom-{name}-{}", postroom_types::EmailId::new()));
            std::fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        fn files(&self) -> TlsFiles {
            TlsFiles {
                certificate: self.0.join("cert.pem"),
                key: self.0.join("key.pem"),
            }
        }

        /// A certificate for this name, good in 2026, with its key.
        fn put(&self, name: &str) -> TlsFiles {
            let mut wanted = CertificateParams::new(vec![name.to_owned()]).unwrap();
            (wanted.not_before, wanted.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2027, 1, 1));
            let key = KeyPair::generate().unwrap();
            let files = self.files();
            std::fs::write(&files.certificate, wanted.self_signed(&key).unwrap().pem()).unwrap();
            self.put_key(&key.serialize_pem());
            files
        }

        fn put_key(&self, text: &str) {
            let file = self.files().key;
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn at(day: &str) -> Timestamp {
        format!("{day}T00:00:00Z").parse().unwrap()
    }

    #[test]
    fn what_clients_would_say() {
        let folder = Folder::new("certificate");
        let files = folder.put("mail.example.org");
        let good = look(&files, "mail.example.org", at("2026-06-01")).unwrap();
        assert_eq!(good, Findings::default());
        let late = look(&files, "mail.example.org", at("2027-06-01")).unwrap().errors;
        assert!(
            late.len() == 1 && late[0].contains("cert.pem: expired on 2027-01-01"),
            "{late:?}"
        );
        let early = look(&files, "mail.example.org", at("2025-06-01")).unwrap().errors;
        assert!(early.len() == 1 && early[0].contains("from 2026-01-01"), "{early:?}");
        let other = look(&files, "imap.example.org", at("2026-06-01")).unwrap();
        assert!(
            other.errors.is_empty() && other.warnings[0].contains("is not for imap.example.org"),
            "{other:?}"
        );
        std::fs::set_permissions(&files.key, PermissionsExt::from_mode(0o644)).unwrap();
        let open = look(&files, "mail.example.org", at("2026-06-01")).unwrap().warnings;
        assert!(
            open.len() == 1 && open[0].contains("key.pem can be read by everybody"),
            "{open:?}"
        );
    }

    #[test]
    fn what_cannot_be_served_names_its_file() {
        let folder = Folder::new("broken-certificate");
        let files = folder.put("mail.example.org");
        let told = |files: &TlsFiles| {
            look(files, "mail.example.org", at("2026-06-01"))
                .unwrap_err()
                .to_string()
        };
        folder.put_key(&KeyPair::generate().unwrap().serialize_pem());
        let mismatch = told(&files);
        assert!(
            mismatch.contains("cert.pem") && mismatch.contains("key.pem"),
            "{mismatch}"
        );
        folder.put_key("rubbish");
        assert!(told(&files).contains("key.pem: "), "{}", told(&files));
        std::fs::write(&files.certificate, "rubbish").unwrap();
        assert!(
            told(&files).contains("cert.pem: there is no certificate"),
            "{}",
            told(&files)
        );
        std::fs::remove_file(&files.certificate).unwrap();
        assert!(told(&files).contains("cert.pem: "), "{}", told(&files));
    }
}
