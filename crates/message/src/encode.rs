//! From text and bytes to what the wire takes: base64, quoted-printable, encoded words (RFC 2045 §6.7 and §6.8,
//! RFC 2047).
//!
//! What always holds: the result is ASCII; no encoded line has over 76 octets or begins with `--`, which could make it
//! a delimiter; decoding gives the input back.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789ABCDEF";
/// Longest encoded line (RFC 2045 §6.7, §6.8).
const MAX_LINE_OCTETS: usize = 76;
/// Longest text of an encoded word: 60, so that one fits beside a field name (RFC 2047 §2 allows 75, and lines of 76), less `=?utf-8?q?` and `?=`.
const MAX_WORD_OCTETS: usize = 60 - 12;

/// Base64 on one line.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    add_base64(&mut out, bytes);
    String::from_utf8(out).expect("the alphabet is ASCII")
}

fn add_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    for triple in bytes.chunks(3) {
        let octet = |at: usize| u32::from(triple.get(at).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        let digit = |shift: u32| ALPHABET[(bits >> shift & 63) as usize];
        let quad = [digit(18), digit(12), digit(6), digit(0)];
        out.extend_from_slice(&quad[..=triple.len()]);
        out.extend_from_slice(&b"=="[triple.len() - 1..]);
    }
}

/// Base64 in lines, each with CRLF.
pub(crate) fn add_base64_lines(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(57) * 78);
    for line in bytes.chunks(MAX_LINE_OCTETS / 4 * 3) {
        add_base64(out, line);
        out.extend_from_slice(b"\r\n");
    }
}

/// Quoted-printable of text whose line ends are CRLF. No line end is added.
pub(crate) fn add_quoted_printable(out: &mut Vec<u8>, text: &[u8]) {
    let mut column = 0;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if text[at..].starts_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            (column, at) = (0, at + 2);
            continue;
        }
        at += 1;
        // White space at the end of a line would be lost on the way.
        let ends_line = at == text.len() || text[at..].starts_with(b"\r\n");
        let mut plain = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || (matches!(byte, b' ' | b'\t') && !ends_line);
        // One place is kept for the `=` of a soft line break.
        if column + if plain { 1 } else { 3 } >= MAX_LINE_OCTETS {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        plain &= column > 0 || byte != b'-' || text.get(at) != Some(&b'-');
        match plain {
            true => out.push(byte),
            false => out.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
        column += if plain { 1 } else { 3 };
    }
}

/// Text as encoded words of at most 60 characters, to be written with white space between them, which readers remove
/// (RFC 2047 §6.2). Each holds whole characters. Usable in phrases too (§5 rule 3).
pub(crate) fn encoded_words(text: &str) -> Vec<String> {
    let costly = text.bytes().filter(|byte| q_octets(*byte) == 3).count();
    if costly * 2 > text.len() {
        b_words(text)
    } else {
        q_words(text)
    }
}

const fn q_octets(byte: u8) -> usize {
    // RFC 2047 §5 rule 3: the least set, which is good in phrases; and `_` for a space.
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'!' | b'*' | b'+' | b'-' | b'/' | b' ' => 1,
        _ => 3,
    }
}

fn q_words(text: &str) -> Vec<String> {
    let cost = |c: char| c.encode_utf8(&mut [0; 4]).bytes().map(q_octets).sum();
    let word = |piece: &str| {
        let mut word = String::from("=?utf-8?q?");
        for byte in piece.bytes() {
            match (byte, q_octets(byte)) {
                (b' ', _) => word.push('_'),
                (_, 1) => word.push(char::from(byte)),
                _ => word.push_str(&format!("={byte:02X}")),
            }
        }
        word + "?="
    };
    pieces(text, MAX_WORD_OCTETS, cost).map(word).collect()
}

fn b_words(text: &str) -> Vec<String> {
    let word = |piece: &str| format!("=?utf-8?b?{}?=", base64(piece.as_bytes()));
    pieces(text, MAX_WORD_OCTETS / 4 * 3, char::len_utf8)
        .map(word)
        .collect()
}

/// The text in pieces that cost at most so much each.
fn pieces(text: &str, room: usize, cost: impl Fn(char) -> usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut used = 0;
        let full = |(_, c): &(usize, char)| {
            used += cost(*c);
            used > room
        };
        let end = rest.char_indices().find(full).map_or(rest.len(), |(at, _)| at);
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}

/// `utf-8''…`, the extended form of a parameter's value (RFC 2231 §4), in pieces of at most so many octets.
pub(crate) fn percent_pieces(text: &str, room: usize) -> Vec<String> {
    // RFC 2231 §7: attribute-char.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`{|}~".contains(&byte);
    let mut pieces = vec![String::from("utf-8''")];
    for byte in text.bytes() {
        let coded = if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        };
        match pieces.last_mut() {
            Some(last) if last.len() + coded.len() <= room => last.push_str(&coded),
            _ => pieces.push(coded),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::decode_words;
    use crate::transfer::transfer_decode;
    use proptest::prelude::*;

    fn quoted_printable(text: &str) -> String {
        let mut out = Vec::new();
        add_quoted_printable(&mut out, text.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn examples() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(quoted_printable("a=b \r\n\tcafé\t"), "a=3Db=20\r\n\tcaf=C3=A9=09");
        assert_eq!(quoted_printable("a\nb\rc"), "a=0Ab=0Dc");
        assert_eq!(quoted_printable("--\r\n-a--\r\n-- "), "=2D-\r\n-a--\r\n=2D-=20");
        let long = "x".repeat(75);
        assert_eq!(quoted_printable(&format!("{long}--b")), format!("{long}=\r\n=2D-b"));
        assert_eq!(encoded_words("café au lait"), ["=?utf-8?q?caf=C3=A9_au_lait?="]);
        assert_eq!(encoded_words("日本"), ["=?utf-8?b?5pel5pys?="]);
        assert_eq!(percent_pieces("a b", 60), ["utf-8''a%20b"]);
    }

    proptest! {
        #[test]
        fn quoted_printable_is_undone(lines in proptest::collection::vec("(--)?[ -~\té日😀]{0,120}", 0..6)) {
            let text = lines.join("\r\n");
            let coded = quoted_printable(&text);
            let good = |line: &str| line.len() <= MAX_LINE_OCTETS && !line.starts_with("--");
            prop_assert!(coded.is_ascii() && coded.split("\r\n").all(good));
            let decoded = transfer_decode(b"quoted-printable", coded.as_bytes()).into_owned();
            prop_assert_eq!(decoded, text.into_bytes());
        }

        #[test]
        fn base64_is_undone(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut lines = Vec::new();
            add_base64_lines(&mut lines, &bytes);
            prop_assert!(lines.split(|byte| *byte == b'\n').all(|line| line.len() <= MAX_LINE_OCTETS + 1));
            prop_assert_eq!(transfer_decode(b"base64", &lines).into_owned(), bytes);
        }

        #[test]
        fn words_are_undone(text in "[ -~\té日😀]{0,200}") {
            let words = encoded_words(&text);
            prop_assert!(words.iter().all(|word| word.len() <= 60 && word.is_ascii() && !word.contains(' ')));
            prop_assert_eq!(decode_words(words.join("\r\n ").as_bytes()), text);
        }
    }
}
