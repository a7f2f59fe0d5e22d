//! Whether what a client appends to Sent is the message that it submitted, so that nothing is lost if it is not kept.
//!
//! What always holds: whatever people see of a copy is in the message that it is a copy of: Subject, authors, recipients,
//! the blind ones too, the words of its texts, the octets of its attachments. What may differ is how they are encoded, and
//! fields that clients make for themselves.

use bytes::Bytes;
use postroom_message::{fields, may_be_as_long, may_be_same_leaf, parse_address_list, same_leaf};
use postroom_types::{AddressEntry, Envelope, Part, PartBody, Summary};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Messages with so many parts, or with more in all header sections than this, are not compared: some may be left out of
/// what is known of them (a summary is bounded). Each is well below what is kept.
const MAX_PARTS: usize = 900;
const MAX_HEADER_COST: usize = 64 << 10;
/// So with subjects of so many characters, and with parts that have so many parameters.
const MAX_SUBJECT_CHARS: usize = 900;
const MAX_PARAMS: usize = 90;
/// What an address or a parameter costs at most beside its text.
const ENTRY_COST: usize = 32;

/// A message with its bytes.
pub(crate) struct Whole {
    pub(crate) summary: Arc<Summary>,
    /// What stands before the body.
    pub(crate) prefix: Bytes,
    pub(crate) body: Bytes,
}

/// An address as it is compared. Display names are left out, which may be encoded in more than one way.
type Address = [Vec<u8>; 2];

/// Whether the summaries leave it open that one is the other's copy.
pub(crate) fn may_be_copy(appended: &Summary, submitted: &Summary) -> bool {
    let lists = |envelope: &Envelope| {
        let lists = [&envelope.from, &envelope.to, &envelope.cc, &envelope.reply_to];
        lists.map(|list| addresses(list.iter().flatten()))
    };
    let octets = |summary: &Summary| summary.root.end_offset;
    may_be_as_long(octets(appended), octets(submitted))
        && appended.subject_text.chars().count() <= MAX_SUBJECT_CHARS
        && appended.subject_text.trim() == submitted.subject_text.trim()
        && lists(&appended.envelope) == lists(&submitted.envelope)
        && Inside::of(appended).may_be(&Inside::of(submitted))
}

/// Whether one is the other's copy, of which [`may_be_copy`] has left it open.
pub(crate) fn is_copy(appended: &Whole, submitted: &Whole) -> bool {
    let (inside, others) = (Inside::of(&appended.summary), Inside::of(&submitted.summary));
    let is_known = appended.is_known(&inside) && submitted.is_known(&others);
    let mut pairs = inside.leaves.into_iter().zip(others.leaves);
    is_known
        && appended.blind().is_subset(&submitted.blind())
        && pairs.all(|(leaf, other)| {
            let bodies = appended.body_of(leaf).zip(submitted.body_of(other));
            bodies.is_some_and(|(body, other_body)| same_leaf((leaf, body), (other, other_body)))
        })
}

impl Whole {
    /// Whether its summary tells all that its header sections say, as far as that is compared.
    fn is_known(&self, inside: &Inside<'_>) -> bool {
        let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let mut cost = 0;
        let headers = inside.parts.iter().filter_map(|part| {
            let below = |offset: u64| place(offset).saturating_sub(self.prefix.len());
            self.body.get(below(part.header_offset)..below(part.body_offset))
        });
        for header in headers.chain([&self.prefix[..]]) {
            let entries = header.iter().filter(|octet| b",;:".contains(octet)).count();
            cost += header.len() + entries * ENTRY_COST;
            let mut described =
                fields(header).filter(|field| field.is("Content-Type") || field.is("Content-Disposition"));
            let has_many = |value: &[u8]| value.iter().filter(|octet| **octet == b';').count() > MAX_PARAMS;
            if cost > MAX_HEADER_COST || described.any(|field| has_many(field.value)) {
                return false;
            }
        }
        true
    }

    /// Who gets it without the others knowing.
    fn blind(&self) -> BTreeSet<Address> {
        let header = fields(&self.prefix).chain(fields(&self.body));
        let blind = header.filter(|field| field.is("Bcc") || field.is("Resent-Bcc"));
        blind
            .flat_map(|field| addresses(parse_address_list(field.value).iter()))
            .collect()
    }

    /// The body of a part, as it stands.
    fn body_of(&self, part: &Part) -> Option<&[u8]> {
        let place = |offset: u64| usize::try_from(offset).ok()?.checked_sub(self.prefix.len());
        self.body.get(place(part.body_offset)?..place(part.end_offset)?)
    }
}

