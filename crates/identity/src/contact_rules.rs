//! Contact rules and filter modes (inkbox.md §9): whom an inbox may write to and hear from, beside the lists
//! ([`crate::lists`]). Both count; neither admits what the other bars.
//!
//! What always holds:
//! - All rules about one address or domain are in one row, so that of two equal rules one is made. Each direction of it is
//!   covered by at most one rule.
//! - The inbox's row counts its rules, in the commits that add and remove them, so that an inbox without any costs the mail
//!   path nothing more than that row.

mod change;
mod rule;
mod verdict;

pub use change::{RuleChange, RuleWish};
pub use rule::{ContactRule, FilterMode, MatchType, RuleAction, RuleDirection, RuleFilter};

use crate::record::{InboxRecord, decode};
use crate::{Identity, IdentityError, keys};
use postroom_store::{Key, StoreError, prefix_end, scan};
use postroom_types::{InboxId, OrganizationId, RuleId};
use rule::{StoredTarget, rule_hash};
use std::collections::BTreeSet;
pub(crate) use verdict::ContactsOver;

/// Most rules of one inbox.
const MAX_RULES: u32 = 5_000;
/// Rules read together.
const RULES_A_READ: usize = 128;
/// Most rules that [`Identity::contact_rules`] looks at in one call, so that a page far behind costs no more than this.
pub const MAX_RULES_READ: usize = 50_000;

/// A place among the rules of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RulePlace(InboxId, RuleId);

impl RulePlace {
    /// As octets, for a cursor.
    #[must_use]
    pub fn octets(self) -> Vec<u8> {
        [*self.0.as_bytes(), *self.1.as_bytes()].concat()
    }

    /// From such octets; `None` if they are none.
    #[must_use]
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let (inbox, id) = octets.split_first_chunk::<16>()?;
        Some(Self(
            InboxId::from_bytes(*inbox),
            RuleId::from_bytes(id.try_into().ok()?),
        ))
    }

    fn of(row: &[u8]) -> Result<Self, IdentityError> {
        let (inbox, id) = keys::rule_of(row).ok_or_else(corrupt)?;
        Ok(Self(inbox, id))
    }
}

/// Where some rules begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesFrom {
    /// Without so many of the first ones, all of which are read for it.
    Offset(usize),
    /// Behind this place, wherever it is.
    Behind(RulePlace),
}

/// Some rules of an organization.
#[derive(Clone, Debug)]
pub struct RulePage {
    /// They.
    pub rules: Vec<ContactRule>,
    /// Where to go on; `None` at the end. There may be more even if this page is not full.
    pub next: Option<RulePlace>,
}

