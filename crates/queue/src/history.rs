//! What became of it: recipients, attempts, reports that came later.

use crate::announce::announce_report;
use crate::keys;
use crate::model::{ItemId, ItemState};
use crate::rows::{AttemptRow, ItemRow, read_report, write_report};
use crate::shared::Shared;
use crate::view::{Attempt, Cursor, LaterReport, ListFilter, Page, RecipientStatus};
use crate::{Queue, QueueError};
use postroom_message::Report;
use postroom_store::{CommitBuilder, prefix_end, scan, scan_prefix};
use postroom_types::{EmailId, InboxId};

/// Reports kept of one recipient, the first ones.
const KEPT_REPORTS: u8 = 10;
/// Rows read for one page, whether they fit the filter or not.
const ROWS_OF_A_PAGE: usize = 2000;
/// Most items of a page.
const MAX_PAGE: usize = 500;

impl Queue {
    /// Adds a report about a recipient to the caller's commit, whose conflict on a key that begins with `q` says to ask
    /// again. The inbox to be told; `None` if there is none. Nothing is added if the recipient is not known (any more), or
    /// enough was reported of it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn report(
        &self,
        builder: &mut CommitBuilder,
        item: ItemId,
        report: &Report,
    ) -> Result<Option<InboxId>, QueueError> {
        let Some(old) = self.shared.store.get(&keys::item(item)).await? else {
            return Ok(None);
        };
        let row = ItemRow::read(&old)?;
        if row.reports >= KEPT_REPORTS {
            return Ok(None);
        }
        let new = ItemRow {
            reports: row.reports + 1,
            ..row.clone()
        };
        builder.replace(keys::item(item), old, new.write());
        let later = LaterReport {
            kind: report.kind,
            received_at: self.shared.now(),
            status: report.status.clone(),
            diagnostic: report.diagnostic.clone(),
        };
        builder.put(keys::report(item, row.reports), write_report(&later));
        let earlier = self.shared.reports(item, &row).await?;
        let earlier: Vec<_> = earlier.iter().map(|report| report.kind).collect();
        announce_report(builder, (item, &row), report, &earlier, later.received_at);
        Ok(row.sender)
    }

    /// All recipients of a message, in their order; none if the message is not known (any more).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn recipients(&self, message: EmailId) -> Result<Vec<RecipientStatus>, QueueError> {
        let mut all = Vec::new();
        for (key, value) in scan_prefix(&*self.shared.store, &keys::items(message))
            .collect()
            .await?
        {
            all.extend(self.shared.status(&key, &value).await?);
        }
        Ok(all)
    }

    /// The attempts at a recipient, in their order; the last hundred are kept.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn attempts(&self, item: ItemId) -> Result<Vec<Attempt>, QueueError> {
        let rows = scan_prefix(&*self.shared.store, &keys::attempts(item))
            .collect()
            .await?;
        let read = |(key, value): &(Vec<u8>, Vec<u8>)| -> Result<Attempt, QueueError> {
            let number = keys::attempt_number(key).unwrap_or_default();
            Ok(AttemptRow::read(value)?.attempt(number))
        };
        rows.iter().map(read).collect()
    }

    /// Recipients that fit the filter, newest messages first. One call reads a bounded number of rows, so a page may be
    /// short and still have a next one. What is not final is found without reading what is.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(
        &self,
        filter: &ListFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<RecipientStatus>, QueueError> {
        let limit = limit.clamp(1, MAX_PAGE);
        if filter.pending || filter.state.is_some_and(|state| !state.is_final()) {
            return self.list_pending(filter, after, limit).await;
        }
        let high = after.map_or_else(|| prefix_end(keys::ITEMS), |Cursor(id)| keys::item(id));
        let mut rows = scan(&*self.shared.store, keys::ITEMS.to_vec(), high).reverse();
        let mut items = Vec::new();
        let mut last = None;
        for _ in 0..ROWS_OF_A_PAGE {
            let Some((key, value)) = rows.next().await? else {
                return Ok(Page { items, next: None });
            };
            last = keys::item_of(&key, keys::ITEMS).map(Cursor).or(last);
            if fits(filter, &ItemRow::read(&value)?) {
                items.extend(self.shared.status(&key, &value).await?);
            }
            if items.len() >= limit {
                break;
            }
        }
        Ok(Page { items, next: last })
    }

    /// By way of the message rows, which are there only while a recipient is not final.
    async fn list_pending(
        &self,
        filter: &ListFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<RecipientStatus>, QueueError> {
        // The message in which the last page ended is looked at again.
        let high = after.map_or_else(
            || prefix_end(keys::MESSAGES),
            |Cursor(id)| prefix_end(&keys::message(id.message)),
        );
        let mut messages = scan(&*self.shared.store, keys::MESSAGES.to_vec(), high).reverse();
        let mut items = Vec::new();
        let mut read = 0;
        while let Some((key, _)) = messages.next().await? {
            let Some(message) = keys::message_of(&key) else {
                continue;
            };
            let high = match after {
                Some(Cursor(id)) if id.message == message => keys::item(id),
                _ => prefix_end(&keys::items(message)),
            };
            let mut rows = scan(&*self.shared.store, keys::items(message), high).reverse();
            while let Some((key, value)) = rows.next().await? {
                read += 1;
                let row = ItemRow::read(&value)?;
                if !row.state.is_final() && fits(filter, &row) {
                    items.extend(self.shared.status(&key, &value).await?);
                }
                let reached = keys::item_of(&key, keys::ITEMS).map(Cursor);
                if items.len() >= limit || read >= ROWS_OF_A_PAGE {
                    return Ok(Page { items, next: reached });
                }
            }
        }
        Ok(Page { items, next: None })
    }
}

impl Shared {
    async fn status(&self, key: &[u8], value: &[u8]) -> Result<Option<RecipientStatus>, QueueError> {
        let Some(id) = keys::item_of(key, keys::ITEMS) else {
            return Ok(None);
        };
        let row = ItemRow::read(value)?;
        let mut status = row.status(id);
        status.reports = self.reports(id, &row).await?;
        Ok(Some(status))
    }

    /// What was reported of a recipient, in the order it came.
    async fn reports(&self, id: ItemId, row: &ItemRow) -> Result<Vec<LaterReport>, QueueError> {
        if row.reports == 0 {
            return Ok(Vec::new());
        }
        let rows = scan_prefix(&*self.store, &keys::reports(id)).collect().await?;
        let reports: Result<Vec<_>, _> = rows.iter().map(|(_, value)| read_report(value)).collect();
        Ok(reports?)
    }
}

fn fits(filter: &ListFilter, row: &ItemRow) -> bool {
    let state = |wanted: ItemState| wanted == row.state;
    filter.inbox.is_none_or(|inbox| row.sender == Some(inbox))
        && filter.state.is_none_or(state)
        && filter
            .domain
            .as_ref()
            .is_none_or(|domain| row.address.domain() == domain)
}
