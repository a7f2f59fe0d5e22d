//! Which message is waited for, and what of it.

use crate::agentmail::failure::{Answer, Failure};
use crate::agentmail::wire::{Asked, time};
use crate::model::address;
use axum::http::HeaderMap;
use postroom_feed::Cursor;
use postroom_identity::{Permission, Principal};
use postroom_intake::Single;
use postroom_mailstore::{Include, Listed};
use postroom_message::{MechanismResult, Purpose, Verdict, decode_words};
use postroom_types::{EmailId, ThreadId};
use sha2::{Digest, Sha256};

/// Longest idempotency key, octets.
const MAX_KEY_OCTETS: usize = 256;

/// From where on messages count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Now,
    Cursor(Cursor),
    /// Milliseconds since 1970.
    Time(i64),
}

/// What is to be read out of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extract {
    Code,
    /// `None`: a link of any purpose but none.
    Link(Option<Purpose>),
}

/// A wait as it was asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) since: Since,
    pub(super) extract: Option<Extract>,
    /// Whom it is given to, if it is to be given once.
    pub(super) consumer: Option<[u8; 16]>,
    pub(super) include: Include,
    from: Option<String>,
    subject: Option<String>,
    thread: Option<ThreadId>,
    dmarc: bool,
}

impl Wanted {
    pub(super) fn read(principal: &Principal, headers: &HeaderMap, asked: &Asked) -> Answer<Self> {
        let lower = |name| -> Answer<Option<String>> { Ok(asked.text(name)?.map(|text| text.trim().to_lowercase())) };
        let thread = asked.text("thread")?.map(str::parse).transpose();
        let dmarc = match asked.text("dmarc")? {
            None => false,
            Some("pass") => true,
            Some(_) => return Err(Failure::field("dmarc", "dmarc is pass, or left out")),
        };
        let included = |flag, permission| -> Answer<bool> {
            if !asked.flag(flag)? {
                return Ok(false);
            }
            let allowed = principal.allows(permission);
            allowed
                .then_some(true)
                .ok_or_else(|| Failure::missing_permission(permission))
        };
        Ok(Self {
            since: since(asked)?,
            extract: extract(asked)?,
            consumer: if asked.flag("consume")? {
                Some(consumer(headers)?)
            } else {
                None
            },
            include: Include {
                spam: included("include_spam", Permission::LabelSpamRead)?,
                unauthenticated: included("include_unauthenticated", Permission::LabelUnauthenticatedRead)?,
                blocked: false,
                trash: false,
            },
            from: lower("from")?,
            subject: lower("subject")?,
            thread: thread.map_err(|_| Failure::field("thread", "thread is the id of a thread"))?,
            dmarc,
        })
    }

    /// What is given out once.
    pub(super) const fn part(&self) -> Single {
        match self.extract {
            None => Single::Message,
            Some(Extract::Code) => Single::Code,
            Some(Extract::Link(_)) => Single::Link,
        }
    }

    pub(super) fn passes(&self, listed: &Listed) -> bool {
        let summary = &listed.summary;
        let senders: Vec<(String, String)> = summary.envelope.from.iter().flatten().filter_map(sender).collect();
        let from = || {
            self.from
                .as_deref()
                .is_none_or(|from| senders.iter().any(|sender| is_from(from, sender)))
        };
        let subject = || {
            let subject = summary.subject_text.to_lowercase();
            self.subject.as_deref().is_none_or(|wanted| subject.contains(wanted))
        };
        self.include.shows(&listed.labels)
            && !listed.labels.draft
            && self.thread.is_none_or(|thread| thread == listed.record.thread_id)
            && from()
            && subject()
            && (!self.dmarc || passed_dmarc(&listed.record.verdict, &senders))
    }
}

fn since(asked: &Asked) -> Answer<Since> {
    let Some(text) = asked.text("since")?.filter(|text| *text != "now") else {
        return Ok(Since::Now);
    };
    if let Ok(cursor) = text.strip_prefix("evt_").unwrap_or(text).parse() {
        return Ok(Since::Cursor(cursor));
    }
    let at = time("since", text);
    at.map(Since::Time).map_err(|_| {
        Failure::field(
            "since",
            "since is a cursor, the id of an event, a time of RFC 3339, or now",
        )
    })
}

