//! The lexical tokens that structured header fields share (RFC 5322 §3.2, RFC 2045 §5.1), read leniently: broken mail
//! yields fewer or odder tokens, never an error.

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A run of other characters; a domain literal with its brackets is one too.
    Atom(Vec<u8>),
    /// A quoted string, quotes and backslashes removed.
    Quoted(Vec<u8>),
    /// A comment, outer parentheses and backslashes removed.
    Comment(Vec<u8>),
    /// One of the specials that the caller asked for.
    Special(u8),
}

/// Splits an unfolded value into tokens. `specials` stand for themselves; white space separates.
pub(crate) fn tokens<'a>(value: &'a [u8], specials: &'static [u8]) -> impl Iterator<Item = Token> + 'a {
    let mut lexer = Lexer { rest: value, specials };
    std::iter::from_fn(move || lexer.next())
}

struct Lexer<'a> {
    rest: &'a [u8],
    specials: &'static [u8],
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<Token> {
        self.rest = self.rest.trim_ascii_start();
        let first = *self.rest.first()?;
        match first {
            b'"' => Some(Token::Quoted(self.quoted())),
            b'(' => Some(Token::Comment(self.comment())),
            _ if self.specials.contains(&first) => {
                self.rest = &self.rest[1..];
                Some(Token::Special(first))
            }
            _ => Some(Token::Atom(self.atom())),
        }
    }

    /// Up to the closing quote, or to the end if there is none.
    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut at = 1;
        while let Some(&byte) = self.rest.get(at) {
            at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    text.extend(self.rest.get(at));
                    at += 1;
                }
                _ => text.push(byte),
            }
        }
        self.rest = self.rest.get(at..).unwrap_or_default();
        text
    }

    /// Comments nest; their depth needs no stack.
    fn comment(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let (mut at, mut depth) = (1, 1_usize);
        while let Some(&byte) = self.rest.get(at) {
            at += 1;
            match byte {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            match byte {
                b'\\' => {
                    text.extend(self.rest.get(at));
                    at += 1;
                }
                _ => text.push(byte),
            }
        }
        self.rest = self.rest.get(at..).unwrap_or_default();
        text
    }

    fn atom(&mut self) -> Vec<u8> {
        let literal = self
            .rest
            .starts_with(b"[")
            .then(|| memchr::memchr(b']', self.rest))
            .flatten();
        let end = literal.map_or_else(
            || {
                let ends =
                    |byte: &u8| byte.is_ascii_whitespace() || b"\"(".contains(byte) || self.specials.contains(byte);
                // The first byte is no special and no separator here, so an atom is never empty.
                1 + self.rest[1..].iter().position(ends).unwrap_or(self.rest.len() - 1)
            },
            |bracket| bracket + 1,
        );
        let (atom, rest) = self.rest.split_at(end);
        self.rest = rest;
        atom.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_of_an_address() {
        let found: Vec<_> = tokens(b"\"A \\\"B\" (c (d) \\)) <x@[1.2.3.4]>,", b"<>@,").collect();
        let atom = |text: &str| Token::Atom(text.into());
        let expected = [
            Token::Quoted(b"A \"B".to_vec()),
            Token::Comment(b"c (d) )".to_vec()),
            Token::Special(b'<'),
            atom("x"),
            Token::Special(b'@'),
            atom("[1.2.3.4]"),
            Token::Special(b'>'),
            Token::Special(b','),
        ];
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn any_bytes_end(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(tokens(&value, b"<>@,;:").count() <= value.len());
        }
    }
}
