//! What files are called after addresses and mailboxes.

use postroom_types::{InboxId, MailboxId};
use std::collections::HashSet;
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

/// What the folder of an inbox is called. An address that was used before is that of an inbox made anew while the archive
/// is written: it has the id of the inbox behind it.
pub(super) fn folder(address: &str, id: InboxId, used: &mut HashSet<String>) -> String {
    let own = segment(address);
    let name = match used.contains(&own) {
        true => format!("{own}%{id}"),
        false => own,
    };
    used.insert(name.clone());
    name
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

    #[test]
    fn no_two_inboxes_share_a_folder() {
        let (first, second, mut used) = (InboxId::new(), InboxId::new(), HashSet::new());
        assert_eq!(folder("a@b.test", first, &mut used), "a@b.test");
        assert_eq!(folder("a@b.test", second, &mut used), format!("a@b.test%{second}"));
        assert_eq!(folder("c@b.test", second, &mut used), "c@b.test");
    }
}
