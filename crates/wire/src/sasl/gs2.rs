//! The head of a client's first message (RFC 5801 §4, RFC 5802 §7 `gs2-header`).

use super::is_user;

/// What the client says of channel bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag<'a> {
    /// `n`: it has none.
    None,
    /// `y`: it has, and thinks that we have none.
    Unoffered,
    /// `p`: it uses one of this type.
    Used(&'a str),
}

/// A `gs2-header`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) flag: Flag<'a>,
    pub(super) authorization: Option<String>,
    /// As it was sent, with its last comma.
    pub(super) text: &'a str,
}

/// Parses a header at the start of a message; gives it and what stands behind it. The `F,` of mechanisms that are no
/// GSS-API ones elsewhere does not occur in ours.
pub(super) fn parse_header(message: &str) -> Option<(Header<'_>, &str)> {
    let (flag, rest) = message.split_once(',')?;
    let (authorization, rest) = rest.split_once(',')?;
    let header = Header {
        flag: match flag {
            "n" => Flag::None,
            "y" => Flag::Unoffered,
            _ => Flag::Used(flag.strip_prefix("p=").filter(|name| is_binding_name(name))?),
        },
        authorization: match authorization {
            "" => None,
            _ => Some(saslname(authorization.strip_prefix("a=")?)?),
        },
        text: &message[..message.len() - rest.len()],
    };
    Some((header, rest))
}

/// RFC 5802 §7 `saslname`: commas and equals signs are written `=2C` and `=3D`.
pub(super) fn saslname(text: &str) -> Option<String> {
    let mut pieces = text.split('=');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (sign, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            (None, None) => return None,
        };
        name.push(sign);
        name.push_str(rest);
    }
    is_user(&name).then_some(name)
}

/// RFC 5802 §7 `cb-name`.
fn is_binding_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let check = |message: &str, expected: Option<(Flag<'_>, Option<&str>, &str)>| {
            let parsed = parse_header(message);
            let got = parsed
                .as_ref()
                .map(|(header, rest)| (header.flag, header.authorization.as_deref(), *rest));
            assert_eq!(got, expected, "{message:?}");
            if let Some((header, rest)) = parsed {
                assert_eq!([header.text, rest].concat(), message);
            }
        };
        check("n,,n=user,r=x", Some((Flag::None, None, "n=user,r=x")));
        check("y,a=a@b,", Some((Flag::Unoffered, Some("a@b"), "")));
        check("p=tls-exporter,,x", Some((Flag::Used("tls-exporter"), None, "x")));
        check("n,a=a=2Cb=3Dc=3D,x", Some((Flag::None, Some("a,b=c="), "x")));
        for bad in [
            "",
            "n",
            "n,",
            "x,,",
            "p,,",
            "p=,,",
            "p=a_b,,",
            "n,b=x,",
            "n,a=,",
            "n,a==2c,",
            "n,a==,",
            "n,a=a\u{7f},",
            "F,n,,",
        ] {
            check(bad, None);
        }
    }
}
