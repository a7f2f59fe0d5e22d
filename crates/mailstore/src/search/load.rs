//! Making columns, and bringing them up to date.

use super::cache::{MailboxColumns, Place};
use super::columns::NewLine;
use super::run::elsewhere;
use crate::rows::{MetaRow, read_summary};
use crate::shared::{Ghost, SharedMailbox};
use crate::{MailError, Mailstore, keys};
use bytes::Bytes;
use postroom_store::{Value, scan};
use postroom_types::Uid;
use std::sync::Arc;

/// Metadata rows that are read at once.
const PAGE: usize = 500;
/// Long summaries that are read at once, each at most about 200 KiB.
const LONG_SUMMARIES: usize = 32;
/// Columns are made only for those asked for, if these are fewer than one in so many of those not known yet.
const FEW: usize = 16;

impl Mailstore {
    /// Columns in which each of these messages, ascending, has a line, unless it is gone; `ghosts` are those among them
    /// that are expunged.
    pub(super) async fn columns_of(
        &self,
        shared: &SharedMailbox,
        uids: &[Uid],
        ghosts: Vec<Arc<Ghost>>,
    ) -> Result<Arc<MailboxColumns>, MailError> {
        let place: Place = (shared.inbox(), shared.id(), shared.uid_validity());
        let mut columns = self.searches.columns.find_or_add(place);
        let (known, useless) = size_of(&columns, shared).await?;
        if useless {
            self.searches.columns.forget(place);
            columns = self.searches.columns.find_or_add(place);
        }
        let missing = shared.with_rows(|rows, _| rows.len() - rows.partition_point(|row| Some(row.uid) <= known));
        if !useless && missing > PAGE && uids.len() * FEW < missing {
            return self.columns_for(shared, (uids, ghosts), known, &columns).await;
        }
        self.catch_up_columns(shared, &columns).await?;
        add_ghosts(&columns, ghosts).await?;
        self.searches.columns.keep(place, &columns);
        Ok(columns)
    }

    /// Columns for a few messages alone; the kept ones, if those have all of them.
    async fn columns_for(
        &self,
        shared: &SharedMailbox,
        (uids, ghosts): (&[Uid], Vec<Arc<Ghost>>),
        known: Option<Uid>,
        kept: &Arc<MailboxColumns>,
    ) -> Result<Arc<MailboxColumns>, MailError> {
        if uids.last().copied() <= known {
            add_ghosts(kept, ghosts).await?;
            return Ok(Arc::clone(kept));
        }
        let columns = Arc::<MailboxColumns>::default();
        for piece in uids.chunks(PAGE) {
            let key = |uid| keys::metadata(shared.inbox(), shared.id(), uid);
            let page = self.rows_of(key, piece).await?;
            self.add_page(&columns, page).await?;
        }
        add_ghosts(&columns, ghosts).await?;
        Ok(columns)
    }

    /// Adds the lines of messages that have come since.
    async fn catch_up_columns(&self, shared: &SharedMailbox, columns: &Arc<MailboxColumns>) -> Result<(), MailError> {
        let _turn = columns.turn.lock().await;
        let Some(last) = shared.with_rows(|rows, _| rows.last().map(|row| row.uid)) else {
            return Ok(());
        };
        let of = Arc::clone(columns);
        let known = elsewhere(move || of.read().last()).await?;
        if known >= Some(last) {
            return Ok(());
        }
        let key = |uid: u64| keys::metadata(shared.inbox(), shared.id(), uid);
        let from = known.map_or(0, |uid| u64::from(uid.get()) + 1);
        // Rows above the last UID may belong to a COPY that is not done yet.
        let mut rows = scan(&*self.store, key(from), key(u64::from(last.get()) + 1)).page_pairs(PAGE);
        let mut page = Vec::with_capacity(PAGE);
        while let Some((key, value)) = rows.next().await? {
            if let Some(uid) = keys::trailing_uid(&key) {
                page.push((uid, value));
            }
            if page.len() == PAGE {
                self.add_page(columns, std::mem::take(&mut page)).await?;
            }
        }
        self.add_page(columns, page).await?;
        let of = Arc::clone(columns);
        elsewhere(move || of.write().looked(last)).await
    }

