//! Usernames: what may be one, what is kept back, and which candidates a wanted name gives.
//!
//! What always holds: a name is folded before anything else looks at it, so no case form slips through.

use crate::secrets::random_bytes;
use crate::{Identity, IdentityError};
use icu_normalizer::DecomposingNormalizerBorrowed;
use postroom_types::{Domain, EmailAddress};

/// Longest local-part (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_PART_OCTETS: usize = 64;
/// Longest address that a path can carry (RFC 5321 §4.5.3.1.3).
const MAX_ADDRESS_OCTETS: usize = 254;
/// Longest name that is made from an organization's name.
const MAX_DERIVED_OCTETS: usize = 40;
/// Suffixes tried are 1 to this.
pub(crate) const SUFFIXES: u32 = 99;

/// Names that speak for the server (RFC 2142 and common practice). In the hands of a user they help an impostor only.
const RESERVED: [&str; 17] = [
    "abuse",
    "admin",
    "administrator",
    "autoconfig",
    "autodiscover",
    "dmarc",
    "hostmaster",
    "mailer-daemon",
    "no-reply",
    "noc",
    "noreply",
    "operator",
    "postmaster",
    "root",
    "security",
    "tlsrpt",
    "webmaster",
];

/// Folds a wanted username and says whether it may be one.
pub(crate) fn parse_username(given: &str, domain: &Domain) -> Result<EmailAddress, IdentityError> {
    let name = given.to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    if name.is_empty() || name.len() > MAX_LOCAL_PART_OCTETS {
        return Err(IdentityError::Invalid("a username has 1 to 64 characters"));
    }
    if !name.chars().all(allowed) {
        return Err(IdentityError::Invalid(
            "a username consists of a-z, 0-9, `.`, `-` and `_`",
        ));
    }
    if name.starts_with(['.', '-']) || name.ends_with(['.', '-']) || name.contains("..") {
        return Err(IdentityError::Invalid(
            "a username neither begins nor ends with `.` or `-`, and has no `..`",
        ));
    }
    EmailAddress::from_parts(&name, domain.clone())
        .map_err(|_| IdentityError::Invalid("the address would be longer than 254 characters"))
}

/// The name for an organization's inbox that was asked for without one.
pub(crate) fn derive_username(organization: &str) -> String {
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize_iter(organization.chars());
    let mut name = String::new();
    for c in decomposed.filter(char::is_ascii) {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.ends_with('-') {
            name.push('-');
        }
        // One more than fits, since a hyphen in front is still to go.
        if name.len() > MAX_DERIVED_OCTETS {
            break;
        }
    }
    let trimmed = name.trim_start_matches('-');
    let cut = &trimmed[..trimmed.len().min(MAX_DERIVED_OCTETS)];
    match cut.trim_end_matches('-') {
        "" => "inbox".to_owned(),
        name => name.to_owned(),
    }
}

/// A name that can be read out: three syllables and four digits.
pub(crate) fn random_username() -> String {
    const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
    const VOWELS: &[u8; 4] = b"aeio";
    let random = random_bytes::<10>();
    let mut name = String::with_capacity(9);
    for syllable in random[..6].chunks_exact(2) {
        name.push(char::from(CONSONANTS[usize::from(syllable[0] % 16)]));
        name.push(char::from(VOWELS[usize::from(syllable[1] % 4)]));
    }
    let number = u32::from_be_bytes([random[6], random[7], random[8], random[9]]);
    name.push_str(&format!("{:04}", number % 10_000));
    name
}

/// The base with a suffix; the base gives way where both would be too long.
pub(crate) fn with_suffix(base: &EmailAddress, suffix: u32) -> EmailAddress {
    let suffix = suffix.to_string();
    let domain = base.domain();
    let room = MAX_LOCAL_PART_OCTETS.min(MAX_ADDRESS_OCTETS - 1 - domain.as_str().len()) - suffix.len();
    let local_part = base.local_part();
    let kept = &local_part[..local_part.len().min(room)];
    EmailAddress::from_parts(&format!("{kept}{suffix}"), domain.clone())
        .expect("a cut username ends well with a digit, and is no longer than a username")
}

