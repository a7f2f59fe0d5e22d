//! Addresses for servers without SMTPUTF8: the domain with A-labels, where the local-part is ASCII (RFC 5890 §2.3.2.1,
//! RFC 6531 §3.2).

use postroom_types::{Domain, EmailAddress, ForwardPath, ReversePath};

/// The forward-path of this address.
pub(crate) fn forward_path(address: &EmailAddress) -> ForwardPath {
    ForwardPath::Mailbox(encoded(address).unwrap_or_else(|| address.clone()))
}

/// The same reverse-path for any server.
pub(crate) fn reverse_path(path: ReversePath) -> ReversePath {
    match &path {
        ReversePath::Mailbox(address) => encoded(address).map_or(path, ReversePath::Mailbox),
        ReversePath::Null => path,
    }
}

/// `None`: it is ASCII already, or no ASCII form says the same.
fn encoded(address: &EmailAddress) -> Option<EmailAddress> {
    if !address.local_part().is_ascii() || address.domain().as_str().is_ascii() {
        return None;
    }
    let domain = idna::domain_to_ascii(address.domain().as_str()).ok()?;
    EmailAddress::from_parts(address.local_part(), Domain::parse(&domain).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_encoded_where_that_is_enough() {
        for (given, expected) in [
            ("x@bücher.test", "x@xn--bcher-kva.test"),
            ("\"x y\"@sub.BÜCHER.test", "\"x y\"@sub.xn--bcher-kva.test"),
            ("x@example.test", "x@example.test"),
            ("x@[192.0.2.1]", "x@[192.0.2.1]"),
            ("ü@bücher.test", "ü@bücher.test"),
            // No name by IDNA: a combining mark stands first.
            ("x@\u{301}a.test", "x@\u{301}a.test"),
        ] {
            let address = EmailAddress::parse(given).expect("an address");
            let expected = EmailAddress::parse(expected).expect("an address");
            let path = ReversePath::Mailbox(address.clone());
            assert_eq!(reverse_path(path), ReversePath::Mailbox(expected.clone()), "{given}");
            assert_eq!(forward_path(&address), ForwardPath::Mailbox(expected), "{given}");
        }
        assert_eq!(reverse_path(ReversePath::Null), ReversePath::Null);
    }
}
