//! Bytes written as quoted text.

use std::fmt::Write as _;

/// Shows bytes as quoted text: printable ASCII as it is, the rest as `\r \n \t \0 \\ \" \xHH`.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            0 => text.push_str("\\0"),
            b'\\' => text.push_str("\\\\"),
            b'"' => text.push_str("\\\""),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").expect("writing to a String never fails"),
        }
    }
    text.push('"');
    text
}

/// Reads quoted texts back: one or more `"…"`, each with an optional repetition `*1000`, joined.
///
/// # Errors
/// Says what is wrong with the text.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let inside = rest
            .strip_prefix('"')
            .ok_or_else(|| format!("expected a quote at {rest}"))?;
        let (piece, after) = quoted(inside)?;
        rest = after;
        let mut times = 1;
        if let Some(number) = rest.strip_prefix('*') {
            let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
            times = number[..end].parse().map_err(|_| format!("bad repetition at {rest}"))?;
            rest = &number[end..];
        }
        for _ in 0..times {
            bytes.extend_from_slice(&piece);
        }
        rest = rest.trim_start();
    }
    Ok(bytes)
}

/// Reads up to the closing quote; gives the bytes and what stands after the quote.
fn quoted(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut bytes = Vec::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((bytes, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'r')) => bytes.push(b'\r'),
                Some((_, 'n')) => bytes.push(b'\n'),
                Some((_, 't')) => bytes.push(b'\t'),
                Some((_, '0')) => bytes.push(0),
                Some((_, c @ ('\\' | '"'))) => bytes.push(c as u8),
                Some((x, 'x')) => {
                    let digits = text.get(x + 1..x + 3).ok_or("\\x needs two digits")?;
                    bytes.push(u8::from_str_radix(digits, 16).map_err(|_| format!("bad \\x{digits}"))?);
                    chars.nth(1);
                }
                other => return Err(format!("unknown escape {other:?}")),
            },
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err("no closing quote".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_round_trip() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescape(&escape(&all)), Ok(all));
        assert_eq!(unescape(r#""ab"*2 "\xe4ö""#), Ok(b"abab\xe4\xc3\xb6".to_vec()));
        for bad in ["x", "\"x", r#""\q""#, r#""\x1""#, r#""a"*x"#] {
            assert!(unescape(bad).is_err(), "{bad}");
        }
    }
}
