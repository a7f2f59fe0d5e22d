//! Quoted-printable (RFC 2045 §6.7): what is not encoded rightly stands for itself; white space at the end of a line is not
//! part of it; an `=` at the end of a line, or of the body, joins it to the next.

/// Most octets of white space that are held; more are no padding of a mail program's, and stay.
const MOST_HELD: usize = 1000;

/// What may turn out to be something else by what follows: `=`, `=X`, or white space, perhaps after `=`, perhaps with a CR
/// at its end.
#[derive(Debug, Default)]
pub(super) struct QuotedPrintable {
    held: Vec<u8>,
}

impl QuotedPrintable {
    pub(super) fn push(&mut self, mut octets: &[u8], out: &mut Vec<u8>) {
        loop {
            if self.held.is_empty() {
                let plain = memchr::memchr3(b'=', b' ', b'\t', octets).unwrap_or(octets.len());
                out.extend_from_slice(&octets[..plain]);
                octets = &octets[plain..];
            }
            let Some((octet, rest)) = octets.split_first() else {
                return;
            };
            self.push_octet(*octet, out);
            octets = rest;
        }
    }

    fn push_octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        match (self.held.as_slice(), octet) {
            ([], b'=' | b' ' | b'\t') => self.held.push(octet),
            ([], _) => out.push(octet),
            ([b'=', high], low) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(digit(*high) << 4 | digit(low));
                self.held.clear();
            }
            ([b'='], _) if octet.is_ascii_hexdigit() => self.held.push(octet),
            // A soft line end is none.
            ([b'=', rest @ ..], b'\n') if is_blank(rest) => self.held.clear(),
            ([b'=', rest @ ..], b' ' | b'\t' | b'\r') if is_blank(rest) && !self.is_full() => self.held.push(octet),
            ([b' ' | b'\t', rest @ ..], b' ' | b'\t' | b'\r') if !rest.ends_with(b"\r") && !self.is_full() => {
                self.held.push(octet);
            }
            ([b' ' | b'\t', rest @ ..], b'\n') => {
                out.extend_from_slice(if rest.ends_with(b"\r") { b"\r\n" } else { b"\n" });
                self.held.clear();
            }
            // It stands for itself after all.
            _ => {
                out.append(&mut self.held);
                self.push_octet(octet, out);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.held.len() >= MOST_HELD
    }

    pub(super) fn finish(self, out: &mut Vec<u8>) {
        match self.held.as_slice() {
            [b'=', rest @ ..] if is_blank(rest) => {}
            [b'=', ..] => out.extend_from_slice(&self.held),
            // White space.
            _ => {}
        }
    }
}

/// Whether it is white space that is held after `=`; else it is one hexadecimal digit.
fn is_blank(held: &[u8]) -> bool {
    held.first().is_none_or(|octet| matches!(octet, b' ' | b'\t' | b'\r'))
}

fn digit(octet: u8) -> u8 {
    // It is one: whoever asks has looked.
    char::from(octet).to_digit(16).map_or(0, |digit| digit as u8)
}
