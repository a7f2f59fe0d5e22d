//! Whitespace-only lines at the end of a body.
//!
//! RFC 6376 §3.4.4 ignores them in the relaxed canonicalisation, after reducing each to an empty line; mail-auth 0.13
//! does not. So nothing we sign ends in them, and a relaxed body hash that fails is tried again on a copy without
//! them. To be removed with mail-auth 0.15, when the toolchain allows it.

/// The part of `content` without whitespace-only lines at its end, or `None` if it has none (then both readings of the
/// body agree). Empty lines stay: every implementation ignores those.
#[must_use]
pub fn without_blank_tail(content: &[u8], body_offset: usize) -> Option<&[u8]> {
    let body = content.get(body_offset..)?;
    let mut end = body.len();
    let mut saw_white_space = false;
    while let Some(line) = body[..end].strip_suffix(b"\r\n") {
        let start = memchr::memrchr(b'\n', line).map_or(0, |newline| newline + 1);
        if !line[start..].iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            break;
        }
        saw_white_space |= start < line.len();
        end = start;
    }
    saw_white_space.then(|| &content[..body_offset + end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_tails() {
        let cut =
            |body: &'static str| without_blank_tail(body.as_bytes(), 0).map(|cut| std::str::from_utf8(cut).unwrap());
        assert_eq!(cut("hello\r\n \r\n\t\r\n"), Some("hello\r\n"));
        assert_eq!(cut("hello\r\n\r\n \r\n\r\n"), Some("hello\r\n"));
        assert_eq!(cut(" \r\n"), Some(""));
        assert_eq!(cut("hello\r\n"), None);
        assert_eq!(cut("hello\r\n\r\n\r\n"), None);
        assert_eq!(cut("hello\r\n "), None);
        assert_eq!(cut(""), None);
        assert_eq!(
            without_blank_tail(b"a: b\r\n\r\nx\r\n \r\n", 8),
            Some(&b"a: b\r\n\r\nx\r\n"[..])
        );
        assert_eq!(without_blank_tail(b"a", 5), None);
    }
}
