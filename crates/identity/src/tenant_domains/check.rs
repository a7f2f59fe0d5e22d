//! What the DNS says, against what it should say.

use crate::IdentityError;
use crate::dns::DnsRecord;
use postroom_store::BoxFuture;
use postroom_types::{Domain, OrganizationId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long all questions of one check may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// Asks the DNS. What is not there is an empty answer; an error is that it is not known.
pub trait DomainNames: Send + Sync {
    /// The TXT records of a name, each with its strings joined.
    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>>;

    /// The hosts in the MX records of a name.
    fn exchanges<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>>;
}

/// A DNS in which nothing is: for where nobody is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl DomainNames for NoNames {
    fn texts<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn exchanges<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// What the last check found of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordStatus {
    /// It is not there, or nobody has looked yet.
    #[default]
    Missing,
    /// It is there.
    Valid,
    /// Something else is there.
    Mismatch,
    /// There are several where one may be.
    Duplicate,
}

/// A record to publish, and whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedRecord {
    /// It.
    pub record: DnsRecord,
    /// What the last check found.
    pub status: RecordStatus,
}

impl CheckedRecord {
    pub(super) fn new(record: DnsRecord) -> Self {
        Self {
            record,
            status: RecordStatus::default(),
        }
    }

    /// What it is known by from one check to the next; a new key has a new name.
    pub(super) fn mark(&self) -> String {
        format!(
            "{} {} {}",
            self.record.kind,
            self.record.name,
            class(&self.record.value)
        )
    }

    /// Whether the domain waits for it: for all but DMARC, which is advice to others.
    pub(super) fn is_needed(&self) -> bool {
        class(&self.record.value) != "v=DMARC1"
    }
}

/// What tells records of one name apart that are about different things.
fn class(value: &str) -> &str {
    value
        .split([';', ' ', '='])
        .next()
        .filter(|word| *word != "v")
        .unwrap_or_else(|| {
            let end = value.find([';', ' ']).unwrap_or(value.len());
            &value[..end]
        })
}

/// What shows that whoever publishes for the domain means this organization.
pub(super) fn ownership(organization: OrganizationId, domain: &Domain) -> DnsRecord {
    let mut hash = Sha256::new();
    hash.update(organization.as_bytes());
    hash.update(domain.as_str());
    let code: String = hash.finalize()[..16]
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    DnsRecord {
        name: format!("_postroom.{domain}"),
        kind: "TXT",
        value: format!("postroom-verification={code}"),
        priority: None,
        purpose: "that this domain is yours".into(),
    }
}

/// The MX record of all that lies below a domain, after its own.
pub(super) fn below(record: &DnsRecord) -> DnsRecord {
    DnsRecord {
        name: format!("*.{}", record.name),
        purpose: "mail for all domains below it comes to this server".into(),
        ..record.clone()
    }
}

/// Asks for all records.
pub(super) async fn check(records: &mut [CheckedRecord], names: &dyn DomainNames) -> Result<(), IdentityError> {
    let asking = async {
        for checked in records {
            let record = &checked.record;
            checked.status = match record.kind {
                "MX" => compare_hosts(&record.value, &names.exchanges(&record.name).await?),
                _ => compare_texts(&record.value, &names.texts(&record.name).await?),
            };
        }
        Ok(())
    };
    let asked: Result<Result<(), String>, _> = tokio::time::timeout(DEADLINE, asking).await;
    let failed = match asked {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(reason)) => reason,
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::info!(reason = failed, "cannot check a domain");
    Err(IdentityError::NoAnswer)
}

fn compare_hosts(wanted: &str, found: &[String]) -> RecordStatus {
    let is_ours = |host: &String| host.trim_end_matches('.').eq_ignore_ascii_case(wanted);
    match found {
        [] => RecordStatus::Missing,
        found if found.iter().any(is_ours) => RecordStatus::Valid,
        _ => RecordStatus::Mismatch,
    }
}

fn compare_texts(wanted: &str, found: &[String]) -> RecordStatus {
    let class = class(wanted);
    let mut alike = found.iter().filter(|text| text.starts_with(class));
    let first = alike.next();
    let is_one_of_many = !class.starts_with("v=");
    match (first, alike.next()) {
        (None, _) => RecordStatus::Missing,
        (Some(_), _) if is_one_of_many && found.iter().any(|text| text == wanted) => RecordStatus::Valid,
        (Some(_), Some(_)) if !is_one_of_many => RecordStatus::Duplicate,
        (Some(text), _) if is_good(class, wanted, text) => RecordStatus::Valid,
        (Some(_), _) => RecordStatus::Mismatch,
    }
}

fn is_good(class: &str, wanted: &str, text: &str) -> bool {
    match class {
        // Any policy will do.
        "v=DMARC1" => true,
        // What else may send is the owner's business (RFC 7208 §5).
        "v=spf1" => {
            let mechanism = wanted.split(' ').nth(1);
            let words = text.split_ascii_whitespace();
            words
                .map(|word| word.trim_start_matches('+'))
                .any(|word| Some(word) == mechanism)
        }
        // Whitespace in a DKIM record says nothing (RFC 6376 §3.6.1).
        _ => {
            let bare = |text: &str| text.split_ascii_whitespace().collect::<String>();
            bare(wanted).trim_end_matches(';') == bare(text).trim_end_matches(';')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        use RecordStatus::{Duplicate, Mismatch, Missing, Valid};
        let own = "postroom-verification=00";
        for (wanted, found, expected) in [
            (own, &[][..], Missing),
            (own, &["other"], Missing),
            (own, &["postroom-verification=11"], Mismatch),
            (own, &["postroom-verification=11", own], Valid),
            ("v=spf1 mx ~all", &["x"], Missing),
            ("v=spf1 mx ~all", &["v=spf1 include:x.example +mx -all"], Valid),
            ("v=spf1 mx ~all", &["v=spf1 include:x.example -all"], Mismatch),
            ("v=spf1 mx ~all", &["v=spf1 mx ~all", "v=spf1 -all"], Duplicate),
            ("v=DMARC1; p=none", &["v=DMARC1; p=reject"], Valid),
            ("v=DKIM1; k=rsa; p=AB", &["v=DKIM1; k=rsa; p=A B;"], Valid),
            ("v=DKIM1; k=rsa; p=AB", &["v=DKIM1; k=rsa; p=AC"], Mismatch),
        ] {
            let found: Vec<String> = found.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(compare_texts(wanted, &found), expected, "{wanted} {found:?}");
        }
    }

    #[test]
    fn hosts() {
        let found = ["MX.example.".to_owned(), "other.example".to_owned()];
        assert_eq!(compare_hosts("mx.example", &found), RecordStatus::Valid);
        assert_eq!(compare_hosts("no.example", &found), RecordStatus::Mismatch);
        assert_eq!(compare_hosts("no.example", &[]), RecordStatus::Missing);
    }
}
