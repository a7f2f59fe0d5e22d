//! The argument of EHLO and HELO (RFC 5321 §4.1.1.1).

/// The client's name. It becomes part of `Received` fields and is looked up in DNS, so it has only the characters of
/// domain names and address literals; whether it is a good name is for the outside to judge.
pub(crate) fn parse_client(argument: &str) -> Option<&str> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.:[]".contains(&b);
    (!argument.is_empty() && argument.len() <= 255 && argument.bytes().all(good)).then_some(argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_names() {
        for good in ["example.net", "[127.0.0.1]", "[IPv6:2001:db8::1]", "my_pc"] {
            assert_eq!(parse_client(good), Some(good));
        }
        for bad in ["", "a b", "a(b)", "<a>", "a\u{e4}", "a\0", &"x".repeat(256)] {
            assert_eq!(parse_client(bad), None, "{bad:?}");
        }
    }
}
