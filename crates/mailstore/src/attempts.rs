//! Trying again: a bound, and a pause that grows and differs between those who try.

use crate::{MailError, Mailstore};
use postroom_store::{Commit, Key, Outcome, Receipt};
use postroom_types::EmailId;
use std::time::Duration;

/// How often an operation is planned and sent before it gives up.
const TRIES: u32 = 60;

/// What came of one try that did not fail for good.
pub(crate) enum Tried {
    /// Done and durable.
    Done(Receipt),
    /// Not done, because of this key: read again and decide anew.
    Conflict(Key),
    /// Perhaps done: read again and see.
    Unknown,
}

/// Counts the tries of one operation.
pub(crate) struct Attempts(u32);

impl Attempts {
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    /// Waits a little before another try; the first is free.
    ///
    /// # Errors
    /// [`MailError::Unavailable`] when there were enough.
    pub(crate) async fn next(&mut self) -> Result<(), MailError> {
        self.0 += 1;
        match self.0 {
            1 => Ok(()),
            2..=TRIES => {
                // Random enough to part those who collide.
                let dice = u64::from(EmailId::new().as_bytes()[15]);
                let pause = Duration::from_micros(dice * u64::from(self.0.min(20)));
                tokio::time::sleep(pause).await;
                Ok(())
            }
            _ => Err(MailError::Unavailable),
        }
    }
}

impl Mailstore {
    /// Sends a commit once.
    ///
    /// # Errors
    /// [`MailError::Full`], and the store's own.
    pub(crate) async fn try_commit(&self, commit: Commit) -> Result<Tried, MailError> {
        match self.store.commit(commit).await? {
            Outcome::Done(receipt) => Ok(Tried::Done(receipt)),
            Outcome::Conflict(key) => Ok(Tried::Conflict(key)),
            Outcome::Unknown => Ok(Tried::Unknown),
            Outcome::Full => Err(MailError::Full),
        }
    }
}
