//! The tokenizer: characters, atoms, strings and numbers (RFC 3501 §9).

use super::{Bad, Parsed};
use crate::collector::LiteralMark;
use std::borrow::Cow;

/// Reads a command from left to right.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Quoted strings have to be UTF-8.
    utf8: bool,
}

/// `ATOM-CHAR`: no controls, no atom-specials, 7 bit.
pub(crate) fn is_atom_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte)
}

/// `ASTRING-CHAR`: also `]`.
pub(crate) fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

impl<'a> Scanner<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            utf8: false,
        }
    }

    /// From a client that has enabled UTF-8 in quoted strings: what is none in them is malformed (RFC 6855 §3).
    pub(crate) const fn with_utf8(bytes: &'a [u8], utf8: bool) -> Self {
        Self { bytes, at: 0, utf8 }
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The tag of the command that is being read, for responses that name it (RFC 9051 §9, `search-correlator`).
    pub(crate) fn command_tag(&self) -> &'a [u8] {
        let end = memchr::memchr(b' ', self.bytes).unwrap_or(self.bytes.len());
        &self.bytes[..end]
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes this byte if it comes next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes these letters, in any case, if they come next.
    pub(crate) fn eat_ignoring_case(&mut self, word: &[u8]) -> bool {
        let found = self
            .rest()
            .get(..word.len())
            .is_some_and(|next| next.eq_ignore_ascii_case(word));
        if found {
            self.at += word.len();
        }
        found
    }

    pub(crate) fn expect(&mut self, byte: u8, or: &'static str) -> Parsed<()> {
        if self.eat(byte) { Ok(()) } else { Err(Bad(or)) }
    }

    pub(crate) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "Space expected")
    }

    /// The command ends here. Spaces before the end are forgiven: several clients send one.
    pub(crate) fn end(&mut self) -> Parsed<()> {
        while self.eat(b' ') {}
        if self.at_end() {
            Ok(())
        } else {
            Err(Bad("Unexpected text after the arguments"))
        }
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// A literal's mark comes next and is the end of what there is: its octets have not been taken yet.
    pub(crate) fn at_last_mark(&self) -> bool {
        self.rest().starts_with(b"{") && self.only_mark()
    }

    /// The same with a literal8 (RFC 3516 §7).
    pub(crate) fn at_last_mark8(&self) -> bool {
        self.rest().starts_with(b"~{") && self.only_mark()
    }

    fn only_mark(&self) -> bool {
        let rest = self.rest();
        // One brace opens, and the mark that ends the line begins with it.
        memchr::memrchr(b'{', rest).is_some_and(|at| at <= 1) && LiteralMark::at_end_of(rest).is_some()
    }

    pub(crate) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// `tag`: ASTRING-CHARs but `+`. At most 128 of them, since it is echoed. The beginning of a longer word is none: the
    /// client knows no command of that tag.
    pub(crate) fn tag(&mut self) -> Parsed<&'a [u8]> {
        let tag = self.take_while(|byte| is_astring_char(byte) && byte != b'+');
        let is_whole = matches!(self.peek(), None | Some(b' '));
        if tag.is_empty() || tag.len() > 128 || !is_whole {
            Err(Bad("Tag expected"))
        } else {
            Ok(tag)
        }
    }

    pub(crate) fn atom(&mut self) -> Parsed<&'a [u8]> {
        let atom = self.take_while(is_atom_char);
        if atom.is_empty() {
            Err(Bad("Atom expected"))
        } else {
            Ok(atom)
        }
    }

    /// `astring`: an atom, a quoted string or a literal.
    pub(crate) fn astring(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => match self.take_while(is_astring_char) {
                [] => Err(Bad("String expected")),
                atom => Ok(Cow::Borrowed(atom)),
            },
        }
    }

    /// `string`: a quoted string or a literal.
    pub(crate) fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(Bad("String expected")),
        }
    }

    /// `nstring`, where NIL is `None`.
    pub(crate) fn nstring(&mut self) -> Parsed<Option<Cow<'a, [u8]>>> {
        if self.eat_ignoring_case(b"NIL") {
            Ok(None)
        } else {
            self.string().map(Some)
        }
    }

    /// `list-mailbox`: as astring, and the atom may hold wildcards.
    pub(crate) fn list_mailbox(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => match self.take_while(|byte| is_astring_char(byte) || byte == b'%' || byte == b'*') {
                [] => Err(Bad("Mailbox pattern expected")),
                atom => Ok(Cow::Borrowed(atom)),
            },
        }
    }

    /// `quoted`. Octets over 127 are taken; NUL, CR and LF are not.
    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let text = self.any_quoted()?;
        if self.utf8 {
            utf8(&text)?;
        }
        Ok(text)
    }

    fn any_quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        const UNFINISHED: Bad = Bad("Quoted string without end");
        self.expect(b'"', "Quoted string expected")?;
        let plain = |byte: u8| !b"\"\\\r\n\0".contains(&byte);
        let first = self.take_while(plain);
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(first));
        }
        let mut text = first.to_vec();
        loop {
            if self.eat(b'"') {
                return Ok(Cow::Owned(text));
            }
            self.expect(b'\\', UNFINISHED.0)?;
            match self.peek() {
                Some(special @ (b'"' | b'\\')) => text.push(special),
                _ => return Err(Bad("Only \\ and \" can be quoted")),
            }
            self.at += 1;
            text.extend_from_slice(self.take_while(plain));
        }
    }

    /// `literal`; its octets follow in the same slice. NUL is refused: CHAR8 has none.
    fn literal(&mut self) -> Parsed<&'a [u8]> {
        const MALFORMED: &str = "Malformed literal";
        self.expect(b'{', MALFORMED)?;
        let octets = usize::try_from(self.number64()?).map_err(|_| Bad(MALFORMED))?;
        self.eat(b'+');
        if !self.eat_ignoring_case(b"}\r\n") {
            return Err(Bad(MALFORMED));
        }
        let text = self.rest().get(..octets).ok_or(Bad(MALFORMED))?;
        if memchr::memchr(0, text).is_some() {
            return Err(Bad("NUL in a literal"));
        }
        self.at += octets;
        Ok(text)
    }

    /// A decimal number below 2⁶³ (RFC 9051 §9, `number64`).
    pub(crate) fn number64(&mut self) -> Parsed<u64> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        std::str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|number| *number <= i64::MAX as u64)
            .ok_or(Bad("Number expected"))
    }

    /// A decimal number below 2³².
    pub(crate) fn number(&mut self) -> Parsed<u32> {
        u32::try_from(self.number64()?).map_err(|_| Bad("Number too large"))
    }

    /// A list in parentheses, at least one element, each read by `element`.
    pub(crate) fn list(&mut self, mut element: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        self.expect(b'(', "( expected")?;
        loop {
            element(self)?;
            if self.eat(b')') {
                return Ok(());
            }
            self.space()?;
        }
    }
}

