//! Whose mail a message says it is: the domains in From that DMARC is asked about (RFC 7489 §3.1).
//!
//! What always holds: every domain that a reader is shown is asked about, and so is every one that the library reads,
//! however few lines of code they share. Where the two differ, or there is more than can be asked about, nothing passes.

use crate::address_list::parse_address_list;
use crate::header::fields;
use postroom_types::Domain;

/// Most domains asked about: each costs a walk through DNS.
const MAX_DOMAINS: usize = 4;

/// The domains of the authors.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Authors {
    /// Folded, each once, those that are shown first; at most [`MAX_DOMAINS`].
    pub(super) domains: Vec<String>,
    /// From can be read in more than one way, or not to its end: whoever it seems to be, it is not proven.
    pub(super) doubtful: bool,
}

/// The authors of a message in which the library that verifies read these addresses.
pub(super) fn authors(content: &[u8], read: &[String]) -> Authors {
    let shown = shown_domains(content);
    let read = folded(
        read.iter()
            .filter_map(|address| Some(without_root(address.rsplit_once('@')?.1.trim()))),
    );
    let differ = shown.len() != read.len() || !shown.iter().all(|domain| read.contains(domain));
    let mut domains = shown;
    domains.extend(read);
    domains = folded(domains.into_iter());
    let names = domains.iter().all(|domain| Domain::parse(domain).is_ok());
    let doubtful = differ || !names || domains.len() > MAX_DOMAINS;
    domains.truncate(MAX_DOMAINS);
    Authors { domains, doubtful }
}

/// The domains in all From fields, as ENVELOPE has them.
fn shown_domains(content: &[u8]) -> Vec<String> {
    let entries = fields(content)
        .filter(|field| field.is("From"))
        .flat_map(|field| parse_address_list(field.value));
    folded(entries.filter_map(|entry| Some(without_root(&String::from_utf8_lossy(&entry.host?)))))
}

/// The dot of the root, which some write at the end, makes no other domain.
fn without_root(domain: &str) -> String {
    domain.strip_suffix('.').unwrap_or(domain).to_owned()
}

