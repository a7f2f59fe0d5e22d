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
use postroom_store::{Key, StoreError, prefix_end, scan, scan_prefix};
use postroom_types::{InboxId, OrganizationId, RuleId};
use rule::{StoredTarget, rule_hash};
use std::collections::BTreeSet;
pub(crate) use verdict::ContactsOver;

/// Most rules of one inbox.
const MAX_RULES: u32 = 5_000;
/// Rules read together.
const RULES_A_READ: usize = 128;
/// Rows looked at in one go, so that a page far behind costs no more than this.
const ROWS_A_PAGE: usize = 50_000;

/// A place among the rules of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RulePlace(InboxId, RuleId);

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
    /// the filter names, `limit` after the first `offset`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn contact_rules(
        &self,
        organization: OrganizationId,
        inbox: Option<InboxId>,
        filter: &RuleFilter,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<ContactRule>, IdentityError> {
        let prefix = match inbox {
            Some(inbox) => keys::rules_of(organization, inbox),
            None => keys::rules(organization),
        };
        let mut rows = scan_prefix(&*self.store, &prefix);
        let (mut found, mut skipped, mut seen, mut waiting) = (Vec::new(), 0, 0, Vec::new());
        loop {
            let row = rows.next().await?;
            let is_end = row.is_none() || seen == ROWS_A_PAGE;
            seen += 1;
            waiting.extend(row);
            if is_end || waiting.len() == RULES_A_READ {
                let mut rules = self.open_rules(std::mem::take(&mut waiting)).await?;
                rules.retain(|rule| filter.admits(rule));
                if filter.of_identities {
                    rules = self.of_identities(rules).await?;
                }
                for rule in rules {
                    if skipped < offset {
                        skipped += 1;
                    } else if found.len() < limit {
                        found.push(rule);
                    }
                }
            }
            if is_end || found.len() == limit {
                return Ok(found);
            }
        }
    }

    /// All rules of an organization, piece by piece: about `limit` after a place, or from the beginning, in the order of
    /// [`contact_rules`](Self::contact_rules). What one piece costs does not depend on where it begins.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn rule_page(
        &self,
        organization: OrganizationId,
        after: Option<RulePlace>,
        limit: usize,
    ) -> Result<RulePage, IdentityError> {
        let prefix = keys::rules(organization);
        let mut low = prefix.clone();
        if let Some(RulePlace(inbox, id)) = after {
            low = keys::rule(organization, inbox, id);
            low.push(0);
        }
        let mut rows = scan(&*self.store, low, prefix_end(&prefix)).page_pairs((limit + 1).clamp(16, 256));
        let mut seen = Vec::new();
        while seen.len() < limit
            && let Some(row) = rows.next().await?
        {
            seen.push(row);
        }
        let next = match seen.last() {
            Some((key, _)) if seen.len() == limit => {
                let (inbox, id) = keys::rule_of(key).ok_or_else(corrupt)?;
                Some(RulePlace(inbox, id))
            }
            _ => None,
        };
        let rules = self.open_rules(seen).await?;
        Ok(RulePage { rules, next })
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
        let rules = self
            .contact_rules(inbox.organization, Some(inbox.id), &filter, 0, usize::MAX)
            .await?;
        Ok(rules.iter().filter(|rule| !rule.paused).count() as u64)
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
