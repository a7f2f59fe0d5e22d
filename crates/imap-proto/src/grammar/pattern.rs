//! Pattern matching of LIST and LSUB (RFC 9051 §6.3.9): `*` is anything, `%` anything without `/`.

use super::mailbox_name::fold_inbox;
use super::utf7;

/// Longest pattern taken, in octets.
const PATTERN_OCTETS: usize = 1_000;
/// Octets of all patterns with wildcards in one command: matching these takes pattern × name steps, of others few.
const WILD_OCTETS: usize = 2_000;

/// The patterns of one command. A name matches if it matches one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patterns(Vec<Pattern>);

impl Patterns {
    /// Joins the reference with each pattern. Those that no name can match are left out: a pattern that is not taken is
    /// ignored in silence (RFC 5258 §3).
    pub(crate) fn new<'a>(reference: &[u8], patterns: impl IntoIterator<Item = &'a [u8]>, utf8: bool) -> Self {
        let mut room = WILD_OCTETS;
        let mut taken = Vec::new();
        for pattern in patterns {
            let octets = reference.len() + pattern.len();
            let is_wild = [reference, pattern]
                .iter()
                .any(|text| memchr::memchr2(b'*', b'%', text).is_some());
            let cost = if is_wild { octets } else { 0 };
            if octets <= PATTERN_OCTETS && cost <= room {
                room -= cost;
                taken.extend(Pattern::new(reference, pattern, utf8));
            }
        }
        Self(taken)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the whole name matches.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether the name matches as a level above others: by a pattern that ends in `%` (RFC 3501 §6.3.8, §6.3.9).
    pub(crate) fn matches_level(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|pattern| pattern.ends_in_percent() && pattern.matches(name))
    }
}

/// A pattern, ready to match names in UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Vec<char>);

impl Pattern {
    /// Joins reference and pattern. `None`: no name can match.
    fn new(reference: &[u8], pattern: &[u8], utf8: bool) -> Option<Self> {
        let wire = [reference, pattern].concat();
        // Wildcards are printable ASCII and never stand inside a shifted run, so decoding leaves them.
        let text = if utf8 {
            String::from_utf8(wire).ok()?
        } else {
            utf7::decode(&wire)?
        };
        let mut chars: Vec<char> = fold_inbox(text).chars().collect();
        chars.dedup_by(|a, b| *a == *b && *a == '*');
        Some(Self(chars))
    }

    fn ends_in_percent(&self) -> bool {
        self.0.last() == Some(&'%')
    }

    /// Whether the whole name matches. INBOX, as the first level, matches in any case.
    fn matches(&self, name: &str) -> bool {
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
            let pattern = Pattern::new(b"", pattern.as_bytes(), false).unwrap();
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
        let pattern = Pattern::new(b"Work/", b"%", false).unwrap();
        assert!(pattern.matches("Work/2026"));
        assert!(!pattern.matches("2026"));
        assert!(Pattern::new(b"&", b"*", false).is_none());
    }

    #[test]
    fn several() {
        let patterns = |list: &[&str], utf8| Patterns::new(b"", list.iter().map(|pattern| pattern.as_bytes()), utf8);
        let both = patterns(&["INBOX", "a/%"], false);
        assert!(both.matches("INBOX") && both.matches("a/b") && !both.matches("b"));
        assert!(both.matches_level("a/b") && !both.matches_level("INBOX"));
        assert!(patterns(&["&", &"x".repeat(1_001)], false).is_empty());
        let (name, wild) = ("x".repeat(900), "%x".repeat(450));
        assert!(patterns(&[&name, &name, &name, "last"], false).matches("last"));
        let long = patterns(&[&wild, &wild, &wild, "a%"], false);
        assert!(long.matches("ab") && long.0.len() == 3);
        assert!(patterns(&["Entwürfe"], true).matches("Entwürfe"));
        assert!(patterns(&["a&b"], true).matches("a&b"));
        assert!(!patterns(&["Entwürfe"], false).matches("Entwürfe"));
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
            prop_assert_eq!(Pattern::new(b"", pattern.as_bytes(), false).unwrap().matches(&name), expected);
        }
    }
}