impl Identity {
    /// Some rules of an inbox, or of all inboxes of an organization one inbox after the other, oldest first: of those that
    /// the filter names, `limit` from a place on. One call looks at a bounded number of them.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn contact_rules(
        &self,
        organization: OrganizationId,
        inbox: Option<InboxId>,
        filter: &RuleFilter,
        from: RulesFrom,
        limit: usize,
    ) -> Result<RulePage, IdentityError> {
        let prefix = match inbox {
            Some(inbox) => keys::rules_of(organization, inbox),
            None => keys::rules(organization),
        };
        let (mut skip, low) = match from {
            RulesFrom::Offset(offset) => (offset, prefix.clone()),
            RulesFrom::Behind(RulePlace(inbox, id)) => {
                let behind = [&keys::rule(organization, inbox, id)[..], &[0]].concat();
                (0, behind.max(prefix.clone()))
            }
        };
        let mut rows = scan(&*self.store, low, prefix_end(&prefix)).page_pairs(limit.clamp(16, RULES_A_READ));
        let (mut found, mut seen, mut waiting) = (Vec::new(), 0, Vec::new());
        loop {
            let row = rows.next().await?;
            let is_end = row.is_none();
            seen += usize::from(!is_end);
            waiting.extend(row);
            if !is_end && waiting.len() < RULES_A_READ && seen < MAX_RULES_READ {
                continue;
            }
            let last = waiting.last().map(|(key, _)| RulePlace::of(key)).transpose()?;
            let mut rules = self.open_rules(std::mem::take(&mut waiting)).await?;
            rules.retain(|rule| filter.admits(rule));
            if filter.of_identities {
                rules = self.of_identities(rules).await?;
            }
            let skipped = skip.min(rules.len());
            skip -= skipped;
            let room = limit - found.len();
            let is_over = rules.len() - skipped > room;
            found.extend(rules.into_iter().skip(skipped).take(room));
            let next = match is_over {
                true => found.last().map(|rule| RulePlace(rule.inbox, rule.id)),
                false => last.filter(|_| !is_end),
            };
            if is_end || is_over || found.len() == limit || seen >= MAX_RULES_READ {
                return Ok(RulePage { rules: found, next });
            }
        }
    }

    /// Those of inboxes that are an identity's.
    async fn of_identities(&self, mut rules: Vec<ContactRule>) -> Result<Vec<ContactRule>, IdentityError> {
        let inboxes: BTreeSet<InboxId> = rules.iter().map(|rule| rule.inbox).collect();
        let rows: Vec<Key> = inboxes.into_iter().map(keys::inbox).collect();
        let mut identities = BTreeSet::new();
        for value in self.store.get_many(&rows).await?.into_iter().flatten() {
            let inbox: InboxRecord = decode(&value)?;
            identities.extend((inbox.agent.is_some() && inbox.deleted_at.is_none()).then_some(inbox.id));
        }
        rules.retain(|rule| identities.contains(&rule.inbox));
        Ok(rules)
    }

    /// A rule of an inbox.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchRule`].
    pub async fn contact_rule(&self, inbox: &InboxRecord, id: RuleId) -> Result<ContactRule, IdentityError> {
        let key = keys::rule(inbox.organization, inbox.id, id);
        let value = self.store.get(&key).await?.ok_or(IdentityError::NoSuchRule)?;
        let found = self.open_rules(vec![(key, value)]).await?;
        found.into_iter().next().ok_or(IdentityError::NoSuchRule)
    }

    /// How many rules of an inbox count that do this.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn active_rules(&self, inbox: &InboxRecord, action: RuleAction) -> Result<u64, IdentityError> {
        let filter = RuleFilter {
            action: Some(action),
            ..RuleFilter::default()
        };
        let all = RulesFrom::Offset(0);
        let page = self
            .contact_rules(inbox.organization, Some(inbox.id), &filter, all, usize::MAX)
            .await?;
        Ok(page.rules.iter().filter(|rule| !rule.paused).count() as u64)
    }

    /// The rules of these list rows; one may have been removed since they were read.
    async fn open_rules(&self, rows: Vec<(Key, Vec<u8>)>) -> Result<Vec<ContactRule>, IdentityError> {
        let mut named = Vec::with_capacity(rows.len());
        for (key, value) in &rows {
            let (inbox, id) = keys::rule_of(key).ok_or_else(corrupt)?;
            named.push((inbox, id, rule_hash(value).ok_or_else(corrupt)?));
        }
        let targets: Vec<Key> = named
            .iter()
            .map(|(inbox, _, hash)| keys::rule_target(*inbox, hash))
            .collect();
        let mut rules = Vec::with_capacity(named.len());
        for ((inbox, id, _), value) in named.into_iter().zip(self.store.get_many(&targets).await?) {
            let Some(value) = value else { continue };
            let target: StoredTarget = decode(&value)?;
            if let Some(rule) = target.rules.iter().find(|rule| rule.id == id) {
                rules.push(rule.open(inbox, &target.target)?);
            }
        }
        Ok(rules)
    }

    /// All rows of the rules of an inbox that is gone.
    pub(crate) async fn rule_rows_of(
        &self,
        organization: OrganizationId,
        inbox: InboxId,
    ) -> Result<Vec<Key>, IdentityError> {
        let mut rows = self.rows_under(&keys::rules_of(organization, inbox)).await?;
        rows.extend(self.rows_under(&keys::rule_targets(inbox)).await?);
        Ok(rows)
    }
}

fn corrupt() -> IdentityError {
    StoreError::Corrupt("a list row of a contact rule".into()).into()
}