/// An argument as text.
pub(crate) fn utf8(bytes: &[u8]) -> Parsed<&str> {
    std::str::from_utf8(bytes).map_err(|_| Bad("Not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn astrings() {
        let check = |input: &[u8], expected: Parsed<&[u8]>| {
            let read = Scanner::new(input).astring();
            assert_eq!(read.as_deref().map_err(|e| *e), expected, "{input:?}");
        };
        check(b"INBOX x", Ok(b"INBOX"));
        check(b"a]b", Ok(b"a]b"));
        check(b"\"\"", Ok(b""));
        check(b"\"a b\"", Ok(b"a b"));
        check(b"\"a\\\"\\\\b\"", Ok(b"a\"\\b"));
        check(b"{3}\r\na\r\n", Ok(b"a\r\n"));
        check(b"{3+}\r\nabc", Ok(b"abc"));
        check(b"{0}\r\n", Ok(b""));
        check(b"", Err(Bad("String expected")));
        check(b"(x", Err(Bad("String expected")));
        check(b"\"abc", Err(Bad("Quoted string without end")));
        check(b"\"a\\n\"", Err(Bad("Only \\ and \" can be quoted")));
        check(b"{4}\r\nabc", Err(Bad("Malformed literal")));
        check(b"{3}abc", Err(Bad("Malformed literal")));
        check(b"{3}\r\na\0b", Err(Bad("NUL in a literal")));
        check(b"{99999999999999999999999}\r\n", Err(Bad("Number expected")));
    }

    #[test]
    fn quoted_utf8_is_utf8() {
        let read = |utf8: bool| Scanner::with_utf8(b"\"caf\xe9\"", utf8).astring().map(Cow::into_owned);
        assert_eq!(read(false), Ok(b"caf\xe9".to_vec()));
        assert_eq!(read(true), Err(Bad("Not UTF-8")));
        let good = "\"café\"".as_bytes();
        assert_eq!(
            Scanner::with_utf8(good, true).astring().as_deref(),
            Ok("café".as_bytes())
        );
    }

    #[test]
    fn marks() {
        let check = |input: &str, mark: bool, mark8: bool| {
            let scanner = Scanner::new(input.as_bytes());
            assert_eq!(
                (scanner.at_last_mark(), scanner.at_last_mark8()),
                (mark, mark8),
                "{input}"
            );
        };
        check("{3}", true, false);
        check("{3+}", true, false);
        check("~{3}", false, true);
        check("~{3+}", false, true);
        check("{3} {4}", false, false);
        check("~~{3}", false, false);
        check("{3}\r\nabc {4}", false, false);
        check("{}", false, false);
        check(" {3}", false, false);
    }

    proptest! {
        #[test]
        fn quoted_strings_come_back(text in "[^\r\n\0]{0,40}") {
            let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            let read = Scanner::new(quoted.as_bytes()).astring().unwrap().into_owned();
            prop_assert_eq!(read, text.into_bytes());
        }

        #[test]
        fn literals_come_back(bytes in proptest::collection::vec(1_u8.., 0..60)) {
            let mut literal = format!("{{{}}}\r\n", bytes.len()).into_bytes();
            literal.extend_from_slice(&bytes);
            prop_assert_eq!(Scanner::new(&literal).astring().unwrap().into_owned(), bytes);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut scanner = Scanner::new(&bytes);
            let _ = scanner.astring();
            prop_assert!(scanner.at <= bytes.len());
        }
    }
}
