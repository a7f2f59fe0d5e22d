//! What rules say, and how they are kept.

use crate::record::{now_ms, text};
use crate::{Direction, IdentityError, Listed};
use postroom_types::{InboxId, RuleId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Its name over HTTP.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The one with this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                [$(Self::$variant,)+].into_iter().find(|word| word.as_str() == name)
            }
        }
    };
}

words! {
    /// How an inbox treats whom no rule names.
    #[derive(Default)]
    FilterMode {
        /// It bars them.
        Whitelist "whitelist",
        /// It admits them.
        #[default]
        Blacklist "blacklist",
    }
}

impl FilterMode {
    /// For serde: what older rows do not have is not written either.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

words! {
    /// What a rule does with those it names.
    RuleAction {
        /// It admits them.
        Allow "allow",
        /// It bars them.
        Block "block",
    }
}

words! {
    /// What a rule names.
    MatchType {
        /// One address.
        ExactEmail "exact_email",
        /// All addresses in one domain, but not those below it.
        Domain "domain",
    }
}

words! {
    /// Which mail a rule is about.
    RuleDirection {
        /// What comes in.
        Inbound "inbound",
        /// What is sent.
        Outbound "outbound",
        /// Either.
        Both "both",
    }
}

impl RuleDirection {
    /// Whether it is about all mail that the other one is about.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self == Self::Both || self == other
    }

    /// Whether some mail is what both are about.
    pub(super) fn meets(self, other: Self) -> bool {
        self.covers(other) || other == Self::Both
    }

    /// The other one of the two.
    pub(super) const fn other(self) -> Option<Self> {
        match self {
            Self::Inbound => Some(Self::Outbound),
            Self::Outbound => Some(Self::Inbound),
            Self::Both => None,
        }
    }
}

impl From<Direction> for RuleDirection {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Send => Self::Outbound,
            Direction::Receive | Direction::Reply => Self::Inbound,
        }
    }
}

/// A rule of an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactRule {
    /// Its id.
    pub id: RuleId,
    /// Whose it is.
    pub inbox: InboxId,
    /// What it does.
    pub action: RuleAction,
    /// Whom it names.
    pub target: Listed,
    /// Which mail it is about.
    pub direction: RuleDirection,
    /// Whether it does not count at present.
    pub paused: bool,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When it was changed last, in milliseconds since 1970.
    pub updated_at: i64,
}

impl ContactRule {
    /// What it names.
    #[must_use]
    pub const fn match_type(&self) -> MatchType {
        match self.target {
            Listed::Address(_) => MatchType::ExactEmail,
            Listed::Domain(_) => MatchType::Domain,
        }
    }
}

/// Which rules are wanted; `None` is any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleFilter {
    /// Those that do this.
    pub action: Option<RuleAction>,
    /// Those that name such.
    pub match_type: Option<MatchType>,
    /// Those that are about all such mail.
    pub direction: Option<RuleDirection>,
    /// Only those of inboxes that are an identity's.
    pub of_identities: bool,
}

impl RuleFilter {
    /// As far as the rule itself tells.
    pub(super) fn admits(&self, rule: &ContactRule) -> bool {
        self.action.is_none_or(|action| action == rule.action)
            && self.match_type.is_none_or(|kind| kind == rule.match_type())
            && self.direction.is_none_or(|direction| rule.direction.covers(direction))
    }
}

/// All rules of an inbox about one address or domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredTarget {
    /// Folded.
    pub(super) target: String,
    /// One, or one for each direction.
    pub(super) rules: Vec<StoredRule>,
}

/// A rule as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredRule {
    #[serde(with = "text")]
    pub(super) id: RuleId,
    pub(super) action: RuleAction,
    pub(super) direction: RuleDirection,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) paused: bool,
    pub(super) created_at: i64,
    pub(super) changed_at: i64,
}

impl StoredRule {
    pub(super) fn open(&self, inbox: InboxId, target: &str) -> Result<ContactRule, IdentityError> {
        Ok(ContactRule {
            id: self.id,
            inbox,
            action: self.action,
            target: Listed::parse(target)?,
            direction: self.direction,
            paused: self.paused,
            created_at: self.created_at,
            updated_at: self.changed_at,
        })
    }

    /// Notes that it changes now.
    pub(super) fn touch(&mut self) {
        self.changed_at = now_ms().max(self.changed_at + 1);
    }
}

impl StoredTarget {
    /// The rule that counts for this mail.
    pub(super) fn active(&self, direction: RuleDirection) -> Option<&StoredRule> {
        self.rules
            .iter()
            .find(|rule| !rule.paused && rule.direction.covers(direction))
    }
}

/// What stands for an address or a domain in a key, since it may be longer than one.
pub(super) fn target_hash(target: &str) -> [u8; 32] {
    Sha256::digest(target.as_bytes()).into()
}

const LIST_FORMAT: u8 = 1;

/// A list row: behind the format byte of all values, the hash of the rule's target.
pub(super) fn list_row(hash: &[u8; 32]) -> Vec<u8> {
    [&[LIST_FORMAT][..], hash].concat()
}

pub(super) fn rule_hash(row: &[u8]) -> Option<[u8; 32]> {
    row.strip_prefix(&[LIST_FORMAT])?.try_into().ok()
}