    async fn add_page(&self, columns: &Arc<MailboxColumns>, page: Vec<(Uid, Value)>) -> Result<(), MailError> {
        let mut long = Vec::new();
        for (index, (_, value)) in page.iter().enumerate() {
            long.extend(MetaRow::raw(value)?.blob().map(|blob| (index, (blob, 0..u64::MAX))));
        }
        let (of, page) = (Arc::clone(columns), Arc::new(page));
        let mut made: Vec<Result<Option<NewLine>, MailError>> = {
            let (of, page) = (Arc::clone(&of), Arc::clone(&page));
            elsewhere(move || {
                page.iter()
                    .map(|(uid, value)| line_of(&of, *uid, value, None))
                    .collect()
            })
            .await?
        };
        for piece in long.chunks(LONG_SUMMARIES) {
            let (indexes, wanted): (Vec<usize>, Vec<_>) = piece.iter().cloned().unzip();
            let blobs = self.store.blobs(&wanted).await;
            let (of, page) = (Arc::clone(&of), Arc::clone(&page));
            made = elsewhere(move || {
                for (index, blob) in indexes.into_iter().zip(blobs) {
                    let (uid, value) = &page[index];
                    made[index] = blob
                        .map_err(MailError::from)
                        .and_then(|blob| line_of(&of, *uid, value, blob));
                }
                made
            })
            .await?;
        }
        let mut lines = Vec::with_capacity(made.len());
        for (made, (uid, _)) in made.into_iter().zip(page.iter()) {
            match made {
                Ok(line) => lines.extend(line),
                // It has no line, and is not found; the others are.
                Err(error) if error.is_damage() => {
                    tracing::error!(%uid, %error, "cannot search a message by its summary")
                }
                Err(error) => return Err(error),
            }
        }
        elsewhere(move || {
            let mut columns = of.write();
            lines.into_iter().for_each(|line| columns.add(line));
        })
        .await
    }
}

/// The line of a metadata row, with its summary if that is in a blob; `None` if that is not there (any more).
fn line_of(
    columns: &MailboxColumns,
    uid: Uid,
    value: &[u8],
    summary: Option<Bytes>,
) -> Result<Option<NewLine>, MailError> {
    let row = MetaRow::raw(value)?;
    let summary = match summary {
        Some(bytes) => Some(read_summary(&bytes)?),
        None => row.summary()?,
    };
    Ok(summary.map(|summary| columns.maker.make(uid, row.email_id, row.thread_id, &summary)))
}

/// The last message looked at; and whether there are so many lines of messages that are gone, or texts of them, that it is
/// better to begin anew.
async fn size_of(columns: &Arc<MailboxColumns>, shared: &SharedMailbox) -> Result<(Option<Uid>, bool), MailError> {
    let there = shared.with_rows(|rows, _| rows.len());
    let columns = Arc::clone(columns);
    elsewhere(move || {
        let columns = columns.read();
        (columns.last(), columns.lines.len() > 2 * there + 4 * PAGE)
    })
    .await
}

/// Adds lines of expunged messages that were never searched while they were there.
async fn add_ghosts(columns: &Arc<MailboxColumns>, ghosts: Vec<Arc<Ghost>>) -> Result<(), MailError> {
    if ghosts.is_empty() {
        return Ok(());
    }
    let columns = Arc::clone(columns);
    elsewhere(move || {
        for ghost in ghosts {
            if let Some(summary) = &ghost.meta.summary {
                let line = columns
                    .maker
                    .make(ghost.uid, ghost.meta.email_id, ghost.meta.thread_id, summary);
                columns.write().add(line);
            }
        }
    })
    .await
}
