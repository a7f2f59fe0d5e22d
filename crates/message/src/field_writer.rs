//! Header fields as they are written: folded, encoded, one per name (RFC 5322 §2.2, RFC 2047).
//!
//! What always holds: a value never begins another field, since who calls has refused CR and LF; a fold stands where a
//! space was, so unfolding gives the value back; no line is only white space.

use crate::compose::Mailbox;
use crate::encode::{encoded_words, percent_pieces};

/// Longest line, if there is a space to fold at (RFC 2047 §2; RFC 5322 §2.1.1 would allow 78).
const LINE_OCTETS: usize = 76;
/// Longest word of free text that is not encoded.
const MAX_WORD_OCTETS: usize = 65;
/// Longest word of a field that may be structured, and so is not to be encoded: a URL, a signature.
const MAX_STRUCTURED_WORD_OCTETS: usize = 900;
/// Longest piece of a parameter's value.
const PARAMETER_OCTETS: usize = 55;

/// A header section being written.
#[derive(Default)]
pub(crate) struct FieldWriter {
    out: Vec<u8>,
    column: usize,
    /// The line holds something that is not white space.
    line_used: bool,
}

impl FieldWriter {
    /// What was written so far.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// A field whose words need no encoding.
    pub(crate) fn words<'a>(&mut self, name: &str, words: impl IntoIterator<Item = &'a str>) {
        self.begin(name);
        words.into_iter().for_each(|word| self.word(word));
        self.end();
    }

    /// A field that is one short token or a few.
    pub(crate) fn plain(&mut self, name: &str, value: &str) {
        self.words(name, value.split(' '));
    }

    /// A field of free text: encoded words if it is not plain ASCII.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.encoded_unless(name, value, is_plain(value, MAX_WORD_OCTETS));
    }

    /// A field that may be structured: left alone if it is ASCII.
    pub(crate) fn structured(&mut self, name: &str, value: &str) {
        self.encoded_unless(name, value, is_plain(value, MAX_STRUCTURED_WORD_OCTETS));
    }

    fn encoded_unless(&mut self, name: &str, value: &str, plain: bool) {
        if plain {
            self.plain(name, value);
        } else {
            let words = encoded_words(value);
            self.words(name, words.iter().map(String::as_str));
        }
    }

    /// A list of mailboxes; nothing if it is empty.
    pub(crate) fn mailboxes(&mut self, name: &str, mailboxes: &[Mailbox]) {
        if mailboxes.is_empty() {
            return;
        }
        self.begin(name);
        for (number, mailbox) in mailboxes.iter().enumerate() {
            let comma = if number + 1 == mailboxes.len() { "" } else { "," };
            let address = &mailbox.address;
            match mailbox.name.as_deref().filter(|name| !name.is_empty()) {
                None => self.word(&format!("{address}{comma}")),
                Some(name) => {
                    phrase(name).iter().for_each(|word| self.word(word));
                    self.word(&format!("<{address}>{comma}"));
                }
            }
        }
        self.end();
    }

    /// Message-IDs, each with its angle brackets; nothing if there are none.
    pub(crate) fn message_ids<'a>(&mut self, name: &str, ids: impl IntoIterator<Item = &'a str>) {
        let ids: Vec<_> = ids.into_iter().map(|id| format!("<{id}>")).collect();
        if !ids.is_empty() {
            self.words(name, ids.iter().map(String::as_str));
        }
    }

    /// A value with parameters (RFC 2045 §5.1), those that are not short ASCII as RFC 2231 says.
    pub(crate) fn with_parameters(&mut self, name: &str, value: &str, parameters: &[(&str, &str)]) {
        let written: Vec<_> = parameters
            .iter()
            .flat_map(|(name, value)| parameter(name, value))
            .collect();
        self.begin(name);
        self.word(&format!("{value}{}", if written.is_empty() { "" } else { ";" }));
        for (number, parameter) in written.iter().enumerate() {
            self.word(&format!(
                "{parameter}{}",
                if number + 1 == written.len() { "" } else { ";" }
            ));
        }
        self.end();
    }

    fn begin(&mut self, name: &str) {
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b':');
        self.column = name.len() + 1;
        self.line_used = true;
    }

    fn word(&mut self, word: &str) {
        if self.line_used && self.column + 1 + word.len() > LINE_OCTETS {
            self.out.extend_from_slice(b"\r\n");
            self.column = 0;
            self.line_used = false;
        }
        self.out.push(b' ');
        self.out.extend_from_slice(word.as_bytes());
        self.column += 1 + word.len();
        self.line_used |= !word.is_empty();
    }

    fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Whether text can stand in a field as it is and be read back the same.
