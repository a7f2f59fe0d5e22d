//! The outbound queue: schedule, leases, attempts, history, bounces.
//!
//! What always holds:
//! - Each recipient reaches exactly one final state; whatever moves it asks in the same commit that its row is still the
//!   one that was decided on, so everything can be repeated after an unknown outcome and is then done once.
//! - An attempt at another server is durable before it is dialled, and ends in the commit that moves the recipient on,
//!   writes the history and enqueues the notices.
//! - The due index has a row for every recipient that is queued or being attempted, and the commits that move a
//!   recipient move it. What is kept in memory is a view of it, bounded by destinations and items in flight, and can be
//!   lost at any time.
//! - A worker's commits ask that its lease is the one it took.
//! - The body lives as long as the message row, which goes when all recipients are final.

mod agenda;
mod announce;
mod attempt;
mod bounce;
mod capture;
mod check;
mod claim;
mod close;
mod codec;
mod decide;
mod enqueue;
mod error;
mod fate;
mod history;
mod hold_back;
mod keys;
mod lease;
mod log;
mod maintain;
mod mark;
mod model;
mod notice;
mod operate;
mod options;
mod rows;
mod schedule;
mod shared;
mod turn;
mod upkeep;
mod view;

pub use attempt::OpenAttempt;
pub use enqueue::Enqueued;
pub use error::QueueError;
pub use fate::Fate;
pub use mark::ContentMark;
pub use model::{Contact, Destination, ItemId, ItemState, NewQueued, NewRecipient, Outcome, QueuedBody, Reason};
pub use options::{Clock, OnLostReply, Options};
pub use schedule::Schedule;
pub use turn::{Job, JobItem, Turn};
pub use view::{
    Attempt, AttemptOutcome, Captured, Cursor, CursorError, LaterReport, ListFilter, Page, RecipientStatus,
};

use postroom_store::SharedStore;
use shared::Shared;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::AbortHandle;

/// Most recipients of one message.
pub const MAX_RECIPIENTS: usize = 100;

/// Longest [`NewQueued::prefix`], in octets.
pub const MAX_PREFIX_OCTETS: usize = 2560;

/// The outbound queue on a store.
pub struct Queue {
    shared: Arc<Shared>,
    upkeep: Mutex<Option<AbortHandle>>,
}

impl Queue {
    /// The queue on this store. Messages can be enqueued; nothing is sent before [`start`](Self::start).
    #[must_use]
    pub fn new(store: SharedStore, options: Options) -> Self {
        Self {
            shared: Arc::new(Shared::new(store, options)),
            upkeep: Mutex::default(),
        }
    }

    /// Takes the leases and finds the work. To be called once, inside a tokio runtime; attempts that are open then end as
    /// uncertain when their destination gets its next turn.
    ///
    /// # Errors
    /// [`QueueError::Full`], [`QueueError::Busy`] and those of the store; it may be called again.
    pub async fn start(&self) -> Result<(), QueueError> {
        upkeep::start(&self.shared).await?;
        let task = tokio::spawn(upkeep::upkeep(Arc::downgrade(&self.shared))).abort_handle();
        let mut kept = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = kept.replace(task) {
            earlier.abort();
        }
        Ok(())
    }

    /// What it holds in memory now: it grows with these two, never with what waits.
    #[must_use]
    pub fn in_memory(&self) -> InMemory {
        self.shared.agenda().size()
    }
}

/// What the queue holds in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InMemory {
    /// Destinations with work.
    pub destinations: usize,
    /// Recipients being worked on.
    pub in_flight: usize,
}

impl Drop for Queue {
    fn drop(&mut self) {
        let kept = self.upkeep.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = kept.take() {
            task.abort();
        }
    }
}
