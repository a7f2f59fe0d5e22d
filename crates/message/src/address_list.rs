//! Address lists (RFC 5322 §3.4, with the obsolete forms of §4.4), read leniently.

use crate::header::unfold;
use crate::lexer::{Token, tokens};
use postroom_types::AddressEntry;

/// Most entries kept of one field.
const MAX_ENTRIES: usize = 2_000;
/// Most tokens kept of one entry. What is longer is no address, since what is left out may be what makes it another.
const MAX_TOKENS: usize = 10_000;

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

/// What has been read.
#[derive(Default)]
struct List {
    entries: Vec<AddressEntry>,
    mailbox: Pending,
    in_group: bool,
}

/// The mailbox being read.
#[derive(Default)]
struct Pending {
    /// What stands outside the angle brackets, before them.
    words: Vec<Token>,
    /// What stands within the first pair of them.
    angle: Vec<Token>,
    place: Place,
    /// Within `<@one,@two:`, where commas separate no mailboxes.
    in_route: bool,
    is_too_long: bool,
}

/// Where in a mailbox we are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Words,
    Angle,
    /// Behind the closing bracket. What stands here is nobody's address: to read it as one, or as a part of one, would
    /// show another author than the one who was asked about (RFC 5322 §3.4 has nothing there but comments).
    After,
}

impl List {
    fn take(&mut self, token: Token) {
        match (token, self.mailbox.place) {
            (Token::Special(b','), _) if !self.mailbox.in_route => self.end_mailbox(),
            (Token::Special(b':'), Place::Words) if !self.in_group => self.begin_group(),
            (Token::Special(b';'), _) => {
                self.end_mailbox();
                if std::mem::take(&mut self.in_group) {
                    self.entries.push(AddressEntry::default());
                }
            }
            (Token::Special(b'<'), Place::Words) => self.mailbox.place = Place::Angle,
            // `<<a@b>>` means the same.
            (Token::Special(b'<'), Place::Angle) if self.mailbox.angle.is_empty() => {}
            (Token::Special(b'>'), Place::Angle) => {
                self.mailbox.place = Place::After;
                self.mailbox.in_route = false;
            }
            (_, Place::After) => {}
            (token, _) => self.mailbox.keep(token),
        }
    }

    fn begin_group(&mut self) {
        let (name, _) = phrase(&std::mem::take(&mut self.mailbox).words);
        self.entries.push(AddressEntry {
            mailbox: Some(name),
            ..AddressEntry::default()
        });
        self.in_group = true;
    }

    fn end_mailbox(&mut self) {
        let Pending {
            words,
            angle,
            place,
            is_too_long,
            ..
        } = std::mem::take(&mut self.mailbox);
        let (words_text, comment) = phrase(&words);
        let (name, address) = match place {
            _ if is_too_long => (words_text, None),
            Place::Angle | Place::After => (words_text, angle_addr(&angle)),
            Place::Words => match addr_spec(&words) {
                // The oldest form: `address (Name)`.
                Some(address) => (comment, Some(address)),
                None => (words_text, None),
            },
        };
        // A comment alone is no address (RFC 5322 §3.2.2); words without one are kept, as a name.
        if address.is_none() && name.is_empty() {
            return;
        }
        let Address { route, mailbox, host } = address.unwrap_or_default();
        // A host that is missing is empty, not NIL: NIL would mark the start of a group.
        self.entries.push(AddressEntry {
            name: (!name.is_empty()).then_some(name),
            route: (!route.is_empty()).then_some(route),
            mailbox: Some(mailbox),
            host: Some(host),
        });
    }
}

