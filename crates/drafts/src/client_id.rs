//! The names that clients give their drafts.
//!
//! What always holds: as long as it is known that a draft was sent, its name stands for that, so that who repeats the making
//! of it makes no other one.

use crate::{Draft, DraftError, DraftId, Drafts, row};
use postroom_store::{Key, Value};
use postroom_types::InboxId;

/// What a client's name for a draft stands for.
pub(crate) enum ClientId {
    /// The client gave none.
    NotGiven,
    /// No draft; `old` is what its row says of one that is gone.
    Free { key: Key, old: Option<Value> },
    /// This one.
    Draft(Box<Draft>),
}

impl Drafts {
    /// What a client's name for a draft stands for now.
    pub(crate) async fn named_by_client(
        &self,
        inbox: InboxId,
        client_id: Option<&str>,
    ) -> Result<ClientId, DraftError> {
        let Some(client_id) = client_id else {
            return Ok(ClientId::NotGiven);
        };
        let key = row::client_key(inbox, client_id);
        let old = self.store().get(&key).await?;
        let Some(id) = old.as_deref().map(row::read_id).transpose()? else {
            return Ok(ClientId::Free { key, old });
        };
        self.check_not_sent(inbox, id).await?;
        match self.get(inbox, id).await {
            Ok(draft) => Ok(ClientId::Draft(Box::new(draft))),
            Err(DraftError::NotFound) => {
                // Sent between the two looks?
                self.check_not_sent(inbox, id).await?;
                Ok(ClientId::Free { key, old })
            }
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// [`DraftError::AlreadySent`].
    pub(crate) async fn check_not_sent(&self, inbox: InboxId, id: DraftId) -> Result<(), DraftError> {
        let stored = self.stored(inbox, id).await?;
        match stored.and_then(|stored| stored.row.sent_as(self.now_ms())) {
            Some(sent_as) => Err(DraftError::AlreadySent(sent_as.message)),
            None => Ok(()),
        }
    }
}
