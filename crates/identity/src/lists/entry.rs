//! What lists there are, and what may stand on them.

use crate::IdentityError;
use crate::record::InboxRecord;
use postroom_store::CounterRecord;
use postroom_types::{Domain, EmailAddress, InboxId, OrganizationId, PodId};
use std::fmt;

/// Which mail a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// What is sent.
    Send,
    /// What comes in and answers nothing.
    Receive,
    /// What comes in and answers a message that the inbox sent.
    Reply,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Send, Self::Receive, Self::Reply];

    /// Its name over HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Reply => "reply",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.as_str() == name)
    }
}

/// What a list does with those on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListType {
    /// It admits them, and if anybody is on it, nobody else.
    Allow,
    /// It bars them.
    Block,
}

impl ListType {
    /// Its name over HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Allow, Self::Block]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// For whom a list counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryScope {
    /// All inboxes of an organization.
    Organization(OrganizationId),
    /// All inboxes of a pod.
    Pod(OrganizationId, PodId),
    /// One inbox, in its pod.
    Inbox(OrganizationId, PodId, InboxId),
}

impl From<&InboxRecord> for EntryScope {
    fn from(inbox: &InboxRecord) -> Self {
        Self::Inbox(inbox.organization, inbox.pod, inbox.id)
    }
}

impl EntryScope {
    /// The organization that it is, or lies in.
    #[must_use]
    pub const fn organization(&self) -> OrganizationId {
        match self {
            Self::Organization(organization) | Self::Pod(organization, _) | Self::Inbox(organization, ..) => {
                *organization
            }
        }
    }

    /// Within the organization; zeros are the organization itself.
    pub(crate) const fn octets(&self) -> [u8; 16] {
        match self {
            Self::Organization(_) => [0; 16],
            Self::Pod(_, pod) => *pod.as_bytes(),
            Self::Inbox(_, _, inbox) => *inbox.as_bytes(),
        }
    }

    /// It and what it lies in, the narrowest first.
    pub(crate) fn upward(&self) -> Vec<Self> {
        match *self {
            Self::Organization(_) => vec![*self],
            Self::Pod(organization, _) => vec![*self, Self::Organization(organization)],
            Self::Inbox(organization, pod, _) => {
                vec![*self, Self::Pod(organization, pod), Self::Organization(organization)]
            }
        }
    }

    pub(crate) const fn noun(&self) -> &'static str {
        match self {
            Self::Organization(_) => "organization",
            Self::Pod(..) => "pod",
            Self::Inbox(..) => "inbox",
        }
    }
}

/// One list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct List {
    /// For whom it counts.
    pub scope: EntryScope,
    /// Which mail it is about.
    pub direction: Direction,
    /// What it does.
    pub list_type: ListType,
}

impl List {
    /// Its lane in the counters of its scope.
    pub(crate) const fn lane(&self) -> usize {
        2 * self.direction as usize + self.list_type as usize
    }
}

/// How many entries a list has, by the counters of its scope.
pub(super) fn count_of(counters: Option<&[u8]>, list: &List) -> u64 {
    let record = counters.and_then(CounterRecord::from_value);
    record.map_or(0, |record| record.0[list.lane()])
}

/// Whom an entry is about; folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Listed {
    /// An address.
    Address(EmailAddress),
    /// Everybody in a domain, but not in those below it.
    Domain(Domain),
}

impl Listed {
    /// Reads an address or a domain.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`].
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let bad = || IdentityError::Invalid("an entry is an address or a domain");
        if text.contains('@') {
            let address = EmailAddress::parse(text).map_err(|_| bad())?;
            return Self::address(&address).ok_or_else(bad);
        }
        let domain = Domain::parse(text).map_err(|_| bad())?;
        Self::domain(&domain).ok_or_else(bad)
    }

    /// An entry for an address; `None` if its domain cannot be one.
    #[must_use]
    pub fn address(address: &EmailAddress) -> Option<Self> {
        let folded = address.folded();
        let domain = in_ascii(folded.domain())?;
        let address = EmailAddress::from_parts(folded.local_part(), domain).ok()?;
        Some(Self::Address(address))
    }

    /// An entry for a domain; `None` if it cannot be one.
    #[must_use]
    pub fn domain(domain: &Domain) -> Option<Self> {
        in_ascii(domain).map(Self::Domain)
    }

    /// The entry for the domain of an address; a domain is its own.
    pub(crate) fn of_domain(&self) -> Self {
        match self {
            Self::Address(address) => Self::Domain(address.domain().clone()),
            Self::Domain(_) => self.clone(),
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(domain) => domain.fmt(f),
        }
    }
}

fn in_ascii(domain: &Domain) -> Option<Domain> {
    if domain.as_str().is_ascii() {
        return Some(domain.clone());
    }
    Domain::parse(&idna::domain_to_ascii(domain.as_str()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_folded() {
        for (given, kept) in [
            ("Bob@Example.COM", Some("bob@example.com")),
            ("Example.COM", Some("example.com")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("x@Bücher.example", Some("x@xn--bcher-kva.example")),
            ("@example.com", None),
            ("a b", None),
            ("", None),
        ] {
            let parsed = Listed::parse(given).ok().map(|listed| listed.to_string());
            assert_eq!(parsed.as_deref(), kept, "{given}");
        }
    }

    #[test]
    fn six_lists_have_six_lanes() {
        let mut lanes: Vec<usize> = Vec::new();
        for direction in Direction::ALL {
            for list_type in [ListType::Allow, ListType::Block] {
                let scope = EntryScope::Organization(OrganizationId::new());
                lanes.push(
                    List {
                        scope,
                        direction,
                        list_type,
                    }
                    .lane(),
                );
                assert_eq!(Direction::named(direction.as_str()), Some(direction));
                assert_eq!(ListType::named(list_type.as_str()), Some(list_type));
            }
        }
        assert_eq!(lanes, [0, 1, 2, 3, 4, 5]);
    }
}