fn extract(asked: &Asked) -> Answer<Option<Extract>> {
    let purpose = match asked.text("purpose")? {
        None => None,
        Some("verify") => Some(Purpose::Verify),
        Some("reset") => Some(Purpose::Reset),
        Some("login") => Some(Purpose::Login),
        Some(_) => return Err(Failure::field("purpose", "purpose is verify, reset or login")),
    };
    match asked.text("extract")? {
        None => Ok(None),
        Some("code") => Ok(Some(Extract::Code)),
        Some("link") => Ok(Some(Extract::Link(purpose))),
        Some(_) => Err(Failure::field("extract", "extract is code or link")),
    }
}

/// Whoever repeats a request with its `Idempotency-Key` is the one that asked first.
fn consumer(headers: &HeaderMap) -> Answer<[u8; 16]> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(*EmailId::new().as_bytes());
    };
    if key.is_empty() || key.len() > MAX_KEY_OCTETS {
        return Err(Failure::invalid("an Idempotency-Key has 1 to 256 characters"));
    }
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    Ok(*hash.first_chunk().unwrap_or(&[0; 16]))
}

/// Name and address of a sender, in lower case.
fn sender(entry: &postroom_types::AddressEntry) -> Option<(String, String)> {
    let name = entry.name.as_deref().map(decode_words).unwrap_or_default();
    Some((name.to_lowercase(), address(entry)?.to_lowercase()))
}

/// An address is met as a whole, a domain with what is below it; other text anywhere in the name or the address.
fn is_from(wanted: &str, (name, address): &(String, String)) -> bool {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    match wanted.split_once('@') {
        Some(("", wanted)) => is_below(domain, wanted),
        Some(_) => wanted == address,
        None if wanted.contains('.') => is_below(domain, wanted),
        None => name.contains(wanted) || address.contains(wanted),
    }
}

fn is_below(domain: &str, parent: &str) -> bool {
    let head = domain.strip_suffix(parent);
    head.is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

/// Whether the domain of every sender is the one that proved to have sent the message.
fn passed_dmarc(verdict: &[u8], senders: &[(String, String)]) -> bool {
    let Some(verdict) = Verdict::decode(verdict) else {
        return false;
    };
    let proven = |(_, address): &(String, String)| {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        domain.eq_ignore_ascii_case(&verdict.dmarc.domain)
    };
    verdict.dmarc.result == MechanismResult::Pass && !senders.is_empty() && senders.iter().all(proven)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders() {
        let bob = ("bob builder".to_owned(), "bob@mail.example.com".to_owned());
        for (wanted, is) in [
            ("bob@mail.example.com", true),
            ("ob@mail.example.com", false),
            ("example.com", true),
            ("@example.com", true),
            ("mail.example.com", true),
            ("ample.com", false),
            ("example.org", false),
            ("builder", true),
            ("carl", false),
        ] {
            assert_eq!(is_from(wanted, &bob), is, "{wanted}");
        }
    }

    #[test]
    fn the_domain_that_passed_is_that_of_the_sender() {
        let mut verdict = Verdict::default();
        verdict.dmarc.result = MechanismResult::Pass;
        verdict.dmarc.domain = "example.com".into();
        let senders = |addresses: &[&str]| -> Vec<_> {
            addresses
                .iter()
                .map(|address| (String::new(), (*address).to_owned()))
                .collect()
        };
        let passed = |verdict: &Verdict, addresses: &[&str]| passed_dmarc(&verdict.encode(), &senders(addresses));
        assert!(passed(&verdict, &["a@example.com"]));
        assert!(!passed(&verdict, &["a@evil.example"]));
        assert!(!passed(&verdict, &["a@example.com", "b@evil.example"]));
        assert!(!passed(&verdict, &[]));
        assert!(!passed_dmarc(b"", &senders(&["a@example.com"])));
        verdict.dmarc.result = MechanismResult::Fail;
        assert!(!passed(&verdict, &["a@example.com"]));
    }
}
