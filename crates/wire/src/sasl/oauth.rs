//! OAUTHBEARER (RFC 7628) and XOAUTH2, its forerunner: a bearer token. Ours are API keys.

use super::gs2::{Flag, parse_header};
use super::{Credentials, Evidence, SaslError, is_user};
use postroom_types::Secret;

/// Parts key-value pairs (RFC 7628 §3.1 `kvsep`).
const SEPARATOR: char = '\x01';

/// RFC 7628 §3.2.2: what a client is told whose token is not good.
pub(super) const BEARER_ERROR: &str = r#"{"status":"invalid_token"}"#;
/// The same where the status is one of HTTP.
pub(super) const XOAUTH2_ERROR: &str = r#"{"status":"401","schemes":"bearer"}"#;

/// RFC 7628 §3.1: `gs2-header kvsep *(key "=" value kvsep) kvsep`. The user is the header's authzid.
pub(super) fn bearer(text: &str) -> Result<Credentials, SaslError> {
    let (header, rest) = parse_header(text).ok_or(SaslError::Malformed)?;
    if matches!(header.flag, Flag::Used(_)) {
        // There is no OAUTHBEARER-PLUS. That a client has seen none is therefore right.
        return Err(SaslError::ChannelBinding);
    }
    let pairs = rest.strip_prefix(SEPARATOR).ok_or(SaslError::Malformed)?;
    credentials(header.authorization.unwrap_or_default(), pairs)
}

/// `user=` user kvsep, then as in OAUTHBEARER. The user may be empty.
pub(super) fn xoauth2(text: &str) -> Result<Credentials, SaslError> {
    let fields = text.strip_prefix("user=").and_then(|rest| rest.split_once(SEPARATOR));
    let (user, pairs) = fields.ok_or(SaslError::Malformed)?;
    if !user.is_empty() && !is_user(user) {
        return Err(SaslError::Malformed);
    }
    credentials(user.to_owned(), pairs)
}

fn credentials(user: String, pairs: &str) -> Result<Credentials, SaslError> {
    let pairs = pairs
        .strip_suffix("\x01\x01")
        .filter(|pairs| !pairs.contains("\x01\x01"))
        .ok_or(SaslError::Malformed)?;
    let mut token = None;
    for pair in pairs.split(SEPARATOR) {
        // Host, port and what else there may be say nothing that we would not know better.
        let (key, value) = pair.split_once('=').ok_or(SaslError::Malformed)?;
        if key == "auth"
            && token
                .replace(bearer_token(value).ok_or(SaslError::Malformed)?)
                .is_some()
        {
            return Err(SaslError::Malformed);
        }
    }
    let token = token.ok_or(SaslError::Malformed)?;
    Ok(Credentials {
        authorization: None,
        user,
        evidence: Evidence::Token(Secret::new(token.to_owned())),
    })
}

/// RFC 6750 §2.1: the scheme in any case, one space or more, and a `b64token`.
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let good = !token.is_empty()
        && token
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    (scheme.eq_ignore_ascii_case("Bearer") && good).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(user: &str, token: &str) -> Result<Credentials, SaslError> {
        Ok(Credentials {
            authorization: None,
            user: user.to_owned(),
            evidence: Evidence::Token(Secret::new(token.to_owned())),
        })
    }

    #[test]
    fn oauthbearer() {
        for (text, expected) in [
            // RFC 7628 §4.1.
            (
                "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01",
                told("user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
            ),
            ("y,,\x01auth=bearer  ak_x\x01\x01", told("", "ak_x")),
            (
                "p=tls-exporter,,\x01auth=Bearer x\x01\x01",
                Err(SaslError::ChannelBinding),
            ),
            ("\x01", Err(SaslError::Malformed)),
            ("", Err(SaslError::Malformed)),
            ("n,,\x01\x01", Err(SaslError::Malformed)),
            ("n,,\x01auth=Bearer x\x01", Err(SaslError::Malformed)),
            ("n,,\x01auth=Bearer x\x01\x01\x01", Err(SaslError::Malformed)),
            ("n,,\x01auth=Bearer x\x01\x01y=z\x01\x01", Err(SaslError::Malformed)),
            ("n,,\x01auth=Basic x\x01\x01", Err(SaslError::Malformed)),
            ("n,,\x01auth=Bearer \x01\x01", Err(SaslError::Malformed)),
            ("n,,\x01auth=Bearer a b\x01\x01", Err(SaslError::Malformed)),
            (
                "n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
                Err(SaslError::Malformed),
            ),
            ("n,,\x01host\x01auth=Bearer x\x01\x01", Err(SaslError::Malformed)),
        ] {
            assert_eq!(bearer(text), expected, "{text:?}");
        }
    }

    #[test]
    fn xoauth2_as_its_makers_write_it() {
        for (text, expected) in [
            ("user=a@b\x01auth=Bearer ya29.x\x01\x01", told("a@b", "ya29.x")),
            ("user=\x01auth=Bearer x\x01\x01", told("", "x")),
            ("user=a\0b\x01auth=Bearer x\x01\x01", Err(SaslError::Malformed)),
            ("auth=Bearer x\x01\x01", Err(SaslError::Malformed)),
            ("user=a@b\x01\x01", Err(SaslError::Malformed)),
        ] {
            assert_eq!(xoauth2(text), expected, "{text:?}");
        }
    }
}
