//! Labels and keywords: a label of a user is an IMAP keyword in which what an atom cannot hold stands as `=XX`.

use postroom_types::Keyword;

/// Labels that the server alone gives and takes.
const SERVER_LABELS: [&str; 11] = [
    "received",
    "sent",
    "draft",
    "unauthenticated",
    "delivered",
    "bounced",
    "complained",
    "delayed",
    "rejected",
    "opened",
    "scheduled",
];

/// Labels that stand for a flag or for a mailbox.
const STATE_LABELS: [&str; 4] = ["unread", "spam", "trash", "blocked"];

/// Whether a label, in lower case, is one that only the server gives and takes.
#[must_use]
pub fn is_server_label(label: &str) -> bool {
    SERVER_LABELS.contains(&label)
}

/// Whether a label, in lower case, or what a keyword stands for, has a meaning of its own, so that no keyword may be
/// called so.
#[must_use]
pub fn is_system_label(label: &str) -> bool {
    is_server_label(label) || STATE_LABELS.contains(&label)
}

/// Whether a keyword would be taken for such a label.
#[must_use]
pub fn is_reserved_keyword(keyword: &Keyword) -> bool {
    is_system_label(&label_of(keyword))
}

/// The keyword of a label in lower case; `None` if it is empty or too long for one.
pub(super) fn keyword_of(label: &str) -> Option<Keyword> {
    let mut text = String::with_capacity(label.len());
    for c in label.chars() {
        let mut utf8 = [0; 4];
        let encoded = c.encode_utf8(&mut utf8);
        if c != '=' && Keyword::new(encoded).is_some() {
            text.push(c);
        } else {
            for octet in encoded.bytes() {
                text.push_str(&format!("={octet:02X}"));
            }
        }
    }
    Keyword::new(&text)
}

/// What a keyword is called as a label: decoded, in lower case. What does not decode to text stands for itself.
pub(crate) fn label_of(keyword: &Keyword) -> String {
    decoded(keyword.as_str())
        .unwrap_or_else(|| keyword.as_str().to_owned())
        .to_lowercase()
}

fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (octet, next) = match after.split_at_checked(2) {
            Some((pair, next)) if *first == b'=' => match hex(pair) {
                Some(octet) => (octet, next),
                None => (*first, after),
            },
            _ => (*first, after),
        };
        octets.push(octet);
        rest = next;
    }
    String::from_utf8(octets).ok()
}

fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |octet: u8| {
        char::from(octet)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_labels_are_called_over_imap() {
        for (label, keyword) in [
            ("work", "work"),
            ("to do", "to=20do"),
            ("a=b", "a=3Db"),
            ("caf\u{e9}", "caf=C3=A9"),
            ("[x]", "[x=5D"),
            ("$junk", "$junk"),
        ] {
            assert_eq!(keyword_of(label).unwrap().as_str(), keyword);
            assert_eq!(label_of(&Keyword::new(keyword).unwrap()), label);
        }
        assert_eq!(keyword_of(""), None);
        assert_eq!(keyword_of(&" ".repeat(86)), None);
    }

    #[test]
    fn what_other_programs_write_is_read() {
        for (keyword, label) in [("NonJunk", "nonjunk"), ("=FF", "=ff"), ("=4", "=4"), ("sen=74", "sent")] {
            assert_eq!(label_of(&Keyword::new(keyword).unwrap()), label);
        }
        assert!(
            ["Sent", "sen=74", "=55nread"]
                .iter()
                .all(|text| is_reserved_keyword(&Keyword::new(text).unwrap()))
        );
        assert!(is_system_label("sent") && is_system_label("trash") && !is_server_label("trash"));
    }

    proptest! {
        #[test]
        fn labels_survive(label in "\\PC{1,20}") {
            let label = label.to_lowercase();
            if let Some(keyword) = keyword_of(&label) {
                prop_assert_eq!(label_of(&keyword), label.to_lowercase());
            }
        }
    }
}
