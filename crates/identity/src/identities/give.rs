//! Giving an identity to an inbox that was made without one, in one commit.

use super::{AgentHandle, AgentIdentity, StoredIdentity, check_description};
use crate::attempts::ATTEMPTS;
use crate::inboxes::row_of;
use crate::record::{InboxRecord, now_ms};
use crate::visibility::Visibility;
use crate::{Handle, Identity, IdentityError, keys};
use postroom_store::CommitBuilder;
use postroom_types::{IdentityId, InboxId};

/// An identity that an inbox has now.
#[derive(Clone, Debug)]
pub struct GivenIdentity {
    /// It.
    pub identity: AgentIdentity,
    /// Its inbox.
    pub inbox: InboxRecord,
    /// Whether the inbox had none before.
    pub is_new: bool,
}

impl Identity {
    /// Gives an inbox an identity. Its addresses, its name, its keys and its mail stay; the handle need not be its local-part.
    /// Asked again with the same handle, it tells what is there, whatever the description.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchInbox`]; [`IdentityError::HasIdentity`], of another handle; [`IdentityError::HandleTaken`];
    /// [`IdentityError::Invalid`]: nothing was done.
    pub async fn give_identity(
        &self,
        inbox: InboxId,
        handle: &Handle,
        description: Option<&str>,
    ) -> Result<GivenIdentity, IdentityError> {
        description.map_or(Ok(()), check_description)?;
        let id = IdentityId::new();
        for _ in 0..ATTEMPTS {
            let found = self.row::<InboxRecord>(&keys::inbox(inbox)).await?;
            let live = found.filter(|(_, inbox)| inbox.deleted_at.is_none());
            let (old, mut inbox) = live.ok_or(IdentityError::NoSuchInbox)?;
            // An inbox goes with its organization, before the last of its rows does.
            let owner = self.live_organization(inbox.organization).await;
            let (owner, _) = owner.map_err(|error| match error {
                IdentityError::NoSuchOrganization => IdentityError::NoSuchInbox,
                error => error,
            })?;
            if let Some(agent) = &inbox.agent {
                if agent.handle != *handle {
                    return Err(IdentityError::HasIdentity);
                }
                let is_new = agent.id == id;
                let (identity, inbox) = self.identity_by_id(inbox.organization, agent.id).await?;
                return Ok(GivenIdentity {
                    identity,
                    inbox,
                    is_new,
                });
            }
            self.check_reserved(handle)?;
            let mut builder = CommitBuilder::new();
            builder.require(keys::organization(inbox.organization), owner);
            if let Err(error) = self.take_handle(&mut builder, &inbox, id, handle).await {
                // Whoever asks for the same at the same time is not in the way of itself.
                if self.store.get(&keys::inbox(inbox.id)).await? != Some(old) {
                    continue;
                }
                return Err(error);
            }
            inbox.agent = Some(AgentHandle {
                id,
                handle: handle.clone(),
            });
            inbox.touch();
            let created_at = now_ms();
            let stored = StoredIdentity {
                id,
                organization: inbox.organization,
                inbox: inbox.id,
                handle: handle.clone(),
                description: description.map(str::to_owned),
                visibility: Visibility::nobody(),
                created_at,
                changed_at: created_at,
            };
            builder.replace(keys::inbox(inbox.id), old, row_of(&inbox)?);
            builder.put(keys::identity(id), stored.row()?);
            Self::list_identity(&mut builder, &stored);
            if self.commit_change(builder).await? {
                tracing::info!(identity = %id, inbox = %inbox.id, organization = %inbox.organization, "identity given");
                return Ok(GivenIdentity {
                    identity: stored.shown(&inbox),
                    inbox,
                    is_new: true,
                });
            }
        }
        Err(IdentityError::Busy)
    }
}
