//! Mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3).
//!
//! One name has one form: what `encode` would not have written is refused, so two spellings never name one mailbox.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Writes a name as it goes over the wire.
pub(crate) fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut shifted: Vec<u16> = Vec::new();
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            shift_out(&mut shifted, &mut text);
            text.push(c);
            if c == '&' {
                text.push('-');
            }
        } else {
            shifted.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
    }
    shift_out(&mut shifted, &mut text);
    text
}

fn shift_out(units: &mut Vec<u16>, text: &mut String) {
    if units.is_empty() {
        return;
    }
    text.push('&');
    let (mut bits, mut held) = (0_u32, 0);
    for unit in units.drain(..) {
        bits = bits << 16 | u32::from(unit);
        held += 16;
        while held >= 6 {
            held -= 6;
            text.push(char::from(ALPHABET[(bits >> held) as usize & 63]));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        text.push(char::from(ALPHABET[(bits << (6 - held)) as usize & 63]));
    }
    text.push('-');
}

/// Reads a name from the wire. `None`: this is no modified UTF-7, or not the one way to write the name.
pub(crate) fn decode(bytes: &[u8]) -> Option<String> {
    let mut name = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'&' => {
                let end = memchr::memchr(b'-', rest)?;
                if end == 0 {
                    name.push('&');
                } else {
                    name.push_str(&decode_shifted(&rest[..end])?);
                }
                rest = &rest[end + 1..];
            }
            b' '..=b'~' => name.push(char::from(byte)),
            _ => return None,
        }
    }
    (encode(&name).as_bytes() == bytes).then_some(name)
}

fn decode_shifted(digits: &[u8]) -> Option<String> {
    let mut units = Vec::with_capacity(digits.len() * 6 / 16);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in digits {
        let value = ALPHABET.iter().position(|known| known == digit)?;
        bits = bits << 6 | value as u32;
        held += 6;
        if held >= 16 {
            held -= 16;
            units.push((bits >> held) as u16);
            bits &= (1 << held) - 1;
        }
    }
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples_of_the_rfc() {
        for (name, wire) in [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("a&b", "a&-b"),
            ("&", "&-"),
            ("😀", "&2D3eAA-"),
            ("", ""),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(name));
        }
    }

    #[test]
    fn only_one_form_is_taken() {
        for bad in [
            "&AGE-",         // "a" has no need of a shift
            "&U,BTFw",       // no end
            "&U,B-",         // half a unit
            "&U,BTFw-&ZeU-", // one shift would do (RFC 3501 §5.1.3: no null shifts)
            "&2D0-",         // half a surrogate pair
            "&ACYAJg-",
            "a\u{7f}",
            "ü",
            "&A/w-",
            "&APx-", // bits after the end
        ] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn names_come_back(name: String) {
            let wire = encode(&name);
            prop_assert!(wire.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(decode(wire.as_bytes()), Some(name));
        }

        #[test]
        fn two_wire_forms_never_mean_one_name(wire in "[&A-D,+\\-a]{0,12}") {
            if let Some(name) = decode(wire.as_bytes()) {
                prop_assert_eq!(encode(&name), wire);
            }
        }
    }
}
