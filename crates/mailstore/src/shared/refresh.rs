//! Bringing a mailbox up to date, once for all who ask.

use super::SharedMailbox;
use crate::{MailError, Mailstore};
use postroom_types::{InboxId, MailboxId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whose turn it is to read.
#[derive(Default)]
pub(super) struct Turns {
    /// How many readings have begun.
    begun: AtomicU64,
    done: tokio::sync::Mutex<Done>,
}

/// What readings have come to.
#[derive(Default)]
struct Done {
    /// The number of the last one that succeeded.
    last: u64,
    loaded: bool,
}

impl Mailstore {
    /// The shared state of a mailbox, brought up to date. It is read if nobody has it, and kept for the next as long as
    /// there is room ([`Options::open_messages`](crate::Options)); whoever holds it can use it beyond.
    ///
    /// # Errors
    /// [`MailError::NoSuchMailbox`], [`MailError::NoSuchInbox`], [`MailError::Unavailable`]; the store's own.
    pub async fn open_shared(&self, inbox: InboxId, mailbox: MailboxId) -> Result<Arc<SharedMailbox>, MailError> {
        let shared = match self.open.find(inbox, mailbox) {
            Some(shared) => shared,
            None => {
                let uid_validity = self.mailbox_state(inbox, mailbox).await?.row.uid_validity;
                let new = SharedMailbox::new(inbox, mailbox, uid_validity, Arc::clone(&self.ghosts));
                self.open.find_or_add(new)
            }
        };
        self.refresh(&shared).await?;
        self.open.keep(&shared);
        Ok(shared)
    }

    /// Brings the state up to date: all that was done before this call is in it afterwards.
    ///
    /// # Errors
    /// [`MailError::NoSuchMailbox`] and [`MailError::NoSuchInbox`] when it is gone; the state stays as it was.
    /// [`MailError::Unavailable`]; the store's own.
    pub async fn refresh(&self, shared: &SharedMailbox) -> Result<(), MailError> {
        let asked = shared.turns.begun.load(Ordering::SeqCst);
        let mut done = shared.turns.done.lock().await;
        if done.last > asked {
            return Ok(());
        }
        let number = shared.turns.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let read = self.read_anew(shared, done.loaded).await;
        match &read {
            Ok(()) => {
                done.last = number;
                done.loaded = true;
            }
            Err(MailError::NoSuchMailbox | MailError::NoSuchInbox(_)) => self.open.let_go(shared),
            Err(_) => {}
        }
        read
    }

    async fn read_anew(&self, shared: &SharedMailbox, loaded: bool) -> Result<(), MailError> {
        if loaded && self.catch_up(shared).await? {
            return Ok(());
        }
        self.load(shared).await
    }
}
