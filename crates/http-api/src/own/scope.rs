//! Whose mail a key sees under our own routes.

use crate::State;
use crate::auth::{Caller, Manager};
use crate::error::ApiError;
use postroom_identity::{IdentityError, InboxRecord, KeyKind, Permission};
use postroom_mailstore::Include;
use postroom_types::{EmailAddress, InboxId};
use std::collections::HashMap;

/// The operator runs the queue and so sees all of it, though not into inboxes; others see the mail that their own
/// inboxes send.
pub(super) struct Scope {
    whose: Whose,
    /// Inboxes looked up before, so that a list asks for each once.
    known: HashMap<InboxId, bool>,
}

enum Whose {
    Everybody,
    Managed(Manager),
    Inbox(InboxId),
}

impl Scope {
    pub(super) fn of(caller: &Caller) -> Result<Self, ApiError> {
        let whose = match (caller.0.kind, caller.0.inbox) {
            (KeyKind::Operator, _) => Whose::Everybody,
            (KeyKind::Inbox, Some(own)) => Whose::Inbox(own),
            (
                KeyKind::Inbox
                | KeyKind::Tenant
                | KeyKind::Organization
                | KeyKind::Pod
                | KeyKind::AgentPod
                | KeyKind::AgentInbox,
                _,
            ) => Whose::Managed(caller.manager()?),
        };
        Ok(Self {
            whose,
            known: HashMap::new(),
        })
    }

    /// The one inbox that can be in it, if it is so narrow.
    pub(super) fn only(&self) -> Option<InboxId> {
        match self.whose {
            Whose::Inbox(own) => Some(own),
            Whose::Everybody | Whose::Managed(_) => None,
        }
    }

    /// Whether mail from this inbox may be seen. What has no inbox, such as a notice, is the operator's.
    pub(super) async fn sees(&mut self, state: &State, sender: Option<InboxId>) -> Result<bool, ApiError> {
        match (&self.whose, sender) {
            (Whose::Everybody, _) => Ok(true),
            (Whose::Inbox(own), sender) => Ok(sender == Some(*own)),
            (Whose::Managed(_), None) => Ok(false),
            (Whose::Managed(manager), Some(sender)) => {
                if let Some(known) = self.known.get(&sender) {
                    return Ok(*known);
                }
                let seen = match state.identity().inbox(sender).await {
                    Ok(inbox) => manager.sees(&inbox),
                    Err(IdentityError::NoSuchInbox) => false,
                    Err(error) => return Err(error.into()),
                };
                self.known.insert(sender, seen);
                Ok(seen)
            }
        }
    }
}

impl Caller {
    /// An inbox that the operator or who provisions it may set up.
    pub(super) async fn set_up(&self, state: &State, id: InboxId) -> Result<InboxRecord, ApiError> {
        match self.0.kind {
            KeyKind::Operator => Ok(state.identity().inbox(id).await?),
            KeyKind::Tenant
            | KeyKind::Organization
            | KeyKind::Pod
            | KeyKind::Inbox
            | KeyKind::AgentPod
            | KeyKind::AgentInbox => self.managed(state, id).await,
        }
    }

    /// An inbox about which the operator or who may read it can ask.
    pub(super) async fn asked_about(&self, state: &State, id: InboxId) -> Result<InboxRecord, ApiError> {
        match self.0.kind {
            KeyKind::Operator => Ok(state.identity().inbox(id).await?),
            KeyKind::Tenant
            | KeyKind::Organization
            | KeyKind::Pod
            | KeyKind::Inbox
            | KeyKind::AgentPod
            | KeyKind::AgentInbox => self.readable(state, id).await,
        }
    }

    /// The same for an inbox named by its id or by one of its addresses, and for keys of the AgentMail dialect too, as far
    /// as they may read mail.
    pub(super) async fn asked_about_named(&self, state: &State, name: &str) -> Result<InboxRecord, ApiError> {
        let id = match name.parse() {
            Ok(id) => id,
            Err(_) => {
                let address = EmailAddress::parse(name).map_err(|_| ApiError::NotFound)?;
                let found = state.identity().inbox_at_address(&address).await?;
                found.ok_or(IdentityError::NoSuchInbox)?.id
            }
        };
        match self.0.kind {
            KeyKind::Organization | KeyKind::AgentPod | KeyKind::AgentInbox => {
                if !self.0.allows(Permission::MessageRead) {
                    return Err(ApiError::Forbidden);
                }
                let inbox = state.identity().inbox(id).await?;
                let is_seen = inbox.organization == self.0.organization
                    && self.0.pod.is_none_or(|pod| pod == inbox.pod)
                    && self.0.inbox.is_none_or(|own| own == inbox.id);
                Ok(is_seen.then_some(inbox).ok_or(IdentityError::NoSuchInbox)?)
            }
            KeyKind::Operator | KeyKind::Tenant | KeyKind::Pod | KeyKind::Inbox => self.asked_about(state, id).await,
        }
    }

    /// What of an inbox the caller may see besides its plain mail.
    pub(super) fn may_see(&self) -> Include {
        Include {
            spam: self.0.allows(Permission::LabelSpamRead),
            trash: self.0.allows(Permission::LabelTrashRead),
            blocked: self.0.allows(Permission::LabelBlockedRead),
            unauthenticated: self.0.allows(Permission::LabelUnauthenticatedRead),
        }
    }
}
