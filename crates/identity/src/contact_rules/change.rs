//! Making, changing and removing rules.

use super::rule::{StoredRule, StoredTarget, list_row, target_hash};
use super::{ContactRule, MAX_RULES, RuleAction, RuleDirection};
use crate::attempts::ATTEMPTS;
use crate::inboxes::row_of;
use crate::record::{InboxRecord, encode, now_ms};
use crate::{Identity, IdentityError, Listed, keys};
use postroom_store::{CommitBuilder, Value};
use postroom_types::{InboxId, RuleId};

/// A wanted rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleWish {
    /// What it does.
    pub action: RuleAction,
    /// Whom it names.
    pub target: Listed,
    /// Which mail it is about.
    pub direction: RuleDirection,
    /// Whether it does not count at first.
    pub paused: bool,
}

/// What to change of a rule; `None` leaves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleChange {
    /// What it does.
    pub action: Option<RuleAction>,
    /// Which mail it is about.
    pub direction: Option<RuleDirection>,
    /// Where the new action counts, if not wherever the rule does: the rest is left to a rule of its own.
    pub apply_to: Option<RuleDirection>,
    /// Whether it does not count.
    pub paused: Option<bool>,
}

/// A target's row and those that go with it.
struct Held {
    inbox: (Value, InboxRecord),
    target: Option<(Value, StoredTarget)>,
}

impl Identity {
    /// Makes a rule.
    ///
    /// # Errors
    /// [`IdentityError::RuleExists`] if the inbox has one about the same address or domain; [`IdentityError::TooMany`];
    /// [`IdentityError::NoSuchInbox`].
    pub async fn add_contact_rule(&self, inbox: InboxId, wish: &RuleWish) -> Result<ContactRule, IdentityError> {
        let target = wish.target.to_string();
        let hash = target_hash(&target);
        let now = now_ms();
        let rule = StoredRule {
            id: RuleId::new(),
            action: wish.action,
            direction: wish.direction,
            paused: wish.paused,
            created_at: now,
            changed_at: now,
        };
        let stored = StoredTarget {
            target,
            rules: vec![rule.clone()],
        };
        for _ in 0..ATTEMPTS {
            let held = self.hold_target(inbox, &hash).await?;
            if let Some((_, found)) = &held.target {
                return match found.rules.iter().find(|found| found.id == rule.id) {
                    Some(made) => made.open(inbox, &found.target),
                    None => Err(in_the_way(found, wish.direction)),
                };
            }
            let (old, mut record) = held.inbox;
            if record.rules >= MAX_RULES {
                return Err(IdentityError::TooMany("contact rules"));
            }
            record.rules += 1;
            let mut builder = CommitBuilder::new();
            builder.put_new(keys::rule_target(inbox, &hash), encode(&stored));
            builder.put(keys::rule(record.organization, inbox, rule.id), list_row(&hash));
            builder.replace(keys::inbox(inbox), old, row_of(&record)?);
            if self.commit_change(builder).await? {
                return rule.open(inbox, &stored.target);
            }
        }
        Err(IdentityError::Busy)
    }

