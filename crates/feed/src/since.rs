//! Finding a place by time.

use crate::{Cursor, Feed, FeedError, keys, row};
use postroom_store::{prefix_end, scan};
use postroom_types::{Lsn, OrganizationId};

impl Feed {
    /// The cursor after which all events of this time or later stand: where to begin to read what happened since. The
    /// oldest one if nothing that old is kept.
    ///
    /// # Errors
    /// The store's own.
    pub async fn since(&self, organization: OrganizationId, at: i64) -> Result<Cursor, FeedError> {
        let mut low = self.trimmed(organization).await?;
        let mut high = self.newest().lsn.0;
        // Commits have the order of time, but for what a clock that is set back makes of it.
        while low.lsn.0 < high {
            let middle = Cursor::end_of(Lsn(low.lsn.0.midpoint(high)));
            match self.first_after(organization, middle).await? {
                Some((cursor, time)) if time < at => low = cursor,
                _ => high = middle.lsn.0,
            }
        }
        // The last one below may have companions of its own commit that are as old.
        Ok(low)
    }

    /// The first event beyond a cursor: where, and when.
    async fn first_after(
        &self,
        organization: OrganizationId,
        after: Cursor,
    ) -> Result<Option<(Cursor, i64)>, FeedError> {
        let mut low = keys::event(organization, after);
        low.push(0);
        let high = prefix_end(&keys::events(organization));
        let Some((key, value)) = scan(&*self.store, low, high).page_pairs(1).next().await? else {
            return Ok(None);
        };
        let cursor = keys::read_event(&key).map(|(_, cursor)| cursor);
        Ok(cursor.zip(Some(row::read(&value)?.at)))
    }
}
