//! The upkeep: events that are too old go, and it is remembered how far.

use crate::{Feed, FeedError, keys, row};
use postroom_store::{CommitBuilder, Key, Outcome, StoreError, prefix_end, scan};
use postroom_types::OrganizationId;
use std::sync::PoisonError;

/// Events removed in one commit.
const PIECE: usize = 500;

/// What came of trimming a piece.
enum Trimmed {
    /// So many are gone; whether there may be more to go.
    Removed(usize, bool),
    /// Somebody else is at it, or it is not known, or there is no space: to be looked at again later.
    Later,
}

impl Feed {
    /// Removes events that are older than [`Options::keep`](crate::Options), looking at about `budget` organizations and
    /// events; the next call goes on from there. `true` when all organizations were looked at.
    ///
    /// # Errors
    /// The store's own.
    pub async fn maintain(&self, budget: usize) -> Result<bool, FeedError> {
        let mut from = self.upkeep_from.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut left = budget;
        while left > 0 {
            let Some(organization) = self.organization_from(from).await? else {
                return Ok(true);
            };
            let (removed, more) = match self.trim_piece(organization, PIECE.min(left)).await? {
                Trimmed::Removed(count, more) => (count, more),
                Trimmed::Later => (0, false),
            };
            left -= removed.max(1);
            // One that was not finished comes first next time.
            from = if more {
                Some(organization)
            } else {
                successor(organization)
            };
            if from.is_none() {
                return Ok(true);
            }
        }
        *self.upkeep_from.lock().unwrap_or_else(PoisonError::into_inner) = from;
        Ok(false)
    }

    /// The first organization from this one on that has events.
    async fn organization_from(&self, from: Option<OrganizationId>) -> Result<Option<OrganizationId>, StoreError> {
        let low = from.map_or_else(|| keys::EVENTS.to_vec(), keys::events);
        let first = scan(&*self.store, low, prefix_end(keys::EVENTS))
            .page_pairs(1)
            .next()
            .await?;
        let Some((key, _)) = first else { return Ok(None) };
        match keys::read_event(&key) {
            Some((organization, _)) => Ok(Some(organization)),
            None => Err(StoreError::Corrupt("the key of an event".into())),
        }
    }

    /// Removes an organization's oldest events, at most `most`, up to the first that is young enough.
    async fn trim_piece(&self, organization: OrganizationId, most: usize) -> Result<Trimmed, StoreError> {
        let until =
            (self.options.clock)().saturating_sub(i64::try_from(self.options.keep.as_millis()).unwrap_or(i64::MAX));
        let trimmed = keys::trimmed(organization);
        let known = self.store.get(&trimmed).await?;
        let prefix = keys::events(organization);
        let mut rows = scan(&*self.store, prefix.clone(), prefix_end(&prefix)).page_pairs(most);
        let mut old: Vec<Key> = Vec::new();
        while old.len() < most
            && let Some((key, value)) = rows.next().await?
            && row::read(&value)?.at < until
        {
            old.push(key);
        }
        let Some((_, last)) = old.last().and_then(|key| keys::read_event(key)) else {
            return Ok(Trimmed::Removed(0, false));
        };
        let count = old.len();
        let mut builder = CommitBuilder::new();
        // Unchanged since the events were read, so that it never goes back.
        match known {
            Some(known) => builder.replace(trimmed, known, row::write_trimmed(last)),
            None => builder.put_new(trimmed, row::write_trimmed(last)),
        };
        for key in old {
            builder.delete(key);
        }
        Ok(match self.store.commit(builder.build()).await? {
            Outcome::Done(_) => Trimmed::Removed(count, count == most),
            Outcome::Conflict(_) | Outcome::Unknown | Outcome::Full => Trimmed::Later,
        })
    }
}

/// The least organization after this one.
fn successor(organization: OrganizationId) -> Option<OrganizationId> {
    let next = u128::from_be_bytes(*organization.as_bytes()).checked_add(1)?;
    Some(OrganizationId::from_bytes(next.to_be_bytes()))
}
