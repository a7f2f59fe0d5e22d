//! The one way in which texts are made equal before they are searched, sorted or grouped: i;unicode-casemap (RFC 5051),
//! which RFC 5256 §7 asks for.
//!
//! A text is decomposed (NFKD), then each character is put in upper case. That differs from the letter of RFC 5051 §2,
//! which maps case before it decomposes, for a handful of characters only, and there it finds more: `ª` is an A, `ǆ` is
//! DŽ, and folding twice is folding once. As RFC 5051 has it, a substring may end before a combining mark: `cafe` is
//! found in `café`.

use icu_normalizer::{DecomposingNormalizer, DecomposingNormalizerBorrowed};

const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizer::new_nfkd();

/// A text as it is compared. Never longer than 18 times the text.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let mut rest = text;
    while !rest.is_empty() {
        // An ASCII character neither changes nor is moved by what stands around it.
        let ascii = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        let (plain, tail) = rest.split_at(ascii);
        let start = out.len();
        out.push_str(plain);
        out[start..].make_ascii_uppercase();
        let other = tail.bytes().position(|byte| byte.is_ascii()).unwrap_or(tail.len());
        let (other, tail) = tail.split_at(other);
        out.extend(NFKD.normalize(other).chars().map(upper));
        rest = tail;
    }
    out
}

/// Upper case, where that is one character (the simple mapping of UnicodeData.txt).
fn upper(c: char) -> char {
    // It has no mapping to upper case, being one, but `ß` none either: so they meet there.
    if c == 'ẞ' {
        return 'ß';
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_the_same() {
        for (one, other) in [
            ("subject", "SUBJECT"),
            ("résumé", "RE\u{301}SUME\u{301}"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("straße", "STRAẞE"),
            ("ǆ", "DŽ"),
            ("Ǆ", "ǅ"),
            ("ﬁne", "FINE"),
            ("ᾳ", "ᾼ"),
            ("привет", "ПРИВЕТ"),
            ("ａｂｃ", "abc"),
            ("a\u{a0}b", "a b"),
            ("ª", "A"),
            ("q\u{307}\u{323}", "Q\u{323}\u{307}"),
            ("ა", "Ა"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("straße"), fold("strasse"));
        assert_eq!(fold("Aé\r\nz"), "AE\u{301}\r\nZ");
    }

    #[test]
    fn folding_a_character_twice_is_folding_it_once() {
        // Beyond are ideographs and what has no case.
        for c in '\0'..'\u{20000}' {
            let once = fold(&c.to_string());
            assert_eq!(fold(&once), once, "{:x}", c as u32);
            assert!(once.len() <= 18 * c.len_utf8());
        }
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text: String) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn composed_or_not_is_the_same(text: String) {
            prop_assert_eq!(fold(&NFKD.normalize(&text)), fold(&text));
        }

        #[test]
        fn ascii_around_changes_nothing(one in "\\PC{0,8}", other in "\\PC{0,8}") {
            prop_assert_eq!(fold(&format!("{one}a{other}")), format!("{}A{}", fold(&one), fold(&format!("a{other}")).split_at(1).1));
        }
    }
}
