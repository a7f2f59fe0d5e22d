//! The private keys of DKIM, as aws-lc-rs holds them.

use super::SignError;
use crate::encode::base64;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use postroom_types::Secret;
use std::fmt;

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DkimAlgorithm {
    /// RSA with SHA-256; new keys have 2048 bits (RFC 8301 §3.2).
    RsaSha256,
    /// Ed25519 over a SHA-256 hash (RFC 8463).
    Ed25519Sha256,
}

impl DkimAlgorithm {
    /// The value of `a=`.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }
}

enum Pair {
    Rsa(Box<rsa::KeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// A private key.
pub struct DkimKey {
    pair: Pair,
    /// The value of `p=`: made once, so that what cannot be published is no key.
    public: String,
}

impl DkimKey {
    /// A new key. RSA takes some 100 ms of CPU: call it off the executor.
    ///
    /// # Errors
    /// [`SignError::Crypto`] if the library cannot make one.
    pub fn generate(algorithm: DkimAlgorithm) -> Result<Self, SignError> {
        let pair = match algorithm {
            DkimAlgorithm::RsaSha256 => rsa::KeyPair::generate(KeySize::Rsa2048).map(|pair| Pair::Rsa(Box::new(pair))),
            DkimAlgorithm::Ed25519Sha256 => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        Self::new(pair.map_err(|_| SignError::Crypto)?)
    }

    /// Reads a key that [`DkimKey::pkcs8`] wrote, or any other of these kinds in PKCS#8 DER.
    ///
    /// # Errors
    /// [`SignError::Key`] if it is none.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SignError> {
        match Ed25519KeyPair::from_pkcs8(der) {
            Ok(pair) => Self::new(Pair::Ed25519(pair)),
            Err(_) => {
                let pair = rsa::KeyPair::from_pkcs8(der).map_err(|_| SignError::Key)?;
                Self::new(Pair::Rsa(Box::new(pair)))
            }
        }
    }

    fn new(pair: Pair) -> Result<Self, SignError> {
        let public = match &pair {
            Pair::Rsa(pair) => {
                let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| SignError::Crypto)?;
                base64(der.as_ref())
            }
            // RFC 8463 §4: the key itself, without a wrapping.
            Pair::Ed25519(pair) => base64(pair.public_key().as_ref()),
        };
        Ok(Self { pair, public })
    }

    /// The private key as PKCS#8 DER, for keeping.
    ///
    /// # Errors
    /// [`SignError::Crypto`] if the library cannot write it.
    pub fn pkcs8(&self) -> Result<Secret<Vec<u8>>, SignError> {
        let der: Result<Pkcs8V1Der<'_>, _> = match &self.pair {
            Pair::Rsa(pair) => pair.as_der(),
            Pair::Ed25519(pair) => pair.as_der(),
        };
        der.map(|der| Secret::new(der.as_ref().to_vec()))
            .map_err(|_| SignError::Crypto)
    }

    /// How this key signs.
    #[must_use]
    pub const fn algorithm(&self) -> DkimAlgorithm {
        match self.pair {
            Pair::Rsa(_) => DkimAlgorithm::RsaSha256,
            Pair::Ed25519(_) => DkimAlgorithm::Ed25519Sha256,
        }
    }

    /// The text of the TXT record at `<selector>._domainkey.<domain>` (RFC 6376 §3.6.1). That of an RSA key has over
    /// 255 octets, so it is several strings in DNS (RFC 6376 §3.6.2.2).
    #[must_use]
    pub fn dns_record(&self) -> String {
        let kind = match self.algorithm() {
            DkimAlgorithm::RsaSha256 => "rsa",
            DkimAlgorithm::Ed25519Sha256 => "ed25519",
        };
        format!("v=DKIM1; k={kind}; p={}", self.public)
    }

    /// The signature of these octets.
    pub(super) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature);
                signed.map(|()| signature).map_err(|_| SignError::Crypto)
            }
            // RFC 8463 §3: PureEdDSA of the hash.
            Pair::Ed25519(pair) => {
                let signature = pair.try_sign(digest(&SHA256, data).as_ref());
                signature
                    .map(|signature| signature.as_ref().to_vec())
                    .map_err(|_| SignError::Crypto)
            }
        }
    }
}

/// Without the key.
impl fmt::Debug for DkimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DkimKey({})", self.algorithm().tag())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_and_published() {
        for (algorithm, start) in [
            (
                DkimAlgorithm::RsaSha256,
                "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
            ),
            (DkimAlgorithm::Ed25519Sha256, "v=DKIM1; k=ed25519; p="),
        ] {
            let key = DkimKey::generate(algorithm).unwrap();
            let kept = DkimKey::from_pkcs8(key.pkcs8().unwrap().expose()).unwrap();
            assert_eq!((kept.algorithm(), kept.dns_record()), (algorithm, key.dns_record()));
            assert!(key.dns_record().starts_with(start), "{}", key.dns_record());
            assert_eq!(key.sign(b"x").unwrap(), kept.sign(b"x").unwrap());
        }
    }

    #[test]
    fn what_is_no_key() {
        for der in [&b""[..], b"rubbish", &[0x30, 0x82, 0xff, 0xff], &[0; 5_000]] {
            assert_eq!(DkimKey::from_pkcs8(der).unwrap_err(), SignError::Key);
        }
    }
}