fn is_plain(value: &str, longest_word: usize) -> bool {
    let printable = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let even = !value.starts_with(' ') && !value.ends_with(' ') && !value.contains("=?");
    printable && even && value.split(' ').all(|word| word.len() <= longest_word)
}

/// A display name (RFC 5322 §3.2.5): atoms, a quoted string or encoded words.
fn phrase(name: &str) -> Vec<String> {
    let atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    if name.contains("=?") || name.len() > MAX_WORD_OCTETS {
        encoded_words(name)
    } else if name.split(' ').all(|word| !word.is_empty() && word.bytes().all(atext)) {
        name.split(' ').map(str::to_owned).collect()
    } else if name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        vec![quoted(name)]
    } else {
        encoded_words(name)
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `name="value"`, or the same extended and continued (RFC 2231 §3, §4).
fn parameter(name: &str, value: &str) -> Vec<String> {
    let short = value.len() <= PARAMETER_OCTETS && !value.contains("=?") && !value.is_empty();
    if short && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return vec![format!("{name}={}", quoted(value))];
    }
    let pieces = percent_pieces(value, PARAMETER_OCTETS);
    match pieces.as_slice() {
        [only] => vec![format!("{name}*={only}")],
        pieces => {
            let piece = |(number, piece): (usize, &String)| format!("{name}*{number}*={piece}");
            pieces.iter().enumerate().map(piece).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fields, header_values, unfold};
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut FieldWriter)) -> String {
        let mut writer = FieldWriter::default();
        write(&mut writer);
        String::from_utf8(writer.finish()).unwrap()
    }

    #[test]
    fn texts() {
        let check = |value: &str, expected: &str| assert_eq!(written(|w| w.text("Subject", value)), expected);
        check("hello", "Subject: hello\r\n");
        check("", "Subject: \r\n");
        check("café", "Subject: =?utf-8?q?caf=C3=A9?=\r\n");
        check(" x", "Subject: =?utf-8?q?_x?=\r\n");
        check("=?utf-8?q?x?=", "Subject: =?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=\r\n");
        let words = ["word"; 20].join(" ");
        let (first, second) = (["word"; 13].join(" "), ["word"; 7].join(" "));
        check(&words, &format!("Subject: {first}\r\n {second}\r\n"));
    }

    #[test]
    fn names() {
        for (name, expected) in [
            ("Ann Bee", "Ann Bee"),
            ("Bee, Ann", "\"Bee, Ann\""),
            ("say \"hi\" \\o/", "\"say \\\"hi\\\" \\\\o/\""),
            ("Zoë", "=?utf-8?q?Zo=C3=AB?="),
            ("a  b", "\"a  b\""),
        ] {
            assert_eq!(phrase(name).join(" "), expected);
        }
    }

    #[test]
    fn parameters() {
        let check = |value: &str, expected: &str| {
            let field = written(|w| w.with_parameters("Content-Disposition", "attachment", &[("filename", value)]));
            assert_eq!(field, format!("Content-Disposition: attachment; {expected}\r\n"));
        };
        check("a b.txt", "filename=\"a b.txt\"");
        check("a\"b\\c", "filename=\"a\\\"b\\\\c\"");
        check("é", "filename*=utf-8''%C3%A9");
        check("", "filename*=utf-8''");
    }

    #[test]
    fn control_characters_are_carried_but_not_shown() {
        let field = written(|w| w.text("Subject", "a\u{1}b"));
        assert!(field.is_ascii() && !field.contains('\u{1}'));
        assert_eq!(header_values(field.as_bytes(), "Subject"), ["a b"]);
    }

    proptest! {
        #[test]
        fn any_line_of_text_comes_back(value in "[ -~\té日😀=?]{0,300}") {
            let field = written(|w| w.text("Subject", &value));
            prop_assert!(field.is_ascii());
            prop_assert!(field.lines().all(|line| line.len() <= 78 && (line.len() < 3 || !line.trim().is_empty())), "{}", field);
            prop_assert_eq!(header_values(field.as_bytes(), "Subject"), [value]);
        }

        #[test]
        fn structured_values_stay_one_field(value in "[ -~é]{0,2000}") {
            let field = written(|w| w.structured("X-Thing", &value));
            prop_assert!(field.lines().all(|line| line.len() <= 998));
            prop_assert_eq!(fields(field.as_bytes()).count(), 1);
            prop_assert_eq!(header_values(field.as_bytes(), "X-Thing"), [value.as_str()]);
            if value.is_ascii() && is_plain(&value, 900) {
                let field = fields(field.as_bytes()).next().unwrap();
                prop_assert_eq!(unfold(field.value).into_owned(), value.into_bytes());
            }
        }
    }
}
