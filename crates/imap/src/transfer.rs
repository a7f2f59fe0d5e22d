//! Content-Transfer-Encodings undone, for BINARY (RFC 3516, RFC 9051 §6.4.5.1).

use postroom_message::decoded_body;
use postroom_types::{Part, PartBody};
use std::borrow::Cow;

/// How a part's body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `7bit`, `8bit`, `binary`, or none said: the octets are what they are.
    Identity,
    /// `base64`
    Base64,
    /// `quoted-printable`
    QuotedPrintable,
    /// One that is not known here.
    Unknown,
}

impl Encoding {
    /// What a part says of itself. Composite parts have none of their own (RFC 2045 §6.4).
    pub(crate) fn of(part: &Part) -> Self {
        let is = |name: &str| part.encoding.eq_ignore_ascii_case(name.as_bytes());
        if !matches!(part.body, PartBody::Leaf) || ["", "7bit", "8bit", "binary"].into_iter().any(is) {
            Self::Identity
        } else if is(Self::Base64.name()) {
            Self::Base64
        } else if is(Self::QuotedPrintable.name()) {
            Self::QuotedPrintable
        } else {
            Self::Unknown
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Identity | Self::Unknown => "",
            Self::Base64 => "base64",
            Self::QuotedPrintable => "quoted-printable",
        }
    }

    /// A body without its encoding; `None` if that is not known here.
    pub(crate) fn decode(self, body: &[u8]) -> Option<Cow<'_, [u8]>> {
        let part = Part {
            encoding: self.name().into(),
            end_offset: body.len() as u64,
            ..Part::default()
        };
        (self != Self::Unknown).then(|| decoded_body(body, &part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        for (encoding, body, expected) in [
            ("", "a=20", Some("a=20")),
            ("Binary", "a=20", Some("a=20")),
            ("BASE64", "aGVs\r\nbG8=\r\n", Some("hello")),
            ("base64", "", Some("")),
            ("base64", "\u{1}!", Some("")),
            ("base64", "aGVs*bG8=\r\n-- \r\nfooter", Some("hello")),
            ("Quoted-Printable", "a=20=\r\nb=00", Some("a b\0")),
            ("quoted-printable", "", Some("")),
            ("quoted-printable", "a=ZZ=20=", Some("a=ZZ ")),
            ("x-uuencode", "abc", None),
        ] {
            let part = Part {
                encoding: encoding.into(),
                ..Part::default()
            };
            let decoded = Encoding::of(&part).decode(body.as_bytes());
            assert_eq!(decoded.as_deref(), expected.map(str::as_bytes), "{encoding} {body:?}");
        }
    }

    #[test]
    fn composite_parts_are_as_they_stand() {
        let part = Part {
            encoding: b"base64".to_vec(),
            body: PartBody::Multipart(Vec::new()),
            ..Part::default()
        };
        assert_eq!(Encoding::of(&part), Encoding::Identity);
    }
}
