//! What rules and modes say of an address: a rule for the address goes before one for its domain, and the mode decides
//! where there is neither.

use super::rule::{StoredTarget, target_hash};
use super::{FilterMode, RuleAction, RuleDirection};
use crate::record::{InboxRecord, decode};
use crate::{Identity, IdentityError, Listed, Refusal, keys};
use postroom_store::Key;
use postroom_types::{EmailAddress, InboxId, RuleId};

/// The modes of an inbox, and whether it has rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContactsOver {
    inbox: InboxId,
    inbound: FilterMode,
    outbound: FilterMode,
    has_rules: bool,
}

impl From<&InboxRecord> for ContactsOver {
    fn from(inbox: &InboxRecord) -> Self {
        Self {
            inbox: inbox.id,
            inbound: inbox.inbound_mode,
            outbound: inbox.outbound_mode,
            has_rules: inbox.rules > 0,
        }
    }
}

impl ContactsOver {
    pub(crate) const fn mode(&self, direction: RuleDirection) -> FilterMode {
        match direction {
            RuleDirection::Inbound | RuleDirection::Both => self.inbound,
            RuleDirection::Outbound => self.outbound,
        }
    }

    /// Whether they may bar anybody.
    pub(crate) fn has(&self, direction: RuleDirection) -> bool {
        self.has_rules || self.mode(direction) == FilterMode::Whitelist
    }
}

/// What the rules say of an address.
type Said = Option<(RuleAction, RuleId)>;

impl Identity {
    /// The first of these addresses that the rules bar, or the mode where `by_mode`.
    pub(crate) async fn contact_verdict(
        &self,
        contacts: &ContactsOver,
        direction: RuleDirection,
        addresses: &[EmailAddress],
        by_mode: bool,
    ) -> Result<Option<Refusal>, IdentityError> {
        let mut asked = Vec::with_capacity(addresses.len() * 2);
        for address in addresses {
            // What cannot stand in a rule is looked up as it is, and not found.
            let name = Listed::address(address).unwrap_or_else(|| Listed::Address(address.folded()));
            asked.extend([&name, &name.of_domain()].map(|name| contacts.key(name)));
        }
        let found = match contacts.has_rules {
            true => self.store.get_many(&asked).await?,
            false => vec![None; asked.len()],
        };
        for (address, rows) in addresses.iter().zip(found.chunks_exact(2)) {
            let mut said: Said = None;
            for row in rows.iter().flatten() {
                let target: StoredTarget = decode(row)?;
                said = said.or(target.active(direction).map(|rule| (rule.action, rule.id)));
            }
            let barred = match said {
                Some((RuleAction::Block, id)) => Some(Some(id)),
                Some((RuleAction::Allow, _)) => None,
                None if by_mode && contacts.mode(direction) == FilterMode::Whitelist => Some(None),
                None => None,
            };
            if let Some(rule) = barred {
                return Ok(Some(Refusal {
                    address: address.clone(),
                    blocked: rule.is_some(),
                    scope: "inbox",
                    by_rules: true,
                    rule,
                }));
            }
        }
        Ok(None)
    }
}

impl ContactsOver {
    fn key(&self, name: &Listed) -> Key {
        keys::rule_target(self.inbox, &target_hash(&name.to_string()))
    }
}
