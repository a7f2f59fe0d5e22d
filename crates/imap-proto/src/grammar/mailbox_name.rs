//! A mailbox argument as the name inside: UTF-8, INBOX in capitals.

use super::utf7;

/// Longest name taken, in octets of UTF-8.
const NAME_OCTETS: usize = 1_000;

/// Reads a mailbox argument. `None`: there can be no mailbox of that name.
///
/// INBOX is the same in any case, also as the root of other names (RFC 3501 §5.1 asks it for INBOX itself; with
/// `Inbox/x` beside `INBOX/x` clients would show two trees).
pub(crate) fn parse(bytes: &[u8]) -> Option<String> {
    let name = utf7::decode(bytes)?;
    let good =
        name.len() <= NAME_OCTETS && !name.contains(char::is_control) && name.split('/').all(|level| !level.is_empty());
    good.then(|| fold_inbox(name))
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
        let check = |wire: &str, name: Option<&str>| assert_eq!(parse(wire.as_bytes()).as_deref(), name, "{wire}");
        check("inbox", Some("INBOX"));
        check("Inbox/Old", Some("INBOX/Old"));
        check("inboxes", Some("inboxes"));
        check("Entw&APw-rfe", Some("Entwürfe"));
        check("", None);
        check("/a", None);
        check("a/", None);
        check("a//b", None);
        check("&AAo-", None);
        check(&"x".repeat(1_001), None);
    }
}
