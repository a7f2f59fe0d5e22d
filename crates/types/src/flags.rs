//! System flags and keywords (RFC 9051 §2.3.2).

use std::fmt;

/// A system flag that is stored. `\Recent` is not here: it belongs to a session, not to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Flag {
    /// `\Answered`
    Answered = 1,
    /// `\Flagged`
    Flagged = 2,
    /// `\Deleted`
    Deleted = 4,
    /// `\Seen`
    Seen = 8,
    /// `\Draft`
    Draft = 16,
}

impl Flag {
    /// All of them, in the order of RFC 3501 §7.2.6.
    pub const ALL: [Self; 5] = [Self::Answered, Self::Flagged, Self::Deleted, Self::Seen, Self::Draft];

    /// The flag as it is written, with its backslash.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Seen => "\\Seen",
            Self::Draft => "\\Draft",
        }
    }

    /// Finds a flag by its name with the backslash, in any case.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|flag| flag.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// A set of system flags, one byte.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);

    /// The set that these bits are; bits without a meaning are dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 31)
    }

    /// The set as one byte, as it is stored.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether the flag is set.
    #[must_use]
    pub const fn contains(self, flag: Flag) -> bool {
        self.0 & flag as u8 != 0
    }

    /// This set with the flag.
    #[must_use]
    pub const fn with(self, flag: Flag) -> Self {
        Self(self.0 | flag as u8)
    }

    /// This set without the flag.
    #[must_use]
    pub const fn without(self, flag: Flag) -> Self {
        Self(self.0 & !(flag as u8))
    }

    /// The flags of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags of this set that are not in the other.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The flags, in the order of RFC 3501 §7.2.6.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.into_iter().filter(move |flag| self.contains(*flag))
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Flag::name)).finish()
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Self {
        flags.into_iter().fold(Self::NONE, Self::with)
    }
}

/// A keyword: an atom without a backslash (RFC 9051 §9, `flag-keyword`). Compared without regard to case, shown as first
/// written.
#[derive(Clone, Eq)]
pub struct Keyword(String);

impl Keyword {
    /// Longest keyword taken, in octets.
    pub const MAX_OCTETS: usize = 255;

    /// `None` if it is empty, too long, or holds a character that is not an ATOM-CHAR.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let atom = |byte: u8| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte);
        let good = !text.is_empty() && text.len() <= Self::MAX_OCTETS && text.bytes().all(atom);
        good.then(|| Self(text.to_owned()))
    }

    /// The keyword as first written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Ord for Keyword {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let fold = |keyword: &Self| keyword.0.to_ascii_lowercase();
        fold(self).cmp(&fold(other))
    }
}

impl PartialOrd for Keyword {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl std::hash::Hash for Keyword {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Debug for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All flags of one placement: system flags and keywords, the latter without doubles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFlags {
    /// The system flags.
    pub system: Flags,
    /// The keywords, in the order they were set.
    pub keywords: Vec<Keyword>,
}

impl MessageFlags {
    /// Flags without keywords.
    #[must_use]
    pub const fn system(system: Flags) -> Self {
        Self {
            system,
            keywords: Vec::new(),
        }
    }

    /// Sets what the other sets, keeping the rest.
    pub fn add(&mut self, other: &Self) {
        self.system = self.system.union(other.system);
        for keyword in &other.keywords {
            if !self.keywords.contains(keyword) {
                self.keywords.push(keyword.clone());
            }
        }
    }

    /// Clears what the other sets.
    pub fn remove(&mut self, other: &Self) {
        self.system = self.system.difference(other.system);
        self.keywords.retain(|keyword| !other.keywords.contains(keyword));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_fold_case_and_refuse_specials() {
        assert_eq!(Keyword::new("$Forwarded"), Keyword::new("$forwarded"));
        for bad in ["", "a b", "a(b", "\\Seen", "a]", "é", "a\r"] {
            assert_eq!(Keyword::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn adding_and_removing_are_sets() {
        let mut flags = MessageFlags::system(Flags::NONE.with(Flag::Seen));
        let more = MessageFlags {
            system: Flags::NONE.with(Flag::Deleted),
            keywords: Keyword::new("work").into_iter().collect(),
        };
        flags.add(&more);
        flags.add(&more);
        assert_eq!(flags.keywords.len(), 1);
        flags.remove(&more);
        assert_eq!(flags, MessageFlags::system(Flags::NONE.with(Flag::Seen)));
    }

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(Flag::from_name(b"\\SEEN"), Some(Flag::Seen));
        assert_eq!(Flag::from_name(b"Seen"), None);
    }
}
