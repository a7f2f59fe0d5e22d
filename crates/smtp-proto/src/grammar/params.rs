//! Parameters of MAIL (RFC 5321 §4.1.2 `Mail-parameters`).

use crate::question::MailParams;

/// Why parameters are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParamError {
    /// Not of the form `KEYWORD[=value]`, twice the same, or a value that the keyword does not have.
    Syntax,
    /// A keyword we did not offer.
    Unknown,
}

/// Parses what stands behind the path. Where mail is submitted, AUTH may tell whom it is from (RFC 4954 §5); who has
/// logged in is known better, so it is read and not kept.
pub(crate) fn parse_mail_params(text: &str, submission: bool) -> Result<MailParams, ParamError> {
    let mut params = MailParams::default();
    let (mut body, mut auth) = (false, !submission);
    for param in text.split(' ').filter(|param| !param.is_empty()) {
        let (keyword, value) = match param.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (param, None),
        };
        match (keyword.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(value)) if params.declared_size.is_none() => {
                params.declared_size = Some(parse_size(value).ok_or(ParamError::Syntax)?);
            }
            ("BODY", Some(value)) if !body => {
                body = true;
                params.eight_bit = match value.to_ascii_uppercase().as_str() {
                    "7BIT" => false,
                    "8BITMIME" => true,
                    _ => return Err(ParamError::Syntax),
                };
            }
            ("SMTPUTF8", None) if !params.smtputf8 => params.smtputf8 = true,
            ("AUTH", Some(value)) if !auth => {
                auth = true;
                if value != "<>" && !is_xtext(value) {
                    return Err(ParamError::Syntax);
                }
            }
            ("AUTH", _) if submission => return Err(ParamError::Syntax),
            ("SIZE" | "BODY" | "SMTPUTF8", _) => return Err(ParamError::Syntax),
            _ if !is_keyword(keyword) => return Err(ParamError::Syntax),
            _ => return Err(ParamError::Unknown),
        }
    }
    Ok(params)
}

/// 1 to 20 digits (RFC 1870 §3); what does not fit 64 bits is larger than any limit.
fn parse_size(text: &str) -> Option<u64> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// RFC 3461 §4: printable ASCII but `+` and `=`, which are written `+2B` and `+3D`.
fn is_xtext(text: &str) -> bool {
    let mut parts = text.split('+');
    let plain = |text: &str| text.bytes().all(|b| matches!(b, b'!'..=b'~') && b != b'=');
    let coded = |text: &str| {
        let hex = |b: &u8| b.is_ascii_digit() || (b'A'..=b'F').contains(b);
        matches!(text.as_bytes(), [a, b, ..] if hex(a) && hex(b)) && plain(&text[2..])
    };
    !text.is_empty() && parts.next().is_some_and(plain) && parts.all(coded)
}

fn is_keyword(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_params() {
        let good = |declared_size, eight_bit, smtputf8| {
            Ok(MailParams {
                declared_size,
                eight_bit,
                smtputf8,
            })
        };
        for (text, expected) in [
            ("", good(None, false, false)),
            ("SIZE=0", good(Some(0), false, false)),
            ("size=12  Body=8bitmime smtputf8 ", good(Some(12), true, true)),
            ("BODY=7BIT", good(None, false, false)),
            ("SIZE=99999999999999999999", good(Some(u64::MAX), false, false)),
            ("SIZE=999999999999999999999", Err(ParamError::Syntax)),
            ("SIZE", Err(ParamError::Syntax)),
            ("SIZE=", Err(ParamError::Syntax)),
            ("SIZE=-1", Err(ParamError::Syntax)),
            ("SIZE=1 SIZE=1", Err(ParamError::Syntax)),
            ("BODY=7BIT BODY=8BITMIME", Err(ParamError::Syntax)),
            ("BODY=BINARYMIME", Err(ParamError::Syntax)),
            ("SMTPUTF8=1", Err(ParamError::Syntax)),
            ("SMTPUTF8 SMTPUTF8", Err(ParamError::Syntax)),
            ("=1", Err(ParamError::Syntax)),
            ("\u{e4}", Err(ParamError::Syntax)),
            ("RET=FULL", Err(ParamError::Unknown)),
            ("AUTH=<>", Err(ParamError::Unknown)),
        ] {
            assert_eq!(parse_mail_params(text, false), expected, "{text:?}");
        }
    }

    #[test]
    fn auth_where_mail_is_submitted() {
        for (text, expected) in [
            ("AUTH=<>", true),
            ("auth=e+3Dmc2@example.com", true),
            ("SIZE=1 AUTH=a@b BODY=7BIT", true),
            ("AUTH=", false),
            ("AUTH", false),
            ("AUTH=a=b", false),
            ("AUTH=a+2", false),
            ("AUTH=a+2b", false),
            ("AUTH=\u{e4}", false),
            ("AUTH=a AUTH=a", false),
        ] {
            assert_eq!(parse_mail_params(text, true).is_ok(), expected, "{text:?}");
        }
    }
}
