//! SEARCH, SORT and THREAD: exact, in memory as far as possible (RFC 9051 §6.4.4, RFC 5256, RFC 5957).
//!
//! A program is decided from the rows of the open mailbox; if those do not tell, from the columns ([`columns`]), which
//! are made from the metadata once and kept; and only then from header and text ([`read`]). All texts are compared as
//! [`postroom_message::fold`] makes them.
//!
//! What always holds: a message that is gone, and not remembered for sessions that were not told, never matches.

mod cache;
mod candidate;
mod columns;
mod forest;
mod load;
mod order;
mod program;
mod read;
mod run;
mod texts;
mod thread;

use crate::shared::{Row, SharedMailbox};
use crate::{MailError, Mailstore};
use cache::{ColumnCache, MailboxColumns};
use postroom_types::{ModSeq, SearchKey, SortKey, ThreadAlgorithm, Threads, Uid};
use run::elsewhere;
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Searches that read a message of more than a megabyte at a time.
const LONG_TURNS: usize = 2;

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The messages: ascending, or in the order asked for.
    pub uids: Vec<Uid>,
    /// The modseq of each, if the program asks for one (RFC 7162 §3.1.5); else empty.
    pub modseqs: Vec<ModSeq>,
}

impl Found {
    fn of(rows: &[Row], with_modseqs: bool) -> Self {
        let modseqs = rows.iter().filter(|_| with_modseqs).map(|row| row.modseq);
        Self {
            modseqs: modseqs.collect(),
            uids: rows.iter().map(|row| row.uid).collect(),
        }
    }
}

/// What all searches share.
pub(crate) struct Searches {
    columns: ColumnCache,
    turns: Semaphore,
    long_turns: Semaphore,
}

impl Searches {
    pub(crate) fn new(column_octets: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            columns: ColumnCache::new(column_octets),
            turns: Semaphore::new(processors),
            long_turns: Semaphore::new(LONG_TURNS),
        }
    }

    /// A turn to compute. The semaphores are never closed; if one were, all would have their turn.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    async fn long_turn(&self) -> Option<SemaphorePermit<'_>> {
        self.long_turns.acquire().await.ok()
    }
}

impl Mailstore {
    /// Those of `among` (ascending) that match, ascending. May be dropped at any time, and then ends soon.
    ///
    /// # Errors
    /// The store's own; [`MailError::Unavailable`] when the process ends.
    pub async fn search(&self, shared: &SharedMailbox, among: &[Uid], program: &SearchKey) -> Result<Found, MailError> {
        let program = self.program(program);
        let rows = self.matching(shared, among, &program).await?;
        Ok(Found::of(&rows, program.has_modseq))
    }

    /// As [`search`](Self::search), in the order of `keys`, then of the UIDs (RFC 5256 §3).
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub async fn sort(
        &self,
        shared: &SharedMailbox,
        among: &[Uid],
        program: &SearchKey,
        keys: &[SortKey],
    ) -> Result<Found, MailError> {
        let program = self.program(program);
        let rows = self.matching(shared, among, &program).await?;
        let columns = if keys.iter().any(|key| order::needs_columns(*key)) {
            Some(self.columns_of_rows(shared, &rows).await?)
        } else {
            None
        };
        let keys = keys.to_vec();
        let _turn = self.searches.turn().await;
        let rows = elsewhere(move || order::sorted(rows, columns.as_deref(), &keys)).await?;
        Ok(Found::of(&rows, program.has_modseq))
    }

    /// As [`search`](Self::search), as threads (RFC 5256 §3).
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub async fn threads(
        &self,
        shared: &SharedMailbox,
        among: &[Uid],
        program: &SearchKey,
        algorithm: ThreadAlgorithm,
    ) -> Result<Threads, MailError> {
        let rows = self.matching(shared, among, &self.program(program)).await?;
        let columns = self.columns_of_rows(shared, &rows).await?;
        let thread = match algorithm {
            ThreadAlgorithm::OrderedSubject => thread::ordered_subject,
            ThreadAlgorithm::References => thread::by_references,
        };
        let _turn = self.searches.turn().await;
        elsewhere(move || thread::threads(&rows, &columns, thread)).await
    }

    /// Columns in which each of these messages has a line, unless it is gone.
    async fn columns_of_rows(&self, shared: &SharedMailbox, rows: &[Row]) -> Result<Arc<MailboxColumns>, MailError> {
        let uids: Vec<Uid> = rows.iter().map(|row| row.uid).collect();
        let ghosts = candidate::ghosts(shared, &uids);
        self.columns_of(shared, &uids, ghosts).await
    }
}
