//! Reverse-path and forward-path (RFC 5321 §4.1.2).

use postroom_types::{EmailAddress, ForwardPath, ReversePath};

/// Parses `<…>` at the start of a text; gives the path and what stands behind it.
pub(crate) fn parse_reverse_path(text: &str) -> Option<(ReversePath, &str)> {
    let (inside, rest) = angle(text)?;
    let path = match inside {
        "" => ReversePath::Null,
        _ => ReversePath::Mailbox(mailbox(inside)?),
    };
    Some((path, rest))
}

/// Parses `<…>` at the start of a text; gives the path and what stands behind it.
pub(crate) fn parse_forward_path(text: &str) -> Option<(ForwardPath, &str)> {
    let (inside, rest) = angle(text)?;
    let path = match inside.eq_ignore_ascii_case("postmaster") {
        true => ForwardPath::Postmaster,
        false => ForwardPath::Mailbox(mailbox(inside)?),
    };
    Some((path, rest))
}

/// Cuts at the `>` that is not inside a quoted string. Behind it stands a space or nothing.
fn angle(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => {
                let rest = &inside[at + 1..];
                return (rest.is_empty() || rest.starts_with(' ')).then_some((&inside[..at], rest));
            }
            _ => {}
        }
    }
    None
}

/// A source route is accepted and ignored (RFC 5321 §4.1.1.3, appendix C).
fn mailbox(inside: &str) -> Option<EmailAddress> {
    let address = match inside.starts_with('@') {
        true => inside.split_once(':')?.1,
        false => inside,
    };
    EmailAddress::parse(address).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forward_paths() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let got = parse_forward_path(text).map(|(path, rest)| (path.to_string(), rest));
            assert_eq!(got, expected.map(|(path, rest)| (path.to_owned(), rest)), "{text}");
        };
        check("<a@b>", Some(("<a@b>", "")));
        check("<a@b> SIZE=1", Some(("<a@b>", " SIZE=1")));
        check("<PostMaster>", Some(("<postmaster>", "")));
        check("<\"a>b\\\"\"@c>", Some(("<\"a>b\\\"\"@c>", "")));
        check("<a@[127.0.0.1]>", Some(("<a@[127.0.0.1]>", "")));
        check("<@x.example,@y.example:a@b>", Some(("<a@b>", "")));
        for bad in [
            "", "<", "<>", "a@b", "<a@b", "<a@b>x", "<a>", "<a@b>>", "<<a@b>>", "< a@b>", "<\"a>@b", "<@x>", "<@x:>",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn null_is_a_reverse_path_only() {
        assert_eq!(parse_reverse_path("<>"), Some((ReversePath::Null, "")));
        assert_eq!(parse_reverse_path("<> X"), Some((ReversePath::Null, " X")));
        assert_eq!(parse_reverse_path("<postmaster>"), None);
        assert_eq!(parse_reverse_path("< >"), None);
    }

    prop_compose! {
        fn address()(
            local_part in prop_oneof![
                "[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,10}(\\.[a-zA-Z0-9]{1,5}){0,2}",
                "\"([ !#-\\[\\]-~]|\\\\[ -~]){0,12}\"",
            ],
            domain in prop_oneof!["[a-z0-9]{1,8}(\\.[a-z0-9]{1,8}){0,2}", Just("[192.0.2.1]".to_owned()), "[äöü]{1,4}\\.test"],
        ) -> String {
            format!("{local_part}@{domain}")
        }
    }

    proptest! {
        #[test]
        fn what_is_rendered_parses_to_the_same(address in address()) {
            let address = EmailAddress::parse(&address).expect("made by the grammar");
            let reverse = ReversePath::Mailbox(address.clone());
            let forward = ForwardPath::Mailbox(address);
            let (reverse_text, forward_text) = (reverse.to_string(), forward.to_string());
            prop_assert_eq!(parse_reverse_path(&reverse_text), Some((reverse, "")));
            prop_assert_eq!(parse_forward_path(&forward_text), Some((forward, "")));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}", path in "<?[@:<>\"\\\\a. ]{0,20}>?") {
            let _ = (parse_reverse_path(&text), parse_forward_path(&text));
            let _ = (parse_reverse_path(&path), parse_forward_path(&path));
        }
    }
}
