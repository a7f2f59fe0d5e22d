//! What the lists say of an address.
//!
//! What always holds: the narrowest scope that decides, decides: one that names the address or its domain, or that has
//! an allow list. Within a scope an address goes before its domain, and a block before an admission.

use super::entry::{Direction, EntryScope, List, ListType, Listed, count_of};
use crate::contact_rules::ContactsOver;
use crate::keys;
use crate::record::{InboxRecord, decode};
use crate::{FilterMode, Identity, IdentityError};
use postroom_store::{Key, Value};
use postroom_types::{EmailAddress, RuleId};
use std::fmt;

/// Addresses looked up together.
const ADDRESSES_A_READ: usize = 32;

/// The lists that count for an inbox, as far as it is known which have entries.
#[derive(Clone, Debug)]
pub struct ListsOver {
    /// With their counters, the narrowest first.
    scopes: Vec<(EntryScope, Option<Value>)>,
    /// The contact rules and modes of the inbox.
    contacts: Option<ContactsOver>,
}

impl ListsOver {
    /// Whether any list or contact rule may be about this mail.
    #[must_use]
    pub fn has(&self, direction: Direction) -> bool {
        self.contacts_with(direction).is_some() || self.scopes_with(direction).next().is_some()
    }

    /// Whether an allow list is about this mail, or the inbox admits only whom its rules name.
    #[must_use]
    pub fn admits_only_listed(&self, direction: Direction) -> bool {
        let is_whitelist = |contacts: &ContactsOver| contacts.mode(direction.into()) == FilterMode::Whitelist;
        self.contacts_with(direction).is_some_and(is_whitelist)
            || self.scopes_with(direction).any(|(_, has_allow_list)| has_allow_list)
    }

    /// The contact rules and the mode, if they may bar anybody.
    fn contacts_with(&self, direction: Direction) -> Option<&ContactsOver> {
        self.contacts.as_ref().filter(|contacts| contacts.has(direction.into()))
    }

    /// The scopes with entries for this mail, and whether their allow lists have some.
    fn scopes_with(&self, direction: Direction) -> impl Iterator<Item = (EntryScope, bool)> {
        self.scopes.iter().filter_map(move |(scope, counters)| {
            let count = |list_type| {
                let list = List {
                    scope: *scope,
                    direction,
                    list_type,
                };
                count_of(counters.as_deref(), &list)
            };
            let (allows, blocks) = (count(ListType::Allow) > 0, count(ListType::Block) > 0);
            (allows || blocks).then_some((*scope, allows))
        })
    }
}

/// An address that a list or a contact rule bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// It.
    pub address: EmailAddress,
    /// Whether it is barred by a block list or rule, and not for want of being admitted.
    pub blocked: bool,
    /// Whose list: of the inbox, its pod, or its organization.
    pub scope: &'static str,
    /// Whether contact rules bar it, not a list.
    pub by_rules: bool,
    /// The contact rule that bars it.
    pub rule: Option<RuleId>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self.scope;
        if self.by_rules {
            f.write_str(match self.blocked {
                true => "a contact rule blocks it",
                false => "no contact rule allows it, and others are barred",
            })
        } else if self.blocked {
            write!(f, "on the block list of the {scope}")
        } else {
            write!(f, "not on the allow list of the {scope}")
        }
    }
}

/// What one scope knows of an address.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    blocked: bool,
    allowed: bool,
    domain_blocked: bool,
    domain_allowed: bool,
    has_allow_list: bool,
}

/// What a scope says, if it says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Admitted,
    Blocked,
    NotAllowed,
}

impl Known {
    const fn says(self) -> Option<Says> {
        match self {
            Self { blocked: true, .. } => Some(Says::Blocked),
            Self { allowed: true, .. } => Some(Says::Admitted),
            Self {
                domain_blocked: true, ..
            } => Some(Says::Blocked),
            Self {
                domain_allowed: true, ..
            } => Some(Says::Admitted),
            Self {
                has_allow_list: true, ..
            } => Some(Says::NotAllowed),
            _ => None,
        }
    }
}

