//! Charsets of search texts (RFC 9051 §6.4.4): UTF-8, US-ASCII, and whatever mail is commonly written in.

use super::{Bad, Parsed};
use encoding_rs::{Encoding, UTF_8};

/// The answer to a charset that is not known here (RFC 3501 §7.1, BADCHARSET); it names the common ones.
pub(crate) const BAD_CHARSET: &str =
    "BADCHARSET (US-ASCII UTF-8 ISO-8859-1 ISO-8859-15 WINDOWS-1252 KOI8-R ISO-2022-JP EUC-KR GB18030 BIG5)";

/// In what the texts of a search program are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charset(&'static Encoding);

impl Charset {
    /// Also where none is named: in IMAP4rev2 that is the rule, in IMAP4rev1 US-ASCII is a part of it.
    pub(crate) const UTF_8: Self = Self(UTF_8);

    /// The charset of this name. `None`: not known here.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"US-ASCII") {
            return Some(Self::UTF_8);
        }
        Encoding::for_label_no_replacement(name).map(Self)
    }

    /// A text of the program in UTF-8.
    pub(crate) fn decode(self, bytes: &[u8]) -> Parsed<String> {
        self.0
            .decode_without_bom_handling_and_without_replacement(bytes)
            .map(std::borrow::Cow::into_owned)
            .ok_or(Bad("The text is not in its charset"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |name: &str, bytes: &[u8], expected: Option<&str>| {
            let text = Charset::named(name.as_bytes()).unwrap().decode(bytes).ok();
            assert_eq!(text.as_deref(), expected, "{name}");
        };
        check("utf-8", "бук".as_bytes(), Some("бук"));
        check("UTF-8", b"\xff", None);
        check("us-ascii", b"plain", Some("plain"));
        check("KOI8-R", b"\xc2\xd5\xcb", Some("бук"));
        check("iso-8859-1", b"caf\xe9", Some("café"));
        check("ISO-2022-JP", b"\x1b$BF|K\\\x1b(B", Some("日本"));
        check("gb2312", b"\xc4\xe3", Some("你"));
        check("euc-kr", b"\xff\xff", None);
    }

    #[test]
    fn unknown_names() {
        for name in ["", "X-NONE", "UTF-7", "ISO-2022-KR"] {
            assert_eq!(Charset::named(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn those_named_in_the_refusal_are_known() {
        let names = BAD_CHARSET.trim_start_matches("BADCHARSET (").trim_end_matches(')');
        assert!(names.split(' ').all(|name| Charset::named(name.as_bytes()).is_some()));
    }
}
