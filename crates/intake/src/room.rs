//! Whether an inbox takes something in that its owner brings.
//!
//! What always holds: one message may go beyond what an inbox, or its organization, may hold; then nothing comes in.

use crate::settle::trouble;
use crate::{Intake, IntakeError};
use postroom_mailstore::MailError;
use postroom_types::{InboxId, OrganizationId};

impl Intake {
    /// That the organization of an inbox may store more; which that is. `None`: the inbox is gone, as will be seen.
    pub(crate) async fn check_storage(&self, inbox: InboxId) -> Result<Option<OrganizationId>, IntakeError> {
        let Some(owner) = self.identity.owner_of(inbox).await.map_err(trouble)? else {
            return Ok(None);
        };
        match self.identity.has_storage(owner).await.map_err(trouble)? {
            true => Ok(Some(owner)),
            false => Err(MailError::OverQuota(inbox).into()),
        }
    }

    /// That an inbox takes something in: neither it nor its organization is full. For who is about to upload; what is stored
    /// is asked about again.
    ///
    /// # Errors
    /// [`MailError::OverQuota`], [`MailError::NoSuchInbox`]; those of the store.
    pub async fn check_room(&self, inbox: InboxId) -> Result<(), IntakeError> {
        let usage = self.mailstore.usage(inbox).await?;
        if usage.octets >= usage.quota_octets {
            return Err(MailError::OverQuota(inbox).into());
        }
        self.check_storage(inbox).await.map(|_| ())
    }

    pub(crate) fn note_brought(&self, owner: Option<OrganizationId>, octets: u64) {
        if let Some(owner) = owner {
            self.identity.note_stored(owner, octets);
        }
    }
}
