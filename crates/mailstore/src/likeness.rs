//! Whether what a client appends to Sent is the message that it submitted, so that nothing is lost if it is not kept.
//!
//! What always holds: whatever people see of a copy is in the message that it is a copy of: Subject, authors, recipients,
//! the blind ones too, the words of its texts, the octets of its attachments. What may differ is how they are encoded, and
//! fields that clients make for themselves.

use bytes::Bytes;
use postroom_message::{fields, parse_address_list, same_leaf};
use postroom_types::{AddressEntry, Envelope, Part, PartBody, Summary};
use std::collections::BTreeSet;
use std::sync::Arc;

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
    appended.subject_text.trim() == submitted.subject_text.trim()
        && lists(&appended.envelope) == lists(&submitted.envelope)
        && Inside::of(appended).may_be(&Inside::of(submitted))
}

/// Whether one is the other's copy, of which [`may_be_copy`] has left it open.
pub(crate) fn is_copy(appended: &Whole, submitted: &Whole) -> bool {
    let (inside, others) = (Inside::of(&appended.summary), Inside::of(&submitted.summary));
    let mut pairs = inside.leaves.into_iter().zip(others.leaves);
    appended.blind().is_subset(&submitted.blind())
        && pairs.all(|(leaf, other)| {
            let bodies = appended.body_of(leaf).zip(submitted.body_of(other));
            bodies.is_some_and(|(body, other_body)| same_leaf((leaf, body), (other, other_body)))
        })
}

impl Whole {
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
            && pairs.all(|(one, other)| {
                let is_text = one.media_type.eq_ignore_ascii_case(b"text");
                is_text || one.decoded_octets == other.decoded_octets
            })
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