impl Identity {
    /// Which lists count for an inbox: one read.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn lists_over(&self, scope: &EntryScope) -> Result<ListsOver, IdentityError> {
        let scopes = scope.upward();
        let mut keys: Vec<Key> = scopes.iter().map(keys::list_counts).collect();
        if let EntryScope::Inbox(.., inbox) = scope {
            keys.push(keys::inbox(*inbox));
        }
        let mut rows = self.store.get_many(&keys).await?;
        let inbox = (rows.len() > scopes.len()).then(|| rows.pop()).flatten().flatten();
        let inbox = inbox.as_deref().map(decode::<InboxRecord>).transpose()?;
        Ok(ListsOver {
            scopes: scopes.into_iter().zip(rows).collect(),
            contacts: inbox.as_ref().map(ContactsOver::from),
        })
    }

    /// The first of these addresses that the contact rules or the lists bar. Reads nothing if none is about this mail.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list_verdict(
        &self,
        lists: &ListsOver,
        direction: Direction,
        addresses: &[EmailAddress],
    ) -> Result<Option<Refusal>, IdentityError> {
        if let Some(contacts) = lists.contacts_with(direction) {
            for addresses in addresses.chunks(ADDRESSES_A_READ) {
                let refusal = self
                    .contact_verdict(contacts, direction.into(), addresses, true)
                    .await?;
                if refusal.is_some() {
                    return Ok(refusal);
                }
            }
        }
        let scopes: Vec<(EntryScope, bool)> = lists.scopes_with(direction).collect();
        if scopes.is_empty() {
            return Ok(None);
        }
        for addresses in addresses.chunks(ADDRESSES_A_READ) {
            let mut asked = Vec::with_capacity(addresses.len() * scopes.len() * 4);
            for address in addresses {
                for (scope, _) in &scopes {
                    asked.extend(entries_of(*scope, direction, address));
                }
            }
            let found = self.store.get_many(&asked).await?;
            let mut found = found.chunks_exact(4);
            for address in addresses {
                let said = scopes.iter().map(|(scope, has_allow_list)| {
                    let there = |at: usize, rows: &[Option<Value>]| rows.get(at).is_some_and(Option::is_some);
                    let rows = found.next().unwrap_or_default();
                    let known = Known {
                        blocked: there(0, rows),
                        allowed: there(1, rows),
                        domain_blocked: there(2, rows),
                        domain_allowed: there(3, rows),
                        has_allow_list: *has_allow_list,
                    };
                    (scope.noun(), known.says())
                });
                // All rows of an address are taken, whichever scope decides.
                let said: Vec<_> = said.collect();
                let decided = said.into_iter().find_map(|(noun, says)| Some((noun, says?)));
                if let Some((scope, says @ (Says::Blocked | Says::NotAllowed))) = decided {
                    return Ok(Some(Refusal {
                        address: address.clone(),
                        blocked: says == Says::Blocked,
                        scope,
                        by_rules: false,
                        rule: None,
                    }));
                }
            }
        }
        Ok(None)
    }
}

impl Identity {
    /// Whether a contact rule bars this sender of the envelope. The mode says nothing of it: mail that somebody sends
    /// through another's server has that one's.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn bars_envelope(
        &self,
        lists: &ListsOver,
        sender: &EmailAddress,
    ) -> Result<Option<Refusal>, IdentityError> {
        let direction = Direction::Receive;
        match lists.contacts_with(direction) {
            Some(contacts) => {
                self.contact_verdict(contacts, direction.into(), std::slice::from_ref(sender), false)
                    .await
            }
            None => Ok(None),
        }
    }
}

/// Where an address would stand in a scope: blocked, allowed; then its domain.
fn entries_of(scope: EntryScope, direction: Direction, address: &EmailAddress) -> [Key; 4] {
    // What cannot stand on a list is looked up as it is, and not found.
    let name = Listed::address(address).unwrap_or_else(|| Listed::Address(address.folded()));
    let key = |name: &Listed, list_type| {
        let list = List {
            scope,
            direction,
            list_type,
        };
        keys::list_entry(&list, &name.to_string())
    };
    let domain = name.of_domain();
    [
        key(&name, ListType::Block),
        key(&name, ListType::Allow),
        key(&domain, ListType::Block),
        key(&domain, ListType::Allow),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_scope_says() {
        let known = |flags: &str| Known {
            blocked: flags.contains('b'),
            allowed: flags.contains('a'),
            domain_blocked: flags.contains('B'),
            domain_allowed: flags.contains('A'),
            has_allow_list: flags.contains('l') || flags.to_ascii_lowercase().contains('a'),
        };
        for (flags, says) in [
            ("", None),
            ("l", Some(Says::NotAllowed)),
            ("b", Some(Says::Blocked)),
            ("a", Some(Says::Admitted)),
            ("ba", Some(Says::Blocked)),
            ("aB", Some(Says::Admitted)),
            ("bA", Some(Says::Blocked)),
            ("BA", Some(Says::Blocked)),
            ("A", Some(Says::Admitted)),
        ] {
            assert_eq!(known(flags).says(), says, "{flags}");
        }
    }
}
