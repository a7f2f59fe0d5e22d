//! Values with parameters: Content-Type, Content-Disposition (RFC 2045 §5.1, RFC 2183 §2), read leniently.

use crate::header::unfold;
use crate::lexer::{Token, tokens};

/// Most parameters kept of one field.
const MAX_PARAMS: usize = 100;

/// `value; name=value; …`, names and values as written, quotes removed. Continuations are put together, as RFC 2231 §6
/// asks of IMAP servers; charset and language stay (`filename*=utf-8''…`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MimeValue {
    pub(crate) value: Vec<u8>,
    pub(crate) params: Vec<(Vec<u8>, Vec<u8>)>,
}

impl MimeValue {
    pub(crate) fn parse(raw: &[u8]) -> Self {
        let value = unfold(raw);
        let mut parsed = Self::default();
        let mut name: Option<Vec<u8>> = None;
        let mut text: Option<Vec<u8>> = None;
        let mut after_first = false;
        for token in tokens(&value, b";=") {
            match token {
                Token::Special(b';') => {
                    parsed.end_param(after_first, name.take(), text.take());
                    after_first = true;
                }
                Token::Special(_) if after_first && name.is_none() => name = text.take(),
                // `charset==?x` and the like: the sign belongs to the value.
                Token::Special(sign) => text.get_or_insert_default().push(sign),
                Token::Atom(piece) | Token::Quoted(piece) => text.get_or_insert_default().extend(piece),
                Token::Comment(_) => {}
            }
        }
        parsed.end_param(after_first, name, text);
        parsed.join_continuations();
        parsed
    }

    /// Puts `name*0`, `name*1*`, … together where the foremost of them stands (RFC 2231 §3, §4.1).
    fn join_continuations(&mut self) {
        let is_first = |(name, _): &(Vec<u8>, Vec<u8>)| name.ends_with(b"*0") || name.ends_with(b"*0*");
        while let Some(at) = self.params.iter().position(is_first) {
            let name = &self.params[at].0;
            let base = name[..name.len() - if name.ends_with(b"*") { 3 } else { 2 }].to_vec();
            let (place, pieces) = self.take_pieces(&base);
            let extended = pieces.iter().any(|(extended, _)| *extended);
            let mut value = Vec::new();
            for (is_extended, piece) in pieces {
                if extended && !is_extended {
                    percent_encode(&piece, &mut value);
                } else {
                    value.extend(piece);
                }
            }
            let name = if extended { [&base[..], b"*"].concat() } else { base };
            self.params.insert(place, (name, value));
        }
    }

    /// Takes out the pieces of a parameter, in order, up to the first that is missing, with whether each is extended; and
    /// where the foremost of them stood.
    fn take_pieces(&mut self, base: &[u8]) -> (usize, Vec<(bool, Vec<u8>)>) {
        let mut place = self.params.len();
        let mut pieces = Vec::new();
        for number in 0..MAX_PARAMS {
            let plain = [base, format!("*{number}").as_bytes()].concat();
            let extended = [&plain[..], b"*"].concat();
            let named = |wanted: &[u8], (name, _): &(Vec<u8>, Vec<u8>)| name.eq_ignore_ascii_case(wanted);
            let found = self
                .params
                .iter()
                .position(|param| named(&plain, param) || named(&extended, param));
            let Some(at) = found else { break };
            place = place.min(at);
            let (name, value) = self.params.remove(at);
            pieces.push((name.ends_with(b"*"), value));
        }
        (place, pieces)
    }

    fn end_param(&mut self, after_first: bool, name: Option<Vec<u8>>, text: Option<Vec<u8>>) {
        match (after_first, name, text) {
            (false, _, Some(text)) => self.value = text,
            (true, Some(name), text) if self.params.len() < MAX_PARAMS => {
                self.params.push((name, text.unwrap_or_default()))
            }
            _ => {}
        }
    }
}

/// Writes text as an extended value: `attribute-char` as it is, the rest as `%XX` (RFC 2231 §7).
fn percent_encode(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`{|}~".contains(byte) {
            out.push(*byte);
        } else {
            out.extend(format!("%{byte:02X}").bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_parameters() {
        let parsed = |raw: &str| {
            let MimeValue { value, params } = MimeValue::parse(raw.as_bytes());
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            (
                text(value),
                params
                    .into_iter()
                    .map(|(name, value)| format!("{}={}", text(name), text(value)))
                    .collect::<Vec<_>>(),
            )
        };
        let expect = |raw: &str, value: &str, params: &[&str]| {
            assert_eq!(
                parsed(raw),
                (
                    value.to_owned(),
                    params.iter().map(|param| (*param).to_owned()).collect()
                ),
                "{raw}"
            );
        };
        expect(" text/plain; charset=utf-8", "text/plain", &["charset=utf-8"]);
        expect(
            " text / html (x) ;\r\n\tcharset = \"us-ascii\" (y)",
            "text/html",
            &["charset=us-ascii"],
        );
        expect(
            "multipart/mixed; boundary=\"a;b=c\"; x",
            "multipart/mixed",
            &["boundary=a;b=c"],
        );
        expect(
            "attachment; filename*0*=utf-8''a%20; filename*1=b",
            "attachment",
            &["filename*=utf-8''a%20b"],
        );
        expect(
            "a/b; x=1; n*1=\"b c\"; N*0=a; n*3=lost; y=2",
            "a/b",
            &["x=1", "N=ab c", "n*3=lost", "y=2"],
        );
        expect("a/b; n*0*=utf-8''%41; n*1=\"b c\"", "a/b", &["n*=utf-8''%41b%20c"]);
        expect("a/b; boundary==_x=y", "a/b", &["boundary==_x=y"]);
        expect("", "", &[]);
        expect(";;=;", "", &[]);
    }
}
