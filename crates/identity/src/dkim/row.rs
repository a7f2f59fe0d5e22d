//! A DKIM key as it is stored, and what the times in it mean.

use crate::IdentityError;
use postroom_message::{DkimAlgorithm, DkimKey, SignError};
use postroom_store::Value;
use postroom_types::Secret;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long after its successor began mail signed by a pair may still wait in queues (here at most 5 days).
const SUPERSEDED: Duration = Duration::from_hours(7 * 24);
/// How long a retired pair stays listed, for mail that is verified late.
const RETIRED: Duration = Duration::from_hours(30 * 24);
/// How far a DKIM key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStage {
    /// In DNS, but not signing yet.
    Published,
    /// Signs.
    Signing,
    /// Its successor signs; mail that it signed may still be under way.
    Superseded,
    /// Not needed any more, for 30 days; then it is gone. Its record may be taken out of DNS.
    Retired,
}

impl KeyStage {
    /// Its name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Signing => "signing",
            Self::Superseded => "superseded",
            Self::Retired => "retired",
        }
    }
}

/// A DKIM key without its private half. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimKeySummary {
    /// The name under `_domainkey`.
    pub selector: String,
    /// How it signs.
    pub algorithm: DkimAlgorithm,
    /// How far it is.
    pub stage: KeyStage,
    /// The text of its TXT record.
    pub record: String,
    /// When it was made.
    pub published_at: i64,
    /// When it begins to sign, or began.
    pub signs_from: i64,
    /// When its successor begins to sign, or began.
    pub superseded_at: Option<i64>,
}

/// A key as stored; no `Debug`, so that it is not printed.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredKey {
    /// `rsa` or `ed25519`.
    pub(super) algorithm: String,
    /// The text of its TXT record.
    pub(super) record: String,
    /// PKCS#8 in hexadecimal digits, until it is retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) private: Option<Hex>,
    pub(super) published_at: i64,
    pub(super) signs_from: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) superseded_at: Option<i64>,
}

/// A row: the selector, the value as read, and what it says.
pub(super) struct Row {
    pub(super) selector: String,
    pub(super) value: Value,
    pub(super) key: StoredKey,
}

impl StoredKey {
    pub(super) fn stage(&self, now: i64) -> KeyStage {
        match self.superseded_at {
            Some(end) if end.saturating_add(ms(SUPERSEDED)) <= now => KeyStage::Retired,
            Some(end) if end <= now => KeyStage::Superseded,
            _ if self.signs_from > now => KeyStage::Published,
            _ => KeyStage::Signing,
        }
    }

    pub(super) fn is_gone(&self, now: i64) -> bool {
        let life = ms(SUPERSEDED) + ms(RETIRED);
        self.superseded_at.is_some_and(|end| end.saturating_add(life) <= now)
    }

    fn algorithm(&self) -> DkimAlgorithm {
        match self.algorithm.as_str() {
            "ed25519" => DkimAlgorithm::Ed25519Sha256,
            _ => DkimAlgorithm::RsaSha256,
        }
    }
}

impl Row {
    pub(super) fn summary(&self, now: i64) -> DkimKeySummary {
        DkimKeySummary {
            selector: self.selector.clone(),
            algorithm: self.key.algorithm(),
            stage: self.key.stage(now),
            record: self.key.record.clone(),
            published_at: self.key.published_at,
            signs_from: self.key.signs_from,
            superseded_at: self.key.superseded_at,
        }
    }
}

/// A new key of each kind, each with the first letter of its selector; the times are to be set.
pub(super) async fn make_pair() -> Result<[(char, StoredKey); 2], IdentityError> {
    // RSA takes some 100 ms of CPU.
    let made = tokio::task::spawn_blocking(|| {
        let make = |algorithm, name: &str| {
            let key = DkimKey::generate(algorithm)?;
            Ok::<_, SignError>(StoredKey {
                algorithm: name.to_owned(),
                record: key.dns_record(),
                private: Some(Hex::new(key.pkcs8()?.expose())),
                published_at: 0,
                signs_from: 0,
                superseded_at: None,
            })
        };
        Ok::<_, SignError>([
            ('r', make(DkimAlgorithm::RsaSha256, "rsa")?),
            ('e', make(DkimAlgorithm::Ed25519Sha256, "ed25519")?),
        ])
    });
    Ok(made.await.map_err(|_| SignError::Crypto)??)
}

/// The date and the first letter that is free on it, such as `20261121a`.
pub(super) fn dated_name(rows: &[Row], now: i64) -> Result<String, IdentityError> {
    let time = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
    let date = time.strftime("%Y%m%d");
    let is_free = |name: &String| !rows.iter().any(|row| row.selector.ends_with(name.as_str()));
    let mut names = ('a'..='z').map(|letter| format!("{date}{letter}"));
    names.find(is_free).ok_or(IdentityError::TooMany("DKIM keys"))
}

pub(super) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Bytes in hexadecimal digits, wiped when dropped.
#[derive(Clone)]
pub(super) struct Hex(Secret<String>);

impl Hex {
    fn new(bytes: &[u8]) -> Self {
        // With room for all of it, growing leaves no copy behind.
        let mut digits = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            for half in [byte >> 4, byte & 15] {
                digits.extend(char::from_digit(u32::from(half), 16));
            }
        }
        Self(Secret::new(digits))
    }

    pub(super) fn bytes(&self) -> Option<Secret<Vec<u8>>> {
        let digits = self.0.expose().as_bytes();
        let mut bytes = Vec::with_capacity(digits.len() / 2);
        for pair in digits.chunks(2) {
            let pair = std::str::from_utf8(pair).ok()?;
            bytes.push(u8::from_str_radix(pair, 16).ok()?);
        }
        Some(Secret::new(bytes))
    }
}

impl Serialize for Hex {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Secret::new(String::deserialize(deserializer)?)))
    }
}