/// Each once, in lower case.
fn folded(domains: impl Iterator<Item = String>) -> Vec<String> {
    let mut each: Vec<String> = Vec::new();
    for domain in domains.map(|domain| domain.to_lowercase()) {
        // More than this are not asked about, and that there are more is enough to know.
        if !domain.is_empty() && !each.contains(&domain) && each.len() <= 2 * MAX_DOMAINS {
            each.push(domain);
        }
    }
    each
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure;
    use mail_auth::AuthenticatedMessage;
    use proptest::prelude::*;

    fn of(header: &str) -> Authors {
        let content = format!("{header}\r\nSubject: x\r\n\r\n");
        let message = AuthenticatedMessage::parse(content.as_bytes()).expect("there are fields");
        authors(content.as_bytes(), message.froms())
    }

    fn certain(domains: &[&str]) -> Authors {
        Authors {
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            doubtful: false,
        }
    }

    #[test]
    fn forms_that_are_read_in_one_way() {
        for (value, domains) in [
            ("a@b.c", &["b.c"][..]),
            ("A@B.C", &["b.c"]),
            ("a@b.c.", &["b.c"]),
            ("Ann <a@b.c.>, d@b.c", &["b.c"]),
            ("Ann Bee <a@b.c>", &["b.c"]),
            ("\"Bee, Ann\" <a@b.c>", &["b.c"]),
            ("\"x@y.z\" <a@b.c>", &["b.c"]),
            ("x@y.z <a@b.c>", &["b.c"]),
            ("a@b.c (Ann @ Bee)", &["b.c"]),
            ("=?utf-8?q?ceo=40bank.com?= <a@b.c>", &["b.c"]),
            ("Ann\r\n\t<a@b.c>", &["b.c"]),
            ("<a@b.c>", &["b.c"]),
            ("\"a b\"@b.c", &["b.c"]),
            ("a@b.c, d@b.c, Eve <e@f.g>", &["b.c", "f.g"]),
            ("friends: a@b.c, D <d@e.f>;", &["b.c", "e.f"]),
            ("Bee, Ann <a@b.c>", &["b.c"]),
            ("a@b\u{fc}cher.example", &["b\u{fc}cher.example"]),
            ("<ceo@bank.co> m", &["bank.co"]),
            ("<x@attacker.com> .bank.com", &["attacker.com"]),
            ("MAILER-DAEMON (Mail System)", &[]),
            ("Mail System", &[]),
            ("<>", &[]),
        ] {
            assert_eq!(of(&format!("From: {value}")), certain(domains), "{value}");
        }
        assert_eq!(of("To: a@b.c"), certain(&[]));
        assert_eq!(of("From: a@b.c\r\nFROM : d@e.f"), certain(&["b.c", "e.f"]));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_doubtful() {
        for value in [
            "ceo@bank.co m",
            "<x@attacker.com> <ceo@bank.com>",
            "ceo@bank.com@attacker.com",
            "\"ceo@bank.com\" (x)",
            "a@bank..com",
            "a@bank.com..",
            "Ann ceo@bank.com",
        ] {
            let authors = of(&format!("From: {value}"));
            assert!(authors.doubtful, "{value}: {authors:?}");
        }
        let many: Vec<String> = (0..9).map(|number| format!("a@b{number}.example")).collect();
        let many = of(&format!("From: {}", many.join(", ")));
        assert!(many.doubtful && many.domains.len() == MAX_DOMAINS, "{many:?}");
    }

    /// A mailbox as RFC 5322 §3.4 has it, and its domain.
    fn mailbox() -> impl Strategy<Value = (String, String)> {
        let local_part = prop_oneof!["[a-z]{1,5}(\\.[a-z]{1,3})?", "\"[a-z ]{1,5}[a-z]\""];
        let domain = "[a-zA-Z]{1,6}\\.[a-z]{2,3}";
        let name = prop_oneof![
            Just(String::new()),
            "[A-Z][a-z]{0,5}( [A-Z][a-z]{0,5})? ",
            "\"[A-Za-z,.@<>: ]{0,12}\" ",
            Just("=?utf-8?q?A_=40_b=2Ec?= ".to_owned()),
        ];
        let around = prop_oneof![Just(""), Just(" "), Just("\r\n "), Just(" (c@d.e)")];
        (local_part, domain, name, around, any::<bool>()).prop_map(|(local_part, domain, name, around, angle)| {
            let folded = domain.to_lowercase();
            match angle || !name.is_empty() {
                true => (format!("{name}<{local_part}@{domain}>{around}"), folded),
                false => (format!("{local_part}@{domain}{around}"), folded),
            }
        })
    }

    proptest! {
        /// Of a From field that keeps to the standard both parsers say the same.
        #[test]
        fn parsers_agree(mailboxes in proptest::collection::vec(mailbox(), 1..4)) {
            let (texts, domains): (Vec<String>, Vec<String>) = mailboxes.into_iter().unzip();
            let expected = Authors { domains: folded(domains.into_iter()), doubtful: false };
            prop_assert_eq!(of(&format!("From: {}", texts.join(", "))), expected);
        }

        /// Whatever the field, a domain in ENVELOPE is one that is asked about, and if there is no doubt then it is one
        /// that the library read.
        #[test]
        fn what_is_shown_is_asked_about(pieces in proptest::collection::vec(prop_oneof![
            Just("<"), Just(">"), Just("@"), Just(","), Just(";"), Just(":"), Just("\""), Just("("), Just(")"), Just(" "), Just("\\"),
            Just("."), Just("\r\n "), Just("\r\nFrom: "), Just("a@bank.com"), Just("<x@y.z>"), Just("bank"), Just("com"), Just("=?utf-8?q?a?="),
        ], 0..9)) {
            let content = format!("From: {}\r\n\r\n", pieces.concat());
            let message = AuthenticatedMessage::parse(content.as_bytes()).expect("there are fields");
            let asked = authors(content.as_bytes(), message.froms());
            let (envelope, _) = structure::parse(content.as_bytes());
            let hosts = envelope.from.into_iter().flatten().filter_map(|entry| entry.host);
            let hosts = hosts.map(|host| without_root(str::from_utf8(&host).expect("made of ASCII")).to_lowercase());
            for host in hosts.filter(|host| !host.is_empty()) {
                prop_assert!(asked.domains.contains(&host) || asked.domains.len() == MAX_DOMAINS, "{} {:?}", host, asked);
                let read = message.froms().iter().any(|address| address.rsplit_once('@').is_some_and(|(_, domain)| without_root(domain.trim()) == host));
                prop_assert!(asked.doubtful || read, "{} {:?}", host, message.froms());
            }
        }
    }
}
