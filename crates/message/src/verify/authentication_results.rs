//! The Authentication-Results field (RFC 8601).

use super::stored::cut;
use super::verdict::Verdict;
use std::fmt::Write;

/// Longest field, in octets: signatures for which there is no room are left out. Twice the longest stored verdict, so
/// that it takes names that nobody has to quote.
const MAX_FIELD_OCTETS: usize = 1_280;

impl Verdict {
    /// The field to be put on top of the message, folded, with its final CRLF. `authserv_id` is our host name. It has the
    /// signatures that are stored.
    #[must_use]
    pub fn authentication_results(&self, authserv_id: &str, mail_from: &str) -> String {
        if *self == Self::default() {
            // RFC 8601 §2.2, `no-result`: nothing was evaluated.
            return format!("Authentication-Results: {authserv_id}; none\r\n");
        }
        let spf_of = if mail_from.is_empty() {
            format!("smtp.helo={}", pvalue(self.spf_domain()))
        } else {
            format!("smtp.mailfrom={}", pvalue(mail_from))
        };
        let mut field = format!("Authentication-Results: {authserv_id}");
        add(&mut field, format_args!("spf={} {spf_of}", self.spf.result));
        let mut rest = String::new();
        let from = pvalue(cut(&self.dmarc.domain));
        add(
            &mut rest,
            format_args!("dmarc={} header.from={from}", self.dmarc.result),
        );
        add(&mut rest, format_args!("arc={}", self.arc));
        add(&mut rest, format_args!("iprev={}", self.iprev));
        rest.push_str("\r\n");
        for dkim in self.kept_signatures() {
            let (domain, selector) = (pvalue(cut(&dkim.domain)), pvalue(cut(&dkim.selector)));
            let mut line = String::new();
            add(
                &mut line,
                format_args!("dkim={} header.d={domain} header.s={selector}", dkim.result),
            );
            if field.len() + line.len() + rest.len() <= MAX_FIELD_OCTETS {
                field.push_str(&line);
            }
        }
        if self.dkim.is_empty() {
            add(&mut field, format_args!("dkim=none"));
        }
        field + &rest
    }
}

fn add(field: &mut String, result: std::fmt::Arguments<'_>) {
    write!(field, ";\r\n\t{result}").expect("writing to a String cannot fail");
}

/// A value that cannot end the field or be read as another result: anything unusual is quoted, control characters go.
fn pvalue(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@+=[]:".contains(c);
    match text.is_empty() || !text.chars().all(plain) {
        false => text.to_owned(),
        true => {
            let safe: String = text.chars().filter(|c| !c.is_control()).flat_map(escaped).collect();
            format!("\"{safe}\"")
        }
    }
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c])
}

/// Whether a header field claims to be a result of ours; such a field in mail from outside is a forgery and is removed
/// (RFC 8601 §5). `name` and `value` are as they stand in the message.
#[must_use]
pub fn is_authentication_results_of(authserv_id: &str, name: &[u8], value: &[u8]) -> bool {
    if !name.trim_ascii().eq_ignore_ascii_case(b"Authentication-Results") {
        return false;
    }
    let claimed = skip_comments(value);
    let end = claimed
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || b";/(".contains(byte))
        .unwrap_or(claimed.len());
    let claimed = &claimed[..end];
    let claimed = claimed
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(claimed);
    claimed.eq_ignore_ascii_case(authserv_id.as_bytes())
}

/// White space and comments may stand before the authserv-id (RFC 8601 §2.2, `[CFWS]`).
fn skip_comments(value: &[u8]) -> &[u8] {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, byte) in value.iter().enumerate() {
        match (byte, depth) {
            (_, 1..) if escaped => escaped = false,
            (b'\\', 1..) => escaped = true,
            (b'(', _) => depth += 1,
            (b')', 1..) => depth -= 1,
            (byte, 0) if !byte.is_ascii_whitespace() => return &value[at..],
            _ => {}
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::super::verdict::{DkimVerdict, MechanismResult, SpfVerdict};
    use super::*;

    #[test]
    fn one_line_for_each_mechanism() {
        let verdict = Verdict {
            spf: SpfVerdict {
                result: MechanismResult::Pass,
                domain: "example.net".into(),
            },
            dkim: vec![DkimVerdict {
                result: MechanismResult::Fail,
                domain: "example.net".into(),
                selector: "s1".into(),
            }],
            ..Verdict::default()
        };
        assert_eq!(
            verdict.authentication_results("mx.example.org", "a@example.net"),
            "Authentication-Results: mx.example.org;\r\n\tspf=pass smtp.mailfrom=a@example.net;\r\n\tdkim=fail \
             header.d=example.net header.s=s1;\r\n\tdmarc=none header.from=\"\";\r\n\tarc=none;\r\n\tiprev=none\r\n"
        );
    }

    #[test]
    fn many_long_signatures_have_an_end() {
        let mut verdict = Verdict::default();
        verdict.dmarc.domain = "example.net".into();
        verdict.dkim = vec![
            DkimVerdict {
                result: MechanismResult::Pass,
                domain: "\"".repeat(180),
                selector: "s".repeat(60),
            };
            8
        ];
        let field = verdict.authentication_results("mx.example.org", "a@example.net");
        assert!(field.len() <= MAX_FIELD_OCTETS, "{}", field.len());
        assert_eq!(field.matches("dkim=pass").count(), 2);
        assert!(field.ends_with("dmarc=none header.from=example.net;\r\n\tarc=none;\r\n\tiprev=none\r\n"));
    }

    #[test]
    fn names_from_outside_cannot_add_results() {
        assert_eq!(
            Verdict::default().authentication_results("mx", ""),
            "Authentication-Results: mx; none\r\n"
        );
        let mut verdict = Verdict::default();
        verdict.spf.domain = "x;\r\n dmarc=pass\"".into();
        let field = verdict.authentication_results("mx", "");
        assert!(field.contains("smtp.helo=\"x; dmarc=pass\\\"\""), "{field}");
    }

    #[test]
    fn forgeries_are_known_by_their_host() {
        let forged =
            |value: &str| is_authentication_results_of("mx.example.org", b"authentication-results", value.as_bytes());
        for ours in [
            " mx.example.org; spf=pass",
            "\r\n\tMX.example.org 1;",
            " (a\\)(b)) mx.example.org;",
            " \"mx.example.org\";",
            "mx.example.org",
        ] {
            assert!(forged(ours), "{ours}");
        }
        for other in [
            " mx.example.com; spf=pass",
            " x (mx.example.org)",
            "",
            " (mx.example.org",
        ] {
            assert!(!forged(other), "{other}");
        }
        assert!(!is_authentication_results_of("mx", b"Subject", b"mx"));
    }
}
