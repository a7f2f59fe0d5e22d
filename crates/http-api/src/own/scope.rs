//! Whose mail a key sees under our own routes.

use crate::State;
use crate::auth::{self, Caller, Manager};
use crate::error::ApiError;
use postroom_identity::{IdentityError, InboxRecord, KeyKind, Permission, Reach};
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
        caller.require(Permission::MessageRead)?;
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
                let seen = match state.identity().inbox_within(&manager.reach(), sender).await {
                    Ok(_) => true,
                    Err(IdentityError::NoSuchInbox) => false,
                    Err(error) => return Err(error.into()),
                };
                self.known.insert(sender, seen);
                Ok(seen)
            }
        }
    }
}

/// An inbox, named by its id or by one of its addresses, within reach; `None` is all there are, for the operator.
pub(super) async fn named(state: &State, name: &str, reach: Option<Reach>) -> Result<InboxRecord, ApiError> {
    let identity = state.identity();
    if let Ok(id) = name.parse() {
        return Ok(match reach {
            Some(reach) => identity.inbox_within(&reach, id).await?,
            None => identity.inbox(id).await?,
        });
    }
    let address = EmailAddress::parse(name).map_err(|_| ApiError::NotFound)?;
    match reach {
        Some(reach) => Ok(identity.inbox_within_at(&reach, &address).await?),
        None => Ok(identity
            .inbox_at_address(&address)
            .await?
            .ok_or(IdentityError::NoSuchInbox)?),
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
        self.require(Permission::MessageRead)?;
        let reach = (self.0.kind != KeyKind::Operator).then(|| self.0.reach());
        named(state, name, reach).await
    }

    /// What of an inbox the caller may see besides its plain mail.
    pub(super) fn may_see(&self) -> Include {
        auth::may_see(&self.0)
    }
}
