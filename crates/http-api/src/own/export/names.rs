//! What files are called after addresses and mailboxes.

use postroom_types::MailboxId;
use std::fmt::Write;

/// Longest name, in octets, so that with its ending it is one on every file system.
const MAX_OCTETS: usize = 180;

/// A name of one path segment, the same for no two texts: letters, digits and a few signs stand for themselves, anything
/// else for its octets in UTF-8 as `%XX`.
pub(super) fn segment(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'+' | b'@' | b'=' => name.push(char::from(octet)),
            b'.' | b' ' if at > 0 => name.push(char::from(octet)),
            _ => {
                let _ = write!(name, "%{octet:02X}");
            }
        }
    }
    name
}

/// What the files of a mailbox are called, without their endings. One that has too long a name is called by its id.
pub(super) fn mailbox(name: &str, id: MailboxId) -> String {
    let segment = segment(name);
    match segment.len() > MAX_OCTETS {
        true => format!("%{id}"),
        false => segment,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_their_folder() {
        for (text, expected) in [
            ("INBOX", "INBOX"),
            ("a b/c.d", "a b%2Fc.d"),
            ("..", "%2E."),
            ("../../etc", "%2E.%2F..%2Fetc"),
            ("ü%\\", "%C3%BC%25%5C"),
            ("a@b.test", "a@b.test"),
        ] {
            assert_eq!(segment(text), expected);
        }
        let id = MailboxId::new();
        assert_eq!(mailbox(&"x".repeat(500), id), format!("%{id}"));
    }
}
