//! A mailbox argument as the name inside: UTF-8, INBOX in capitals.

use super::utf7;

/// Longest name taken, in octets of UTF-8.
const NAME_OCTETS: usize = 1_000;

/// Reads a mailbox argument: in UTF-8 if the client has enabled that (RFC 9051 §5.1, RFC 6855 §3), else in modified
/// UTF-7. `None`: there can be no mailbox of that name.
///
/// INBOX is the same in any case, also as the root of other names (RFC 3501 §5.1 asks it for INBOX itself; with
/// `Inbox/x` beside `INBOX/x` clients would show two trees).
pub(crate) fn parse(bytes: &[u8], utf8: bool) -> Option<String> {
    let name = if utf8 {
        std::str::from_utf8(bytes).ok()?.to_owned()
    } else {
        utf7::decode(bytes)?
    };
    let good =
        name.len() <= NAME_OCTETS && !name.contains(is_forbidden) && name.split('/').all(|level| !level.is_empty());
    good.then(|| fold_inbox(name))
}

/// RFC 6855 §3: controls, and what ends a line or a paragraph.
fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Puts INBOX as the first level into capitals.
pub(crate) fn fold_inbox(mut name: String) -> String {
    let first = name.split('/').next().unwrap_or_default();
    if first.eq_ignore_ascii_case("INBOX") {
        name.replace_range(..5, "INBOX");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check =
            |wire: &str, name: Option<&str>| assert_eq!(parse(wire.as_bytes(), false).as_deref(), name, "{wire}");
        check("inbox", Some("INBOX"));
        check("Inbox/Old", Some("INBOX/Old"));
        check("inboxes", Some("inboxes"));
        check("Entw&APw-rfe", Some("Entwürfe"));
        check("", None);
        check("/a", None);
        check("a/", None);
        check("a//b", None);
        check("&AAo-", None);
        check("a&ICg-", None);
        check("Entwürfe", None);
        check(&"x".repeat(1_001), None);
    }

    #[test]
    fn names_in_utf8() {
        let check = |wire: &[u8], name: Option<&str>| assert_eq!(parse(wire, true).as_deref(), name, "{wire:?}");
        check("Entwürfe".as_bytes(), Some("Entwürfe"));
        check(b"inbox/Entw&APw-rfe", Some("INBOX/Entw&APw-rfe"));
        check(b"a&b", Some("a&b"));
        check(b"caf\xe9", None);
        check("a\u{2029}".as_bytes(), None);
        check("a\u{85}".as_bytes(), None);
    }
}
