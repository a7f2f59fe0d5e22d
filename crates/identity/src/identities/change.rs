//! Changing an identity, and with it its inbox, in one commit.

use super::{AgentHandle, AgentIdentity, check_description};
use crate::attempts::ATTEMPTS;
use crate::create::check_display_name;
use crate::inboxes::row_of;
use crate::record::{InboxRecord, now_ms};
use crate::{FilterMode, Handle, Identity, IdentityError, keys};
use postroom_store::CommitBuilder;
use postroom_types::{IdentityId, OrganizationId};

/// What to change of an identity; `None` leaves it, `Some(None)` takes it away.
#[derive(Clone, Debug, Default)]
pub struct IdentityChange {
    /// Another handle. The address stays.
    pub handle: Option<Handle>,
    /// The name shown in From.
    pub display_name: Option<Option<String>>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// Whose mail its inbox takes.
    pub inbound_mode: Option<FilterMode>,
    /// Whom its inbox may write to.
    pub outbound_mode: Option<FilterMode>,
    /// Whether it may not send; if it may, its inbox takes mail too, whoever said otherwise.
    pub paused: Option<bool>,
}

impl Identity {
    /// Changes an identity and returns it with its inbox.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchIdentity`]; [`IdentityError::HandleTaken`]; [`IdentityError::Invalid`].
    pub async fn update_identity(
        &self,
        organization: OrganizationId,
        id: IdentityId,
        change: &IdentityChange,
    ) -> Result<(AgentIdentity, InboxRecord), IdentityError> {
        if let Some(Some(name)) = &change.display_name {
            check_display_name(name)?;
        }
        if let Some(Some(description)) = &change.description {
            check_description(description)?;
        }
        for _ in 0..ATTEMPTS {
            let (old, mut stored) = self.stored_identity(organization, id).await?;
            let found = self.row::<InboxRecord>(&keys::inbox(stored.inbox)).await?;
            let live = found.filter(|(_, inbox)| inbox.deleted_at.is_none());
            let (old_inbox, mut inbox) = live.ok_or(IdentityError::NoSuchIdentity)?;
            let mut builder = CommitBuilder::new();
            if let Some(handle) = change.handle.as_ref().filter(|handle| **handle != stored.handle) {
                self.check_reserved(handle)?;
                self.take_handle(&mut builder, &inbox, id, handle).await?;
                self.retire_handle(&mut builder, &inbox, &stored.handle);
                inbox.agent = Some(AgentHandle {
                    id,
                    handle: handle.clone(),
                });
                stored.handle.clone_from(handle);
            }
            if let Some(description) = &change.description {
                stored.description.clone_from(description);
            }
            if let Some(name) = &change.display_name {
                inbox.display_name.clone_from(name);
            }
            inbox.inbound_mode = change.inbound_mode.unwrap_or(inbox.inbound_mode);
            inbox.outbound_mode = change.outbound_mode.unwrap_or(inbox.outbound_mode);
            inbox.send_paused = change.paused.unwrap_or(inbox.send_paused);
            inbox.receive_paused &= change.paused != Some(false);
            inbox.touch();
            stored.changed_at = now_ms().max(stored.changed_at + 1);
            builder.replace(keys::identity(id), old, stored.row()?);
            builder.replace(keys::inbox(inbox.id), old_inbox, row_of(&inbox)?);
            if self.commit_change(builder).await? {
                return Ok((stored.shown(&inbox), inbox));
            }
        }
        Err(IdentityError::Busy)
    }
}
