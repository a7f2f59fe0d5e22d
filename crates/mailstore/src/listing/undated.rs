//! Inboxes with messages whose ids tell of a later time than theirs: mail was brought along in files under ids that began
//! with when that was done.
//!
//! What always holds: an inbox of which this is not known has messages whose ids and times agree, so that a part of time
//! is a part of the ids.

use crate::attempts::{Attempts, Tried};
use crate::{MailError, Mailstore, codec, keys};
use postroom_store::CommitBuilder;
use postroom_types::InboxId;

impl Mailstore {
    /// Remembers that an inbox has such messages, for good; done at once if it is known, or the inbox is gone.
    ///
    /// # Errors
    /// [`MailError::Full`], [`MailError::Unavailable`]; the store's own. It may be called again.
    pub async fn note_undated(&self, inbox: InboxId) -> Result<(), MailError> {
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            let Some(row) = self.store.get(&keys::inbox_row(inbox)).await? else {
                return Ok(());
            };
            if self.has_undated(inbox).await? {
                return Ok(());
            }
            let mut builder = CommitBuilder::new();
            // What is removed meanwhile gets no row that nobody clears away.
            builder.require(keys::inbox_row(inbox), row);
            builder.put(keys::undated(inbox), vec![codec::FORMAT]);
            if let Tried::Done(_) = self.try_commit(builder.build()).await? {
                return Ok(());
            }
        }
    }

    /// Whether that is remembered.
    pub(super) async fn has_undated(&self, inbox: InboxId) -> Result<bool, MailError> {
        Ok(self.store.get(&keys::undated(inbox)).await?.is_some())
    }
}
