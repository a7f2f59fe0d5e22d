//! Removing drafts, and what stands beside them.

use crate::read::{Found, LOOKS};
use crate::row::{self, DraftRow, Stored};
use crate::version::check_generation;
use crate::{DraftError, DraftId, Drafts};
use postroom_mailstore::MailError;
use postroom_store::{CommitBuilder, Outcome};
use postroom_types::{InboxId, Uid};

impl Drafts {
    /// Removes a draft; one that is scheduled does not go. Durable on return.
    ///
    /// # Errors
    /// [`DraftError::NotFound`], [`DraftError::BeingSent`], [`DraftError::Unavailable`]; those of the store.
    pub async fn delete(&self, inbox: InboxId, id: DraftId) -> Result<(), DraftError> {
        self.delete_version(inbox, id, None).await
    }

    /// Removes a draft that is of this version, if one is given.
    ///
    /// # Errors
    /// [`DraftError::Stale`]; those of [`delete`](Self::delete).
    pub async fn delete_version(&self, inbox: InboxId, id: DraftId, generation: Option<Uid>) -> Result<(), DraftError> {
        // Held, so that it is not sent between the two steps.
        let _claim = self.claims.take(inbox, id).ok_or(DraftError::BeingSent)?;
        let Found { draft, .. } = self.found(inbox, id).await?;
        check_generation(&draft, generation)?;
        self.forget(inbox, id, |row| row.sent.is_none()).await?;
        let mut uids = vec![draft.record.uid];
        let copies = self.mailstore.drafts_named(inbox, &id.0).await?;
        uids.extend(copies.iter().map(|copy| copy.uid));
        uids.sort_unstable();
        uids.dedup();
        self.mailstore
            .expunge(inbox, draft.record.mailbox, &uids, false)
            .await?;
        Ok(())
    }

    /// Removes the rows of a draft, if its row is one of those meant. That it was sent stays known as long as it has to.
    pub(crate) async fn forget(
        &self,
        inbox: InboxId,
        id: DraftId,
        meant: impl Fn(&DraftRow) -> bool,
    ) -> Result<(), DraftError> {
        let now_ms = self.now_ms();
        self.leave(inbox, id, meant, |row| row.remembered(now_ms)).await
    }

    /// Removes all rows of a draft whose inbox is gone, if its row is one of those meant.
    pub(crate) async fn erase(
        &self,
        inbox: InboxId,
        id: DraftId,
        meant: impl Fn(&DraftRow) -> bool,
    ) -> Result<(), DraftError> {
        self.leave(inbox, id, meant, |_| None).await
    }

    /// Leaves of a draft's row what `rest` makes of it.
    async fn leave(
        &self,
        inbox: InboxId,
        id: DraftId,
        meant: impl Fn(&DraftRow) -> bool,
        rest: impl Fn(&DraftRow) -> Option<DraftRow>,
    ) -> Result<(), DraftError> {
        for _ in 0..LOOKS {
            let Some(stored) = self.stored(inbox, id).await?.filter(|stored| meant(&stored.row)) else {
                return Ok(());
            };
            let mut builder = CommitBuilder::new();
            match rest(&stored.row) {
                Some(rest) if rest == stored.row => return Ok(()),
                Some(rest) => row::put(&mut builder, (inbox, id), Some(&stored), &rest)?,
                None => {
                    row::remove(&mut builder, (inbox, id), &stored);
                    self.release_client_id(&mut builder, inbox, id, &stored).await?;
                }
            }
            if self.commit(builder).await? {
                return Ok(());
            }
        }
        Err(DraftError::Unavailable)
    }

    /// The name that its maker gave a draft may be given to another, unless it was already.
    async fn release_client_id(
        &self,
        builder: &mut CommitBuilder,
        inbox: InboxId,
        id: DraftId,
        stored: &Stored,
    ) -> Result<(), DraftError> {
        if let Some(client_id) = &stored.row.client_id {
            let key = row::client_key(inbox, client_id);
            if self.store().get(&key).await? == Some(row::id_value(id)) {
                builder.require(key.clone(), row::id_value(id)).delete(key);
            }
        }
        Ok(())
    }

    /// Sends a commit of rows. `false`: it was not done, or it is not known: to be decided anew.
    pub(crate) async fn commit(&self, builder: CommitBuilder) -> Result<bool, DraftError> {
        match self.store().commit(builder.build()).await? {
            Outcome::Done(_) => Ok(true),
            Outcome::Conflict(_) | Outcome::Unknown => Ok(false),
            Outcome::Full => Err(DraftError::Mail(MailError::Full)),
        }
    }
}
