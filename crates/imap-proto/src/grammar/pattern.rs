//! Pattern matching of LIST and LSUB (RFC 3501 §6.3.8): `*` is anything, `%` anything without `/`.

use super::mailbox_name::fold_inbox;
use super::utf7;

/// Longest pattern taken, in octets; matching takes pattern × name steps.
const PATTERN_OCTETS: usize = 1_000;

/// A pattern, ready to match names in UTF-8.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Vec<char>);

impl Pattern {
    /// Joins reference and pattern. `None`: no name can match.
    pub(crate) fn new(reference: &[u8], pattern: &[u8]) -> Option<Self> {
        let mut wire = reference.to_vec();
        wire.extend_from_slice(pattern);
        if wire.len() > PATTERN_OCTETS {
            return None;
        }
        // Wildcards are printable ASCII and never stand inside a shifted run, so decoding leaves them.
        let mut chars: Vec<char> = fold_inbox(utf7::decode(&wire)?).chars().collect();
        chars.dedup_by(|a, b| *a == *b && *a == '*');
        Some(Self(chars))
    }

    /// Whether it ends in `%`, so that levels above a match are shown too (RFC 3501 §6.3.8, §6.3.9).
    pub(crate) fn ends_in_percent(&self) -> bool {
        self.0.last() == Some(&'%')
    }

    /// Whether the whole name matches. INBOX, as the first level, matches in any case.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let inbox = if name == "INBOX" || name.starts_with("INBOX/") {
            5
        } else {
            0
        };
        let name: Vec<char> = name.chars().collect();
        // reached[i]: the pattern so far can match the first i characters.
        let mut reached = vec![false; name.len() + 1];
        reached[0] = true;
        for wanted in &self.0 {
            if matches!(wanted, '*' | '%') {
                for at in 0..name.len() {
                    reached[at + 1] |= reached[at] && (*wanted == '*' || name[at] != '/');
                }
                continue;
            }
            for at in (0..name.len()).rev() {
                let same = *wanted == name[at] || (at < inbox && wanted.eq_ignore_ascii_case(&name[at]));
                reached[at + 1] = reached[at] && same;
            }
            reached[0] = false;
            if !reached.contains(&true) {
                return false;
            }
        }
        reached[name.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards() {
        let check = |pattern: &str, name: &str, expected: bool| {
            let pattern = Pattern::new(b"", pattern.as_bytes()).unwrap();
            assert_eq!(pattern.matches(name), expected, "{pattern:?} {name}");
        };
        check("*", "a/b/c", true);
        check("%", "a", true);
        check("%", "a/b", false);
        check("%/%", "a/b", true);
        check("a*c", "a/b/c", true);
        check("a%c", "a/c", false);
        check("", "a", false);
        check("inbox", "INBOX", true);
        check("iNb%", "INBOX", true);
        check("inbox/*", "INBOX/x", true);
        check("Sent", "sent", false);
        check("Entw&APw-*", "Entwürfe", true);
        check("*%*%*%*x", &"a".repeat(500), false);
    }

    #[test]
    fn reference_goes_before() {
        let pattern = Pattern::new(b"Work/", b"%").unwrap();
        assert!(pattern.matches("Work/2026"));
        assert!(!pattern.matches("2026"));
        assert!(Pattern::new(b"&", b"*").is_none());
    }

    fn naive(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((&wild @ ('*' | '%'), rest)) => {
                naive(rest, name)
                    || name
                        .split_first()
                        .is_some_and(|(c, after)| (wild == '*' || *c != '/') && naive(pattern, after))
            }
            Some((wanted, rest)) => name
                .split_first()
                .is_some_and(|(c, after)| c == wanted && naive(rest, after)),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab/*%]{0,8}", name in "[ab/]{0,8}") {
            let chars: Vec<char> = pattern.chars().collect();
            let expected = naive(&chars, &name.chars().collect::<Vec<_>>());
            prop_assert_eq!(Pattern::new(b"", pattern.as_bytes()).unwrap().matches(&name), expected);
        }
    }
}