impl Identity {
    /// Whether the folded local-part is kept back.
    pub(crate) fn is_reserved(&self, local_part: &str) -> bool {
        RESERVED.contains(&local_part)
            || self
                .options
                .reserved_names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(local_part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn domain() -> Domain {
        Domain::parse("example.test").unwrap()
    }

    fn parse(name: &str) -> Result<String, String> {
        match parse_username(name, &domain()) {
            Ok(address) => Ok(address.local_part().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn good_and_bad_usernames() {
        let longest = "x".repeat(64);
        for (given, folded) in [
            ("scout", "scout"),
            ("Scout.One", "scout.one"),
            ("_a_", "_a_"),
            ("0", "0"),
            ("a-b.c_d", "a-b.c_d"),
            (longest.as_str(), longest.as_str()),
        ] {
            assert_eq!(parse(given).as_deref(), Ok(folded));
        }
        let too_long = "x".repeat(65);
        for bad in [
            "", ".a", "a.", "a..b", "-a", "a-", "a+b", "a b", "a@b", "ä", "a\r\n", "a\0", "\"a\"", &too_long,
            "\u{130}", "\u{212a}",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_has_254_octets_at_most() {
        let domain = Domain::parse(&["abcdefghi"; 20].join(".")).unwrap();
        assert!(parse_username(&"x".repeat(54), &domain).is_ok());
        assert!(parse_username(&"x".repeat(55), &domain).is_err());
        let base = parse_username(&"x".repeat(54), &domain).unwrap();
        assert_eq!(with_suffix(&base, 99).to_string().len(), 254);
    }

    #[test]
    fn suffixes_shorten_the_base() {
        let check = |base: &str, suffix, expected: &str| {
            let base = parse_username(base, &domain()).unwrap();
            assert_eq!(with_suffix(&base, suffix).local_part(), expected);
        };
        check("scout1", 1, "scout11");
        check(&"x".repeat(64), 1, &format!("{}1", "x".repeat(63)));
        check(&"x".repeat(63), 9, &format!("{}9", "x".repeat(63)));
        check(&"x".repeat(63), 10, &format!("{}10", "x".repeat(62)));
        check(&format!("{}.xx", "x".repeat(61)), 99, &format!("{}.99", "x".repeat(61)));
    }

    #[test]
    fn names_of_organizations() {
        for (name, expected) in [
            ("Acme", "acme"),
            ("Acme, Inc.", "acme-inc"),
            ("Café Größe", "cafe-groe"),
            ("  --  ", "inbox"),
            ("日本", "inbox"),
            ("日本 Acme", "acme"),
            ("a__b", "a-b"),
        ] {
            assert_eq!(derive_username(name), expected, "{name:?}");
        }
        assert_eq!(derive_username(&"y".repeat(300)), "y".repeat(40));
        assert_eq!(derive_username(&format!("{} z", "y".repeat(39))), "y".repeat(39));
        assert_eq!(derive_username(&format!(" {}", "y".repeat(50))), "y".repeat(40));
    }

    #[test]
    fn random_names_are_usernames_and_differ() {
        let names: std::collections::HashSet<String> = (0..100).map(|_| random_username()).collect();
        assert!(names.len() > 95, "{}", names.len());
        for name in names {
            assert_eq!(parse(&name), Ok(name));
        }
    }

    proptest! {
        #[test]
        fn a_derived_name_is_a_username(name in ".{0,80}") {
            let derived = derive_username(&name);
            prop_assert!(derived.len() <= MAX_DERIVED_OCTETS);
            prop_assert_eq!(parse(&derived), Ok(derived));
        }

        #[test]
        fn a_suffixed_name_is_a_username(name in "[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9_])?", suffix in 1..=SUFFIXES) {
            let base = parse_username(&name, &domain()).unwrap();
            let candidate = with_suffix(&base, suffix);
            prop_assert!(parse(candidate.local_part()).is_ok());
            prop_assert!(candidate.local_part().ends_with(&suffix.to_string()));
        }
    }
}
