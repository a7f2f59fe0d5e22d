//! Header fields that users add to requests.

use crate::WebhookError;

/// Most of them.
const MAX_HEADERS: usize = 32;
/// Most octets of all names and values together.
const MAX_OCTETS: usize = 3072;

/// What a request has anyway, or what would change where it ends (RFC 9110 §7.6.1, RFC 9112 §6).
const OURS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether these may be added to a request.
pub(crate) fn check(headers: &[(String, String)]) -> Result<(), WebhookError> {
    let refuse = |why: String| Err(WebhookError::invalid("headers", why));
    for (at, (name, value)) in headers.iter().enumerate() {
        if !is_token(name) {
            return refuse(format!("{name:?} is no name of a header field"));
        }
        let folded = name.to_ascii_lowercase();
        if OURS.contains(&folded.as_str())
            || folded.starts_with("svix-")
            || folded.starts_with("webhook-")
            || folded.starts_with("x-inkbox-")
        {
            return refuse(format!("{name} cannot be set"));
        }
        // Field values in other charsets are read differently by different servers.
        if !value.bytes().all(|octet| matches!(octet, b' '..=b'~' | b'\t')) {
            return refuse(format!("the value of {name} must be printable ASCII on one line"));
        }
        if headers[..at].iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return refuse(format!("{name} is given twice"));
        }
    }
    let octets: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
    if headers.len() > MAX_HEADERS || octets > MAX_OCTETS {
        return refuse(format!(
            "at most {MAX_HEADERS} header fields of {MAX_OCTETS} octets together"
        ));
    }
    Ok(())
}

/// RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    let token = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    !name.is_empty() && name.len() <= 128 && name.bytes().all(token)
}

#[cfg(test)]
mod tests {

    #[test]
    fn what_may_be_added() {
        let check = |headers: &[(&str, &str)], good: bool| {
            let headers: Vec<_> = headers
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect();
            assert_eq!(super::check(&headers).is_ok(), good, "{headers:?}");
        };
        check(
            &[
                ("X-Token", "a b\tc"),
                ("authorization", "Bearer x"),
                ("user-agent", "me"),
            ],
            true,
        );
        check(&[("X-Empty", "")], true);
        for name in [
            "",
            "X Token",
            "X:Token",
            "X\r\nToken",
            "Ü",
            "Svix-Id",
            "svix-signature",
            "Webhook-Timestamp",
            "content-type",
            "HOST",
            "Transfer-Encoding",
        ] {
            check(&[(name, "1")], false);
        }
        for value in ["a\r\nb", "a\nb", "a\0b", "ü", "\u{7f}"] {
            check(&[("X-Token", value)], false);
        }
        check(&[("X-Token", "1"), ("x-token", "2")], false);
        check(&[("X-Token", &"x".repeat(4000))], false);
    }
}
