//! Address lists (RFC 5322 §3.4, with the obsolete forms of §4.4), read leniently.

use crate::header::unfold;
use crate::lexer::{Token, tokens};
use postroom_types::AddressEntry;

/// Most entries kept of one field.
const MAX_ENTRIES: usize = 2_000;

/// The addresses of a raw field value. Group starts and ends are entries of their own, as in ENVELOPE.
#[must_use]
pub fn parse_address_list(value: &[u8]) -> Vec<AddressEntry> {
    let value = unfold(value);
    let mut list = List::default();
    for token in tokens(&value, b"<>@,;:") {
        if list.entries.len() >= MAX_ENTRIES {
            break;
        }
        list.take(token);
    }
    list.end_mailbox();
    if list.in_group {
        list.entries.push(AddressEntry::default());
    }
    list.entries
}

#[derive(Default)]
struct List {
    entries: Vec<AddressEntry>,
    /// Tokens of the mailbox being read.
    pending: Vec<Token>,
    in_angle: bool,
    in_group: bool,
}

impl List {
    fn take(&mut self, token: Token) {
        match token {
            Token::Special(b',') if !self.in_angle => self.end_mailbox(),
            Token::Special(b':') if !self.in_angle && !self.in_group => self.begin_group(),
            Token::Special(b';') if !self.in_angle => {
                self.end_mailbox();
                if std::mem::take(&mut self.in_group) {
                    self.entries.push(AddressEntry::default());
                }
            }
            Token::Special(b'<') => {
                self.in_angle = true;
                self.pending.push(token);
            }
            Token::Special(b'>') => self.in_angle = false,
            token => self.pending.push(token),
        }
    }

    fn begin_group(&mut self) {
        let (name, _) = phrase(&std::mem::take(&mut self.pending));
        self.entries.push(AddressEntry {
            mailbox: Some(name),
            ..AddressEntry::default()
        });
        self.in_group = true;
    }

    fn end_mailbox(&mut self) {
        self.in_angle = false;
        let pending = std::mem::take(&mut self.pending);
        let angle = pending.iter().position(|token| *token == Token::Special(b'<'));
        let (name, address) = match angle {
            Some(at) => (phrase(&pending[..at]).0, &pending[at + 1..]),
            // The oldest form: `address (Name)`.
            None => (phrase(&pending).1, &pending[..]),
        };
        let (route, mailbox, host) = addr_spec(address);
        if mailbox.is_empty() && host.is_none() && name.is_empty() {
            return;
        }
        // A host that is missing is empty, not NIL: NIL would mark the start of a group.
        let entry = AddressEntry {
            name: (!name.is_empty()).then_some(name),
            route: (!route.is_empty()).then_some(route),
            mailbox: Some(mailbox),
            host: Some(host.unwrap_or_default()),
        };
        self.entries.push(entry);
    }
}

/// The words before an address, joined by spaces; and the last comment.
fn phrase(tokens: &[Token]) -> (Vec<u8>, Vec<u8>) {
    let (mut words, mut comment) = (Vec::new(), Vec::new());
    for token in tokens {
        match token {
            Token::Atom(word) | Token::Quoted(word) => {
                if !words.is_empty() {
                    words.push(b' ');
                }
                words.extend_from_slice(word);
            }
            Token::Comment(text) => comment = text.trim_ascii().to_vec(),
            Token::Special(_) => {}
        }
    }
    (words, comment)
}

/// Route, local-part and domain. The route (`@a,@b:`) is what stands before the colon (RFC 5322 §4.4).
fn addr_spec(tokens: &[Token]) -> (Vec<u8>, Vec<u8>, Option<Vec<u8>>) {
    let colon = tokens.iter().position(|token| *token == Token::Special(b':'));
    let route = join(&tokens[..colon.unwrap_or(0)], true);
    let tokens = &tokens[colon.map_or(0, |colon| colon + 1)..];
    match tokens.iter().rposition(|token| *token == Token::Special(b'@')) {
        Some(at) => (route, join(&tokens[..at], false), Some(join(&tokens[at + 1..], false))),
        None => (route, join(tokens, false), None),
    }
}

/// The texts of tokens one after the other, with the specials between them if wanted.
fn join(tokens: &[Token], specials: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for token in tokens {
        match token {
            Token::Atom(text) | Token::Quoted(text) => out.extend_from_slice(text),
            Token::Special(byte) if specials => out.push(*byte),
            Token::Special(_) | Token::Comment(_) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(value: &str) -> Vec<String> {
        let text = |part: &Option<Vec<u8>>| {
            part.as_ref()
                .map_or("NIL".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        parse_address_list(value.as_bytes())
            .iter()
            .map(|entry| {
                let route = entry
                    .route
                    .as_ref()
                    .map_or(String::new(), |_| format!("{}|", text(&entry.route)));
                format!(
                    "{}|{route}{}|{}",
                    text(&entry.name),
                    text(&entry.mailbox),
                    text(&entry.host)
                )
            })
            .collect()
    }

    #[test]
    fn all_forms() {
        let cases: [(&str, &[&str]); 14] = [
            ("a@b.c", &["NIL|a|b.c"]),
            ("Ann Bee <a.b@c>", &["Ann Bee|a.b|c"]),
            ("\"Bee, Ann\" <a@b>, x@y", &["Bee, Ann|a|b", "NIL|x|y"]),
            ("a@b (Ann Bee)", &["Ann Bee|a|b"]),
            ("=?utf-8?q?=C3=A9?= <a@b>", &["=?utf-8?q?=C3=A9?=|a|b"]),
            (
                "friends: a@b, C <c@d>; x@y",
                &["NIL|friends|NIL", "NIL|a|b", "C|c|d", "NIL|NIL|NIL", "NIL|x|y"],
            ),
            (
                "undisclosed-recipients:;",
                &["NIL|undisclosed-recipients|NIL", "NIL|NIL|NIL"],
            ),
            ("<@one,@two:a@b>", &["NIL|@one,@two|a|b"]),
            ("\"a b\"@c", &["NIL|a b|c"]),
            ("a@[127.0.0.1]", &["NIL|a|[127.0.0.1]"]),
            ("nobody", &["NIL|nobody|"]),
            (" a@b ,, \r\n\tc@d ", &["NIL|a|b", "NIL|c|d"]),
            ("John Q. Public <a@b", &["John Q. Public|a|b"]),
            ("", &[]),
        ];
        for (value, expected) in cases {
            assert_eq!(shown(value), expected, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_parse_and_groups_are_closed(value in "[a-z@<>,;:\"()\\[\\]\\\\. ]{0,80}") {
            let entries = parse_address_list(value.as_bytes());
            let starts = entries.iter().filter(|entry| entry.host.is_none() && entry.mailbox.is_some()).count();
            let ends = entries.iter().filter(|entry| entry.host.is_none() && entry.mailbox.is_none()).count();
            prop_assert_eq!(starts, ends);
        }
    }
}
