//! Asking a program of messages: from the rows of the mailbox, then from the columns, and only for those that are not
//! decided by then from header and text.
//!
//! What always holds: on the executor no more is done at a stretch than [`ROW_QUESTIONS`]; all else runs on other threads,
//! in jobs that are short, so that a search that is dropped ends soon.

use super::cache::MailboxColumns;
use super::candidate::{Candidate, Known, Memory};
use super::program::{Leaf, Program, Truth};
use crate::shared::{Row, SharedMailbox};
use crate::{MailError, Mailstore};
use postroom_types::{EmailId, SearchKey, Uid};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Most messages that are asked at a stretch.
const CHUNK: usize = 8192;
/// Most questions at a stretch: messages times leaves of the program.
const ROW_QUESTIONS: usize = 64 << 10;

/// A message that rows and columns do not decide.
pub(super) struct Undecided {
    pub(super) candidate: Candidate,
    pub(super) email_id: EmailId,
    /// Where its body begins.
    pub(super) body_offset: u64,
    /// Whether the header could tell more.
    pub(super) asks_header: bool,
}

impl Mailstore {
    pub(super) fn program(&self, key: &SearchKey) -> Arc<Program> {
        Arc::new(Program::new(key, self.now_seconds()))
    }

    /// The rows of those that match, ascending.
    pub(super) async fn matching(
        &self,
        shared: &SharedMailbox,
        among: &[Uid],
        program: &Arc<Program>,
    ) -> Result<Vec<Row>, MailError> {
        let chunk = (ROW_QUESTIONS / program.leaves.len().max(1)).clamp(16, CHUNK);
        let mut matching = Vec::new();
        let mut undecided = Vec::new();
        let mut stack = Vec::new();
        for uids in among.chunks(chunk) {
            for candidate in Candidate::of(shared, uids, program) {
                let known = Known::rows(&candidate);
                let mut memory = Memory::default();
                match program.decide(&mut stack, |leaf| known.ask(program, leaf, &mut memory)) {
                    Truth::Yes => matching.push(candidate.row),
                    Truth::Maybe => undecided.push(candidate),
                    Truth::No => {}
                }
            }
            tokio::task::yield_now().await;
        }
        if !undecided.is_empty() {
            matching.extend(self.matching_more(shared, undecided, program, chunk).await?);
            matching.sort_unstable_by_key(|row| row.uid);
        }
        Ok(matching)
    }

    /// Those that match among candidates that the rows do not decide.
    async fn matching_more(
        &self,
        shared: &SharedMailbox,
        mut candidates: Vec<Candidate>,
        program: &Arc<Program>,
        chunk: usize,
    ) -> Result<Vec<Row>, MailError> {
        let uids: Vec<Uid> = candidates.iter().map(|candidate| candidate.row.uid).collect();
        let ghosts = candidates
            .iter()
            .filter_map(|candidate| candidate.ghost.clone())
            .collect();
        let columns = self.columns_of(shared, &uids, ghosts).await?;
        let mut matching = Vec::new();
        let mut memory = Memory::default();
        candidates.reverse();
        while !candidates.is_empty() {
            let piece = candidates.split_off(candidates.len().saturating_sub(chunk));
            let (of, asked) = (Arc::clone(&columns), Arc::clone(program));
            let _turn = self.searches.turn().await;
            let decided;
            (decided, memory) = elsewhere(move || by_columns(&of, &asked, piece, memory)).await?;
            matching.extend(decided.matching);
            drop(_turn);
            let found = self
                .matching_texts(shared, decided.undecided, program, &columns)
                .await?;
            matching.extend(found);
        }
        Ok(matching)
    }
}

/// What became of some candidates.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) matching: Vec<Row>,
    pub(super) undecided: Vec<Undecided>,
}

fn by_columns(
    columns: &MailboxColumns,
    program: &Program,
    candidates: Vec<Candidate>,
    mut memory: Memory,
) -> (Decided, Memory) {
    let columns = columns.read();
    let mut decided = Decided::default();
    let (mut stack, mut hint) = (Vec::new(), 0);
    for candidate in candidates.into_iter().rev() {
        // Without a line it is gone.
        let Some(line) = columns.find(candidate.row.uid, &mut hint) else {
            continue;
        };
        let known = Known {
            line: Some((&columns, line)),
            ..Known::rows(&candidate)
        };
        match program.decide(&mut stack, |leaf| known.ask(program, leaf, &mut memory)) {
            Truth::No => {}
            Truth::Yes => decided.matching.push(candidate.row),
            Truth::Maybe => {
                let asks_header = program.has_header && {
                    let mut leaves = 0..program.leaves.len();
                    leaves.any(|leaf| {
                        is_of_header(&program.leaves[leaf]) && known.ask(program, leaf, &mut memory) == Truth::Maybe
                    })
                };
                decided.undecided.push(Undecided {
                    email_id: line.email_id,
                    body_offset: u64::from(line.body_offset),
                    asks_header,
                    candidate,
                });
            }
        }
    }
    (decided, memory)
}

/// Whether a header may tell this leaf.
pub(super) const fn is_of_header(leaf: &Leaf) -> bool {
    matches!(leaf, Leaf::Header(..) | Leaf::Address(..) | Leaf::Subject(_))
}

/// Held by who waits for a long job.
#[derive(Default)]
pub(super) struct Wanting(Wanted);

/// Tells a long job whether somebody still waits for it.
#[derive(Clone, Default)]
pub(super) struct Wanted(Arc<AtomicBool>);

impl Wanting {
    pub(super) fn wanted(&self) -> Wanted {
        self.0.clone()
    }
}

impl Drop for Wanting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Wanted {
    pub(super) fn get(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

/// Works off the executor.
pub(super) async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, MailError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| MailError::Unavailable)
}