impl Pending {
    fn keep(&mut self, token: Token) {
        if self.words.len() + self.angle.len() >= MAX_TOKENS {
            self.is_too_long = true;
            self.in_route = false;
        } else if self.place == Place::Words {
            self.words.push(token);
        } else {
            let is_first = self.angle.is_empty();
            self.in_route = match token {
                Token::Special(b'@') if is_first => true,
                Token::Special(b':') => false,
                _ => self.in_route,
            };
            self.angle.push(token);
        }
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

/// An address as it is written. Without a domain, `host` is empty.
#[derive(Default)]
struct Address {
    route: Vec<u8>,
    mailbox: Vec<u8>,
    host: Vec<u8>,
}

/// What stands within angle brackets: an address, perhaps behind a route (`@a,@b:`, RFC 5322 §4.4).
fn angle_addr(tokens: &[Token]) -> Option<Address> {
    let colon = tokens.iter().position(|token| *token == Token::Special(b':'));
    match colon {
        Some(colon) if tokens[0] == Token::Special(b'@') => Some(Address {
            route: as_written(&tokens[..colon]),
            ..addr_spec(&tokens[colon + 1..])?
        }),
        _ => addr_spec(tokens),
    }
}

/// Local-part and domain; or one word alone, as those write who have no domain. What is neither is no address: nothing
/// may be left out or put together to make one.
fn addr_spec(tokens: &[Token]) -> Option<Address> {
    let tokens: Vec<&Token> = tokens
        .iter()
        .filter(|token| !matches!(token, Token::Comment(_)))
        .collect();
    let mut halves = tokens.split(|token| **token == Token::Special(b'@'));
    match (halves.next()?, halves.next(), halves.next()) {
        (local_part, Some(domain), None) if !domain.iter().any(|token| matches!(token, Token::Quoted(_))) => {
            Some(Address {
                mailbox: dotted(local_part)?,
                host: dotted(domain)?,
                ..Address::default()
            })
        }
        ([Token::Atom(word)], None, _) if !word.starts_with(b"=?") => Some(Address {
            mailbox: word.clone(),
            ..Address::default()
        }),
        _ => None,
    }
}

/// Words joined by dots, the only thing with white space around it that may stand within a local-part or a domain
/// (`obs-local-part` and `obs-domain`, RFC 5322 §4.4).
fn dotted(tokens: &[&Token]) -> Option<Vec<u8>> {
    let ends_in_dot = |token: &Token| matches!(token, Token::Atom(text) if text.ends_with(b"."));
    let begins_with_dot = |token: &Token| matches!(token, Token::Atom(text) if text.starts_with(b"."));
    let joined = |pair: &[&Token]| ends_in_dot(pair[0]) || begins_with_dot(pair[1]);
    if tokens.is_empty() || !tokens.windows(2).all(joined) {
        return None;
    }
    let text = |token: &&Token| match token {
        Token::Atom(text) | Token::Quoted(text) => Some(text.clone()),
        Token::Special(_) | Token::Comment(_) => None,
    };
    tokens
        .iter()
        .map(text)
        .collect::<Option<Vec<_>>>()
        .map(|words| words.concat())
}

/// The texts of tokens one after the other, with the specials between them.
fn as_written(tokens: &[Token]) -> Vec<u8> {
    let mut out = Vec::new();
    for token in tokens {
        match token {
            Token::Atom(text) | Token::Quoted(text) => out.extend_from_slice(text),
            Token::Special(byte) => out.push(*byte),
            Token::Comment(_) => {}
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
        let cases: [(&str, &[&str]); 17 + 29] = [
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
            ("nobody here: (all gone) ;", &["NIL|nobody here|NIL", "NIL|NIL|NIL"]),
            ("a@b, (no more)", &["NIL|a|b"]),
            ("Ann Bee <>", &["Ann Bee||"]),
            ("", &[]),
            // What stands behind an address is no part of it.
            ("<ceo@bank.co> m", &["NIL|ceo|bank.co"]),
            ("<ceo@ban> k.com", &["NIL|ceo|ban"]),
            ("<x@attacker.com> .bank.com", &["NIL|x|attacker.com"]),
            ("Name <a@b.c> <x@y.z>", &["Name|a|b.c"]),
            ("<a@b.c> (comment), <x@y.z>", &["NIL|a|b.c", "NIL|x|y.z"]),
            // Nor are words that nothing joins.
            ("ceo@bank.co m", &["ceo bank.co m||"]),
            ("Ann <ceo@bank.co m>", &["Ann||"]),
            ("<ceo@bank.co m>", &[]),
            ("c eo@bank.com", &["c eo bank.com||"]),
            ("ceo@bank.co(x)m", &["ceo bank.co m||"]),
            ("ceo@bank\".com\"", &["ceo bank .com||"]),
            ("\"a\"b@c", &["a b c||"]),
            ("\"a.\" b@c", &["a. b c||"]),
            ("ceo@bank.com@attacker.com", &["ceo bank.com attacker.com||"]),
            ("Ann <a@b <x@y>", &["Ann||"]),
            ("@b.c", &["b.c||"]),
            ("a@", &["a||"]),
            // A name that looks like an address is a name.
            ("\"ceo@bank.com\"", &["ceo@bank.com||"]),
            ("\"ceo@bank.com\" (x)", &["ceo@bank.com||"]),
            ("=?utf-8?q?ceo=40bank.com?=", &["=?utf-8?q?ceo=40bank.com?=||"]),
            ("Mail Delivery System", &["Mail Delivery System||"]),
            ("MAILER-DAEMON (Mail System)", &["Mail System|MAILER-DAEMON|"]),
            // White space and comments around dots and `@` are only obsolete.
            ("a . b @ c . d", &["NIL|a.b|c.d"]),
            ("a (x) @ (y) c.d (Ann)", &["Ann|a|c.d"]),
            ("\"a\".b@c.d", &["NIL|a.b|c.d"]),
            ("<<a@b.c>>", &["NIL|a|b.c"]),
            ("<a@b, Bee <c@d>", &["NIL|a|b", "Bee|c|d"]),
            (
                "friends: A <a@b; x@y",
                &["NIL|friends|NIL", "A|a|b", "NIL|NIL|NIL", "NIL|x|y"],
            ),
            ("Ann: Bee: c@d", &["NIL|Ann|NIL", "Bee c d||", "NIL|NIL|NIL"]),
        ];
        for (value, expected) in cases {
            assert_eq!(shown(value), expected, "{value:?}");
        }
    }

    #[test]
    fn a_field_without_end_takes_no_time_and_is_no_address() {
        let begun = std::time::Instant::now();
        for piece in [",", "@a,", "a ", "\"a\" ", "<", ":"] {
            for start in ["<@", "<", "", "Ann <@a,"] {
                let field = format!("{start}{}:ceo@bank.com>", piece.repeat(500_000));
                let shown = shown(&field);
                assert!(shown.len() <= MAX_ENTRIES + 2, "{start}{piece}: {}", shown.len());
                if start.ends_with('@') {
                    assert!(shown.iter().all(|entry| !entry.ends_with("bank.com")), "{start}{piece}");
                }
            }
        }
        // The comparison of every comma with all before it took minutes.
        assert!(begun.elapsed() < std::time::Duration::from_secs(60));
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