/// Addresses, folded; groups have none.
fn addresses<'a>(entries: impl Iterator<Item = &'a AddressEntry>) -> BTreeSet<Address> {
    let address = |entry: &AddressEntry| {
        let halves = [entry.mailbox.as_ref()?, entry.host.as_ref()?];
        Some(halves.map(|half| half.to_ascii_lowercase()))
    };
    entries.filter_map(address).collect()
}

/// What is in a message, in order. How parts are nested may differ: a client may wrap a single text.
#[derive(Default)]
struct Inside<'a> {
    /// All parts.
    parts: Vec<&'a Part>,
    /// The leaves, also those of enclosed messages.
    leaves: Vec<&'a Part>,
    /// What enclosed messages say of themselves.
    enclosed: Vec<&'a Envelope>,
}

impl<'a> Inside<'a> {
    fn of(summary: &'a Summary) -> Self {
        let mut inside = Self::default();
        inside.add(&summary.root);
        inside
    }

    fn add(&mut self, part: &'a Part) {
        self.parts.push(part);
        match &part.body {
            PartBody::Leaf => self.leaves.push(part),
            PartBody::Multipart(parts) => parts.iter().for_each(|part| self.add(part)),
            PartBody::Message(inner) => {
                self.enclosed.push(&inner.0);
                self.add(&inner.1);
            }
        }
    }

