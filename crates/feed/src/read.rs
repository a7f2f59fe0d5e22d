//! Reading events.

use crate::{Cursor, Event, Feed, keys, row, topic};
use postroom_store::{StoreError, scan};
use postroom_types::{Lsn, OrganizationId};
use tokio::sync::watch;

/// Most events of one page.
pub const MAX_PAGE: usize = 1000;

/// A part of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Where to go on; never before the cursor that was asked with.
    pub next: Cursor,
    /// Whether there is more now.
    pub more: bool,
}

/// Why there is no page.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FeedError {
    /// Events after the cursor are no longer kept. Who asks has to look at everything anew.
    #[error("events after this cursor are no longer kept")]
    Gone {
        /// The least cursor from which on all is kept.
        oldest: Cursor,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Feed {
    /// Up to `limit` events of an organization after a cursor, at most [`MAX_PAGE`]. Each event comes once and in order
    /// to a reader that goes on from [`Page::next`], whatever is committed meanwhile.
    ///
    /// # Errors
    /// [`FeedError::Gone`]; the store's own.
    pub async fn page(&self, organization: OrganizationId, after: Cursor, limit: usize) -> Result<Page, FeedError> {
        // Beyond it, an event may be visible before one that precedes it.
        let stable = self.store.stable_lsn();
        let limit = limit.clamp(1, MAX_PAGE);
        let mut low = keys::event(organization, after);
        low.push(0);
        let high = keys::event(
            organization,
            Cursor {
                lsn: Lsn(stable.0.saturating_add(1)),
                index: 0,
            },
        );
        let mut rows = scan(&*self.store, low, high).page_pairs(limit + 1);
        let mut events: Vec<Event> = Vec::new();
        let mut more = false;
        while let Some((key, value)) = rows.next().await? {
            if events.len() == limit {
                more = true;
                break;
            }
            events.push(read_event(&key, &value)?);
        }
        // Only now: what the upkeep took away while this was read is known to be gone.
        let oldest = self.trimmed(organization).await?;
        if after < oldest {
            return Err(FeedError::Gone { oldest });
        }
        let next = match events.last() {
            Some(last) if more => last.cursor,
            _ => after.max(Cursor::end_of(stable)),
        };
        Ok(Page { events, next, more })
    }

    /// Where a new subscriber begins: all that happened up to here is visible, in every organization.
    #[must_use]
    pub fn newest(&self) -> Cursor {
        Cursor::end_of(self.store.stable_lsn())
    }

    /// Wake-ups for an organization's events. They are hints: a receiver asks for a [`page`](Self::page) every few
    /// seconds all the same.
    #[must_use]
    pub fn watch(&self, organization: OrganizationId) -> watch::Receiver<Lsn> {
        self.store.watch(topic(organization))
    }

    /// The last event of an organization that is gone, or the start.
    pub(crate) async fn trimmed(&self, organization: OrganizationId) -> Result<Cursor, StoreError> {
        let value = self.store.get(&keys::trimmed(organization)).await?;
        value.map_or(Ok(Cursor::START), |value| row::read_trimmed(&value))
    }
}

fn read_event(key: &[u8], value: &[u8]) -> Result<Event, StoreError> {
    let (_, cursor) = keys::read_event(key).ok_or_else(|| StoreError::Corrupt("the key of an event".into()))?;
    let event = row::read(value)?;
    Ok(Event {
        cursor,
        at: event.at,
        inbox: event.inbox,
        what: event.what,
    })
}
