//! Address lists as text: what SEARCH looks into, and what SORT orders by.

use crate::decode::decode_words;
use postroom_types::AddressEntry;
use std::fmt::Write;

/// A list on one line, decoded: `Name <mailbox@host>, group: <mailbox@host>;`. The angle brackets are always there, the
/// quotes of names and local-parts never.
#[must_use]
pub fn address_text(entries: &[AddressEntry]) -> String {
    let mut out = String::new();
    let mut after_address = false;
    for entry in entries {
        let ends_group = entry.host.is_none() && entry.mailbox.is_none();
        if after_address && !ends_group {
            out.push_str(", ");
        }
        after_address = true;
        let mailbox = || lossy(entry.mailbox.as_deref());
        // Writing to a string does not fail.
        let _ = match &entry.host {
            None if ends_group => write!(out, ";"),
            None => {
                after_address = false;
                write!(out, "{}: ", decode_words(entry.mailbox.as_deref().unwrap_or_default()))
            }
            Some(host) => {
                if let Some(name) = &entry.name {
                    let _ = write!(out, "{} ", decode_words(name));
                }
                if host.is_empty() {
                    write!(out, "<{}>", mailbox())
                } else {
                    write!(out, "<{}@{}>", mailbox(), lossy(Some(host)))
                }
            }
        };
    }
    out
}

/// The display sort value of an address (RFC 5957 §3).
#[must_use]
pub fn display_text(entry: &AddressEntry) -> String {
    let name = entry.name.as_deref().map(decode_words).unwrap_or_default();
    match (&entry.mailbox, &entry.host) {
        _ if !name.is_empty() => name,
        (Some(mailbox), Some(host)) if !host.is_empty() => format!("{}@{}", lossy(Some(mailbox)), lossy(Some(host))),
        (Some(mailbox), _) => lossy(Some(mailbox)),
        (None, _) => String::new(),
    }
}

fn lossy(text: Option<&[u8]>) -> String {
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_address_list;

    #[test]
    fn texts_of_lists() {
        for (list, text, display) in [
            ("a@b", "<a@b>", "a@b"),
            ("Ann <a@b>, \"Bee, Bob\" <b@c>", "Ann <a@b>, Bee, Bob <b@c>", "Ann"),
            ("=?utf-8?q?J=C3=BCrgen?= <j@d>", "Jürgen <j@d>", "Jürgen"),
            (
                "x@y, friends: a@b, C <c@d>; z@z",
                "<x@y>, friends: <a@b>, C <c@d>;, <z@z>",
                "x@y",
            ),
            (
                "undisclosed-recipients:;",
                "undisclosed-recipients: ;",
                "undisclosed-recipients",
            ),
            ("nobody", "<nobody>", "nobody"),
            ("\"\" <a@b>", "<a@b>", "a@b"),
        ] {
            let entries = parse_address_list(list.as_bytes());
            assert_eq!(address_text(&entries), text, "{list}");
            assert_eq!(display_text(&entries[0]), display, "{list}");
        }
        assert_eq!(address_text(&[]), "");
    }
}
