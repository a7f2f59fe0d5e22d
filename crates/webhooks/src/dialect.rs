//! The three languages in which events are told.

use std::fmt;
use std::str::FromStr;

/// In whose form events are told, and requests signed. A webhook belongs to the API it was made with; the others do not
/// show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// AgentMail: each webhook has a key of its own (Svix).
    #[default]
    AgentMail,
    /// Inkbox: the key is that of the identity, and each attempt is logged.
    Inkbox,
    /// MyAgentMail.
    MyAgentMail,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AgentMail, Self::Inkbox, Self::MyAgentMail];

    /// Its name in rows and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentMail => "agentmail",
            Self::Inkbox => "inkbox",
            Self::MyAgentMail => "myagentmail",
        }
    }

    /// Whether each attempt gets a row that its owner can read, and have sent again.
    pub(crate) const fn is_logged(self) -> bool {
        matches!(self, Self::Inkbox)
    }

    /// Whether its API shows that a webhook is disabled, and can enable it again: otherwise nobody would find out.
    pub(crate) const fn can_be_disabled(self) -> bool {
        !matches!(self, Self::Inkbox)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a dialect")]
pub struct UnknownDialect;

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(text: &str) -> Result<Self, UnknownDialect> {
        let mut all = Self::ALL.into_iter();
        all.find(|dialect| dialect.as_str() == text).ok_or(UnknownDialect)
    }
}
