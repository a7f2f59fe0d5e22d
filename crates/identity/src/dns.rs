//! What a domain's owner puts into DNS.

use crate::dkim::DkimKeySummary;
use crate::record::now_ms;
use crate::{Identity, IdentityError};
use postroom_types::Domain;
use std::fmt::Write;

/// Longest domain that leaves room for a selector before it (a name in DNS has at most 253 characters).
const MAX_DOMAIN_OCTETS: usize = 220;
/// Longest string of a TXT record (RFC 1035 §3.3).
const MAX_STRING_OCTETS: usize = 255;
/// Seconds that resolvers keep the records: an hour, so that a mistake is soon mended.
const TTL_SECONDS: u32 = 3600;

/// A record to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// Its name, absolute, without the dot at the end.
    pub name: String,
    /// `MX` or `TXT`.
    pub kind: &'static str,
    /// A host's name for MX, the text for TXT, however long; in DNS it stands as strings of at most 255 octets.
    pub value: String,
    /// The preference of an MX record.
    pub priority: Option<u16>,
    /// What it is for, in a few words.
    pub purpose: String,
}

impl Identity {
    /// The records of a domain: MX, SPF, DKIM keys, DMARC. A domain that has no DKIM keys gets its first pair.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchDomain`]; [`IdentityError::Keys`].
    pub async fn dns_records(&self, domain: &Domain) -> Result<Vec<DnsRecord>, IdentityError> {
        if !self.is_local(domain) || !is_dns_name(domain) {
            return Err(IdentityError::NoSuchDomain);
        }
        let keys = self.ready_dkim_keys(domain, now_ms()).await?;
        Ok(self.records_with(domain, &keys))
    }

    /// The records of a domain with these DKIM keys.
    pub(crate) fn records_with(&self, domain: &Domain, keys: &[DkimKeySummary]) -> Vec<DnsRecord> {
        let hostname = &self.options.hostname;
        let mut records = vec![
            DnsRecord {
                name: domain.to_string(),
                kind: "MX",
                value: hostname.to_string(),
                priority: Some(10),
                purpose: "mail for this domain comes to this server".into(),
            },
            // `mx` names the server's own addresses, so they are written down once, in its A and AAAA records. `~all`,
            // not `-all`: some receivers refuse on `-all` before they look at the DKIM signature, and forwarded mail
            // has nothing but that (RFC 7489 §10.1). With DMARC beside it, a forger gains nothing.
            text(
                domain.to_string(),
                "v=spf1 mx ~all",
                "SPF: this server sends for this domain; add `include:` for a smarthost",
            ),
        ];
        if hostname.as_str().ends_with(&format!(".{domain}")) {
            // A bounce has no other name to be checked than the one said in EHLO (RFC 7208 §2.4).
            records.push(text(
                hostname.to_string(),
                "v=spf1 a ~all",
                "SPF: the server's own name, for its bounces",
            ));
        }
        for key in keys {
            let name = format!("{}._domainkey.{domain}", key.selector);
            records.push(text(name, &key.record, &format!("DKIM key, {}", key.stage.as_str())));
        }
        // `p=none` asks for reports alone: they show what would be lost before the owner asks for more. They come to
        // the same domain, which needs no consent from another (RFC 7489 §7.1); `postmaster` is always there.
        records.push(text(
            format!("_dmarc.{domain}"),
            &format!("v=DMARC1; p=none; rua=mailto:postmaster@{domain}"),
            "DMARC: reports only; when they show no surprise, `p=quarantine`, then `p=reject`",
        ));
        records
    }
}

fn text(name: String, value: &str, purpose: &str) -> DnsRecord {
    DnsRecord {
        name,
        kind: "TXT",
        value: value.to_owned(),
        priority: None,
        purpose: purpose.to_owned(),
    }
}

/// Records in the form of a zone file (RFC 1035 §5.1), to be pasted or included into one: all names are absolute.
#[must_use]
pub fn zone_file(records: &[DnsRecord]) -> String {
    let mut file = format!("$TTL {TTL_SECONDS}\n");
    for record in records {
        let value = match record.kind {
            "TXT" => strings(&record.value),
            _ => format!("{}.", record.value),
        };
        let priority = record
            .priority
            .map(|priority| format!("{priority} "))
            .unwrap_or_default();
        write!(
            file,
            "; {}\n{}. IN {} {priority}{value}\n",
            record.purpose, record.name, record.kind
        )
        .expect("writing to a String does not fail");
    }
    file
}

/// A text as quoted strings, each short enough, on one line.
fn strings(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 16);
    for (at, string) in text.as_bytes().chunks(MAX_STRING_OCTETS).enumerate() {
        quoted.push_str(if at == 0 { "\"" } else { " \"" });
        for &byte in string {
            match byte {
                b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
                b' '..=b'~' => quoted.push(char::from(byte)),
                _ => write!(quoted, "\\{byte:03}").expect("writing to a String does not fail"),
            }
        }
        quoted.push('"');
    }
    quoted
}

/// Whether it is a host name in ASCII, short enough for selectors before it.
pub(crate) fn is_dns_name(domain: &Domain) -> bool {
    let name = domain.as_str();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    name.len() <= MAX_DOMAIN_OCTETS && name.contains('.') && name.chars().all(allowed) && !is_address
}
