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

/// A value while it is read.
#[derive(Default)]
struct Reading {
    done: MimeValue,
    /// The value itself has been read; what comes are parameters.
    after_value: bool,
    /// The parameter's name, and what has been read since: of the value, of a name, or of a parameter's value.
    name: Option<Vec<u8>>,
    text: Option<Vec<u8>>,
    /// Where in `text` a word begins that only white space, or the end of a quoted string, separates from what is before
    /// it.
    word: Option<usize>,
}

impl MimeValue {
    pub(crate) fn parse(raw: &[u8]) -> Self {
        let value = unfold(raw);
        let mut reading = Reading::default();
        let mut after_word = false;
        for token in tokens(&value, b";=") {
            let is_word = matches!(token, Token::Atom(_) | Token::Quoted(_));
            match token {
                Token::Special(b';') => reading.end_param(),
                Token::Special(sign) => reading.equals(sign),
                Token::Atom(piece) if reading.after_value => reading.push(&piece, after_word),
                Token::Atom(piece) => reading.push_value(&piece),
                Token::Quoted(piece) => reading.push(&piece, false),
                Token::Comment(_) => {}
            }
            after_word = is_word;
        }
        reading.end_param();
        reading.done.join_continuations();
        reading.done
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
}

impl Reading {
    /// The value is one word, up to the first white space or comma, whatever should stand there instead of a semicolon;
    /// only around its slash there may be white space. The rest are parameters.
    fn push_value(&mut self, piece: &[u8]) {
        let comma = piece.iter().position(|byte| *byte == b',');
        let (word, rest) = piece.split_at(comma.unwrap_or(piece.len()));
        let is_more = match &self.text {
            None => true,
            Some(text) => text.ends_with(b"/") || (word.starts_with(b"/") && !text.contains(&b'/')),
        };
        if is_more {
            self.text.get_or_insert_default().extend(word);
        }
        if !is_more || comma.is_some() {
            self.end_param();
            let rest = if is_more { rest } else { piece };
            let rest = rest.strip_prefix(b",").unwrap_or(rest);
            if !rest.is_empty() {
                self.push(rest, false);
            }
        }
    }

    /// More of the same. White space is left out, as before: names of files are written with it, against RFC 2045 §5.1.
    fn push(&mut self, piece: &[u8], after_word: bool) {
        let text = self.text.get_or_insert_default();
        self.word = after_word.then_some(text.len());
        text.extend(piece);
    }

    fn equals(&mut self, sign: u8) {
        match (&mut self.text, self.word.take()) {
            (_, _) if self.after_value && self.name.is_none() => self.name = self.text.take(),
            // `a=b c=d`: where the semicolon lacks.
            (Some(text), Some(word)) => {
                let next = text.split_off(word);
                if text.ends_with(b",") {
                    text.pop();
                }
                self.end_param();
                self.name = Some(next);
            }
            // `charset==?x` and the like: the sign belongs to the value.
            (text, _) => text.get_or_insert_default().push(sign),
        }
    }

    fn end_param(&mut self) {
        self.word = None;
        let (name, text) = (self.name.take(), self.text.take());
        match (std::mem::replace(&mut self.after_value, true), name, text) {
            (false, _, Some(text)) => self.done.value = text,
            (true, Some(name), text) if self.done.params.len() < MAX_PARAMS => {
                self.done.params.push((name, text.unwrap_or_default()));
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
        // Without a semicolon.
        expect("text/html charset=utf-8", "text/html", &["charset=utf-8"]);
        expect("text/html\r\n\tcharset=utf-8", "text/html", &["charset=utf-8"]);
        expect("text/html, charset=utf-8", "text/html", &["charset=utf-8"]);
        expect("text/html,charset=utf-8", "text/html", &["charset=utf-8"]);
        expect(
            "text /html charset = \"utf-8\"; x=y",
            "text/html",
            &["charset=utf-8", "x=y"],
        );
        expect("text/html text/plain; x=y", "text/html", &["x=y"]);
        expect(
            "multipart/mixed charset=utf-8 boundary=b",
            "multipart/mixed",
            &["charset=utf-8", "boundary=b"],
        );
        expect(
            "multipart/mixed; charset=utf-8, boundary=\"b c\"",
            "multipart/mixed",
            &["charset=utf-8", "boundary=b c"],
        );
        for between in [" ", "", ", ", "\r\n\t"] {
            expect(
                &format!("multipart/mixed; charset=\"utf-8\"{between}boundary=\"b c\"; x=y"),
                "multipart/mixed",
                &["charset=utf-8", "boundary=b c", "x=y"],
            );
        }
        expect(
            "attachment; filename=\"my\" file.txt",
            "attachment",
            &["filename=myfile.txt"],
        );
        expect("attachment filename=a.txt", "attachment", &["filename=a.txt"]);
        expect(
            "attachment; filename=my file.txt",
            "attachment",
            &["filename=myfile.txt"],
        );
        expect("attachment; filename=a,b.txt", "attachment", &["filename=a,b.txt"]);
        expect("base64 ", "base64", &[]);
        expect("", "", &[]);
        expect(";;=;", "", &[]);
    }
}
