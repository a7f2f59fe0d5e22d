//! Addresses with names, as callers write them.

use crate::error::{ApiError, invalid};
pub(crate) use postroom_drafts::one_line;
use postroom_message::Mailbox;
use postroom_types::EmailAddress;

/// Most addresses of one field that a caller may give; what may be sent to is bounded by intake.
const MAX_GIVEN: usize = 1_000;

/// The addresses in a text: `a@b`, `Name <a@b>`, or several of them, separated by commas. Strict, since what is guessed
/// here is mail in the wrong hands.
pub(crate) fn parse(field: &str, text: &str, into: &mut Vec<Mailbox>) -> Result<(), ApiError> {
    if text.chars().any(char::is_control) {
        return Err(invalid(format!("{field} has a control character in it")));
    }
    for one in split(text) {
        let mailbox = mailbox(one).ok_or_else(|| invalid(format!("{field}: not an address: {}", cut(one))))?;
        if into.len() == MAX_GIVEN {
            return Err(invalid(format!("{field} has more than {MAX_GIVEN} addresses")));
        }
        into.push(mailbox);
    }
    Ok(())
}

/// As much of a text as an error shows.
fn cut(text: &str) -> &str {
    text.char_indices().nth(100).map_or(text, |(end, _)| &text[..end])
}

/// At the commas that stand neither in quotes nor in angle brackets. A text of nothing has no parts.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            ',' if !quoted && !angle => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = text[start..].trim();
    if !(last.is_empty() && parts.is_empty()) {
        parts.push(last);
    }
    parts
}

fn mailbox(text: &str) -> Option<Mailbox> {
    let Some(inside) = text.strip_suffix('>') else {
        return Some(Mailbox {
            name: None,
            address: EmailAddress::parse(text).ok()?,
        });
    };
    // The last bracket: no address ends in `>`, and one in a quoted local-part stands before the last.
    let (name, address) = inside.rsplit_once('<')?;
    let name = name.trim();
    let name = match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => unescaped(quoted),
        None => name.to_owned(),
    };
    Some(Mailbox {
        name: Some(name).filter(|name| !name.is_empty()),
        address: EmailAddress::parse(address.trim()).ok()?,
    })
}

fn unescaped(quoted: &str) -> String {
    let mut chars = quoted.chars();
    let mut text = String::with_capacity(quoted.len());
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(mailboxes: &[Mailbox]) -> Vec<String> {
        let show = |mailbox: &Mailbox| match &mailbox.name {
            Some(name) => format!("{name}|{}", mailbox.address),
            None => mailbox.address.to_string(),
        };
        mailboxes.iter().map(show).collect()
    }

    #[test]
    fn what_callers_write() {
        for (text, expected) in [
            ("", &[][..]),
            ("a@example.net", &["a@example.net"]),
            (" a@example.net , b@Example.NET ", &["a@example.net", "b@example.net"]),
            ("Zoë Zen <z@example.net>", &["Zoë Zen|z@example.net"]),
            (
                "\"Zen, \\\"Z\\\" <z>\" <z@example.net>, b@c",
                &["Zen, \"Z\" <z>|z@example.net", "b@c"],
            ),
            ("<a@b>", &["a@b"]),
            ("\"a b,\"@example.net", &["\"a b,\"@example.net"]),
            ("N <\"a<b\"@c>", &[]),
        ] {
            let mut into = Vec::new();
            let parsed = parse("to", text, &mut into);
            assert_eq!(parsed.is_ok(), !expected.is_empty() || text.is_empty(), "{text}");
            assert_eq!(shown(&into), expected, "{text}");
        }
        for bad in [
            "a",
            "a@",
            "a@b,",
            ",",
            "a@b c@d",
            "a b@c",
            "Team: a@b;",
            "a@b\r\nBcc: c@d",
            "a@b\0",
            "N\n <a@b>",
            "<a@b> x",
            "N <a@b",
            "a@b> <c@d",
            "@",
            "<>",
        ] {
            assert!(parse("to", bad, &mut Vec::new()).is_err(), "{bad:?}");
        }
    }

    proptest! {
        /// Whatever is taken names exactly the addresses that stand there, and nothing that could end a header field.
        #[test]
        fn what_is_taken_is_harmless(text in "[a-z@.,<> \"\\\\\r\n\u{0}ü]{0,30}") {
            let mut found = Vec::new();
            if parse("to", &text, &mut found).is_ok() {
                for mailbox in &found {
                    prop_assert!(text.contains(&mailbox.address.to_string()), "{}", mailbox.address);
                    prop_assert!(mailbox.name.iter().all(|name| !name.contains(['\r', '\n', '\0'])));
                }
                prop_assert_eq!(found.is_empty(), text.is_empty() || text.chars().all(|c| c == ' '));
            }
        }

        #[test]
        fn what_is_written_is_read_again(names in prop::collection::vec("[a-z,\"<> \\\\]{0,8}", 1..5)) {
            let quoted = |name: &String| name.replace('\\', "\\\\").replace('"', "\\\"");
            let written: Vec<_> = names.iter().map(|name| format!("\"{}\" <x@example.net>", quoted(name))).collect();
            let mut found = Vec::new();
            parse("to", &written.join(", "), &mut found).unwrap();
            let read: Vec<_> = found.into_iter().map(|mailbox| mailbox.name.unwrap_or_default()).collect();
            prop_assert_eq!(read, names);
        }
    }
}
