//! Undoing transfer encodings piece by piece (RFC 2045 §6): any division of the octets gives the same result.

/// What undoes an encoding.
#[derive(Debug)]
pub(super) enum Decoder {
    /// Nothing is to be undone.
    Plain,
    Base64(Base64),
    QuotedPrintable(QuotedPrintable),
}

/// The decoder of a Content-Transfer-Encoding.
pub(super) fn decoder(encoding: &[u8]) -> Decoder {
    if encoding.eq_ignore_ascii_case(b"base64") {
        Decoder::Base64(Base64::default())
    } else if encoding.eq_ignore_ascii_case(b"quoted-printable") {
        Decoder::QuotedPrintable(QuotedPrintable::default())
    } else {
        Decoder::Plain
    }
}

impl Decoder {
    pub(super) fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Plain => out.extend_from_slice(octets),
            Self::Base64(base64) => octets.iter().for_each(|octet| base64.push(*octet, out)),
            Self::QuotedPrintable(quoted) => octets.iter().for_each(|octet| quoted.push(*octet, out)),
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Plain => {}
            Self::Base64(base64) => base64.finish(out),
            Self::QuotedPrintable(quoted) => quoted.finish(out),
        }
    }
}

/// Octets outside the alphabet are passed over (RFC 2045 §6.8); padding ends a quantum, and another may follow, as in
/// parts that were put together.
#[derive(Debug, Default)]
pub(super) struct Base64 {
    bits: u32,
    digits: u32,
}

impl Base64 {
    fn push(&mut self, octet: u8, out: &mut Vec<u8>) {
        let digit = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => return self.finish(out),
            _ => return,
        };
        self.bits = self.bits << 6 | u32::from(digit);
        self.digits += 1;
        if self.digits == 4 {
            out.extend(&self.bits.to_be_bytes()[1..]);
            *self = Self::default();
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        match self.digits {
            2 => out.push((self.bits >> 4) as u8),
            3 => out.extend(&((self.bits >> 2) as u16).to_be_bytes()),
            // One digit alone is no octet.
            _ => {}
        }
        *self = Self::default();
    }
}

/// What is not encoded rightly stands for itself (RFC 2045 §6.7). White space at the end of a line is not part of it.
#[derive(Debug, Default)]
pub(super) struct QuotedPrintable {
    /// What may turn out to be something else by what follows: `=`, `=X`, or white space, perhaps after `=`.
    held: Vec<u8>,
}

/// Most octets of white space that are held; more are no padding of a mail program's.
const MAX_HELD: usize = 1000;

impl QuotedPrintable {
    fn push(&mut self, octet: u8, out: &mut Vec<u8>) {
        match (self.held.as_slice(), octet) {
            // The end of a line: a soft one is none, and white space before it is gone.
            ([b'=', rest @ ..], b'\n') if rest.iter().all(|held| is_blank(*held)) => self.held.clear(),
            ([b'=', rest @ ..], b'\r' | b' ' | b'\t') if rest.iter().all(|held| is_blank(*held)) => {
                self.hold(octet, out)
            }
            ([b'='], _) if octet.is_ascii_hexdigit() => self.hold(octet, out),
            ([b'=', high], low) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(digit(*high) * 16 + digit(low));
                self.held.clear();
            }
            ([b'=', ..], _) => {
                // Not an encoding after all.
                out.append(&mut self.held);
                self.push(octet, out);
            }
            (_, b'=') => {
                out.append(&mut self.held);
                self.held.push(octet);
            }
            (_, b' ' | b'\t') => self.hold(octet, out),
            (_, b'\r' | b'\n') => {
                self.held.clear();
                out.push(octet);
            }
            _ => {
                out.append(&mut self.held);
                out.push(octet);
            }
        }
    }

    fn hold(&mut self, octet: u8, out: &mut Vec<u8>) {
        if self.held.len() == MAX_HELD {
            out.append(&mut self.held);
        }
        self.held.push(octet);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        match self.held.as_slice() {
            // A soft line break at the very end, or white space there.
            [b'=', rest @ ..] if rest.iter().all(|held| is_blank(*held)) => self.held.clear(),
            [b'=', ..] => out.append(&mut self.held),
            _ => self.held.clear(),
        }
    }
}

const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r')
}

fn digit(octet: u8) -> u8 {
    // It is one: whoever asks has looked.
    char::from(octet).to_digit(16).map_or(0, |digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(encoding: &str, pieces: &[&[u8]]) -> Vec<u8> {
        let mut decoder = decoder(encoding.as_bytes());
        let mut out = Vec::new();
        pieces.iter().for_each(|piece| decoder.push(piece, &mut out));
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn encodings() {
        for (encoding, text, expected) in [
            ("base64", "aGVs\r\nbG8=\r\n", "hello"),
            ("BASE64", "aGVsbG8", "hello"),
            ("base64", "YQ==YQ==", "aa"),
            ("base64", "Y", ""),
            ("quoted-printable", "a=3Db=\r\nc", "a=bc"),
            ("quoted-printable", "a= \t\r\nb", "ab"),
            ("quoted-printable", "a  \r\nb \nc  ", "a\r\nb\nc"),
            ("quoted-printable", "=C3=a9=", "é"),
            ("quoted-printable", "=zz=4 =\nx", "=zz=4 x"),
            ("quoted-printable", "==41", "=A"),
            ("8bit", "=3D ", "=3D "),
        ] {
            assert_eq!(
                String::from_utf8(decoded(encoding, &[text.as_bytes()])).unwrap(),
                expected,
                "{encoding} {text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_division_gives_the_same(text in "[=A-Fa-f0-9 \t\r\n]{0,60}", at in 0..60usize, base64: bool) {
            let encoding = if base64 { "base64" } else { "quoted-printable" };
            let bytes = text.as_bytes();
            let (one, other) = bytes.split_at(at.min(bytes.len()));
            let singly: Vec<&[u8]> = bytes.chunks(1).collect();
            let whole = decoded(encoding, &[bytes]);
            prop_assert_eq!(&decoded(encoding, &[one, other]), &whole);
            prop_assert_eq!(&decoded(encoding, &singly), &whole);
        }
    }
}