    /// Whether it may be the same, as far as is known without the bytes.
    fn may_be(&self, other: &Self) -> bool {
        let mut pairs = self.leaves.iter().zip(&other.leaves);
        self.enclosed == other.enclosed
            && self.leaves.len() == other.leaves.len()
            && self.parts.len().max(other.parts.len()) < MAX_PARTS
            && pairs.all(|(one, other)| may_be_same_leaf(one, other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_message::summarize;

    fn whole(prefix: &str, body: &str) -> Whole {
        Whole {
            summary: Arc::new(summarize(format!("{prefix}{body}").as_bytes())),
            prefix: Bytes::copy_from_slice(prefix.as_bytes()),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn check(appended: &str, (prefix, submitted): (&str, &str), same: bool) {
        let (one, other) = (whole("", appended), whole(prefix, submitted));
        let found = may_be_copy(&one.summary, &other.summary) && is_copy(&one, &other);
        assert_eq!(found, same, "{appended:?} {prefix:?} {submitted:?}");
    }

    fn with_attachment(text: &str, data: &str) -> String {
        format!(
            "Subject: s\r\nFrom: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n{text}\r\n\
             --x\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n{data}\r\n--x--\r\n"
        )
    }

    const HEADER: &str = "Subject: hello\r\nFrom: A <a@example.test>\r\nTo: b@example.net\r\n";

    #[test]
    fn the_words_decide() {
        let plain = format!("{HEADER}\r\nthe code is 12345, pay 100\r\n");
        let to = |to: &str| plain.replace("To: b@example.net", to);
        for (appended, same) in [
            (plain.clone(), true),
            (plain.replace("code is", "code  \r\nis"), true),
            (format!("{plain}\r\n\r\n"), true),
            (plain.replace("A <a@example.test>", "a@EXAMPLE.test"), true),
            (plain.replace("Subject: hello", "Subject: =?utf-8?q?hello?="), true),
            (format!("X-Client: note\r\nFcc: Sent\r\n{plain}"), true),
            (to("To: B <b@example.net>"), true),
            (plain.replace("12345", "99999").replace("100", "900"), false),
            (plain.replace(", pay 100", ""), false),
            (plain.replace("hello", "hello!"), false),
            (plain.replace("A <a@", "B <b@"), false),
            (to("To: b@example.net, c@example.net"), false),
            (to("To: b@example.net\r\nReply-To: c@example.net"), false),
            (to("To: b@example.net\r\nCc: c@example.net"), false),
            (plain.replace("To: ", "Content-Type: text/html\r\nTo: "), false),
        ] {
            check(&appended, ("", &plain), same);
        }
    }

    #[test]
    fn attachments_are_the_same_octets() {
        let submitted = with_attachment("hello", "AAAAAAAA");
        for (appended, same) in [
            (submitted.clone(), true),
            (with_attachment("hello", "AAAA\r\nAAAA"), true),
            (with_attachment("hallo", "AAAAAAAA"), false),
            (with_attachment("hello", "BBBBBBBB"), false),
            (with_attachment("hello", "AAAA"), false),
            (submitted.replace("a.png", "b.png"), false),
            ("Subject: s\r\nFrom: a@b\r\n\r\nhello".to_owned(), false),
        ] {
            check(&appended, ("", &submitted), same);
        }
        // An attachment that got lost on the way.
        check(&submitted, ("", "Subject: s\r\nFrom: a@b\r\n\r\nhello"), false);
        // One text, wrapped or not.
        let wrapped =
            "Subject: s\r\nFrom: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhello\r\n--x--\r\n";
        check(wrapped, ("", "Subject: s\r\nFrom: a@b\r\n\r\nhello"), true);
        let enclosing = |subject: &str| {
            format!(
                "Subject: s\r\nFrom: a@b\r\nContent-Type: message/rfc822\r\n\r\nSubject: {subject}\r\n\r\nhello\r\n"
            )
        };
        check(&enclosing("one"), ("", &enclosing("one")), true);
        check(&enclosing("two"), ("", &enclosing("one")), false);
    }

    /// Whatever somebody submits, comparing a little with it is little work.
    #[test]
    fn sizes_that_are_far_apart_are_not_compared() {
        let may_be = |appended: &str, submitted: &str| {
            let [one, other] = [appended, submitted].map(|content| summarize(content.as_bytes()));
            may_be_copy(&one, &other)
        };
        let text = |octets: usize| format!("{HEADER}\r\n{}\r\n", "word\r\n".repeat(octets / 6));
        assert!(may_be(&text(3 << 20), &text(3 << 20)) && may_be(&text(60), &text(600)));
        assert!(!may_be(&text(60), &text(1 << 20)) && !may_be(&text(1 << 20), &text(60)));
        assert!(!may_be(&text(5 << 20), &text(5 << 20)));
        // Nor what no part holds.
        let short = with_attachment("hello", "AAAA");
        let padded = short.replacen("\r\n\r\n--x", &format!("\r\n\r\n{}\r\n--x", "x\r\n".repeat(9_000)), 1);
        assert!(may_be(&short, &short) && !may_be(&short, &padded));
        // What decodes to nothing may be long.
        let empty = |data: &str| with_attachment("hello", data).replace("base64", "quoted-printable");
        assert!(!may_be(&empty(""), &empty(&"=\r\n".repeat(9_000))));
    }

    /// What was cut away where a summary is bounded may be what makes the difference.
    #[test]
    fn what_is_not_known_whole_is_kept() {
        let check = |of: &dyn Fn(&str) -> String, same: bool| {
            check(&of("one"), ("", &of("one")), same);
            check(&of("two"), ("", &of("one")), false);
        };
        let parts = |count: usize, last: &str| {
            let parts = "--x\r\n\r\nhello\r\n".repeat(count);
            format!("{HEADER}Content-Type: multipart/mixed; boundary=x\r\n\r\n{parts}--x\r\n\r\n{last}\r\n--x--\r\n")
        };
        check(&|last| parts(100, last), true);
        check(&|last| parts(1_100, last), false);
        let to = |count: usize, last: &str| {
            let many = "b@example.net,\r\n ".repeat(count);
            format!("From: a@b\r\nTo: {many}{last}@example.net\r\n\r\nhello\r\n")
        };
        check(&|last| to(100, last), true);
        check(&|last| to(3_000, last), false);
        let named = |padding: usize, name: &str| {
            let padding = "a=b; ".repeat(padding);
            with_attachment("hello", "AAAA").replace("name=a.png", &format!("{padding}name={name}"))
        };
        check(&|name| named(1, name), true);
        check(&|name| named(120, name), false);
        let subject = |length: usize, last: &str| format!("Subject: {}{last}\r\n\r\nhello\r\n", "s".repeat(length));
        check(&|last| subject(500, last), true);
        check(&|last| subject(1_200, last), false);
    }

    #[test]
    fn nobody_is_forgotten() {
        let plain = format!("{HEADER}\r\nhello\r\n");
        let blind = |field: &str| format!("{field}\r\n{plain}");
        for (appended, prefix, same) in [
            (blind("Bcc: s@example.org"), "", false),
            (blind("Bcc: s@example.org"), "Bcc: t@example.org\r\n", false),
            (
                blind("Bcc: s@example.org"),
                "Bcc: t@example.org,\r\n S@example.org\r\n",
                true,
            ),
            (
                blind("Bcc: s@example.org"),
                "Bcc: t@example.org\r\nBcc: s@example.org\r\n",
                true,
            ),
            (
                blind("Bcc: s@example.org, t@example.org"),
                "Bcc: s@example.org\r\n",
                false,
            ),
            (blind("Resent-Bcc: s@example.org"), "", false),
            (blind("Bcc:"), "", true),
            (plain.clone(), "Bcc: s@example.org\r\n", true),
        ] {
            check(&appended, (prefix, &plain), same);
        }
    }
}
