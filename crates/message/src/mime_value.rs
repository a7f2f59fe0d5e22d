//! Values with parameters: Content-Type, Content-Disposition (RFC 2045 §5.1, RFC 2183 §2), read leniently.

use crate::header::unfold;
use crate::lexer::{Token, tokens};

/// Most parameters kept of one field.
const MAX_PARAMS: usize = 100;

/// `value; name=value; …`, names and values as written, quotes removed. RFC 2231 names (`filename*0*`) stay as they are.
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
        parsed
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
            &["filename*0*=utf-8''a%20", "filename*1=b"],
        );
        expect("a/b; boundary==_x=y", "a/b", &["boundary==_x=y"]);
        expect("", "", &[]);
        expect(";;=;", "", &[]);
    }
}