    /// Changes a rule and returns it. An action for one direction alone of a rule about both parts it in two.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchRule`]; [`IdentityError::RuleExists`] if another rule about the same is in the way of the new
    /// direction; [`IdentityError::Invalid`] for a direction that the rule is not about; [`IdentityError::TooMany`];
    /// [`IdentityError::NoSuchInbox`].
    pub async fn update_contact_rule(
        &self,
        inbox: InboxId,
        id: RuleId,
        change: &RuleChange,
    ) -> Result<ContactRule, IdentityError> {
        let rest = RuleId::new();
        for _ in 0..ATTEMPTS {
            let (hash, held) = self.hold_rule(inbox, id).await?;
            let Held {
                inbox: (old_inbox, mut record),
                target: Some((old, mut target)),
            } = held
            else {
                return Err(IdentityError::NoSuchRule);
            };
            let mut builder = CommitBuilder::new();
            let added = changed(&mut target, id, rest, change)?;
            if added {
                if record.rules >= MAX_RULES {
                    return Err(IdentityError::TooMany("contact rules"));
                }
                record.rules += 1;
                builder.put(keys::rule(record.organization, inbox, rest), list_row(&hash));
            }
            builder.replace(keys::rule_target(inbox, &hash), old, encode(&target));
            builder.replace(keys::inbox(inbox), old_inbox, row_of(&record)?);
            if self.commit_change(builder).await? {
                let found = target.rules.iter().find(|rule| rule.id == id);
                return found.ok_or(IdentityError::NoSuchRule)?.open(inbox, &target.target);
            }
        }
        Err(IdentityError::Busy)
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchRule`]; [`IdentityError::NoSuchInbox`].
    pub async fn remove_contact_rule(&self, inbox: InboxId, id: RuleId) -> Result<(), IdentityError> {
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let (hash, held) = match self.hold_rule(inbox, id).await {
                Err(IdentityError::NoSuchRule) if sent => return Ok(()),
                held => held?,
            };
            let (old_inbox, mut record) = held.inbox;
            let (old, mut target) = held.target.ok_or(IdentityError::NoSuchRule)?;
            target.rules.retain(|rule| rule.id != id);
            record.rules = record.rules.saturating_sub(1);
            let mut builder = CommitBuilder::new();
            let key = keys::rule_target(inbox, &hash);
            if target.rules.is_empty() {
                builder.require(key.clone(), old);
                builder.delete(key);
            } else {
                builder.replace(key, old, encode(&target));
            }
            builder.delete(keys::rule(record.organization, inbox, id));
            builder.replace(keys::inbox(inbox), old_inbox, row_of(&record)?);
            sent = true;
            if self.commit_change(builder).await? {
                return Ok(());
            }
        }
        Err(IdentityError::Busy)
    }

    async fn hold_target(&self, inbox: InboxId, hash: &[u8; 32]) -> Result<Held, IdentityError> {
        let found = self.row::<InboxRecord>(&keys::inbox(inbox)).await?;
        let live = found.filter(|(_, record)| record.deleted_at.is_none());
        Ok(Held {
            inbox: live.ok_or(IdentityError::NoSuchInbox)?,
            target: self.row(&keys::rule_target(inbox, hash)).await?,
        })
    }

    /// The row with a rule of an inbox.
    async fn hold_rule(&self, inbox: InboxId, id: RuleId) -> Result<([u8; 32], Held), IdentityError> {
        let organization = self.inbox(inbox).await?.organization;
        let row = self.store.get(&keys::rule(organization, inbox, id)).await?;
        let hash = row.as_deref().and_then(super::rule::rule_hash);
        let hash = hash.ok_or(IdentityError::NoSuchRule)?;
        let held = self.hold_target(inbox, &hash).await?;
        let is_there = |(_, target): &(Value, StoredTarget)| target.rules.iter().any(|rule| rule.id == id);
        match held.target.as_ref().is_some_and(is_there) {
            true => Ok((hash, held)),
            false => Err(IdentityError::NoSuchRule),
        }
    }
}

/// The rule about the same that a new one for a direction meets; if it meets none, one at all.
fn in_the_way(target: &StoredTarget, direction: RuleDirection) -> IdentityError {
    let meets = target.rules.iter().find(|rule| rule.direction.meets(direction));
    let other = meets.or(target.rules.first());
    other.map_or(IdentityError::NoSuchRule, |rule| IdentityError::RuleExists(rule.id))
}

/// Makes the change; `true` if `rest` is a new rule about what is not changed.
fn changed(target: &mut StoredTarget, id: RuleId, rest: RuleId, change: &RuleChange) -> Result<bool, IdentityError> {
    // Done by a commit of which nobody said so.
    if target.rules.iter().any(|rule| rule.id == rest) {
        return Ok(false);
    }
    if let Some(direction) = change.direction
        && let Some(other) = target
            .rules
            .iter()
            .find(|rule| rule.id != id && rule.direction.meets(direction))
    {
        return Err(IdentityError::RuleExists(other.id));
    }
    let rule = target.rules.iter_mut().find(|rule| rule.id == id);
    let rule = rule.ok_or(IdentityError::NoSuchRule)?;
    let mut parted = None;
    if let (Some(action), Some(side)) = (change.action, change.apply_to) {
        if !rule.direction.covers(side) {
            return Err(IdentityError::Invalid("the rule is not about mail in that direction"));
        }
        if let (Some(other), RuleDirection::Both) = (side.other(), rule.direction)
            && action != rule.action
        {
            rule.direction = side;
            parted = Some(StoredRule {
                id: rest,
                direction: other,
                ..rule.clone()
            });
        }
    }
    rule.direction = change.direction.unwrap_or(rule.direction);
    rule.action = change.action.unwrap_or(rule.action);
    rule.paused = change.paused.unwrap_or(rule.paused);
    rule.touch();
    let added = parted.is_some();
    target.rules.extend(parted);
    Ok(added)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(direction: RuleDirection) -> (StoredTarget, RuleId) {
        let id = RuleId::new();
        let rule = StoredRule {
            id,
            action: RuleAction::Block,
            direction,
            paused: false,
            created_at: 1,
            changed_at: 1,
        };
        let target = StoredTarget {
            target: "a.test".into(),
            rules: vec![rule],
        };
        (target, id)
    }

    fn shown(target: &StoredTarget) -> Vec<(&'static str, &'static str)> {
        let rules = target.rules.iter();
        rules
            .map(|rule| (rule.action.as_str(), rule.direction.as_str()))
            .collect()
    }

    #[test]
    fn one_side_is_parted_from_the_other() {
        use RuleDirection::{Both, Inbound, Outbound};
        let (mut rules, id) = target(Both);
        let allow_inbound = RuleChange {
            action: Some(RuleAction::Allow),
            apply_to: Some(Inbound),
            ..RuleChange::default()
        };
        assert!(changed(&mut rules, id, RuleId::new(), &allow_inbound).unwrap());
        assert_eq!(shown(&rules), [("allow", "inbound"), ("block", "outbound")]);
        // What is parted does not grow over the other.
        let both = RuleChange {
            direction: Some(Both),
            ..RuleChange::default()
        };
        let refused = changed(&mut rules, id, RuleId::new(), &both);
        assert!(matches!(refused, Err(IdentityError::RuleExists(other)) if other == rules.rules[1].id));
        // Nothing to part: it is about that side alone, or would do there what it does here.
        let (mut rules, id) = target(Inbound);
        assert!(!changed(&mut rules, id, RuleId::new(), &allow_inbound).unwrap());
        assert_eq!(shown(&rules), [("allow", "inbound")]);
        let (mut rules, id) = target(Outbound);
        assert!(changed(&mut rules, id, RuleId::new(), &allow_inbound).is_err());
    }
}
